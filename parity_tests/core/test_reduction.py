"""Reductions: values by hand, bounds that hold, and what a port gets nearly right."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from convparity import (
    Conv,
    Reduce,
    Rescale,
    Sequential,
    SpecError,
    from_json,
    from_line,
    judge,
    output_shape,
    reference,
    to_json,
    to_line,
)
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.spec import REDUCTIONS
from parity_tests.support.executor import Arithmetic, Executor
from parity_tests.support.oracle import oracle


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        *(("mean", 2), ("sum", 8), ("max", 7), ("min", -3)),
        *(("var", 12.5), ("std", 12.5**0.5), ("norm", 66**0.5), ("norm1", 14)),
    ],
)
def test_four_numbers_by_hand(judge: Any, function: Any, expected: float) -> None:
    x = np.array([[[7.0, 2], [-3, 2]]])
    y = judge(Reduce(function, (1, 2), keepdims=True), {}, x)
    assert y.shape == (1, 1, 1)
    np.testing.assert_allclose(y.item(), expected, rtol=1e-15)
    if function in ("var", "std"):
        y = judge(Reduce(function, (1, 2), keepdims=True, correction=1), {}, x)
        np.testing.assert_allclose(
            y.item(), 50 / 3 if function == "var" else (50 / 3) ** 0.5, rtol=1e-15
        )


@pytest.mark.parametrize(
    ("axes", "shape"), [(-1, (2, 3, 4)), (1, (2, 4, 5)), ((-1, 1), (2, 4)), ((2, -3), (2, 5))]
)
def test_which_axes_are_left(axes: Any, shape: tuple[int, ...]) -> None:
    spec = Reduce("sum", axes)
    assert output_shape(spec, (2, 3, 4, 5)) == shape
    for each in (spec, Reduce("std", axes, True, 1)):
        assert from_json(to_json(each)) == each
        assert from_line(to_line(each))[0] == each
        assert not to_line(each).startswith("{")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reduce("median", -1), "function"),  # type: ignore[arg-type]
        (lambda: Reduce("mean", 0), "not the batch"),
        (lambda: Reduce("mean", ()), "axes are one or several"),
        (lambda: Reduce("mean", -1, 1), "keepdims must be True or False"),  # type: ignore[arg-type]
        (lambda: Reduce("mean", -1, correction=1), "correction is 0"),
        (lambda: Reduce("var", -1, correction=2), "correction is 0"),
        (lambda: output_shape(Reduce("mean", (1, -2)), (1, 2, 3)), "twice"),
        (lambda: output_shape(Reduce("mean", 3), (1, 2, 3)), "axis 3 is none"),
        (lambda: output_shape(Reduce("mean", -1), (1, 2)), "nothing but the batch is left"),
        (lambda: output_shape(Reduce("var", 1, False, 1), (1, 1, 2)), "variance of one number"),
    ],
)
def test_what_cannot_be_said(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.1])
@pytest.mark.parametrize("function", REDUCTIONS)
def test_no_error_is_beyond_its_bound(function: Any, share: float) -> None:
    rng = np.random.default_rng(0)
    arithmetics = [
        Arithmetic(),
        Arithmetic(order="reversed", fused=True, root_lean="up"),
        Arithmetic(order="pairwise", root_lean="down", count="divided"),
    ]
    for centre, size in ((0.0, 1.0), (1000.0, 1.0), (1.0, 0.0), (0.0, 1e-6)):
        x = centre + size * rng.standard_normal((3, 6, 2, 4))
        x = x.astype(np.float32).astype(np.float64)
        bound = share * abs(x)
        spec = Reduce(function, (1, 3), False, int(function == "var"))
        traced = dataclasses.replace(
            exact_input(x), bound=bound, basis="proved" if share else "exact"
        )
        target = trace(spec, {}, traced)
        for how in arithmetics:
            moved = x + 0.98 * bound * rng.choice([-1, 1], x.shape)
            y = Executor(how).run(spec, {}, moved.astype(np.float32))
            assert (abs(y - target.value) <= target.bound).all(), (centre, size, str(how))
        assert share or (target.bound <= 1e-4 * abs(x).max() ** 2 + 1e-4 + 1).all()


def near(function: str) -> Any:
    """What is nearly a reduction over the rows of an image."""

    def reduce(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        made = {
            "other axis": lambda: x.swapaxes(1, 2).mean(axis=1),
            "mean": lambda: x.mean(axis=1),
            "var": lambda: x.var(axis=1),
            "correction": lambda: x.var(axis=1, ddof=1),
            "std": lambda: x.std(axis=1),
            "max": lambda: x.max(axis=1),
            "magnitude": lambda: abs(x).max(axis=1),
            "norm": lambda: np.sqrt((x**2).sum(axis=1)),
            "norm1": lambda: abs(x).sum(axis=1),
        }[function]()
        return np.asarray(made, np.float32)

    return reduce


NAMES = {
    "mean": Reduce("mean", 1),
    "var": Reduce("var", 1),
    "correction": Reduce("var", 1, correction=1),
    "std": Reduce("std", 1),
    "max": Reduce("max", 1),
    "norm": Reduce("norm", 1),
    "norm1": Reduce("norm1", 1),
}


@pytest.mark.parametrize("right", NAMES)
def test_another_reduction_is_seen(right: str) -> None:
    for name in (*NAMES, "other axis", "magnitude"):
        verdict = judge(near(name), NAMES[right], input_shape=(2, 4, 4, 3))
        assert verdict.ok == (name == right), (name, str(verdict))


def test_in_a_network() -> None:
    """What follows a reduction over channels is lit, too."""
    spec = Sequential(
        Conv(3, 4, 3, padding="same"), Reduce("mean", -1, keepdims=True), Conv(1, 2, 1), Rescale(2)
    )

    def candidate(factor: float) -> Any:
        return lambda spec, weights, x: (factor * reference(spec, weights, x)).astype(np.float32)

    assert judge(candidate(1), spec, input_shape=(2, 4, 4, 3)).status != "wrong"
    assert judge(candidate(1.5), spec, input_shape=(2, 4, 4, 3)).status == "wrong"
