"""Arithmetic number by number, natively: proved in graphs, and read from native layers."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Add,
    Average,
    Conv,
    Divide,
    Graph,
    Maximum,
    Minimum,
    Power,
    Rescale,
    Sequential,
    Spec,
    UnsupportedError,
    compare,
    convert,
    describe,
    dump,
    init_weights,
)
from convparity.analysis.proof.adjoint import adjoint
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Join

NETWORK = Graph(
    {
        "stem": (Conv(3, 4, 3, padding="same"), "x"),
        "gate": (Activation("sigmoid"), "stem"),
        "above": (Rescale(2, 0.5), "gate"),
        "by": (Divide(), "stem", "above"),
        "most": (Maximum(), "by", "stem", "gate"),
        "least": (Minimum(), "by", "most"),
        "mean": (Average(), "least", "gate", "stem"),
        "scaled": (Rescale((0.5, 2, -1, 0.1), 1 / 3), "mean"),
        "square": (Power(2), "scaled"),
        "more": (Rescale(1, 0.5), "square"),
        "root": (Power(0.5), "more"),
        "cube": (Power(-3), "more"),
        "end": (Add(), "root", "cube"),
    }
)


def test_a_network_is_proved() -> None:
    for verdict in compare(NETWORK, input_shape=(2, 5, 4, 3)):
        assert verdict.ok, verdict


JOINS = [Divide(), Maximum(), Minimum(), Average()]


def graph(join: Join) -> Graph:
    return Graph({"y": (join, "a", "b")}, inputs=("a", "b"))


@pytest.mark.parametrize("spec", [*map(graph, JOINS), NETWORK], ids=str)
def test_it_is_built_and_read(adapter: Adapter, spec: Spec) -> None:
    module = adapter.build(spec, init_weights(spec, 0))
    assert adapter.describe(module) == spec
    if isinstance(spec.steps[0].spec, Join):  # type: ignore[attr-defined]
        assert adapter.describe(adapter.build(spec.steps[0].spec)) == spec.steps[0].spec  # type: ignore[attr-defined]


@pytest.mark.parametrize("join", JOINS)
def test_joins_and_their_gradients(adapter: Adapter, join: Join) -> None:
    """NaN and infinities included; a size of 1 stands for any other."""
    rng = np.random.default_rng(0)
    a = rng.permutation(np.arange(1.0, 25)).reshape(2, 3, 4).astype(np.float32)
    b = (rng.permutation(np.arange(30.0, 38)) / 4).reshape(2, 1, 4).astype(np.float32)
    spec = graph(join)
    module = adapter.build(spec)
    y = adapter.apply(module, spec, (a, b))
    g = np.ones(y.shape)
    np.testing.assert_allclose(y, _reference(join, a, b), rtol=1e-6)
    assert adjoint(join, {}, [a, b], g).inputs[1].shape == b.shape
    odd = np.array([[np.nan, 1, 0, np.inf, -np.inf, 0]], np.float32)
    other = np.array([[1, np.nan, 0, 1, 2, -1]], np.float32)
    np.testing.assert_array_equal(
        adapter.apply(module, spec, (odd, other)), _reference(join, odd, other)
    )


def _reference(join: Join, *values: np.ndarray) -> Any:
    from convparity.impls.reference import run

    with np.errstate(invalid="ignore"):
        return run(join, {}, *(each.astype(np.float64) for each in values))


LAYERS = [
    Rescale(2, -1),
    Rescale((2, -1, 3), (1, 0.5, 0)),
    *map(Power, (0, 1, 2, 5, -1, -2, 1.5, -0.5)),
]


@pytest.mark.parametrize("spec", LAYERS, ids=str)
def test_layers_and_their_gradients(adapter: Adapter, spec: Spec) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, (2, 4, 5, 3)).astype(np.float32)
    module = adapter.build(spec)
    assert describe(module) == spec
    g = rng.standard_normal(x.shape).astype(np.float32)
    by_x, _ = adapter.backward(module, x, g)
    np.testing.assert_allclose(by_x, adjoint(spec, {}, [x], g).inputs[0], rtol=1e-5, atol=1e-5)


def test_whole_powers_are_exact(adapter: Adapter) -> None:
    x = np.arange(-9, 10, dtype=np.float32).reshape(1, 19)
    for exponent in range(8):
        y = adapter.forward(adapter.build(Power(exponent)), x)
        np.testing.assert_array_equal(y, x.astype(np.float64) ** exponent)


def test_float64_keeps_all_digits_of_a_number() -> None:
    for framework in ("pytorch", "keras"):
        (verdict,) = compare(
            Rescale((0.1, 1 / 3)), frameworks=framework, input_shape=(2, 4, 2), dtype="float64"
        )
        assert verdict.ok, verdict


# ---------------------------------------------------------------- Keras's own


def test_keras_layers_are_read() -> None:
    import keras

    def within(layer: Any) -> Any:
        return keras.Sequential([keras.Input((4, 3)), layer])

    mean, variance = np.array([1.0, 2, 3]), np.array([4.0, 1, 0.25])
    for layer, expected in (
        (keras.layers.Rescaling(0.5, -1), Rescale(0.5, -1)),
        (keras.layers.Rescaling(1 / 255.0), Rescale(1 / 255)),
        (keras.layers.Rescaling([1, 2, 3], np.array([1.0, 0, 2])), Rescale((1, 2, 3), (1, 0, 2))),
        (
            keras.layers.Normalization(mean=mean, variance=variance),
            Rescale((0.5, 1, 2), (-0.5, -2, -6)),
        ),
        (
            keras.layers.Normalization(mean=mean, variance=variance, invert=True),
            Rescale((2, 1, 0.5), (1, 2, 3)),
        ),
        (keras.layers.Normalization(axis=None, mean=1.0, variance=4.0), Rescale(0.5, -0.5)),
    ):
        model = within(layer)
        x = np.ones((2, 4, 3), np.float32)
        spec = Sequential({layer.name: expected})
        assert describe(model, x) == spec
        assert dump(model) == {}
        for other in ("pytorch", "flax"):
            assert registry.get(other).describe(convert(model, to=other, inputs=x)) == spec
    for layer, spec in (
        (keras.layers.Maximum(), Maximum()),
        (keras.layers.Minimum(), Minimum()),
        (keras.layers.Average(), Average()),
    ):
        assert registry.get("keras").describe(layer) == spec


def test_a_normalization_that_was_adapted_is_read() -> None:
    import keras

    layer = keras.layers.Normalization()
    layer.adapt(np.array([[1.0, 2, 3], [3, 2, 1], [2, 5, 2]]))
    model = keras.Sequential([keras.Input((3,)), layer])
    (spec,) = [each for _, each in describe(model, np.ones((2, 3), np.float32)).children]  # type: ignore[attr-defined]
    assert isinstance(spec, Rescale)
    x = np.array([[1.0, 2, 3]], np.float32)
    expected = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(x * spec.scale + spec.offset, expected, rtol=1e-5)


def test_what_no_spec_says() -> None:
    import keras

    rows = keras.layers.Normalization(axis=(1, 2), mean=np.ones((4, 3)), variance=np.ones((4, 3)))
    for layer, message in (
        (keras.layers.Normalization(), "is not built"),
        (rows, "a spec has one a channel"),
        (keras.layers.Rescaling(np.ones((4, 3))), "a spec has one a channel"),
    ):
        module = layer
        if "one a channel" in message:
            module = keras.Sequential([keras.Input((4, 3)), layer])
        with pytest.raises(UnsupportedError, match=message):
            describe(module)
