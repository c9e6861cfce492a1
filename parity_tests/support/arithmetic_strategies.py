"""Strategies of arithmetic of numbers one by one."""

from typing import Any

from hypothesis import strategies as st

from convparity import Power, Rescale
from parity_tests.support.drawing import Pair
from parity_tests.support.movement_strategies import shapes

NUMBERS = (1.0, -2.0, 0.5, 0.0, 0.1, 1 / 255, -3.7)
EXPONENTS = (2.0, 3.0, 1.0, 5.0, 0.0, -1.0, -2.0)  # of any other, a number below 0 is NaN


@st.composite
def rescales(draw: Any, rank: int) -> Pair:
    """By a number for all channels, or by one for each."""
    shape = draw(shapes(rank))
    numbers = st.sampled_from(NUMBERS)
    each = numbers | st.tuples(*[numbers] * shape[-1])
    return Rescale(draw(each), draw(each)), shape


def powers(rank: int) -> st.SearchStrategy[Pair]:
    """Whole exponents, on either side of 0."""
    return st.tuples(st.sampled_from(EXPONENTS).map(Power), shapes(rank))


MAKERS = {Rescale: rescales, Power: powers}
