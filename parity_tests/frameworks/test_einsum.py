"""Sums of products natively: every order of axes, gradients, and attention."""

from itertools import permutations

import numpy as np
import pytest

from convparity import Activation, Add, Conv, Einsum, Graph, Rearrange, Rescale, compare
from convparity.analysis.proof.adjoint import adjoint
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run

# self-attention over the pixels of an image, with a bilinear map and two heads
ATTENTION = Graph(
    {
        "q": (Conv(4, 6, 1), "x"),
        "k": (Conv(4, 6, 1), "x"),
        "v": (Conv(4, 4, 1), "x"),
        "queries": (Rearrange("n h w (a c) -> n (h w) a c", a=2), "q"),
        "keys": (Rearrange("n h w (a c) -> n (h w) a c", a=2), "k"),
        "values": (Rearrange("n h w (a c) -> n (h w) a c", a=2), "v"),
        "scores": (Einsum("n q a c, n k a c -> n a q k"), "queries", "keys"),
        "scaled": (Rescale(3**-0.5), "scores"),
        "weights": (Activation("softmax"), "scaled"),
        "seen": (Einsum("n a q k, n k a c -> n q a c"), "weights", "values"),
        "image": (Rearrange("n (h w) a c -> n h w (a c)", h=3), "seen"),
        "end": (Add(), "image", "x"),
    }
)


def test_attention_is_proved() -> None:
    for verdict in compare(ATTENTION, input_shape=(2, 3, 5, 4)):
        assert verdict.ok, verdict


def graph(pattern: str) -> Graph:
    return Graph({"y": (Einsum(pattern), "a", "b")}, inputs=("a", "b"))


SIZES = {"n": 2, "i": 3, "j": 4, "k": 5}


def test_every_order_of_axes(adapter: Adapter) -> None:
    """Integers, so that every bit counts; results of two axes to four."""
    rng = np.random.default_rng(0)
    patterns = [
        *(f"n i j, n {' '.join(b)} -> n {' '.join(c)}" for b in ("jk", "kj") for c in ("ik", "ki")),
        *(f"n i j, n j k -> n {' '.join(c)}" for c in permutations("ijk")),
        *("n j, n j k -> n k", "n j, n k -> n j k", "n i j, n j -> n i", "n i j k, n k j -> n i"),
    ]
    for pattern in patterns:
        spec = graph(pattern)
        join = spec.steps[0].spec
        assert isinstance(join, Einsum)
        a, b = (
            rng.integers(-5, 6, [SIZES[name] for name in axes]).astype(np.float32)
            for axes in join.axes[:2]
        )
        module = adapter.build(spec)
        assert adapter.describe(module) == spec
        expected = run(join, {}, a.astype(float), b.astype(float))
        np.testing.assert_array_equal(adapter.apply(module, spec, (a, b)), expected)


@pytest.mark.parametrize("pattern", ["n h w c, n h w d -> n c d", "n h w c, n h w c -> n h w"])
def test_gradients(adapter: Adapter, pattern: str) -> None:
    """Of a value that is taken twice: the sum of both."""
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 6, (2, 3, 4, 3)).astype(np.float32)
    spec = Graph({"y": (Einsum(pattern), "x", "x")})
    y = run(spec, {}, x.astype(float))
    g = rng.integers(-5, 6, y.shape).astype(np.float32)
    by_x, _ = adapter.backward(adapter.build(spec), x, g)
    by_each = adjoint(spec.steps[0].spec, {}, [x.astype(float)] * 2, g).inputs
    np.testing.assert_array_equal(by_x, by_each[0] + by_each[1])
