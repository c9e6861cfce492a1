"""Strategies of what moves values."""

from typing import Any

from hypothesis import strategies as st

from convparity import Pad, Rearrange, Slice
from convparity.impls.spec import PADDING_MODES, Shape
from parity_tests.support.drawing import Pair

batches = st.integers(1, 3)


@st.composite
def shapes(draw: Any, rank: int) -> Shape:
    """An image; a flat one, ``(N, C)``, at times where the rank is 1."""
    batch, *spatial, channels = draw(
        st.tuples(batches, *[st.integers(1, 4)] * rank, st.integers(1, 6))
    )
    if rank == 1 and draw(st.integers(0, 3)) == 3:  # the simplest is a row, as elsewhere
        spatial = []
    return (batch, *spatial, channels)


@st.composite
def slices(draw: Any, rank: int) -> Pair:
    """A range of any axis but the batch, whose ends are counted from either side."""
    shape = draw(shapes(rank))
    axis = draw(st.integers(1, len(shape) - 1))
    size = shape[axis]
    first = draw(st.integers(0, size - 1))
    end = draw(st.integers(first + 1, size))
    return Slice(
        draw(st.sampled_from([axis, axis - len(shape)])),
        draw(st.sampled_from([first, first - size])),
        # a stop of 0 is the start: the end itself is said by None, or by a number beyond it
        draw(st.sampled_from([end, end - size] if end < size else [None, end, end + 2])),
        draw(st.integers(1, 3)),
    ), shape


@st.composite
def rearranges(draw: Any, rank: int) -> Pair:
    """Some axes split into two factors, all of them in any order, and some merged."""
    sizes = st.integers(1, 3)
    left, shape, names, known = [], [], [], {}
    for axis in ("n", *"dhw"[3 - rank :], "c"):
        first, second = draw(sizes), draw(st.just(1) | sizes)
        shape.append(first * second)
        if second == 1:
            left.append(axis)
            names.append(axis)
            continue
        left.append(f"({axis} {axis}2)")
        names += [axis, f"{axis}2"]
        told = axis if axis != "n" and draw(st.booleans()) else f"{axis}2"
        known[told] = first if told == axis else second
    batch, *others = names
    others = draw(st.permutations(others))
    right, group = [], [batch]
    if draw(st.integers(0, 3)) < 3 or not others:  # seldom is the batch merged with another
        right, group = [batch], []
    for i, name in enumerate(others):
        group.append(name)
        last = i == len(others) - 1
        if last or draw(st.booleans()):
            right.append(f"({' '.join(group)})" if len(group) > 1 else group[0])
            group = []
    if len(right) < 2 or (len(right) < 5 and draw(st.integers(0, 4)) == 4):
        right.insert(draw(st.integers(1, len(right))), "1")
    return Rearrange(f"{' '.join(left)} -> {' '.join(right)}", **known), tuple(shape)


@st.composite
def pads(draw: Any, rank: int) -> Pair:
    """Some axes longer, some cropped, some both; by more than there is, too."""
    mode = draw(st.sampled_from(PADDING_MODES))
    least = draw(st.integers(1, 2))
    if mode == "reflect":
        least = 2  # one pixel has no reflection
    pairs, sizes = [], []
    for _ in range(rank):
        pair = draw(st.tuples(*[st.integers(-2, 6 - rank)] * 2))
        pairs.append(pair)
        sizes.append(draw(st.integers(least, 3)) - sum(min(each, 0) for each in pair))
    # drawn in every mode, so that none is simpler than zeros
    value = draw(st.sampled_from([0.0, -3.0, 0.5, 0.1]))
    channels = draw(st.just((0, 0)) | st.tuples(*[st.integers(-2, 2)] * 2))
    if mode != "zeros":
        value, channels = 0.0, (0, 0)
    kept = draw(st.integers(1, 4))
    made = kept - sum(min(each, 0) for each in channels)
    return Pad(pairs, mode, value, channels), (draw(batches), *sizes, made)


MAKERS = {Slice: slices, Rearrange: rearranges, Pad: pads}
