"""The verdicts neither cry wolf nor go blind: emulated arithmetic, right and wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cases import real_case
from analysis.parity import compare, precision
from analysis.rounding import common_unit, exact_input, round_to, trace
from impls import Conv, Dense, InputError, SpecError, reference
from parity_tests.strategies import Case, chain_cases, layer_cases


def tf32(array: np.ndarray) -> np.ndarray:
    """The 13 lowest bits of the mantissa dropped, as tensor cores read float32."""
    return (array.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def bfloat16(array: np.ndarray) -> np.ndarray:
    return round_to(array, "bfloat16")


def judge(spec, weights, x, output: np.ndarray):
    return precision(output.astype(np.float32), trace(spec, weights, exact_input(x)))


@given(layer_cases | chain_cases)
def test_correctly_rounded_passes(case: Case) -> None:
    weights, x = real_case(case.spec, case.input_shape, case.seed)
    verdict = judge(case.spec, weights, x, reference(case.spec, weights, x))
    assert verdict.ok, verdict


@settings(max_examples=50)
@given(st.integers(1, 3000), st.integers(0, 2**16))
def test_float32_sums_in_any_order_pass(terms: int, seed: int) -> None:
    spec = Dense(terms, 4)
    weights, x = real_case(spec, (3, terms), seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(terms)
    y = np.broadcast_to(weights["bias"], (3, 4)).copy()
    for i in order:
        y += x[:, i : i + 1] * weights["kernel"][i]
    verdict = judge(spec, weights, x, y)
    assert y.dtype == np.float32
    assert verdict.ok, verdict


@pytest.mark.parametrize("operand", ["x", "kernel"])
@pytest.mark.parametrize(("narrow", "bits"), [(tf32, 11), (bfloat16, 8)])
@settings(max_examples=50)
@given(channels=st.integers(1, 64), kernel=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_narrow_operands_are_seen(narrow, bits, operand, channels, kernel, seed) -> None:
    spec = Conv(channels, 8, kernel, padding="same", bias=False)
    weights, x = real_case(spec, (2, 6, 5, channels), seed)
    if operand == "x":
        y = reference(spec, weights, narrow(x))
    else:
        y = reference(spec, {"kernel": narrow(weights["kernel"])}, x)
    verdict = judge(spec, weights, x, y)
    assert not verdict.ok
    assert abs(verdict.effective_bits - bits) < 2.5


def test_nan_where_it_belongs_is_right_and_elsewhere_wrong() -> None:
    spec = Conv(2, 3, 2)
    weights, x = real_case(spec, (1, 4, 4, 2), 1)
    x[0, 0, 0, 0] = np.nan
    y = reference(spec, weights, x)
    assert np.isnan(y).any()
    assert judge(spec, weights, x, y).ok
    assert not judge(spec, weights, x, np.nan_to_num(y)).ok
    clean = np.nan_to_num(x)
    assert not judge(spec, weights, clean, y).ok


def test_bad_questions() -> None:
    with pytest.raises(InputError, match="input_shape"):
        compare(Conv(1, 1, 1), frameworks=[])
    with pytest.raises(SpecError, match="2 channels"):
        compare(Conv(2, 1, 1), input_shape=(1, 3, 3, 1))


@pytest.mark.parametrize(
    ("values", "unit"),
    [([0.0], 1), ([3, -7], 1), ([0.5, 4], 0.5), ([2**-30], 2**-30), ([1 / 3], None)],
)
def test_common_unit(values: list[float], unit: float | None) -> None:
    assert common_unit(np.array(values)) == unit


@pytest.mark.frameworks  # ml_dtypes comes with them
@given(st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))
def test_bfloat16_rounds_to_nearest_even(value: float) -> None:
    import ml_dtypes

    array = np.array([value], dtype=np.float32)
    np.testing.assert_array_equal(
        round_to(array, "bfloat16"), array.astype(ml_dtypes.bfloat16).astype(np.float32)
    )
