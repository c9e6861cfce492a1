"""Strategies of convolutions."""

from typing import Any

from hypothesis import strategies as st

from convparity import Conv, ConvTranspose, DepthwiseConv, SeparableConv
from convparity.impls.spec import PADDING_MODES, Shape, effective_kernel
from parity_tests.support.drawing import LARGEST, Pair, axes, batches, sizes_for

CONVS = (Conv, DepthwiseConv, SeparableConv)


@st.composite
def windows(draw: Any, channels: int, rank: int) -> tuple[dict[str, Any], Shape]:
    """The window of a convolution, and spatial sizes that fit it."""
    largest = LARGEST[rank]
    kernel = draw(axes(st.integers(1, largest.kernel), rank))
    stride = draw(axes(st.integers(1, largest.stride), rank))
    dilation = draw(axes(st.integers(1, largest.dilation), rank))
    extent = effective_kernel(kernel, dilation)
    # twice, as "wide": each has cells by the dozen, and one axis is seldom uneven
    own = ["same", "causal", "causal"] if rank == 1 else []
    padding = draw(st.sampled_from(["valid", "same", *own, "pairs", "wide", "wide"]))
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
        sizes = sizes_for(draw, rank, extent, stride, padding, least)
        if padding in ("same", "causal") and channels >= least and draw(st.booleans()):
            sizes = (channels,) * rank  # H = W = C: a swapped axis has the right shape
    window = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return {**window, "padding_mode": mode, "rank": rank}, sizes


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
