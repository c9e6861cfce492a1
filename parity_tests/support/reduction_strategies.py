"""Strategies of reductions."""

from typing import Any

from hypothesis import strategies as st

from convparity import Reduce
from convparity.impls.spec import REDUCTIONS, Reduction
from parity_tests.support.drawing import Pair
from parity_tests.support.movement_strategies import shapes


@st.composite
def reduces(draw: Any, rank: int, function: Reduction | None = None) -> Pair:
    """One of a function, or of any: over any axes but the batch, counted from either side.

    Of most shapes the axes have one size, so that one taken for another still fits. Over all of
    them, they are kept.
    """
    function = function or draw(st.sampled_from(REDUCTIONS))
    batch, *sizes = draw(shapes(rank))
    if draw(st.sampled_from([True, True, False])):
        sizes = [draw(st.integers(2, 4))] * len(sizes)
    shape = (batch, *sizes)
    order = draw(st.permutations(range(1, rank + 2)))  # as many choices of a flat shape, too
    places = [at for at in order if at < len(shape)][: draw(st.integers(1, rank + 1))]
    keepdims = draw(st.sampled_from([False, False, True])) or len(places) == len(shape) - 1
    spec = Reduce(
        function,
        [draw(st.sampled_from([at, at - len(shape)])) for at in places],
        keepdims,
    )
    if spec.function in ("var", "std") and spec.count(shape) > 1 and draw(st.booleans()):
        spec = Reduce(spec.function, spec.axes, keepdims, correction=1)
    return spec, shape


MAKERS = {Reduce: reduces}
