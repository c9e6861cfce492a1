"""Strategies of reductions."""

from typing import Any

from hypothesis import strategies as st

from convparity import Reduce
from convparity.impls.spec import REDUCTIONS
from parity_tests.support.drawing import Pair
from parity_tests.support.movement_strategies import shapes


@st.composite
def reduces(draw: Any, rank: int) -> Pair:
    """Over any axes but the batch, counted from either side; over all of them, they are kept."""
    shape = draw(shapes(rank))
    each = st.integers(1, len(shape) - 1)
    places = draw(st.lists(each, min_size=1, max_size=len(shape) - 1, unique=True))
    keepdims = len(places) == len(shape) - 1 or draw(st.booleans())
    spec = Reduce(
        draw(st.sampled_from(REDUCTIONS)),
        [draw(st.sampled_from([at, at - len(shape)])) for at in places],
        keepdims,
    )
    if spec.function in ("var", "std") and spec.count(shape) > 1 and draw(st.booleans()):
        spec = Reduce(spec.function, spec.axes, keepdims, correction=1)
    return spec, shape


MAKERS = {Reduce: reduces}
