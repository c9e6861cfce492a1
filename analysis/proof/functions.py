"""How far rounding can take an activation: a function of each value, or a softmax."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from convparity.analysis.proof.rounded import Rounded, common_unit, round_to
from convparity.impls.reference import run
from convparity.impls.spec import OVER_AXIS, Activation, Clamp

EXACT = ("relu", "relu6", "abs", "hard_shrink")  # none of them rounds
# between what limits a function stays: no error is larger, and a product by a gate keeps its bound
WIDTHS = {"sigmoid": 1.0, "hard_sigmoid": 1.0, "softmax": 1.0, "tanh": 2.0, "softsign": 2.0}
LIBRARY = 16  # u, for a library's elementary function: a measured margin; 4 at most were seen


def rounded_function(spec: Activation, x: Rounded, slopes: Mapping[str, float]) -> Rounded:
    """The function of ``x``; ``slopes`` are the steepest of each that has no alpha for it."""
    value = run(spec, {}, x.value)
    if spec.function in EXACT:
        return _exact(spec, x, value)
    inherited = _inherited(spec, x, value, slopes)
    # exp(x) - 1 and 1 + tanh(x) cancel, at the size of 1 or of alpha
    size = abs(x.value) + abs(value) + max(1.0, spec.alpha or 0)
    bound = inherited + LIBRARY * x.u * (size + x.bound)
    if spec.function in WIDTHS:  # twice: a library may leave the range
        bound = np.minimum(bound, 2 * WIDTHS[spec.function])
    return dataclasses.replace(
        x,
        value=value,
        bound=bound,
        noise=np.zeros(value.shape) if x.exact else run(spec, {}, x.disturbed) - value,
        own=x.u * size + x.tiny,
        unit=None,
        basis="measured",
    )


def _exact(spec: Activation, x: Rounded, value: np.ndarray) -> Rounded:
    """Errors pass where the input does, and stop elsewhere; at a jump they are as large as it."""
    passes = abs(abs(x.value) - abs(value)) <= x.bound
    bound = np.where(passes, x.bound + x.small, 0)
    if spec.alpha is not None:
        slip = x.bound + abs(float(round_to(np.array(spec.alpha), x.dtype)) - spec.alpha)
        jumps = (slip > 0) & (abs(abs(x.value) - spec.alpha) <= slip)
        bound = np.where(jumps, abs(x.value) + x.bound, bound)
    return dataclasses.replace(
        x,
        value=value,
        bound=bound,
        noise=run(spec, {}, x.value + x.noise) - value,
        own=np.where(abs(value) == abs(x.value), x.own + x.small, 0),
    )


def _inherited(
    spec: Activation, x: Rounded, value: np.ndarray, slopes: Mapping[str, float]
) -> np.ndarray:
    """What becomes of the input's bound."""
    if spec.function == "relu_squared":  # no slope limits it; it never falls
        return np.asarray(run(spec, {}, x.value + x.bound) - value)
    if spec.function in ("leaky_relu", "elu"):
        return max(1.0, spec.alpha or 0) * x.bound
    if spec.function not in slopes:
        raise NotImplementedError(f"no rounding bound is known for {spec.function}: give its slope")
    bound = x.bound
    if spec.function in OVER_AXIS:  # every value on the axis reaches every other
        bound = np.broadcast_to(bound.max(axis=spec.axis, keepdims=True), bound.shape)
    return np.asarray(slopes[spec.function] * bound)


def rounded_clamp(spec: Clamp, x: Rounded) -> Rounded:
    """``x`` between its limits, one of which the dtype may lack."""
    value = run(spec, {}, x.value)
    limits = np.array([each for each in (spec.low, spec.high) if each is not None])
    rounded = round_to(limits, x.dtype).astype(np.float64)  # of numbers that the dtype lacks
    slip = float((abs(rounded - limits) + np.where(abs(limits) < x.tiny, abs(limits), 0)).max())
    unit = common_unit(limits)
    passes = abs(x.value - value) <= x.bound + slip
    return dataclasses.replace(
        x,
        value=value,
        bound=np.where(passes, x.bound + x.small, 0) + np.where(value == x.value, 0, slip),
        noise=run(spec, {}, x.value + x.noise) - value,
        own=np.where(value == x.value, x.own + x.small, slip),
        unit=None if x.unit is None or unit is None else min(x.unit, unit),
        basis=x.rests_on("proved" if slip else "exact"),
    )
