"""The verdicts neither cry wolf nor go blind: emulated arithmetic, right and wrong.

``python -m parity_tests.support.emulation`` counts the same over many more random layers.
"""

import json
import tracemalloc
from itertools import pairwise
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
    GroupNorm,
    InputError,
    LayerNorm,
    SeparableConv,
    Sequential,
    Spec,
    SpecError,
    init_weights,
    reference,
)
from convparity.analysis.proof import probes
from convparity.analysis.proof.arithmetic import from_bits
from convparity.analysis.proof.callables import compare_callables
from convparity.analysis.proof.compare import compare, judge, precision
from convparity.analysis.proof.data import integer_case, real_case
from convparity.analysis.proof.emulation import exactly
from convparity.analysis.proof.linear_form import tap_sources, to_filters, to_kernel
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, common_unit, exact_input, round_to
from convparity.analysis.proof.rounding import trace
from convparity.analysis.proof.verdict import Place
from convparity.impls.weights import Arrays
from parity_tests.support import emulation
from parity_tests.support.emulation import (
    CORRECT,
    FAULTS,
    bfloat16,
    correct_case,
    draw,
    emulated,
    fault_case,
    fft,
    float16,
    rounded_reference,
    tf32,
)
from parity_tests.support.strategies import Case, chain_cases, layer_cases

LAYER = Conv(4, 6, (3, 2), (2, 1), "same", groups=2)
SHAPE = (2, 7, 5, 4)


def precision_of(spec, weights, x, output: np.ndarray):
    return precision(output.astype(np.float32), trace(spec, weights, exact_input(x)))


# ---------------------------------------------------------------- the emulation itself


@pytest.mark.parametrize("seed", range(40))
def test_products_are_the_layer(seed: int) -> None:
    layer, shape = draw(np.random.default_rng(seed))
    weights, x = integer_case(layer, shape, seed)
    assert np.array_equal(to_kernel(layer, to_filters(layer, weights["kernel"])), weights["kernel"])
    y = emulation.products(layer, weights["kernel"], x).sum(axis=-1)
    np.testing.assert_array_equal(y + weights.get("bias", 0), reference(layer, weights, x))


def test_the_sources_of_padding() -> None:
    sources = tap_sources(Conv(1, 1, 3, padding="same", rank=1), (1, 4, 1))
    np.testing.assert_array_equal(sources, [[-1, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, -1]])


@pytest.mark.parametrize(
    "layer", [ConvTranspose(1, 1, 9999, rank=1), Conv(1, 1, 9999, padding=9999, rank=1)]
)
def test_the_sources_take_no_more_than_their_table(layer: Conv | ConvTranspose) -> None:
    tracemalloc.start()
    sources = tap_sources(layer, (1, 8, 1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * sources.nbytes


# ---------------------------------------------------------------- faults are named


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(name: str) -> None:
    for seed in range(12):
        verdict, line = fault_case(name, seed)
        assert verdict.arithmetic == FAULTS[name][2], f"{line}: {verdict}"
        assert not verdict.ok
        assert f"consistent with {verdict.arithmetic} arithmetic" in str(verdict)


@pytest.mark.parametrize("name", ["TF32 inputs", "bfloat16 operands", "bfloat16 bias"])
def test_and_in_the_steps_of_a_separable_convolution(name: str) -> None:
    make, _, expected = FAULTS[name]
    spec = SeparableConv(4, 6, 3, 2, "same", depth_multiplier=2)
    verdict = judge(make(np.random.default_rng(0)), spec, input_shape=SHAPE)
    assert (verdict.arithmetic, verdict.ok) == (expected, False)
    assert {probe.layer for probe in verdict.probes} == {"depthwise", "pointwise"}


def test_several_faults_are_all_named() -> None:
    candidate = emulated(None, tf32, tf32, bias_as=bfloat16)
    assert judge(candidate, LAYER, input_shape=SHAPE).arithmetic == "tf32, bfloat16 bias"


@pytest.mark.parametrize(
    ("narrow", "expected"), [(tf32, "tf32 or float16"), (bfloat16, "bfloat16")]
)
def test_a_network_is_named_by_its_bits(narrow, expected) -> None:
    def candidate(spec, weights, x):
        for name, layer in spec.children:
            own = {k.removeprefix(f"{name}."): w for k, w in weights.items() if k[0] == name}
            if isinstance(layer, Activation):
                x = np.maximum(x, 0)
            else:
                x = emulated(None, narrow, narrow)(layer, own, x)
        return x

    spec = Sequential(Conv(4, 16, 3), Activation("relu"), Conv(16, 8, 3, padding="same"))
    verdict = judge(candidate, spec, input_shape=SHAPE)
    assert verdict.probes == ()
    assert (verdict.arithmetic, verdict.ok) == (expected, False)


def test_what_the_meter_cannot_know() -> None:
    assert [from_bits(bits, "float32") for bits in (23, 3)] == ["float32", "unknown"]
    assert from_bits(11, "float16") == "unknown"


def test_a_double_computed_in_single_is_named() -> None:
    def candidate(spec, weights, x):
        return rounded_reference(spec, weights, x).astype(np.float64)

    verdict = judge(candidate, LAYER, input_shape=SHAPE, dtype="float64")
    assert verdict.structure.ok
    assert verdict.arithmetic.startswith("float32")
    right = judge(reference, LAYER, input_shape=SHAPE, dtype="float64")
    assert (right.ok, right.arithmetic) == (True, "float64")


def test_a_wrong_structure_is_no_arithmetic() -> None:
    def candidate(spec, weights, x):
        return np.roll(rounded_reference(spec, weights, x), 1, axis=1)

    for spec in (LAYER, Sequential(LAYER)):
        for direct in (True, False):
            verdict = judge(candidate, spec, input_shape=SHAPE, direct=direct)
            assert not verdict.structure.ok
            assert verdict.arithmetic == "unknown"


# ---------------------------------------------------------------- no alarm


@pytest.mark.parametrize("name", CORRECT)
def test_correct_arithmetic_raises_no_alarm(name: str) -> None:
    for seed in range(25):
        verdict, line = correct_case(name, seed)
        assert verdict.ok, f"{line}: {verdict}"
        assert verdict.arithmetic == "float32"


def test_a_transform_needs_its_margin() -> None:
    spec, shape = Conv(8, 4, 3), (1, 9, 9, 8)
    allowed = judge(fft, spec, input_shape=shape, direct=False)
    assert str(allowed.structure).startswith("within the measured margin (")
    assert json.loads(json.dumps(allowed.to_dict()))["structure"]["basis"] == "measured"
    assert allowed.ok
    assert not judge(fft, spec, input_shape=shape, direct=True).structure.ok


@given(layer_cases | chain_cases)
def test_correctly_rounded_passes(case: Case) -> None:
    weights, x = real_case(case.spec, case.input_shape, case.seed)
    verdict = precision_of(case.spec, weights, x, reference(case.spec, weights, x))
    assert verdict.ok, verdict


@settings(max_examples=50)
@given(st.integers(1, 3000), st.integers(0, 2**16))
def test_float32_sums_in_any_order_pass(terms: int, seed: int) -> None:
    spec = Dense(terms, 4)
    weights, x = real_case(spec, (3, terms), seed)
    rng = np.random.default_rng(seed)
    verdict = precision_of(spec, weights, x, emulated(rng)(spec, weights, x))
    assert verdict.ok, verdict


@pytest.mark.parametrize("operand", ["x_as", "kernel_as"])
@pytest.mark.parametrize(("narrow", "bits"), [(tf32, 11), (bfloat16, 8)])
@settings(max_examples=50)
@given(channels=st.integers(1, 64), kernel=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_the_meter_sees_narrow_operands(narrow, bits, operand, channels, kernel, seed) -> None:
    spec = Conv(channels, 8, kernel, padding="same", bias=False)
    weights, x = real_case(spec, (2, 6, 5, channels), seed)
    verdict = precision_of(spec, weights, x, emulated(None, **{operand: narrow})(spec, weights, x))
    assert not verdict.ok
    assert abs(verdict.effective_bits - bits) < 2.5


# ---------------------------------------------------------------- the probes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_entry_of_a_full_mantissa_is_telling(dtype: str) -> None:
    values = probes.full_mantissa(np.random.default_rng(0), (10_000,), dtype)
    assert np.array_equal(values, values.astype(dtype))
    narrowed = {8: (bfloat16, emulation.bfloat16_cut), 11: (tf32, emulation.tf32_rounded, float16)}
    if dtype == "float64":
        narrowed[24] = (np.float32,)
    for bits, formats in narrowed.items():
        for narrow in formats:
            error = abs(narrow(values).astype(np.float64) - values)
            assert error.min() >= 0.99 * 2.0 ** (-bits - 1)
            assert error.max() < 1.01 * 2.0 ** (1 - bits)


@pytest.mark.parametrize("seed", range(30))
def test_no_probe_looks_at_padding_alone(seed: int) -> None:
    layer, shape = draw(np.random.default_rng(seed))
    for case in probes.cases(layer, shape, seed, "float32"):
        expected = reference(layer, case.weights, case.x)
        assert expected.any()
        assert case.only is None or case.only in expected
        assert np.array_equal(expected, expected.astype(np.float32))  # so that 0 can be asked for


@pytest.mark.parametrize("seed", range(10))
def test_the_one_tap_that_meets_a_pixel_is_found(seed: int) -> None:
    layer = Conv(1, 1, (3, 4), padding="same")
    for case in probes.cases(layer, (1, 1, 1, 1), seed, "float32"):
        assert reference(layer, case.weights, case.x).all()


def test_where_padding_is_all_there_is() -> None:
    layer = Conv(2, 3, 1, stride=3, padding=1)  # its only output meets the first padded pixel
    names = [case.name for case in probes.cases(layer, (1, 1, 1, 2), 0, "float32")]
    assert names == ["bias"]
    assert judge(rounded_reference, layer, input_shape=(1, 1, 1, 2)).ok


def test_formats_are_told_apart_by_powers_of_two() -> None:
    limits = [UNIT_ROUNDOFF["float32"] * probes.ROUNDINGS]
    for bits in (11, 8):
        limits += [0.75 * 2.0 ** (-bits - 1), 1.25 * 2.0 ** (1 - bits)]
    assert all(a < b for a, b in pairwise(limits))


# ---------------------------------------------------------------- a user's own functions


def convolution(weights, narrow=exactly):
    return lambda x: emulated(None, narrow, narrow)(LAYER, weights, x)


def test_two_callables_with_integer_weights() -> None:
    weights, _ = integer_case(LAYER, SHAPE, 1)
    right = compare_callables(convolution(weights), convolution(weights), SHAPE)
    assert (right.ok, str(right.structure)) == (True, "exact")
    moved = {**weights, "bias": weights["bias"] + np.eye(6, dtype=np.float32)[0]}
    wrong = compare_callables(convolution(moved), convolution(weights), SHAPE)
    assert not wrong.structure.ok
    assert not wrong.ok


def test_two_callables_with_any_weights() -> None:
    weights = init_weights(LAYER, 1)
    expected = convolution(weights)
    shuffled = emulated(np.random.default_rng(0))
    right = compare_callables(lambda x: shuffled(LAYER, weights, x), expected, SHAPE)
    assert right.ok, right
    assert right.structure.slack > 0
    for narrow in (tf32, bfloat16):
        wrong = compare_callables(convolution(weights, narrow), expected, SHAPE)
        assert not wrong.ok, wrong
    flipped = compare_callables(lambda x: expected(x)[:, ::-1], expected, SHAPE)
    assert not flipped.structure.ok
    assert not flipped.precision.ok


def test_a_verdict_is_json() -> None:
    verdict, _ = fault_case("bfloat16 bias", 1)
    data = json.loads(json.dumps(verdict.to_dict()))
    assert data["arithmetic"] == "bfloat16 bias"
    assert data["ok"] is False
    assert {probe["name"] for probe in data["probes"]} >= {"inputs", "kernel", "bias", "product"}


# ---------------------------------------------------------------- the third status, and words


def rounded_to_bfloat16(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return round_to(reference(spec, weights, x), "bfloat16")


def test_what_rounding_could_hide_is_not_tested() -> None:
    """Eight bits do not tell the values of a norm over ten numbers from each other."""
    spec = GroupNorm(2, 4)
    verdict = judge(rounded_to_bfloat16, spec, input_shape=(1, 5, 5, 4), dtype="bfloat16")
    assert verdict.structure.untested > 0
    assert (verdict.status, verdict.ok) == ("not tested", False)
    assert "not tested" in str(verdict)

    def shifted(*case: Any) -> np.ndarray:
        return 9 + rounded_to_bfloat16(*case)

    wrong = judge(shifted, spec, input_shape=(1, 5, 5, 4), dtype="bfloat16")
    assert wrong.status == "wrong"  # whatever else is not tested


def test_an_inexact_root_is_within_its_bound_and_another_epsilon_is_not() -> None:
    spec = BatchNorm(16, eps=1e-3)

    def with_root_off_by(units: int) -> Any:
        def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
            y = reference(spec, {**weights, "offset": 0 * weights["offset"]}, x)
            return (y * (1 - units * 2.0**-24) + weights["offset"]).astype(np.float32)

        return candidate

    for units, status in ((0, "ok"), (2, "ok"), (8, "ok"), (64, "wrong")):
        verdict = judge(with_root_off_by(units), spec, input_shape=(1, 5, 9, 16))
        assert verdict.structure.status == status, units
        assert verdict.structure.basis == "proved"


def test_a_wrong_place_prints_digits_that_differ() -> None:
    place = Place((0, 633), -259.375, float(np.nextafter(np.float32(-259.375), np.float32(0))))
    assert str(place) == "y[0, 633] = -259.37497, not -259.375"


def test_a_bound_beyond_the_outputs_is_not_printed() -> None:
    norms = [part for _ in range(9) for part in (LayerNorm(4), Conv(4, 4, 3, padding="same"))]
    verdict = judge(rounded_reference, Sequential(*norms), input_shape=(1, 8, 8, 4))
    assert verdict.precision.ok
    assert verdict.precision.bound is None
    assert "bound" not in str(verdict.precision)


def test_right_arithmetic_is_not_named_as_the_reason() -> None:
    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        y = rounded_reference(spec, weights, x)
        return y + (x == np.rint(x)).all().astype(np.float32)  # on integers alone

    verdict = judge(candidate, Sequential(LAYER), input_shape=SHAPE)
    assert verdict.status == "wrong"
    assert "consistent" not in str(verdict)


# ---------------------------------------------------------------- NaN, and bad questions


def test_nan_where_it_belongs_is_right_and_elsewhere_wrong() -> None:
    spec = Conv(2, 3, 2)
    weights, x = real_case(spec, (1, 4, 4, 2), 1)
    x[0, 0, 0, 0] = np.nan
    y = reference(spec, weights, x)
    assert np.isnan(y).any()
    assert precision_of(spec, weights, x, y).ok
    assert not precision_of(spec, weights, x, np.nan_to_num(y)).ok
    clean = np.nan_to_num(x)
    assert not precision_of(spec, weights, clean, y).ok


def test_bad_questions() -> None:
    with pytest.raises(InputError, match="input_shape"):
        compare(Conv(1, 1, 1), frameworks=[])
    with pytest.raises(InputError, match="input_shape"):
        judge(reference, Conv(1, 1, 1))
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
