"""Strategies of pools."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from convparity import (
    AvgPool,
    Conv,
    GlobalMaxPool,
    Graph,
    Identity,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
)
from convparity.impls.spec import Shape, effective_kernel
from parity_tests.support.drawing import LARGEST, Pair, axes, batches, ranks, sizes_for, values


@st.composite
def _pool_windows(draw: Any, rank: int, dilated: bool = False) -> tuple[dict[str, Any], Shape]:
    """The window of a pool, whose padding is smaller than the kernel, and sizes that fit it."""
    largest = LARGEST[rank]
    kernel = draw(axes(st.integers(1, largest.kernel), rank))
    ceil_mode = draw(st.booleans())
    least = 2 if ceil_mode else 1  # a stride of 1 leaves nothing over
    stride = draw(st.just(kernel) | axes(st.integers(least, largest.stride), rank))
    dilation: Shape = (1,) * rank
    if dilated:
        dilation = draw(st.just(dilation) | axes(st.integers(1, largest.dilation), rank))
    extent = effective_kernel(kernel, dilation)
    pads = [st.tuples(*[st.integers(0, k - 1)] * 2) for k in extent]
    padding = draw(st.just("valid") | st.just("same") | st.tuples(*pads))
    window = {"kernel_size": kernel, "stride": stride, "padding": padding, "rank": rank}
    window["ceil_mode"] = ceil_mode
    if dilated:
        window["dilation"] = dilation
    # of so many pixels each window meets one
    return window, sizes_for(draw, rank, extent, stride, padding, max(dilation))


@st.composite
def max_pools(draw: Any, rank: int) -> Pair:
    """A max pool; with a stride of its own or its kernel's, and a dilation or none."""
    window, sizes = draw(_pool_windows(rank, dilated=True))
    return MaxPool(**window), (draw(batches), *sizes, draw(st.integers(1, 4)))


@st.composite
def avg_pools(draw: Any, rank: int) -> Pair:
    """An average pool, which counts its padding or does not, or has a divisor of its own."""
    window, sizes = draw(_pool_windows(rank))
    counts = draw(st.booleans())
    divisor = draw(st.none() | st.none() | st.sampled_from([1, 3, 8, -2]))
    spec = AvgPool(**window, count_include_pad=counts, divisor_override=divisor)
    return spec, (draw(batches), *sizes, draw(st.integers(1, 4)))


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
    """The places of a max pool; of windows that meet one pixel each, they are the same for any."""
    window, sizes = draw(_pool_windows(rank, dilated=True))
    return MaxPoolIndices(**window), (draw(batches), *sizes, draw(st.integers(1, 4)))


@st.composite
def unpools(draw: Any) -> Pair:
    """What a max pool chose, back in its place; of windows apart, what a layer made of it."""
    rank = draw(ranks)
    kernel = draw(axes(st.integers(1, LARGEST[rank].kernel), rank))
    stride = draw(st.just(kernel) | axes(st.integers(1, LARGEST[rank].stride), rank))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    pairs = tuple((p, p) for p in padding)
    sizes = sizes_for(draw, rank, kernel, stride, pairs)
    channels = draw(st.integers(1, 4))
    window = {"kernel_size": kernel, "stride": stride, "padding": pairs, "rank": rank}
    apart = all(s >= k for s, k in zip(stride, kernel, strict=True))
    made = Conv(channels, channels, 1, rank=rank) if apart and draw(st.booleans()) else Identity()
    nodes = {
        "largest": (MaxPool(**window), "x"),
        "places": (MaxPoolIndices(**window), "x"),
        "made": (made, "largest"),
        "back": (MaxUnpool(kernel, stride, padding, rank, sizes), "made", "places"),
    }
    return Graph(nodes), (draw(batches), *sizes, channels)
