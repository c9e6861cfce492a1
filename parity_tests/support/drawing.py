"""What strategies of several families have in common: ranks, seeds, and sizes that fit a window."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from convparity import Spec
from convparity.impls.spec import Shape


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
ranks = st.sampled_from([1, 2, 3])
seeds = st.integers(0, 2**16 - 1)
batches = st.integers(1, 3)


def axes(values: st.SearchStrategy[int], rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    """One value an axis: often the same on all of them, as people write it, or each its own."""
    each = st.tuples(*[values] * rank)
    return values.map(lambda value: (value,) * rank) | each


def sizes_for(
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
def values(draw: Any, rank: int, flat: bool = True) -> Shape:
    """The shape of an input of any size; at times one without spatial axes, as behind a pool."""
    sizes = draw(st.tuples(*[st.integers(1, 3 if rank == 3 else 5)] * rank))
    if flat and draw(st.integers(0, 3)) == 3:
        sizes = ()
    return (draw(batches), *sizes, draw(st.sampled_from([1, 2, 3, 4, 6, 8])))
