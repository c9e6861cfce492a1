"""Each dtype is held, computed in and returned; on integers every one of them is exact."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Sequential,
    UnsupportedError,
    dump,
    init_weights,
)
from convparity.analysis.proof.compare import compare, structure
from convparity.analysis.proof.data import integer_case
from convparity.analysis.proof.probes import PROBED
from convparity.analysis.proof.rounded import exact_input, round_to
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import DTYPES, Adapter
from parity_tests.support.asserts import replay
from parity_tests.support.strategies import Case, linear_cases, max_pool_cases, scale_cases


@contextmanager
def enabled(adapter: Adapter, dtype: str) -> Iterator[None]:
    """JAX has float64 only where it is switched on."""
    if adapter.name != "flax" or dtype != "float64":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def assert_exact_on_integers(adapter: Adapter, dtype: str, case: Case) -> None:
    """Nothing is rounded, and the output has the dtype."""
    weights, x = integer_case(case.spec, case.input_shape, case.seed, dtype)
    target = trace(case.spec, weights, exact_input(x, dtype))
    assert target.exact, replay(case)
    with enabled(adapter, dtype):
        module = adapter.build(case.spec, weights, dtype=dtype)
        verdict = structure(adapter.apply(module, case.spec, x), target)
    assert verdict.ok, f"{adapter.name} in {dtype}: {verdict}\n{replay(case)}"


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(case=linear_cases | max_pool_cases)
def test_exact_on_integers(adapter: Adapter, dtype: str, case: Case) -> None:
    assert_exact_on_integers(adapter, dtype, case)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=10)
@given(case=scale_cases)
def test_scales_are_exact_on_integers(adapter: Adapter, dtype: str, case: Case) -> None:
    assert_exact_on_integers(adapter, dtype, case)


COMPARED = {
    "conv": (Conv(3, 4, 3, 2, "same"), (2, 7, 6, 3)),
    "dense": (Dense(5, 3), (4, 5)),
    "batch norm": (BatchNorm(16, eps=1e-3), (1, 5, 9, 16)),
    "silu": (Activation("silu"), (1, 5, 4, 3)),
}


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_compared(adapter: Adapter, dtype: str, name: str) -> None:
    spec, shape = COMPARED[name]
    with enabled(adapter, dtype):
        (verdict,) = compare(spec, frameworks=[adapter.name], input_shape=shape, dtype=dtype)
    assert verdict.ok, verdict
    assert bool(verdict.probes) == (dtype in PROBED and name in ("conv", "dense"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_held_in_it(adapter: Adapter, dtype: str) -> None:
    spec = Sequential(Conv(3, 4, 3), BatchNorm(4))
    weights = init_weights(spec, seed=2)
    with enabled(adapter, dtype):
        module = adapter.build(spec, weights, dtype=dtype)
        dumped = dump(module)
        y = adapter.apply(module, spec, np.zeros((1, 5, 5, 3), dtype=np.float32))
    stored = "float32" if dtype == "bfloat16" else dtype  # NumPy has no bfloat16
    assert y.dtype == stored
    for name, array in dumped.items():
        assert array.dtype == stored
        np.testing.assert_array_equal(array, round_to(weights[name], dtype))


def test_flax_refuses_a_float64_that_jax_would_truncate() -> None:
    from convparity.impls import registry

    with pytest.raises(UnsupportedError, match="JAX_ENABLE_X64"):
        registry.get("flax").build(Conv(1, 1, 1), dtype="float64")
