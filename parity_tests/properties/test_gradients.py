"""The gradients of every framework are the reference's, exactly, on integers.

What is linear in its input and in each of its weights has a gradient g with
<g, d> = <cotangent, f(at + d) - f(at)> for every step d, and on integers both sides are exact. So
are those of a max pool, while no step changes which value is the largest. An average divides,
which rounds. What is curved is held against the other frameworks. Graphs and standard networks are
held against the backward pass in NumPy, in float64, up to what rounding was seen to make of that.
"""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import example, given, settings

from convparity import Conv, Spec, init_weights, parameter_shapes, reference
from convparity.analysis.proof.data import integer_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Shape
from parity_tests.support.asserts import replay
from parity_tests.support.gradients import cotangent_for, gradient_gap
from parity_tests.support.graph_strategies import graphs, with_several_values
from parity_tests.support.networks import NETWORKS, SHORTENED
from parity_tests.support.strategies import (
    Case,
    avg_pool_cases,
    cases,
    linear_cases,
    max_pool_cases,
    norm_cases,
    scale_cases,
)


def integers_like(case: Case, shape: Shape) -> np.ndarray:
    """Small integers, other ones than the data."""
    rng = np.random.default_rng([case.seed, 1])
    return rng.integers(-3, 3, shape, endpoint=True).astype(np.float32)


def assert_linear(adapter: Adapter, case: Case) -> None:
    """By the input, and by each weight."""
    weights, x = integer_case(case.spec, case.input_shape, case.seed)
    y = reference(case.spec, weights, x)
    cotangent = integers_like(case, y.shape)
    module = adapter.build(case.spec, weights)
    by_x, by_weight = adapter.backward(module, x, cotangent)
    assert by_x.shape == x.shape, replay(case)
    assert {n: g.shape for n, g in by_weight.items()} == parameter_shapes(case.spec), replay(case)
    rng = np.random.default_rng(case.seed)
    for name, gradient in {"x": by_x, **by_weight}.items():
        for _ in range(2):  # a wrong gradient is orthogonal to a random step once in many times
            step = rng.integers(-3, 3, gradient.shape, endpoint=True)
            moved = {**weights, **({name: weights[name] + step} if name != "x" else {})}
            change = reference(case.spec, moved, x + step if name == "x" else x) - y
            expected, got = np.vdot(cotangent, change), np.vdot(gradient.astype(float), step)
            assert got == expected, (
                f"{adapter.name}, by {name}: {got}, not {expected}\n{replay(case)}"
            )


@settings(max_examples=45)
@example(case=Case(Conv(2, 3, 3, dilation=2, rank=1), (2, 7, 2), 1))
@example(case=Case(Conv(2, 3, (3, 2), padding="same", dilation=(2, 3)), (2, 7, 6, 2), 2))
@example(case=Case(Conv(4, 6, 2, 2, 1, (1, 2, 3), groups=2, rank=3), (1, 3, 4, 5, 4), 3))
@given(case=linear_cases)
def test_linear(adapter: Adapter, case: Case) -> None:
    assert_linear(adapter, case)


@settings(max_examples=20)
@given(case=scale_cases)
def test_scales(adapter: Adapter, case: Case) -> None:
    assert_linear(adapter, case)


@settings(max_examples=30)
@given(case=max_pool_cases)
def test_max_pools(adapter: Adapter, case: Case) -> None:
    """Values so far apart that a step leaves their order as it is: there the pool is linear."""
    rng = np.random.default_rng(case.seed)
    size = int(np.prod(case.input_shape))
    x = 8 * rng.permutation(size).reshape(case.input_shape).astype(np.float32)
    y = reference(case.spec, {}, x)
    cotangent, step = integers_like(case, y.shape), integers_like(case, x.shape)
    by_x, _ = adapter.backward(adapter.build(case.spec, {}), x, cotangent)
    expected = np.vdot(cotangent, reference(case.spec, {}, x + step) - y)
    got = np.vdot(by_x.astype(float), step)
    assert got == expected, f"{adapter.name}: {got}, not {expected}\n{replay(case)}"


@settings(max_examples=30)
@given(case=avg_pool_cases)
def test_average_pools(adapter: Adapter, case: Case) -> None:
    """Each entry sums one quotient a window that sees it: so many roundings, and no more."""
    x, step = np.zeros(case.input_shape, np.float32), integers_like(case, case.input_shape)
    change = reference(case.spec, {}, step)
    cotangent = integers_like(case, change.shape)
    by_x, _ = adapter.backward(adapter.build(case.spec, {}), x, cotangent)
    spread = np.vdot(abs(cotangent), abs(reference(case.spec, {}, abs(step))))
    bound = exact_input(x).gamma(np.prod(case.spec.kernel_size) + 3) * spread
    expected, got = np.vdot(cotangent, change), np.vdot(by_x.astype(float), step)
    assert abs(got - expected) <= bound, (
        f"{adapter.name}: {got}, not {expected} within {bound:.1e}\n{replay(case)}"
    )


@settings(max_examples=30)
@given(case=norm_cases)
def test_scale_and_offset_of_norms(adapter: Adapter, case: Case) -> None:
    """A norm is linear in both, with a gradient as far off as rounding takes its output."""
    weights, x = integer_case(*case)
    cotangent = integers_like(case, x.shape)
    _, gradients = adapter.backward(adapter.build(case.spec, weights), x, cotangent)
    for name in weights.keys() & {"scale", "offset"}:
        step = integers_like(case, weights[name].shape)
        moved = {n: np.zeros_like(w) for n, w in weights.items() if n in ("scale", "offset")}
        change = trace(case.spec, {**weights, **moved, name: step}, exact_input(x))
        still = reference(case.spec, {**weights, **moved}, x)  # of a norm without a scale
        error = change.bound + change.gamma(x.size) * abs(change.value)
        bound = np.vdot(abs(cotangent), error)
        expected, got = (
            np.vdot(cotangent, change.value - still),
            np.vdot(gradients[name].astype(float), step),
        )
        assert abs(got - expected) <= bound, (
            f"{adapter.name}, by {name}: {got}, not {expected} within {bound:.1e}\n{replay(case)}"
        )


@settings(max_examples=6)
@given(case=cases(graphs(10)))
def test_graphs(adapter: Adapter, case: Case) -> None:
    """Every one as it is, and twice in one of two inputs and two outputs."""
    rng = np.random.default_rng(case.seed)
    x, other = (rng.standard_normal(case.input_shape).astype(np.float32) for _ in range(2))
    for spec, inputs in ((case.spec, x), (with_several_values(case.spec), (x, other))):
        weights = init_weights(spec, case.seed)
        cotangent = cotangent_for(spec, weights, inputs, case.seed)
        gap = gradient_gap(adapter, spec, weights, inputs, cotangent)
        assert gap is None, f"{gap}\n{replay(case)}"


@pytest.mark.parametrize("name", SHORTENED)
def test_standard_networks(adapter: Adapter, name: str) -> None:
    spec = SHORTENED[name]
    x = np.random.default_rng(5).standard_normal((2, 32, 32, 3)).astype(np.float32)
    weights = init_weights(spec, 5)
    gap = gradient_gap(adapter, spec, weights, x, cotangent_for(spec, weights, x, 5))
    assert gap is None, gap


@pytest.mark.parametrize("spec", NETWORKS)
def test_network(adapters: list[Adapter], spec: Spec) -> None:
    """Through every kind of layer, three frameworks agree as far as rounding lets them."""
    weights = init_weights(spec, seed=3)
    rng = np.random.default_rng(3)
    x, cotangent = (rng.standard_normal(n).astype(np.float32) for n in ((2, 9, 8, 3), (2, 5)))
    x *= 8  # far enough for relu6 and the hard functions to saturate
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
