"""The two verdicts on one output: against its exact value, and what rounding may make of it."""

import math
from collections.abc import Mapping

import numpy as np

from analysis.filters import Linear, to_filters
from analysis.rounding import UNIT_ROUNDOFF, Rounded
from analysis.verdict import Place, Precision, Structure

# What Winograd and FFT may add to a direct sum's error, as a multiple of u M: a measured margin
TRANSFORM = 64


def structure(output: np.ndarray, target: Rounded, margin: np.ndarray | float = 0.0) -> Structure:
    """Judge an output on integer data: every entry must be the reference's.

    With a ``margin`` below a half for what a transform may add, after rounding to integers.
    """
    slack = float(target.bound.max(initial=0))
    problem = _form_problem(output, target)
    if problem is not None:
        return Structure(0, target.value.size, slack, problem)
    error = _error(output, target.value)
    wrong = error > target.bound
    nearest = bool(wrong.any() and target.unit == 1 and 0 < np.max(margin) < 0.5)
    if nearest:
        wrong = np.rint(output) != target.value
    count = int(np.count_nonzero(wrong))
    worst = _place(np.where(wrong, error, -1), output, target.value) if count else None
    return Structure(count, target.value.size, slack, None, worst, nearest)


def precision(output: np.ndarray, target: Rounded, margin: np.ndarray | float = 0.0) -> Precision:
    """Judge an output on real data: under the proved bound, and of the size rounding makes.

    ``margin`` is added to the bound: what a transform may add to a direct sum's error.
    """
    problem = _form_problem(output, target)
    if problem is not None:
        return Precision(math.inf, 0, math.inf, math.inf, 0, problem)
    error = _error(output, target.value)
    bound = target.bound + margin
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(error == 0, 0, error / bound)
    shares = np.where(np.isnan(shares), np.inf, shares)
    at = np.unravel_index(int(shares.argmax()), shares.shape)
    finite = np.isfinite(target.value)
    rms_error, rms_scale = (
        math.sqrt(np.mean(each**2, where=finite)) if finite.any() else 0.0
        for each in (error, target.scale)
    )
    rho = 0.0
    if rms_error:
        rho = rms_error / rms_scale if rms_scale else math.inf
    mantissa = -math.log2(target.u)
    bits = mantissa - math.log2(rho) if rho else mantissa
    return Precision(
        float(error.max()),
        float(bound[at]),
        float(shares[at]),
        rho,
        max(0.0, min(mantissa, bits)),
        None,
        _place(shares, output, target.value),
    )


def _form_problem(output: np.ndarray, target: Rounded) -> str | None:
    if output.shape != target.value.shape:
        return f"shape {output.shape}, not {target.value.shape}"
    wanted = "float32" if target.dtype == "bfloat16" else target.dtype
    if output.dtype != wanted:
        return f"dtype {output.dtype}, not {wanted}"
    return None


def _error(output: np.ndarray, value: np.ndarray) -> np.ndarray:
    """|output - value|; infinite where only one of them is NaN, or an infinity is missed."""
    with np.errstate(invalid="ignore"):
        error = abs(output.astype(np.float64) - value)
    same = (output == value) | (np.isnan(output) & np.isnan(value))
    error = np.where(same, 0, error)
    return np.where(np.isnan(error), np.inf, error)


def _place(badness: np.ndarray, output: np.ndarray, value: np.ndarray) -> Place:
    at = np.unravel_index(int(badness.argmax()), badness.shape)
    return Place(tuple(map(int, at)), float(value[at]), float(output[at]))


def transform_margin(
    spec: Linear, weights: Mapping[str, np.ndarray], x: np.ndarray, dtype: str
) -> np.ndarray:
    """64 u M for each output channel, where M sums max|x| sum|w| over its input channels, and |b|.

    Winograd and FFT mix all the pixels of a channel, so that the largest one counts everywhere.
    """
    filters = abs(to_filters(spec, weights["kernel"].astype(np.float64))).sum(axis=0)
    channels = filters.shape[0]
    largest = abs(x.astype(np.float64)).reshape(-1, x.shape[-1]).max(axis=0)
    grouped = largest.reshape(-1, channels)  # (groups, channels of one)
    size = np.einsum("gc,cgo->go", grouped, filters.reshape(channels, len(grouped), -1)).ravel()
    if spec.bias:
        size = size + abs(weights["bias"])
    return np.asarray(TRANSFORM * UNIT_ROUNDOFF[dtype] * size)
