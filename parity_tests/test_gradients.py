"""The gradients of every framework are the reference's, exactly, on integers.

A convolution is linear in its input and in each of its weights: its gradient g satisfies
<g, d> = <cotangent, f(at + d) - f(at)> for every step d, and on integers both sides are exact.
"""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings

from analysis.cases import integer_case
from impls import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    init_weights,
    parameter_shapes,
    reference,
)
from impls.adapter import Adapter
from parity_tests.asserts import replay
from parity_tests.strategies import Case, layer_cases

pytestmark = pytest.mark.frameworks


@settings(max_examples=60)
@given(case=layer_cases)
def test_layers(adapter: Adapter, case: Case) -> None:
    weights, x = integer_case(case.spec, case.input_shape, case.seed)
    y = reference(case.spec, weights, x)
    rng = np.random.default_rng(case.seed)
    cotangent = rng.integers(-3, 3, y.shape, endpoint=True).astype(np.float32)
    module = adapter.build(case.spec, weights)
    by_x, by_weight = adapter.backward(module, x, cotangent)
    assert by_x.shape == x.shape, replay(case)
    assert {n: g.shape for n, g in by_weight.items()} == parameter_shapes(case.spec), replay(case)
    for name, gradient in {"x": by_x, **by_weight}.items():
        for _ in range(2):  # a wrong gradient is orthogonal to a random step once in many times
            step = rng.integers(-3, 3, gradient.shape, endpoint=True)
            moved = {**weights, **({name: weights[name] + step} if name != "x" else {})}
            change = reference(case.spec, moved, x + step if name == "x" else x) - y
            expected, got = np.vdot(cotangent, change), np.vdot(gradient.astype(float), step)
            assert got == expected, (
                f"{adapter.name}, by {name}: {got}, not {expected}\n{replay(case)}"
            )


def test_network(adapters: list[Adapter]) -> None:
    """Through every kind of layer, three frameworks agree as far as rounding lets them."""
    spec = Sequential(
        Conv(3, 8, 3, stride=2, padding="same", bias=False),
        BatchNorm(8, eps=1e-3),
        Activation("relu6"),
        Residual(SeparableConv(8, 8, 3, padding="same")),
        Activation("relu"),
        Sequential({"pool": GlobalAvgPool(), "flatten": Flatten(), "dense": Dense(8, 5)}),
    )
    weights = init_weights(spec, seed=3)
    rng = np.random.default_rng(3)
    x, cotangent = (rng.standard_normal(n).astype(np.float32) for n in ((2, 9, 8, 3), (2, 5)))
    found = defaultdict(list)
    for adapter in adapters:
        by_x, by_weight = adapter.backward(adapter.build(spec, weights), x, cotangent)
        for name, gradient in {"x": by_x, **by_weight}.items():
            found[name].append(gradient.astype(np.float64))
    trained = [name for name in parameter_shapes(spec) if not name.endswith(("mean", "variance"))]
    assert set(found) == {"x", *trained}
    for name, gradients in found.items():
        assert len(gradients) == len(adapters), name
        scale = np.sqrt(np.mean(gradients[0] ** 2))
        for other in gradients[1:]:
            roundings = np.max(abs(other - gradients[0])) / (scale * 2**-24)
            assert roundings < 2**10, f"{name}: apart by {roundings:.0f} roundings"  # TF32 is 2**13
