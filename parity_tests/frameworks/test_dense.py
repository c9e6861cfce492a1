"""A dense layer along the channels: of flat values, and at every pixel of an image."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Conv,
    Dense,
    GlobalAvgPool,
    LayerNorm,
    Rearrange,
    Sequential,
    Spec,
    UnsupportedError,
    check,
    compare,
    convert,
    describe,
    init_weights,
    judge,
)
from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.input_shapes import fitting_shape
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run

SHAPES = [(2, 5), (2, 4, 5), (2, 3, 4, 5), (2, 2, 3, 4, 5), (2, 5, 5, 5)]
BLOCK = Sequential(  # of ConvNeXt (arXiv 2201.03545), whose pointwise layers are dense ones
    Conv(3, 4, 3, padding="same"),
    LayerNorm(4),
    Dense(4, 8),
    Activation("gelu"),
    Dense(8, 4, bias=False),
    GlobalAvgPool(),
    Dense(4, 2),
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_output_and_gradients(adapter: Adapter, shape: tuple[int, ...]) -> None:
    """On integers, so that every bit counts; one module takes every number of axes."""
    rng = np.random.default_rng(0)
    others = [Dense(n, 3, axis=axis) for axis, n in enumerate(shape[1:-1], 1)]
    others += [Dense(shape[-2], shape[-2], axis=-2)] if others else []
    for spec in (Dense(5, 3), Dense(5, 5, bias=False), *others):
        weights = {
            name: rng.integers(-3, 4, each.shape).astype(np.float32)
            for name, each in init_weights(spec, 0).items()
        }
        module = adapter.build(spec, weights)
        assert adapter.describe(module) == spec
        for sizes in (shape, (3, *shape[1:])):
            x = rng.integers(-4, 5, sizes).astype(np.float32)
            y = run(spec, weights, x.astype(float))
            np.testing.assert_array_equal(adapter.apply(module, spec, x), y)
            g = rng.integers(-4, 5, y.shape).astype(np.float32)
            by_x, by_weight = adapter.backward(module, x, g)
            found = adjoint(spec, weights, [x.astype(float)], g)
            np.testing.assert_array_equal(by_x, found.inputs[0])
            for name, each in found.weights.items():
                np.testing.assert_array_equal(by_weight[name], each)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [(BLOCK, (2, 6, 5, 3)), (Dense(4, 3), (2, 5, 6, 4)), (Dense(4, 4), (2, 4, 4))],
    ids=["block", "image", "row"],
)
def test_it_is_proved(spec: Spec, shape: tuple[int, ...]) -> None:
    for verdict in compare(spec, input_shape=shape):
        assert verdict.ok, verdict
        assert verdict.trust is None or verdict.trust.ok


MIXER = Sequential(  # (arXiv 2105.01601): layers over the tokens, and over the channels
    Conv(3, 6, 2, 2),
    Rearrange("n h w c -> n (h w) c"),
    LayerNorm(6),
    Dense(9, 12, axis=1),
    Activation("gelu"),
    Dense(12, 9, axis=1),
    Dense(6, 4),
)


def test_a_mixer_is_proved_as_a_whole_and_as_a_black_box(adapter: Adapter) -> None:
    shape = fitting_shape(MIXER)
    assert shape is not None
    (verdict,) = compare(MIXER, input_shape=shape, frameworks=[adapter.name])
    assert verdict.ok, verdict

    def candidate(spec: Spec, weights: Any, x: Any) -> Any:
        return adapter.apply(adapter.build(spec, weights), spec, x)

    assert judge(candidate, MIXER, input_shape=shape).ok


def test_what_begins_with_it_takes_flat_values_and_images(adapter: Adapter) -> None:
    spec = Sequential(Dense(5, 3), Activation("relu"), Dense(3, 2))
    weights = init_weights(spec, 0)
    for shape in SHAPES:
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        y = adapter.apply(adapter.build(spec, weights), spec, x)
        np.testing.assert_allclose(y, run(spec, weights, x.astype(float)), rtol=1e-4, atol=1e-5)


def native(framework: str) -> Any:
    """A pointwise layer on images, as users of a framework write it, and what is called with."""
    if framework == "flax":
        from flax import nnx

        rngs = nnx.Rngs(0)
        return nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Linear(4, 2, rngs=rngs))
    import keras

    layers = [keras.Input((6, 5, 3)), keras.layers.Conv2D(4, 3), keras.layers.Dense(2)]
    return keras.Sequential(layers)


@pytest.mark.parametrize("framework", ["flax", "keras"])
def test_native_layers_are_read_on_images(framework: str) -> None:
    module = native(framework)
    spec = describe(module)
    assert [type(each) for _, each in spec.children] == [Conv, Dense]  # type: ignore[attr-defined]
    for other in registry.FRAMEWORKS:
        assert registry.get(other).describe(convert(module, to=other)) == spec


def test_pytorchs_own_acts_on_another_axis_of_an_image() -> None:
    import torch
    from torch import nn

    flat = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    assert describe(flat) == Sequential(Dense(5, 3), Activation("relu"), Dense(3, 2))
    rows = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6))
    spec = Sequential(Conv(3, 4, 3), Dense(5, 6, axis=-2), Activation("relu"), Dense(6, 6, axis=-2))
    x = torch.randn(2, 3, 6, 7)
    assert describe(rows, x) == spec
    for framework in registry.FRAMEWORKS:
        twin = convert(rows, to=framework, inputs=x)
        assert registry.get(framework).describe(twin) == spec
        assert check(rows, twin, x).ok
    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match="acts on the channels of an image"):
        describe(nn.Linear(5, 5), torch.randn(2, 5, 5, 5))
    with pytest.raises(UnsupportedError, match="acts on the channels"):
        describe(nn.Linear(6, 2), torch.randn(2, 5, 5, 6))


def test_einsums_that_are_dense_layers_are_read() -> None:
    import keras
    from flax import nnx

    rngs = nnx.Rngs(0)
    for layer, expected in (
        (nnx.LinearGeneral(5, 3, rngs=rngs), Dense(5, 3)),
        (nnx.LinearGeneral((5,), (3,), axis=(-1,), use_bias=False, rngs=rngs), Dense(5, 3, False)),
        (nnx.Einsum("...c,cd->...d", (5, 3), (3,), rngs=rngs), Dense(5, 3)),
        (nnx.Einsum("nhc, cd -> nhd", (5, 3), rngs=rngs), Dense(5, 3, False)),
        (nnx.Einsum("nhc,hd->ndc", (4, 3), (3,), rngs=rngs), Dense(4, 3, axis=-2)),
        (nnx.Einsum("nh...,hd->nd...", (4, 3), rngs=rngs), Dense(4, 3, False, axis=1)),
    ):
        x = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
        assert describe(layer, x) == expected
        assert registry.get("pytorch").describe(convert(layer, "pytorch", x)) == expected
    for layer, expected in (
        (keras.layers.EinsumDense("abc,cd->abd", (4, 3), bias_axes="d"), Dense(5, 3)),
        (keras.layers.EinsumDense("...x,xy->...y", 3), Dense(5, 3, False)),
        (keras.layers.EinsumDense("abc,bd->adc", (3, 5), bias_axes="d"), Dense(4, 3, axis=-2)),
        (keras.layers.EinsumDense("ab...,bd->ad...", 3, bias_axes="d"), Dense(4, 3, axis=1)),
    ):
        layer.build((None, 4, 5))
        assert describe(layer, x) == expected
        assert registry.get("flax").describe(convert(layer, "flax", x)) == expected


def test_einsums_that_are_none_are_refused() -> None:
    import keras
    from flax import nnx

    rngs = nnx.Rngs(0)
    heads = keras.layers.EinsumDense("abc,cde->abde", (4, 3, 2))
    rows = keras.layers.EinsumDense("abc,cd->abd", (4, 3), bias_axes="bd")
    keras_last = keras.layers.EinsumDense("abc,bd->acd", (5, 3), bias_axes="d")
    for layer in (heads, rows, keras_last):
        layer.build((None, 4, 5))
    for module in (
        nnx.LinearGeneral((4, 5), 3, axis=(1, -1), rngs=rngs),
        nnx.LinearGeneral(5, 3, axis=1, rngs=rngs),  # it has the new axis last
        nnx.Einsum("nhc,nd->dhc", (4, 3), rngs=rngs),
        keras_last,
        nnx.LinearGeneral(5, (3, 2), rngs=rngs),
        nnx.Einsum("nhc,hcd->nhd", (4, 5, 3), rngs=rngs),
        heads,
        rows,
    ):
        with pytest.raises(UnsupportedError, match="dense layer"):
            describe(module, np.ones((2, 4, 5), np.float32))
