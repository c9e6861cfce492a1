"""Strategies of activations."""

from typing import Any

from hypothesis import strategies as st

from convparity import Activation, Spec
from convparity.impls.spec import ACTIVATIONS, DEFAULT_ALPHA, OVER_AXIS, Clamp, PReLU
from parity_tests.support.drawing import Pair, values


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
