"""Arithmetic number by number: values by hand, and bounds that hold, the divisor near 0 or not."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Average,
    Divide,
    Graph,
    Maximum,
    Minimum,
    Power,
    Rescale,
    SpecError,
    from_json,
    judge,
    output_shape,
    reference,
    to_json,
)
from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.rounded import Rounded, exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import run
from parity_tests.support.executor import Arithmetic, Executor

A, B = np.array([[6.0, -6, 1]]), np.array([[3.0, 4, 0]])


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        (Divide(), [2, -1.5, np.inf]),
        (Maximum(), [6, 4, 1]),
        (Minimum(), [3, -6, 0]),
        (Average(), [4.5, -1, 0.5]),
    ],
)
def test_joins_by_hand(join: Any, expected: list[float]) -> None:
    assert run(join, {}, A, B).tolist() == [expected]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Rescale(), [6, -6, 1]),
        (Rescale(2, 1), [13, -11, 3]),
        (Rescale((1, 2, 3), 1), [7, -11, 4]),
        (Rescale(0.5, (1, 2, 3)), [4, -1, 3.5]),
        (Power(0), [1, 1, 1]),
        (Power(3), [216, -216, 1]),
        (Power(-2), [1 / 36, 1 / 36, 1]),
    ],
)
def test_layers_by_hand(layer: Any, expected: list[float]) -> None:
    assert reference(layer, {}, A).tolist() == [expected]
    assert from_json(to_json(layer)) == layer


def test_where_a_power_is_not_defined() -> None:
    x = np.array([[4.0, 0, -4]])
    np.testing.assert_array_equal(reference(Power(0.5), {}, x), [[2, 0, np.nan]])
    np.testing.assert_array_equal(reference(Power(-0.5), {}, x), [[0.5, np.inf, np.nan]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rescale("2"), "scale must be a number, not '2'"),
        (lambda: Rescale(np.inf), "scale must be finite"),
        (lambda: Rescale(1, ()), "offset is a number, or one a channel"),
        (lambda: Rescale((1, 2), (1, 2, 3)), "numbers for unlike many channels"),
        (lambda: output_shape(Rescale((1, 2)), (1, 3)), "takes 2 channels"),
        (lambda: Power(True), "exponent must be a number"),
        (lambda: Power(np.nan), "exponent must be finite"),
        (lambda: Graph({"a": (Divide(), "x", "x", "x")}), "Divide takes 2 inputs, not 3"),
        (
            lambda: output_shape(Graph({"a": (Maximum(), "x", "y")}, ("x", "y")), (1, 2), (1, 3)),
            "s",
        ),
    ],
)
def test_what_cannot_be_said(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


# ---------------------------------------------------------------- bounds


def erring(value: np.ndarray, share: float, rng: np.random.Generator) -> tuple[Rounded, Any]:
    """A value with an error of this share, and samples of what it may be in float32."""
    exact = exact_input(value)
    bound = share * abs(value) * (rng.random(value.shape) > 0.3)
    found = dataclasses.replace(exact, bound=bound, basis="proved" if share else "exact")
    return found, [
        (value + bound * 0.98 * lean).astype(np.float32)
        for lean in (1, -1, *(rng.uniform(-1, 1, value.shape) for _ in range(4)))
    ]


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.1])
@pytest.mark.parametrize(
    "spec",
    [
        *(Divide(), Maximum(), Minimum(), Average()),
        *(Rescale(0.1, -3.7), Rescale((0.3, 2.0, -1.0), (0.0, 1.0, 1e-3))),
        *map(Power, (0, 1, 2, 3, 7, -1, -3, 0.5, -0.5, 1.5, 2.2)),
    ],
)
def test_no_error_is_beyond_its_bound(spec: Any, share: float) -> None:
    rng = np.random.default_rng(0)
    several = isinstance(spec, Divide | Maximum | Minimum | Average)
    arithmetics = [Arithmetic(), Arithmetic(root_lean="up", library_lean="down", fused=True)]
    for size in (1.0, 2.0**-5, 2.0**7):  # to the power of 7, all fit
        drawn = rng.standard_normal((2, 64, 3)) * size
        if isinstance(spec, Power) and not spec.exponent.is_integer():
            drawn = abs(drawn)
        values = [each.astype(np.float32).astype(np.float64) for each in (drawn, drawn[:, ::-1])]
        traced, samples = zip(*(erring(v, share, rng) for v in values[: 1 + several]), strict=True)
        target = trace(spec, {}, *traced)
        assert target.basis != "none"
        for i, how in enumerate(arithmetics * 3):
            inputs = [each[i] for each in samples]
            y = Executor(how).run(spec, {}, *inputs)
            with np.errstate(invalid="ignore"):
                assert not (abs(y - target.value) > target.bound).any(), (size, how)


def test_a_divisor_that_may_be_zero_has_no_bound() -> None:
    """Neither where it is 0, nor where its error reaches it; elsewhere the bound is small."""
    a, b = exact_input(np.ones((1, 3))), exact_input(np.array([[0.0, 1e-3, 1.0]]))
    b = dataclasses.replace(b, bound=np.full((1, 3), 1e-2), basis="proved")
    target = trace(Divide(), {}, a, b)
    assert target.basis == "none"
    assert np.isinf(target.bound).tolist() == [[True, True, False]]
    assert target.bound[0, 2] < 0.02
    right = target.value.astype(np.float32)
    for judged in (structure(right, target), precision(right, target)):
        assert judged.status == "not tested"
    other = right.copy()
    other[0, 1] *= -7  # nothing can be said of it
    assert precision(other, target).status == "not tested"
    other[0, 2] *= 2
    assert precision(other, target).status == "wrong"
    assert structure(other, target).status == "wrong"


def test_a_power_beside_zero_has_no_bound() -> None:
    x = exact_input(np.array([[0.0, 1e-3, 1.0]]))
    x = dataclasses.replace(x, bound=np.full((1, 3), 1e-2), basis="proved")
    for exponent in (-1, -2, 0.5, -0.5):
        target = trace(Power(exponent), {}, x)
        assert np.isinf(target.bound).tolist() == [[True, True, False]], exponent
    assert np.isfinite(trace(Power(2), {}, x).bound).all()


GATED = Graph(
    {
        "gate": (Activation("sigmoid"), "x"),
        "more": (Rescale(1, 1), "gate"),
        "y": (Divide(), "x", "more"),
        "z": (Maximum(), "y", "gate"),
    }
)


def test_a_quotient_is_judged() -> None:
    def right(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        return reference(spec, weights, x).astype(np.float32)

    def turned(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        gate = 1 / (1 + np.exp(-x))
        return np.maximum(x * (gate + 1), gate).astype(np.float32)

    assert judge(right, GATED, input_shape=(2, 4, 3)).ok
    assert judge(turned, GATED, input_shape=(2, 4, 3)).status == "wrong"


@pytest.mark.parametrize("exponent", [2, 3, -1, 0.5])
def test_another_exponent_is_seen(exponent: float) -> None:
    def powered(other: float) -> Any:
        return lambda spec, weights, x: run(Power(other), {}, x.astype(float)).astype(np.float32)

    for other in (2, 3, -1, 0.5):
        verdict = judge(powered(other), Power(exponent), input_shape=(2, 4, 3))
        assert verdict.ok == (other == exponent), verdict
