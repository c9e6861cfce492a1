"""Reductions natively: over every choice of axes, wherever a framework has them."""

from itertools import combinations

import numpy as np
import pytest

from convparity import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Conv,
    Dense,
    Flatten,
    Graph,
    Multiply,
    Reduce,
    Sequential,
    compare,
    describe,
)
from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from convparity.impls.errors import SpecError
from convparity.impls.spec import REDUCTIONS, output_shape

SHAPES = [(2, 3), (2, 4, 3), (2, 4, 5, 3), (2, 2, 4, 5, 3)]


@pytest.mark.parametrize("function", REDUCTIONS)
def test_all_axes(adapter: Adapter, function) -> None:
    """The shape and every number, and the gradient; of four shapes that are not the same turned."""
    rng = np.random.default_rng(0)
    for shape in SHAPES if function in ("sum", "max") else SHAPES[2:3]:
        for number in range(1, len(shape)):
            for axes in combinations(range(1, len(shape)), number):
                for keepdims in (False, True):
                    spec = Reduce(function, axes, keepdims, int(function == "std"))
                    try:
                        made = output_shape(spec, shape)
                    except SpecError:  # nothing but the batch is left
                        continue
                    x = rng.standard_normal(shape).astype(np.float32)
                    module = adapter.build(spec)
                    y = adapter.apply(module, spec, x)
                    assert y.shape == made, spec
                    verdict = precision(y, trace(spec, {}, exact_input(x)))
                    assert verdict.ok, (spec, verdict)
                    if shape != SHAPES[2] or keepdims:
                        continue
                    g = rng.standard_normal(made).astype(np.float32)
                    by_x, _ = adapter.backward(module, x, g)
                    expected = adjoint(spec, {}, [x.astype(float)], g).inputs[0]
                    np.testing.assert_allclose(by_x, expected, rtol=1e-4, atol=1e-5)


def test_a_largest_number_that_is_met_twice_shares_the_gradient(adapter: Adapter) -> None:
    x = np.array([[[3, 1], [3, 2], [0, 2]]], np.float32)
    spec = Reduce("max", 1)
    by_x, _ = adapter.backward(adapter.build(spec), x, np.ones((1, 2), np.float32))
    assert by_x.tolist() == [[[0.5, 0], [0.5, 0.5], [0, 0.5]]]


def test_it_is_built_and_read(adapter: Adapter) -> None:
    for spec in (Reduce("mean", -1), Reduce("std", (2, -3), True, 1)):
        assert adapter.describe(adapter.build(spec)) == spec


# spatial attention (CBAM, arXiv 1807.06521), and a head on what is left
ATTENTION = Graph(
    {
        "stem": (Conv(3, 4, 3, padding="same"), "x"),
        "mean": (Reduce("mean", -1, keepdims=True), "stem"),
        "gated": (Multiply(), "stem", "mean"),
        "rows": (Reduce("max", -1), "gated"),
        "columns": (Reduce("var", 1, correction=1), "gated"),
        "both": (Reduce("sum", (1, -1), keepdims=True), "columns"),
        "end": (Multiply(), "rows", "both"),
        "flat": (Flatten(), "end"),
        "head": (Dense(30, 2), "flat"),
    }
)


def test_a_network_is_proved() -> None:
    for verdict in compare(ATTENTION, input_shape=(2, 5, 6, 3)):
        assert verdict.ok, verdict


def test_global_pools_of_keras_that_keep_their_axes() -> None:
    import keras

    for name, spec in (("Average", AdaptiveAvgPool), ("Max", AdaptiveMaxPool)):
        for rank in (1, 2, 3):
            layer = getattr(keras.layers, f"Global{name}Pooling{rank}D")(keepdims=True)
            model = keras.Sequential([keras.Input((*[4] * rank, 2)), layer])
            x = np.ones((2, *[4] * rank, 2), np.float32)
            assert describe(model, x) == Sequential({layer.name: spec(1, rank)})
