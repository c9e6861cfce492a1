"""The backward pass in NumPy is the derivative of the reference."""

import numpy as np
import pytest
from hypothesis import given, settings

from convparity.analysis.proof.adjoint import adjoint
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    Add,
    Average,
    Concat,
    Dense,
    Divide,
    Einsum,
    Flatten,
    GlobalAvgPool,
    Layer,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Subtract,
)
from convparity.impls.weights import init_weights
from parity_tests.support.strategies import MAKERS, Case, cases, layers

STEP = 2.0**-20
LAYERS = cases(layers(*(kind for kind in MAKERS if issubclass(kind, Layer))))


def check(spec, inputs, weights, rng, backward=adjoint):
    """The gradient of a random sum along a random direction is a difference quotient."""
    y = run(spec, weights, *inputs)
    g = rng.standard_normal(y.shape)
    found = backward(spec, weights, inputs, g)
    moves = [rng.standard_normal(x.shape) for x in inputs]
    moved = {name: rng.standard_normal(w.shape) for name, w in weights.items()}
    expected = sum(
        float((each * move).sum()) for each, move in zip(found.inputs, moves, strict=True)
    ) + sum(float((found.weights[name] * move).sum()) for name, move in moved.items())

    def at(step):
        there = {name: w + step * moved[name] for name, w in weights.items()}
        values = [x + step * move for x, move in zip(inputs, moves, strict=True)]
        return float((g * run(spec, there, *values)).sum())

    measured = (at(STEP) - at(-STEP)) / (2 * STEP)
    size = sum(abs(each).sum() for each in found.inputs) + abs(g * y).sum() + 1
    assert abs(measured - expected) < 1e-5 * size, spec


@settings(max_examples=150)
@given(LAYERS)
def test_every_layer(case: Case):
    rng = np.random.default_rng(case.seed)
    weights = {k: w.astype(np.float64) for k, w in init_weights(case.spec, case.seed).items()}
    x = rng.standard_normal(case.input_shape)
    if isinstance(case.spec, Power):  # where it is defined, and its slope is not large
        x = 0.5 + abs(x)
    check(case.spec, [x], weights, rng)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (Dense(3, 4), (2, 3)),
        (Dense(3, 4), (2, 5, 3)),
        (Flatten(), (2, 3, 4, 2)),
        (GlobalAvgPool(), (2, 3, 4, 2)),
    ],
)
def test_heads(spec, shape):
    rng = np.random.default_rng(0)
    weights = {k: w.astype(np.float64) for k, w in init_weights(spec, 0).items()}
    check(spec, [rng.standard_normal(shape)], weights, rng)


def test_joins():
    rng = np.random.default_rng(0)
    three = [rng.standard_normal((2, 3, 4)) for _ in range(3)]
    gate = rng.standard_normal((2, 1, 4))
    for join in (Add(), Multiply()):
        check(join, three, {}, rng)
        check(join, [*three, gate], {}, rng)
    check(Subtract(), [three[0], gate], {}, rng)
    check(Subtract(), [gate, three[0]], {}, rng)
    for join in (Maximum(), Minimum(), Average()):
        check(join, [*three, gate], {}, rng)
    turned = rng.standard_normal((2, 4, 5))
    for pattern in ("n i j, n j k -> n k i", "n i j, n j k -> n k", "n i j, n j k -> n i k j"):
        check(Einsum(pattern), [three[0], turned], {}, rng)
    check(Divide(), [gate, 2 + abs(three[0])], {}, rng)
    check(Divide(), [three[0], -2 - abs(gate)], {}, rng)
    for axis, shape in ((-1, (2, 3, 5)), (1, (2, 1, 4))):
        check(Concat(axis), [*three, rng.standard_normal(shape)], {}, rng)


def test_a_wrong_gradient_is_seen():
    def doubled(spec, weights, inputs, g):
        return adjoint(spec, weights, inputs, 2 * g)

    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        check(Activation("silu"), [rng.standard_normal((2, 3))], {}, rng, doubled)
