"""Activations by hand, their axis and their alpha; clamps, learned slopes and the identity."""

import math
from typing import Any

import numpy as np
import pytest

from convparity import Activation, Clamp, Dropout, Identity, PReLU, from_json, reference
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.errors import SpecError

E = math.e


def assert_within_bound(spec: Any, x: np.ndarray, expected: np.ndarray) -> None:
    """The reference is as near to ``expected`` as float64 has to be."""
    target = trace(spec, {}, exact_input(x.astype(np.float64), "float64"))
    finite = np.isfinite(expected)
    assert np.array_equal(target.value[~finite], expected[~finite], equal_nan=True)
    off = abs(target.value[finite] - expected[finite])
    assert (off <= target.bound[finite]).all(), off
    assert np.array_equal(target.value, reference(spec, {}, x), equal_nan=True)


@pytest.mark.parametrize(
    ("spec", "x", "expected"),
    [
        (Activation("softsign"), [-3, 0, 1], [-0.75, 0, 0.5]),
        (Activation("abs"), [-3, 0, 2], [3, 0, 2]),
        (Activation("relu_squared"), [-3, 0.5, 2], [0, 0.25, 4]),
        (Activation("soft_shrink"), [-3, 0.5, 2], [-2.5, 0, 1.5]),
        (Activation("soft_shrink", 2.0), [-3, 0.5, 2], [-1, 0, 0]),
        (Activation("hard_shrink"), [-3, 0.5, -0.5, 2], [-3, 0, 0, 2]),
        (Activation("hard_shrink", 2.5), [-3, 0.5, 2, np.nan], [-3, 0, 0, np.nan]),
        (Activation("celu", 2.0), [-2, 3], [2 / E - 2, 3]),
        (Activation("softplus", 2.0), [0, 0.5], [math.log(2) / 2, math.log(1 + E) / 2]),
        (Activation("log_sigmoid"), [0, 1], [-math.log(2), -math.log(1 + 1 / E)]),
        (Activation("tanhshrink"), [0, 1], [0, 1 - (E - 1 / E) / (E + 1 / E)]),
        (Activation("mish"), [0, 1], [0, ((1 + E) ** 2 - 1) / ((1 + E) ** 2 + 1)]),
        (Activation("quick_gelu"), [0, 1], [0, 1 / (1 + E**-1.702)]),
        (Clamp(-1, 2), [-3, 0.5, 9, np.nan], [-1, 0.5, 2, np.nan]),
        (Clamp(high=2), [-3, 9], [-3, 2]),
        (Clamp(low=2), [-3, 9], [2, 9]),
        (Identity(), [-3, np.inf], [-3, np.inf]),
        (Dropout(0.5, "path"), [-3, 2], [-3, 2]),
    ],
)
def test_by_hand(spec: Any, x: list[float], expected: list[float]) -> None:
    assert_within_bound(spec, np.array([x]), np.array([expected]))


def test_selu_keeps_mean_and_variance() -> None:
    """Of standard normal numbers: what its two constants are chosen for.

    A sum over steps is off by their square where the function bends, at 0.
    """
    step = 2.0**-10
    x = np.arange(-16, 16, step)
    weight = np.exp(-(x**2) / 2)
    weight = weight / weight.sum()
    y = reference(Activation("selu"), {}, x[None])[0]
    assert abs((weight * y).sum()) < step**2
    assert abs((weight * y**2).sum() - 1) < step**2


@pytest.mark.parametrize(
    ("axis", "shares"), [(None, (1, 2)), (-1, (1, 2)), (1, (1, 3)), (-2, (1, 3))]
)
def test_a_softmax_is_over_its_axis(axis: int | None, shares: tuple[int, int]) -> None:
    numbers = np.array([[[1.0, 2], [3, 7]]])
    expected = numbers / numbers.sum(axis=-1 if axis is None else axis, keepdims=True)
    assert expected[0, 0, 0] == 1 / sum(shares)
    assert_within_bound(Activation("softmax", axis=axis), np.log(numbers), expected)
    assert_within_bound(Activation("log_softmax", axis=axis), np.log(numbers), np.log(expected))


def test_a_jump_is_bounded_where_rounding_may_cross_it() -> None:
    """0.3 is none of float32: at its neighbour there the one side is as right as the other."""
    x = np.array([[np.float32(0.3), 0.25, 1.0]])
    bound = trace(Activation("hard_shrink", 0.3), {}, exact_input(x)).bound
    assert bound[0, 0] >= 0.3
    assert not bound[0, 1:].any()
    assert not trace(Activation("hard_shrink", 0.5), {}, exact_input(np.array([[0.5]]))).bound.any()


def test_a_slope_of_each_channel_or_of_all() -> None:
    x = np.array([[[-1, -2], [3, 4]]])
    each = reference(PReLU(2), {"slope": np.array([10, 100])}, x)
    assert each.ravel().tolist() == [-10, -200, 3, 4]
    assert reference(PReLU(), {"slope": np.array([10])}, x).ravel().tolist() == [-10, -20, 3, 4]


def test_json_without_the_new_fields_loads() -> None:
    old = '{"type": "Activation", "function": "softmax", "alpha": null}'
    assert from_json(old) == Activation("softmax", axis=-1)
    old = '{"type": "Activation", "function": "softplus", "alpha": null}'
    assert from_json(old) == Activation("softplus", 1.0)
    assert from_json('{"type": "Dropout", "p": 0.5}') == Dropout(0.5, "element")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Activation("relu", axis=1), "relu takes no axis; softmax, log_softmax do"),
        (lambda: Activation("softmax", axis=0), "not the batch"),
        (lambda: Activation("celu", 0), "divides by its alpha"),
        (lambda: reference(Activation("softmax", axis=3), {}, np.ones((1, 2))), "axis 3 is none"),
        (Clamp, "needs a finite limit"),
        (lambda: Clamp(1, 1), "low must be below high"),
        (lambda: Clamp(0, math.inf), "finite"),
        (lambda: PReLU(0), "at least 1"),
        (lambda: reference(PReLU(3), {"slope": np.ones(3)}, np.ones((1, 2))), "takes 3 channels"),
        (lambda: Dropout(0.5, "pixel"), "unknown kind"),
    ],
)
def test_what_does_not_fit(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()
