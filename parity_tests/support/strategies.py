"""Strategies that construct valid specs with an input shape and a data seed; nothing is filtered.

The rank is drawn first, then the kind of layer, then its window, then sizes that fit. Every draw
is ordered so that its simplest value comes first: a failure shrinks to rank 1, one group, one
channel, a kernel of 1, stride 1, no padding. Rank 1 is the simplest because Hypothesis prefers
fewer choices to smaller ones, and a row of pixels can be worked out by hand; a failure that is
still of rank 2 or 3 needs its axes. Sizes follow from the output size that was drawn, so that
strides which do not divide them, one-pixel outputs and kernels larger than the input occur.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Residual,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Spec,
    output_shape,
)
from convparity.impls.reference import pool_windows
from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    OVER_AXIS,
    PADDING_MODES,
    Clamp,
    Identity,
    PReLU,
    Shape,
    effective_kernel,
)
from parity_tests.support import (
    arithmetic_strategies,
    movement_strategies,
    reduction_strategies,
    resize_strategies,
)


class Case(NamedTuple):
    """A spec, an input shape that fits it, and the seed of its data."""

    spec: Spec
    input_shape: Shape
    seed: int


class Largest(NamedTuple):
    """How far the draws of one rank go; a volume must stay small enough to be judged often."""

    kernel: int
    stride: int
    dilation: int
    output: int
    pad: int


LARGEST = {
    1: Largest(kernel=5, stride=4, dilation=3, output=5, pad=5),
    2: Largest(kernel=4, stride=3, dilation=3, output=4, pad=3),
    3: Largest(kernel=3, stride=2, dilation=2, output=2, pad=2),
}

Pair = tuple[Spec, Shape]

CONVS = (Conv, DepthwiseConv, SeparableConv)

ranks = st.sampled_from([1, 2, 3])
seeds = st.integers(0, 2**16 - 1)
batches = st.integers(1, 3)


def axes(values: st.SearchStrategy[int], rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    """One value an axis: often the same on all of them, as people write it, or each its own."""
    each = st.tuples(*[values] * rank)
    return values.map(lambda value: (value,) * rank) | each


# ---------------------------------------------------------------- convolutions


@st.composite
def windows(draw: Any, channels: int, rank: int) -> tuple[dict[str, Any], Shape]:
    """The window of a convolution, and spatial sizes that fit it."""
    largest = LARGEST[rank]
    kernel = draw(axes(st.integers(1, largest.kernel), rank))
    stride = draw(axes(st.integers(1, largest.stride), rank))
    dilation = draw(axes(st.integers(1, largest.dilation), rank))
    extent = effective_kernel(kernel, dilation)
    causal = ["causal"] * 2 if rank == 1 else []  # twice, as "wide": each has cells by the dozen
    padding = draw(st.sampled_from(["valid", "same", *causal, "pairs", "wide", "wide"]))
    mode = draw(st.sampled_from(PADDING_MODES))
    least = 2 if mode == "reflect" and padding != "valid" else 1  # one pixel has no reflection
    if padding == "wide":  # each pad wider than the input
        sizes = draw(st.tuples(*[st.integers(least, least + 1)] * rank))
        more = st.integers(1, 2)
        padding = tuple(
            (n + draw(more), max(n, k - 2 * n) + draw(more))
            for n, k in zip(sizes, extent, strict=True)
        )
    else:
        if padding == "pairs":
            pads = st.tuples(*[st.integers(0, largest.pad)] * 2)
            padding = draw(st.tuples(*[pads] * rank))
        sizes = _sizes(draw, rank, extent, stride, padding, least)
        if padding in ("same", "causal") and channels >= least and draw(st.booleans()):
            sizes = (channels,) * rank  # H = W = C: a swapped axis has the right shape
    window = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return {**window, "padding_mode": mode, "rank": rank}, sizes


def _sizes(
    draw: Any, rank: int, extent: Shape, stride: Shape, padding: Any, least: int = 1
) -> Shape:
    """Sizes, each of at least ``least``, from the output size that is drawn for each axis."""
    sizes = []
    for axis in range(rank):
        wanted = draw(st.integers(1, LARGEST[rank].output))
        rest = draw(st.integers(0, stride[axis] - 1))  # pixels that the stride leaves over
        size = (wanted - 1) * stride[axis] + rest
        match padding:
            case "same" | "causal":
                size += 1
            case "valid":
                size += extent[axis]
            case _:
                size += extent[axis] - sum(padding[axis])
        short = max(0, least - size)  # the padding alone covers the kernel: more pixels at least
        sizes.append(size + -(-short // stride[axis]) * stride[axis])
    return tuple(sizes)


@st.composite
def convs(draw: Any, rank: int) -> Pair:
    """A regular convolution, grouped or not."""
    groups = draw(st.integers(1, 3))
    in_channels = groups * draw(st.integers(1, 3))
    out_channels = draw(st.just(in_channels) | st.integers(1, 4).map(lambda n: n * groups))
    window, sizes = draw(windows(in_channels, rank))
    spec = Conv(in_channels, out_channels, groups=groups, bias=draw(st.booleans()), **window)
    return spec, (draw(batches), *sizes, in_channels)


@st.composite
def depthwise_convs(draw: Any, rank: int) -> Pair:
    """A depthwise convolution with any multiplier."""
    channels = draw(st.integers(1, 4))
    window, sizes = draw(windows(channels, rank))
    multiplier, bias = draw(st.integers(1, 3)), draw(st.booleans())
    spec = DepthwiseConv(channels, depth_multiplier=multiplier, bias=bias, **window)
    return spec, (draw(batches), *sizes, channels)


@st.composite
def separable_convs(draw: Any, rank: int) -> Pair:
    """A separable convolution with a bias on each step by itself."""
    channels = draw(st.integers(1, 4))
    window, sizes = draw(windows(channels, rank))
    spec = SeparableConv(
        channels,
        draw(st.just(channels) | st.integers(1, 5)),
        depth_multiplier=draw(st.integers(1, 3)),
        depthwise_bias=draw(st.booleans()),
        pointwise_bias=draw(st.booleans()),
        **window,
    )
    return spec, (draw(batches), *sizes, channels)


@st.composite
def transposed_convs(draw: Any, rank: int) -> Pair:
    """A transposed convolution; its padding leaves at least one pixel of each axis."""
    largest = LARGEST[rank]
    groups = draw(st.integers(1, 3))
    in_channels = groups * draw(st.integers(1, 3))
    out_channels = draw(st.just(in_channels) | st.integers(1, 3).map(lambda n: n * groups))
    kernel = draw(axes(st.integers(1, largest.kernel), rank))
    stride = draw(axes(st.integers(1, largest.stride), rank))
    dilation = draw(axes(st.integers(1, largest.dilation), rank))
    sizes = draw(st.tuples(*[st.integers(1, largest.output)] * rank))
    padding = draw(st.sampled_from(["valid", "same", "pairs"]))
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    if padding == "same":  # only now: with a draw less it would be simpler than "valid"
        extra = (0,) * rank
    if padding == "pairs":
        crops = []
        extent = effective_kernel(kernel, dilation)
        for n, s, k, more in zip(sizes, stride, extent, extra, strict=True):
            spare = (n - 1) * s + k + more - 1  # all but one pixel
            low = draw(st.integers(0, min(largest.pad, spare)))
            crops.append((low, draw(st.integers(0, min(largest.pad, spare - low)))))
        padding = tuple(crops)
    spec = ConvTranspose(
        in_channels,
        out_channels,
        kernel,
        stride,
        padding,
        extra,
        groups,
        draw(st.booleans()),
        dilation,
        rank,
    )
    return spec, (draw(batches), *sizes, in_channels)


LARGE = ("batch", "channels", "groups", "rows", "kernel")


@st.composite
def large_layers(draw: Any) -> Pair:
    """A layer of images that is large in one way or two, else small: cheap to judge."""
    ways = draw(st.sets(st.sampled_from(LARGE), min_size=1, max_size=2))
    kind = draw(st.sampled_from([*CONVS, ConvTranspose]))

    def size(name: str, small: tuple[int, int], large: tuple[int, int]) -> int:
        return draw(st.integers(*(large if name in ways else small)))

    kernel = draw(axes(st.integers(5, 7) if "kernel" in ways else st.integers(1, 3), 2))
    stride, padding = draw(axes(st.integers(1, 2), 2)), draw(st.sampled_from(["valid", "same"]))
    dilation = draw(axes(st.integers(1, 2), 2))
    channels = size("channels", (1, 3), (17, 40))
    groups = size("groups", (1, 1), (4, 6))  # or a depth multiplier
    extent = effective_kernel(kernel, dilation)
    least = [1 if padding == "same" or kind is ConvTranspose else k for k in extent]
    sizes = [n - 1 + size("rows", (1, 4), (17, 40)) for n in least]
    shape = (size("batch", (1, 3), (4, 8)), *sizes)
    window = (kernel, stride, padding)
    bias = draw(st.booleans())
    if kind is DepthwiseConv:
        return DepthwiseConv(channels, *window, dilation, groups, bias), (*shape, channels)
    made = draw(st.integers(1, 3))
    if kind is SeparableConv:
        separable = SeparableConv(channels, made, *window, dilation, groups, bias)
        return separable, (*shape, channels)
    ends = [channels * groups, made * groups]
    if "channels" in ways and draw(st.booleans()):
        ends.reverse()
    options: dict[str, Any] = {"groups": groups, "bias": bias, "dilation": dilation}
    return kind(*ends, *window, **options), (*shape, ends[0])


# ---------------------------------------------------------------- other layers


@st.composite
def _pool_windows(draw: Any, rank: int, dilated: bool = False) -> tuple[dict[str, Any], Shape]:
    """The window of a pool, whose padding is smaller than the kernel, and sizes that fit it."""
    largest = LARGEST[rank]
    kernel = draw(axes(st.integers(1, largest.kernel), rank))
    stride = draw(st.just(kernel) | axes(st.integers(1, largest.stride), rank))
    dilation: Shape = (1,) * rank
    if dilated:
        dilation = draw(st.just(dilation) | axes(st.integers(1, largest.dilation), rank))
    extent = effective_kernel(kernel, dilation)
    pads = [st.tuples(*[st.integers(0, k - 1)] * 2) for k in extent]
    padding = draw(st.just("valid") | st.just("same") | st.tuples(*pads))
    window = {"kernel_size": kernel, "stride": stride, "padding": padding, "rank": rank}
    window["ceil_mode"] = draw(st.booleans())
    if dilated:
        window["dilation"] = dilation
    # of so many pixels each window meets one
    return window, _sizes(draw, rank, extent, stride, padding, max(dilation))


@st.composite
def max_pools(draw: Any, rank: int) -> Pair:
    """A max pool; with a stride of its own or its kernel's, and a dilation or none."""
    window, sizes = draw(_pool_windows(rank, dilated=True))
    return MaxPool(**window), (draw(batches), *sizes, draw(st.integers(1, 4)))


@st.composite
def avg_pools(draw: Any, rank: int) -> Pair:
    """An average pool, which counts its padding or does not, or has a divisor of its own."""
    window, sizes = draw(_pool_windows(rank))
    divisor = draw(st.sampled_from([None, None, None, 1, 3, 8, -2]))
    counts = draw(st.booleans())
    spec = AvgPool(**window, count_include_pad=counts, divisor_override=divisor)
    return spec, (draw(batches), *sizes, draw(st.integers(1, 4)))


@st.composite
def values(draw: Any, rank: int, flat: bool = True) -> Shape:
    """The shape of an input of any size; at times one without spatial axes, as behind a pool."""
    sizes = draw(st.tuples(*[st.integers(1, 3 if rank == 3 else 5)] * rank))
    if flat and draw(st.integers(0, 3)) == 3:
        sizes = ()
    return (draw(batches), *sizes, draw(st.sampled_from([1, 2, 3, 4, 6, 8])))


def norms_of(channels: int, rank: int) -> dict[type, st.SearchStrategy[Spec]]:
    """Each kind of normalisation, with an epsilon that networks use."""
    eps = st.sampled_from([1e-5, 1e-3])
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    size, parts = st.just(channels), {"scale": LACKS_SELDOM, "offset": LACKS_SELDOM}
    return {
        BatchNorm: st.builds(BatchNorm, size, eps, rank=st.just(rank), **parts),
        LayerNorm: st.builds(LayerNorm, size, eps, **parts),
        GroupNorm: st.builds(GroupNorm, st.sampled_from(divisors), size, eps, **parts),
        InstanceNorm: st.builds(InstanceNorm, size, eps, **parts),
        RMSNorm: st.builds(RMSNorm, size, eps, scale=LACKS_SELDOM),
    }


LACKS_SELDOM = st.sampled_from([True, True, True, False])  # of a parameter that a norm may lack


@st.composite
def norms_over_axes(draw: Any, kind: Any, shape: Shape) -> Spec:
    """A norm over some axes of an input of this shape, counted from either end."""
    n = len(shape)
    axes = sorted(draw(st.sets(st.integers(1, n - 1), min_size=1)))
    last = [axis - n if axis == n - 1 and draw(st.booleans()) else axis for axis in axes]
    parts = {"scale": draw(LACKS_SELDOM)}
    if kind is LayerNorm:
        parts["offset"] = draw(LACKS_SELDOM)
    return kind(tuple(shape[axis] for axis in axes), axes=tuple(last), **parts)


def norms(kind: type) -> Callable[[int], st.SearchStrategy[Pair]]:
    """A normalisation of one kind, by rank; BatchNorm is flat where its rank is 1."""

    @st.composite
    def norm(draw: Any, rank: int) -> Pair:
        flat = rank == 1 if kind is BatchNorm else kind is not InstanceNorm
        shape = draw(values(rank, flat))
        if kind in (LayerNorm, RMSNorm) and draw(st.booleans()):
            return draw(norms_over_axes(kind, shape)), shape
        return draw(norms_of(shape[-1], rank)[kind]), shape

    return norm


@st.composite
def scales(draw: Any, rank: int) -> Pair:
    """A factor of each channel."""
    shape = draw(values(rank))
    return Scale(shape[-1]), shape


def activations(function: str, ndim: int = 2) -> st.SearchStrategy[Spec]:
    """An activation of a value of so many axes; one that takes an alpha with its own or another."""
    if function in OVER_AXIS:
        axes = st.sampled_from([None, *range(1, ndim), *range(1 - ndim, -1)])
        return axes.map(lambda axis: Activation(function, axis=axis))
    if function in DEFAULT_ALPHA:
        return st.sampled_from([None, 0.25, 0.3, 2.0, 30.0]).map(lambda a: Activation(function, a))
    return st.just(Activation(function))


any_activation = st.sampled_from(ACTIVATIONS).flatmap(activations)


@st.composite
def activation_layers(draw: Any, rank: int, function: str | None = None) -> Pair:
    """An activation, or one of this function, of any input."""
    function = function or draw(st.sampled_from(ACTIVATIONS))
    shape = draw(values(rank))
    return draw(activations(function, len(shape))), shape


def adaptive_pools(kind: type) -> Callable[[int], st.SearchStrategy[Pair]]:
    """A pool of one kind, by rank, to fewer places than there are pixels, or to more."""

    @st.composite
    def adaptive_pool(draw: Any, rank: int) -> Pair:
        largest = 3 if rank == 3 else 7
        sizes = draw(st.tuples(*[st.integers(1, largest)] * rank))
        places = draw(axes(st.integers(1, 4 if rank == 3 else 5), rank))
        return kind(places, rank), (draw(batches), *sizes, draw(st.integers(1, 4)))

    return adaptive_pool


@st.composite
def global_max_pools(draw: Any, rank: int) -> Pair:
    """The largest pixel of any image."""
    return GlobalMaxPool(), draw(values(rank, flat=False))


@st.composite
def places(draw: Any, rank: int) -> Pair:
    """Windows of a max pool, one of which meets several pixels: others have one place alone."""
    window, sizes = draw(_pool_windows(rank, dilated=True))
    spec, shape = MaxPoolIndices(**window), (draw(batches), *sizes, draw(st.integers(1, 4)))
    met = sum(each > 0 for each in pool_windows(spec, np.ones((1, *sizes, 1)), 0))
    if np.max(met) > 1:
        return spec, shape
    return MaxPoolIndices(2, rank=rank), (shape[0], *[3] * rank, shape[-1])


@st.composite
def clamps(draw: Any, rank: int) -> Pair:
    """Between two limits, or on one side of one."""
    limits = draw(st.sampled_from([(-1, 1), (0, 6), (None, 0.3), (-2.5, None), (0.1, 3.7)]))
    return Clamp(*limits), draw(values(rank))


@st.composite
def prelus(draw: Any, rank: int) -> Pair:
    """A slope for each channel, or one for all."""
    shape = draw(values(rank))
    return PReLU(shape[-1] if draw(st.booleans()) else 1), shape


def identities(rank: int) -> st.SearchStrategy[Pair]:
    """Of any value."""
    return values(rank).map(lambda shape: (Identity(), shape))


HEADS = (Dense, Flatten, GlobalAvgPool, Dropout)


@st.composite
def heads(draw: Any) -> Pair:
    """What stands between a network's last pixels and its scores, each layer by itself."""
    shape = draw(values(draw(ranks), flat=False))
    match draw(st.sampled_from(HEADS)):
        case kind if kind is Dense:
            features = shape[-1]
            made = draw(st.integers(1, 4)) if draw(st.booleans()) else features
            flat = draw(st.booleans())
            return Dense(features, made, draw(st.booleans())), (
                shape[0],
                features,
            ) if flat else shape
        case kind if kind is Dropout:
            return Dropout(0.25, draw(st.sampled_from(["element", "channel", "path"]))), shape
        case kind:
            return kind(), shape


# ---------------------------------------------------------------- the whole surface

MAKERS: dict[type, Callable[[int], st.SearchStrategy[Pair]]] = {
    Conv: convs,
    DepthwiseConv: depthwise_convs,
    SeparableConv: separable_convs,
    ConvTranspose: transposed_convs,
    MaxPool: max_pools,
    AvgPool: avg_pools,
    BatchNorm: norms(BatchNorm),
    LayerNorm: norms(LayerNorm),
    GroupNorm: norms(GroupNorm),
    Activation: activation_layers,
    Scale: scales,
    AdaptiveAvgPool: adaptive_pools(AdaptiveAvgPool),
    AdaptiveMaxPool: adaptive_pools(AdaptiveMaxPool),
    GlobalMaxPool: global_max_pools,
    MaxPoolIndices: places,
    Clamp: clamps,
    PReLU: prelus,
    Identity: identities,
    InstanceNorm: norms(InstanceNorm),
    RMSNorm: norms(RMSNorm),
    **movement_strategies.MAKERS,
    **arithmetic_strategies.MAKERS,
    **reduction_strategies.MAKERS,
    **resize_strategies.MAKERS,
}


@st.composite
def layers(draw: Any, *kinds: type, rank: int | None = None) -> Pair:
    """One layer of one of ``kinds``, at any rank or at one."""
    rank = rank or draw(ranks)
    return draw(MAKERS[draw(st.sampled_from(kinds))](rank))


@st.composite
def chains(draw: Any, exact: bool = False) -> Pair:
    """What networks are made of: convolutions, norms, activations, residuals, then a head.

    ``exact`` leaves out what rounds even on small integers.
    """
    rank = draw(ranks)
    first, shape = draw(MAKERS[draw(st.sampled_from([Conv, SeparableConv, ConvTranspose]))](rank))
    parts: list[Spec] = [first]
    now = output_shape(first, shape)
    for _ in range(draw(st.integers(0, 3))):
        parts.append(draw(_links(now[-1], rank, exact)))
        now = output_shape(parts[-1], now)
    heads = ["none", "flatten", "pool"]
    if exact and isinstance(first, ConvTranspose):
        heads.remove("pool")  # n * 3 pixels, say, never are a power of two, as exact means need
    match draw(st.sampled_from(heads)):
        case "flatten":
            features = output_shape(Flatten(), now)[-1]
            parts += [Flatten(), Dense(features, draw(st.integers(1, 4)))]
        case "pool":
            parts += [GlobalAvgPool(), Dense(now[-1], draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        return Sequential({f"layer{i}": part for i, part in enumerate(parts)}), shape
    return Sequential(parts), shape


@st.composite
def _links(draw: Any, channels: int, rank: int, exact: bool) -> Spec:
    """A layer that any values can pass through."""
    size = draw(st.integers(1, 3))
    same = Conv(channels, channels, size, padding="same", rank=rank)
    body = draw(st.sampled_from([same, Sequential(Activation("relu6"), same)]))
    norms_here = norms_of(channels, rank)
    links = [
        st.sampled_from([Activation("relu"), Activation("relu6")]),
        st.just(Dropout(0.5)),
        norms_here[BatchNorm],
        st.sampled_from([Residual(body), Residual(body, Conv(channels, channels, 1, rank=rank))]),
        st.builds(lambda s: MaxPool(2, s, "same", rank=rank), st.integers(1, 2)),
        st.builds(
            lambda s: SeparableConv(channels, channels, size + 1, s, "same", rank=rank),
            st.integers(1, 2),
        ),
    ]
    if not exact:
        links += [
            st.builds(lambda s: AvgPool(2, s, "same", rank=rank), st.integers(1, 2)),
            norms_here[LayerNorm],
            norms_here[GroupNorm],
            any_activation,
        ]
    return draw(st.one_of(links))


@st.composite
def long_chains(draw: Any) -> Pair:
    """More than ten named layers on rows beyond 16, the first with a kernel of 5x5."""
    channels = draw(st.integers(2, 6))
    size = draw(st.integers(17, 40))
    parts: list[Spec] = [Conv(3, channels, 5, 2, "same")]
    for _ in range(draw(st.integers(9, 12))):
        parts.append(draw(_links(channels, 2, exact=False)))
    parts += [GlobalAvgPool(), Dense(channels, 4)]
    spec = Sequential({f"layer{i}": part for i, part in enumerate(parts)})
    return spec, (draw(batches), size, draw(st.integers(17, 40)), 3)


def cases(specs: st.SearchStrategy[Pair]) -> st.SearchStrategy[Case]:
    """Specs with their input shapes, as cases: a data seed is added."""
    return st.builds(lambda pair, seed: Case(*pair, seed), specs, seeds)


conv_cases = cases(layers(*CONVS))
transposed_cases = cases(layers(ConvTranspose))
linear_cases = cases(layers(*CONVS, ConvTranspose))
large_cases = cases(large_layers())
max_pool_cases = cases(layers(MaxPool))
avg_pool_cases = cases(layers(AvgPool))
pool_cases = cases(layers(MaxPool, AvgPool))
norm_cases = cases(layers(BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm))
scale_cases = cases(layers(Scale))
activation_cases = cases(layers(Activation))
head_cases = cases(heads())
layer_cases = cases(layers(*MAKERS))
exact_chain_cases = cases(chains(exact=True))
chain_cases = cases(chains())
long_chain_cases = cases(long_chains())
