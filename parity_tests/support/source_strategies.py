"""Strategies of what a network holds by itself."""

from typing import Any

from hypothesis import strategies as st

from convparity import Constant, Parameter, Spec
from convparity.impls.spec import Shape
from parity_tests.support.drawing import values

# exact in every dtype; of 16 bits, in float32 alone; in none
NUMBERS = (1.0, 2.0, 0.0, -3.0, 1.015625, 0.1, 1 / 3)


@st.composite
def shapes(draw: Any, rank: int) -> Shape:
    """Of one example: as a value of this rank has it, or of axes of one size."""
    _, *sizes = draw(values(rank))
    return tuple(sizes[-1:] * len(sizes) if draw(st.booleans()) else sizes)


@st.composite
def parameters(draw: Any, rank: int) -> tuple[Spec, Shape]:
    """A parameter, and an input, of which its batch alone counts."""
    return Parameter(draw(shapes(rank))), draw(values(rank))


@st.composite
def constants(draw: Any, rank: int) -> tuple[Spec, Shape]:
    """A constant, and an input, of which its batch alone counts."""
    shape = draw(shapes(rank))
    count = 1
    for size in shape:
        count *= size
    numbers = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=5))
    return Constant((numbers * count)[:count], shape), draw(values(rank))


MAKERS = {Parameter: parameters, Constant: constants}
