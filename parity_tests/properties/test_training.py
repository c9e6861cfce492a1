"""What a framework's own training makes of our modules: SGD, and running statistics.

On integers, with rates that are powers of two, every step is exact.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    MaxPool,
    Sequential,
    output_shape,
    reference,
)
from convparity.analysis.proof.data import integer_case
from convparity.impls.adapter import Adapter
from convparity.impls.registry import framework
from parity_tests.support.asserts import replay
from parity_tests.support.drawing import seeds, values
from parity_tests.support.strategies import Case, cases, layers, scale_cases

RATE, MOMENTUM, DECAY, STEPS = 0.25, 0.5, 0.5, 3


def cotangent_of(case: Case) -> np.ndarray:
    """Small integers."""
    shape = output_shape(case.spec, case.input_shape)
    rng = np.random.default_rng([case.seed, 2])
    return rng.integers(-3, 3, shape, endpoint=True).astype(np.float32)


def assert_trains(adapter: Adapter, case: Case, steps: int) -> None:
    """SGD with momentum, then with decay, on gradients that ``test_gradients`` proves."""
    weights, x = integer_case(*case)
    cotangent = cotangent_of(case)
    for momentum, decay in ((MOMENTUM, 0.0), (0.0, DECAY)):
        module = adapter.build(case.spec, weights)
        _, gradients = adapter.backward(module, x, cotangent)
        options = {"steps": steps, "rate": RATE, "momentum": momentum, "decay": decay}
        adapter.train(module, x, cotangent, **options)
        trained = adapter.dump(module)
        for name, gradient in gradients.items():
            expected = weights[name].astype(np.float64)
            velocity = np.zeros_like(expected)
            for _ in range(steps):
                velocity = momentum * velocity + gradient + decay * expected
                expected = expected - RATE * velocity
            wrong = np.count_nonzero(trained[name] != expected)
            assert not wrong, (
                f"{adapter.name}, {options}: {wrong} of {expected.size} of {name} are wrong\n"
                f"{replay(case)}"
            )


@settings(max_examples=15)
@given(case=cases(layers(Conv, DepthwiseConv, ConvTranspose)))
def test_layers(adapter: Adapter, case: Case) -> None:
    """The gradient of what is linear stays the same from step to step."""
    assert_trains(adapter, case, STEPS)


@settings(max_examples=15)
@given(case=scale_cases)
def test_scales(adapter: Adapter, case: Case) -> None:
    assert_trains(adapter, case, STEPS)


@settings(max_examples=10)
@given(seed=seeds)
def test_networks(adapter: Adapter, seed: int) -> None:
    spec = Sequential(
        Conv(2, 3, 3, stride=2, padding="same"),
        Activation("relu"),
        MaxPool(2, 1, "same"),
        DepthwiseConv(3, (2, 1), depth_multiplier=2, bias=False),
        Flatten(),
        Dense(6 * 2 * 3, 2),
    )
    assert_trains(adapter, Case(spec, (2, 6, 5, 2), seed), 1)


# ---------------------------------------------------------------- running statistics


@st.composite
def batches(draw: Any) -> Case:
    """Batches of two examples or more: of one value, no variance can be unbiased."""
    rank = draw(st.integers(1, 3))
    _, *sizes, channels = draw(values(rank, flat=False))
    norm = BatchNorm(channels, momentum=draw(st.sampled_from([0.1, 0.25, 1.0])), rank=rank)
    return Case(norm, (draw(st.integers(2, 3)), *sizes, channels), draw(seeds))


def assert_statistics(adapter: Adapter, case: Case, path: str, batch: np.ndarray) -> None:
    """One batch moves the running statistics by its own, as ``momentum`` weighs them."""
    weights, x = integer_case(*case)
    module = adapter.build(case.spec, weights)
    adapter.train(module, x, cotangent_of(case), rate=0.0)
    trained = adapter.dump(module)
    momentum = dict(case.spec.children)["norm"].momentum if path else case.spec.momentum
    axes, n = tuple(range(batch.ndim - 1)), batch.size // batch.shape[-1]
    unbiased = framework(adapter.name).unbiased_variance
    variance = batch.var(axis=axes, ddof=int(unbiased))
    # n squares are summed, of numbers that were rounded themselves
    bound = 4 * (n + 8) * 2.0**-24 * (np.max(batch**2) + 16)
    for name, new in (("mean", batch.mean(axis=axes)), ("variance", variance)):
        old = weights[path + name].astype(np.float64)
        error = np.max(abs(trained[path + name] - ((1 - momentum) * old + momentum * new)))
        assert error <= bound, (
            f"{adapter.name}: the running {name} is off by {error:.1e}, not {bound:.1e}\n"
            f"{replay(case)}"
        )


@settings(max_examples=15)
@given(case=batches())
def test_statistics(adapter: Adapter, case: Case) -> None:
    assert_statistics(adapter, case, "", integer_case(*case)[1].astype(np.float64))


@pytest.mark.parametrize("shape", [(4, 3), (1, 5, 3), (4, 5, 3)])
def test_statistics_with_and_without_an_axis(adapter: Adapter, shape: tuple[int, ...]) -> None:
    """Behind a dense layer there is none, behind a convolution there is one."""
    case = Case(BatchNorm(3, rank=1), shape, 3)
    assert_statistics(adapter, case, "", integer_case(*case)[1].astype(np.float64))


@settings(max_examples=5)
@given(seed=seeds, momentum=st.sampled_from([0.1, 0.25]))
def test_statistics_in_a_network(adapter: Adapter, seed: int, momentum: float) -> None:
    conv, norm = Conv(2, 3, 2), BatchNorm(3, momentum=momentum)
    case = Case(Sequential({"conv": conv, "norm": norm}), (2, 4, 3, 2), seed)
    weights, x = integer_case(*case)
    inner = {name: weights[f"conv.{name}"] for name in ("kernel", "bias")}
    assert_statistics(adapter, case, "norm.", reference(conv, inner, x))
