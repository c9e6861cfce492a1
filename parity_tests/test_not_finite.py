"""NaN and infinity come out where the reference has them, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import Conv, Sequential, reference
from convparity.analysis.proof.data import integer_case
from convparity.impls.adapter import Adapter
from parity_tests.asserts import replay
from parity_tests.strategies import CONVS, Case, cases, layers, seeds

pytestmark = pytest.mark.frameworks


def assert_passes_on(adapter: Adapter, case: Case, value: float) -> None:
    """One pixel of one channel is no finite number; every weight that meets it is not 0."""
    weights, x = integer_case(*case)
    weights = {name: np.where(w == 0, np.float32(1), w) for name, w in weights.items()}
    x[np.unravel_index(np.random.default_rng(case.seed).integers(x.size), x.shape)] = value
    with np.errstate(invalid="ignore"):
        expected = reference(case.spec, weights, x)
    got = adapter.apply(adapter.build(case.spec, weights), case.spec, x)
    assert np.array_equal(got, expected, equal_nan=True), (
        f"{adapter.name}: {value} does not pass as in the reference\n{replay(case)}"
    )


@settings(max_examples=30)
@given(case=cases(layers(*CONVS)), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_layers(adapter: Adapter, case: Case, value: float) -> None:
    assert_passes_on(adapter, case, value)


@settings(max_examples=5)
@given(seed=seeds, value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_networks(adapter: Adapter, seed: int, value: float) -> None:
    spec = Sequential(Conv(2, 3, 2), Conv(3, 2, 1))
    assert_passes_on(adapter, Case(spec, (1, 4, 3, 2), seed), value)
