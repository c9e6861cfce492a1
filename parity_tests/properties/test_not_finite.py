"""NaN and infinity come out where the reference has them, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import Activation, Conv, Sequential, Spec, compare, judge, reference
from convparity.analysis.proof.data import integer_case
from convparity.analysis.report.tables import verdicts_table
from convparity.impls.adapter import Adapter
from convparity.impls.weights import Arrays
from parity_tests.support.asserts import replay
from parity_tests.support.convolution_strategies import CONVS
from parity_tests.support.drawing import seeds
from parity_tests.support.strategies import Case, cases, layers


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


# ---------------------------------------------------------------- what a verdict can tell of it

LAYER, SHAPE = Conv(2, 3, 2, padding="same"), (1, 4, 3, 2)
NOT_FINITE = [np.nan, np.inf, -np.inf]


def rounded(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return reference(spec, weights, x).astype(np.float32)


def zeros_for_nan(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return np.nan_to_num(rounded(spec, weights, x), nan=0.0, posinf=np.inf, neginf=-np.inf)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_an_input_of_nothing_else_is_not_tested(adapter: Adapter, value: float) -> None:
    x = np.full(SHAPE, value, np.float32)
    (verdict,) = compare(LAYER, None, [adapter.name], x)
    assert verdict.structure.ok
    assert (verdict.status, verdict.ok, verdict.precision.ok) == ("not tested", False, False)
    assert "precision not tested: no entry of the right output is finite" in str(verdict)
    assert verdict.to_dict()["status"] == "not tested"
    assert list(verdicts_table("", [verdict.to_dict()]).columns[2].cells) == ["-"]


def test_nor_one_whose_outputs_are_finite_all_the_same() -> None:
    x = np.full(SHAPE, -np.inf, np.float32)
    verdict = judge(rounded, Activation("relu"), x=x)
    assert verdict.status == "not tested"
    assert "no entry of the input is finite" in str(verdict)


@pytest.mark.parametrize("share", [1, 0.1])
def test_a_wrong_place_of_nan_is_wrong_whatever_the_rest(share: float) -> None:
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    x.flat[: round(share * x.size)] = np.nan
    assert judge(zeros_for_nan, LAYER, x=x).status == "wrong"
    assert judge(rounded, LAYER, x=x).status == ("not tested" if share == 1 else "ok")
