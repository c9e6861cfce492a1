"""Strategies that construct valid specs with an input shape and a data seed; nothing is filtered.

Every draw is ordered so that its simplest value comes first: a failure shrinks to one group, one
channel, a kernel of 1, stride 1, no padding. Sizes follow from the output size that was drawn, so
that strides which do not divide them, one-pixel outputs and kernels larger than the input occur.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from impls import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    output_shape,
)
from impls.shapes import Shape, effective_kernel, padding_pairs
from impls.spec import walk

MAX_KERNEL, MAX_STRIDE, MAX_DILATION, MAX_OUTPUT, MAX_PAD = 4, 3, 3, 4, 3


class Case(NamedTuple):
    """A spec, an input shape that fits it, and the seed of its data."""

    spec: Spec
    input_shape: Shape
    seed: int


seeds = st.integers(0, 2**16 - 1)
batches = st.integers(1, 3)


def axes(values: st.SearchStrategy[int], rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    """One value an axis: often the same on all of them, as people write it, or each its own."""
    each = st.tuples(*[values] * rank)
    return values.map(lambda value: (value,) * rank) | each


@st.composite
def windows(draw: Any, channels: int, rank: int = 2) -> tuple[dict[str, Any], Shape]:
    """The window of a convolution, and spatial sizes that fit it."""
    kernel = draw(axes(st.integers(1, MAX_KERNEL), rank))
    stride = draw(axes(st.integers(1, MAX_STRIDE), rank))
    dilation = draw(axes(st.integers(1, MAX_DILATION), rank))
    pads = st.tuples(st.integers(0, MAX_PAD), st.integers(0, MAX_PAD))
    padding = draw(st.sampled_from(["valid", "same"]) | st.tuples(*[pads] * rank))
    extent = effective_kernel(kernel, dilation)
    sizes = []
    for axis in range(rank):
        wanted = draw(st.integers(1, MAX_OUTPUT))
        rest = draw(st.integers(0, stride[axis] - 1))  # pixels that the stride leaves over
        size = (wanted - 1) * stride[axis] + rest
        if padding == "same":
            sizes.append(size + 1)
            continue
        size += extent[axis] - (0 if padding == "valid" else sum(padding[axis]))
        short = max(0, 1 - size)  # the padding alone covers the kernel: one pixel more at least
        sizes.append(size + -(-short // stride[axis]) * stride[axis])
    if padding == "same" and draw(st.booleans()):
        sizes = [channels] * rank  # H = W = C: a swapped axis has the right shape
    window = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return window, tuple(sizes)


@st.composite
def convs(draw: Any) -> tuple[Spec, Shape]:
    """A regular convolution, grouped or not."""
    groups = draw(st.integers(1, 3))
    in_channels = groups * draw(st.integers(1, 3))
    out_channels = draw(st.just(in_channels) | st.integers(1, 4).map(lambda n: n * groups))
    window, sizes = draw(windows(in_channels))
    spec = Conv(in_channels, out_channels, groups=groups, bias=draw(st.booleans()), **window)
    return spec, (draw(batches), *sizes, in_channels)


@st.composite
def depthwise_convs(draw: Any) -> tuple[Spec, Shape]:
    """A depthwise convolution with any multiplier."""
    channels = draw(st.integers(1, 4))
    window, sizes = draw(windows(channels))
    multiplier, bias = draw(st.integers(1, 3)), draw(st.booleans())
    spec = DepthwiseConv(channels, depth_multiplier=multiplier, bias=bias, **window)
    return spec, (draw(batches), *sizes, channels)


@st.composite
def separable_convs(draw: Any) -> tuple[Spec, Shape]:
    """A separable convolution with a bias on each step by itself."""
    channels = draw(st.integers(1, 4))
    window, sizes = draw(windows(channels))
    spec = SeparableConv(
        channels,
        draw(st.just(channels) | st.integers(1, 5)),
        depth_multiplier=draw(st.integers(1, 3)),
        depthwise_bias=draw(st.booleans()),
        pointwise_bias=draw(st.booleans()),
        **window,
    )
    return spec, (draw(batches), *sizes, channels)


convolutions = convs() | depthwise_convs() | separable_convs()


@st.composite
def batch_norms(draw: Any, channels: int) -> Spec:
    """A BatchNorm with an epsilon that networks use."""
    return BatchNorm(channels, draw(st.sampled_from([1e-5, 1e-3])))


@st.composite
def chains(draw: Any) -> tuple[Spec, Shape]:
    """What networks are made of: convolutions, norms, activations, residuals, then a head."""
    first, shape = draw(convolutions)
    layers: list[Spec] = [first]
    now = output_shape(first, shape)
    for _ in range(draw(st.integers(0, 2))):
        channels = now[-1]
        same = Conv(channels, channels, draw(st.integers(1, 3)), padding="same")
        body = draw(st.sampled_from([same, Sequential(Activation("relu6"), same)]))
        layer = draw(
            batch_norms(channels)
            | st.sampled_from([Activation("relu"), Activation("relu6"), Dropout(0.5)])
            | st.sampled_from([Residual(body), Residual(body, Conv(channels, channels, 1))])
        )
        layers.append(layer)
    match draw(st.sampled_from(["none", "flatten", "pool"])):
        case "flatten":
            layers += [Flatten(), Dense(now[1] * now[2] * now[3], draw(st.integers(1, 4)))]
        case "pool":
            layers += [GlobalAvgPool(), Dense(now[-1], draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        return Sequential({f"layer{i}": layer for i, layer in enumerate(layers)}), shape
    return Sequential(layers), shape


def cases(specs: st.SearchStrategy[tuple[Spec, Shape]]) -> st.SearchStrategy[Case]:
    """Specs with their input shapes, as cases: a data seed is added."""
    return st.builds(lambda pair, seed: Case(*pair, seed), specs, seeds)


layer_cases = cases(convolutions)
chain_cases = cases(chains())


# ---------------------------------------------------------------- hard cells


def cells(case: Case) -> Iterator[str]:
    """The hard cells that a case lies in: where ports go wrong, and what each must have drawn."""
    batch, *spatial, channels = case.input_shape
    out = output_shape(case.spec, case.input_shape)
    yield "batch of 1" if batch == 1 else "batch of several"
    if set(spatial) == {channels}:
        yield "H = W = C"
    if len({*spatial, channels}) == len(spatial) + 1:
        yield "H, W, C all distinct"
    for _, layer in walk(case.spec):
        if isinstance(layer, Conv | DepthwiseConv) and layer.kernel_size != (1,) * layer.rank:
            yield from _window_cells(layer, tuple(spatial))
            break  # the sizes that reach a later layer are not the input's
    if isinstance(case.spec, Conv):
        yield "in = out" if channels == out[-1] else "in != out"
        if case.spec.groups > 1 and channels > case.spec.groups:
            yield "several channels a group"
    depthwise = case.spec.depthwise if isinstance(case.spec, SeparableConv) else case.spec
    if isinstance(depthwise, DepthwiseConv) and depthwise.depth_multiplier > 1:
        yield "depth multiplier"
    if len(out) > 2 and set(out[1:-1]) == {1}:
        yield "one-pixel output"


def _window_cells(layer: Conv | DepthwiseConv, spatial: Shape) -> Iterator[str]:
    kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
    extent = effective_kernel(kernel, dilation)
    pairs = padding_pairs(layer, spatial)
    if any(k % 2 == 0 for k in kernel):
        yield "even kernel"
    if len(set(kernel)) > 1:
        yield "non-square kernel"
    if len(set(stride)) > 1:
        yield "unequal strides"
    if any(s > 1 and d > 1 and k > 1 for s, d, k in zip(stride, dilation, kernel, strict=True)):
        yield "stride with dilation"
    if any(n % s for n, s in zip(spatial, stride, strict=True)):
        yield "stride does not divide the size"
    if layer.padding == "same" and any(k > n for k, n in zip(extent, spatial, strict=True)):
        yield "kernel larger than the input"
    if any(low != high for low, high in pairs):
        yield "asymmetric same" if layer.padding == "same" else "asymmetric pairs"


HARD_CELLS = frozenset(
    {
        "batch of 1",
        "batch of several",
        "H = W = C",
        "H, W, C all distinct",
        "in = out",
        "in != out",
        "several channels a group",
        "depth multiplier",
        "one-pixel output",
        "even kernel",
        "non-square kernel",
        "unequal strides",
        "stride with dilation",
        "stride does not divide the size",
        "kernel larger than the input",
        "asymmetric same",
        "asymmetric pairs",
    }
)
