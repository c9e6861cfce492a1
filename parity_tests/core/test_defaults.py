"""What is measured of a layer without an entry of its own, held against the entries there are."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Scale,
    Spec,
    UnsupportedError,
    init_weights,
    parameter_shapes,
)
from convparity.analysis.proof import adjoint, data, lit_weights, pass_through, trust
from convparity.impls.reference import run

SPECS = [
    (Conv(2, 3, 2, padding="same"), (2, 3, 4, 2)),
    (Dense(3, 2), (2, 3)),
    (BatchNorm(3), (2, 3, 2, 3)),
    (LayerNorm(3), (2, 3, 3)),
    (GroupNorm(2, 4), (2, 3, 4)),
    (Scale(3), (2, 3, 3)),
    (AvgPool(2, 1), (1, 4, 3, 2)),
    (MaxPool(2, 1), (1, 4, 3, 2)),
]


def default(dispatcher: Any) -> Any:
    """What a layer without an entry gets."""
    return dispatcher.dispatch(object)


def inputs(shape: tuple[int, ...]) -> tuple[np.ndarray, np.random.Generator]:
    """A permutation, whose values are far from each other, as a max pool needs them."""
    rng = np.random.default_rng(3)
    return rng.permutation(float(np.prod(shape)) - np.arange(np.prod(shape))).reshape(shape), rng


@pytest.mark.parametrize(("spec", "shape"), SPECS, ids=lambda each: type(each).__name__)
def test_a_gradient(spec: Spec, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    x, rng = inputs(shape)
    weights = init_weights(spec, 1)
    g = rng.standard_normal(run(spec, weights, x).shape)
    wanted = adjoint.adjoint(spec, weights, [x], g)
    found = default(adjoint.adjoint)(spec, weights, [x], g)
    monkeypatch.setattr(adjoint, "STEP", 2 * adjoint.STEP)
    rough = default(adjoint.adjoint)(spec, weights, [x], g)
    monkeypatch.undo()
    # what a sum of products rounds, divided by the step; twice the step errs four times as much
    size = abs(run(spec, weights, x)).max() + 1
    rounding = g.size * np.finfo(np.float64).eps * abs(g).sum() * size / adjoint.STEP

    def holds(found: np.ndarray, rough: np.ndarray, wanted: np.ndarray) -> bool:
        return bool((abs(found - wanted) <= abs(rough - found) + rounding).all())

    assert holds(found.inputs[0], rough.inputs[0], wanted.inputs[0])
    assert found.weights.keys() == wanted.weights.keys()
    for name, gradient in found.weights.items():
        assert holds(gradient, rough.weights[name], wanted.weights[name])
    alone = default(adjoint.adjoint)(spec, weights, [x], g, by_weights=False)
    np.testing.assert_array_equal(alone.inputs[0], found.inputs[0])


def test_a_gradient_by_too_much_is_refused() -> None:
    x = np.ones((2, 64, 64, 3))
    with pytest.raises(UnsupportedError, match="no backward pass is known for Scale, and 24,579"):
        default(adjoint.adjoint)(Scale(3), init_weights(Scale(3), 0), [x], x)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("spec", "shape"), SPECS, ids=lambda each: type(each).__name__)
def test_which_weights_matter(spec: Spec, shape: tuple[int, ...], dark: bool) -> None:
    """On data of which one channel may tell nothing."""
    x, _ = inputs(shape)
    if dark:
        x[..., 0] = 0
    weights = {name: np.round(4 * w) + 0.0 for name, w in init_weights(spec, 2).items()}
    if "mean" in weights:
        weights["mean"] = np.zeros(3)
    assert default(trust.lit)(spec, weights, x) == trust.lit(spec, weights, x)


def test_of_many_weights_some_stand_for_all() -> None:
    x = np.ones((1, 1000))
    x[:, 500:] = 0
    matter, could = default(trust.lit)(Scale(1000), {"scale": np.ones(1000)}, x)
    assert (matter, could) == (32, 64)


def test_integers() -> None:
    """None is 0, which would hide what it meets, and a variance is positive."""
    layer = vars(data._Draw)["layer"].dispatcher
    for spec, shape in ((BatchNorm(64), (1, 2, 2, 64)), (Scale(64), (1, 64))):
        draw = data._Draw(np.random.default_rng(0), 2.0**23, 0, 7)
        weights = default(layer)(draw, spec, shape)
        assert {name: w.shape for name, w in weights.items()} == parameter_shapes(spec)
        for name, array in weights.items():
            assert set(abs(array)) == {1, 2, 3}
            assert (array > 0).all() == (name == "variance")
        x = np.random.default_rng(1).choice([-7.0, 7.0], shape)
        assert abs(run(spec, weights, x)).max() <= draw.size
        assert draw.size == 21 or not isinstance(spec, Scale)


def test_what_is_lit() -> None:
    fill = default(vars(lit_weights.Filled)["_weights"].dispatcher)
    weights = fill(
        lit_weights.Filled(np.random.default_rng(0), 47), BatchNorm(64), np.ones(1), None
    )
    assert {name: w.shape for name, w in weights.items()} == parameter_shapes(BatchNorm(64))
    assert (weights["variance"] > 0).all()
    assert all(w.all() and len({*w}) > 5 for w in weights.values())


def test_what_passes() -> None:
    """Ones and zeros, if the reference says that they change nothing."""
    values, classes = [np.arange(6.0).reshape(2, 3)], np.arange(3)
    way = pass_through.Passing(np.random.default_rng(0), after=True)
    pass_on = default(vars(pass_through.Passing)["_weights"].dispatcher)
    found, made = pass_on(way, Scale(3), values, classes, pass_through.ANY)
    np.testing.assert_array_equal(found["scale"], np.ones(3))
    assert made is classes
    with pytest.raises(UnsupportedError, match="no way is known to pass a signal through LayerN"):
        pass_on(way, LayerNorm(3), values, classes, pass_through.ANY)
