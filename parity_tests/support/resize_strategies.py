"""How an image of another size is drawn."""

from typing import Any

from hypothesis import strategies as st

from convparity import Resize
from convparity.impls.spec import RESIZE_METHODS
from parity_tests.support.drawing import Pair


@st.composite
def resizes(draw: Any, rank: int) -> Pair:
    """To a size of its own, larger or smaller, or by a scale, whole or not; by any method."""
    largest = 3 if rank == 3 else 7
    sizes = draw(st.tuples(*[st.integers(1, largest)] * rank))
    to = draw(st.sampled_from(["scale", "size", "fraction"]))
    if to == "fraction":
        places = draw(st.tuples(*[st.sampled_from([1.5, 1.2, 2.5, 0.7])] * rank))
        sizes = tuple(n + 1 for n in sizes)  # of which something is left
    else:
        places = draw(st.tuples(*[st.integers(1, 3 if to == "scale" else largest)] * rank))
    method = draw(st.sampled_from(RESIZE_METHODS))
    how = draw(st.sampled_from(["plain", "aligned", "antialias"]))
    smooth = method in ("linear", "cubic")
    options = (smooth and how == "aligned", rank, smooth and how == "antialias")
    shape = (draw(st.integers(1, 3)), *sizes, draw(st.integers(1, 3)))
    by_scale = (None, places) if to != "size" else (places, None)
    return Resize(*by_scale, method, *options), shape


MAKERS = {Resize: resizes}
