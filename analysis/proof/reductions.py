"""Reductions: what they make of rounding errors, and their backward pass."""

import dataclasses
from typing import Any

import numpy as np

from convparity.analysis.proof.rounded import Rounded
from convparity.impls.reference import run
from convparity.impls.spec import Reduce

ROOT = 12  # u: a measured margin of a root, and of a quotient


def reduction(spec: Reduce, x: Rounded) -> Rounded:
    """What ``spec`` makes of a value and its errors."""
    if spec.function in ("max", "min"):
        return _chosen(spec, x)
    if spec.function in ("var", "std", "norm"):
        return _spread(spec, x)
    count = spec.count(x.value.shape)
    means = spec.function == "mean"
    plain = dataclasses.replace(spec, function="mean" if means else "sum")
    sizes = run(plain, {}, abs(x.value) + x.bound)
    exact_sums = x.exact and bool(np.max(sizes, initial=0) * count * x.u <= (x.unit or 0))
    power = count & (count - 1) == 0
    value = run(spec, {}, x.value)
    return x.then(
        value,
        abs(value) if means and exact_sums else sizes,
        inherited=run(plain, {}, x.bound),
        noise=lambda disturbed: run(spec, {}, disturbed),
        variance=lambda: run(plain, {}, x.value**2) / (count if means else 1),
        roundings=(0 if means and exact_sums else count) + (ROOT + 2 if means else 0),
        unit=x.unit if not means else None if x.unit is None or not power else x.unit / count,
        flushed=run(plain, {}, x.small),
        rounds=means,  # by a reciprocal, which libraries approximate, that of 1 too
    )


def _chosen(spec: Reduce, x: Rounded) -> Rounded:
    most = dataclasses.replace(spec, function="max")
    value = run(spec, {}, x.value)
    return dataclasses.replace(
        x,
        value=value,
        bound=run(most, {}, x.bound + x.small),
        noise=np.zeros(value.shape) if x.exact else run(spec, {}, x.disturbed) - value,
        own=run(most, {}, x.small),
    )


def _spread(spec: Reduce, x: Rounded) -> Rounded:
    """A root of squares, or the squares of deviations."""
    value, n = run(spec, {}, x.value), spec.count(x.value.shape)
    kept = dataclasses.replace(spec, function="mean", keepdims=True, correction=0)
    mean = dataclasses.replace(kept, keepdims=spec.keepdims)

    def total(array: np.ndarray) -> np.ndarray:
        return n * run(mean, {}, array)

    off, of_off = x.value, x.bound + x.small
    if spec.function != "norm":
        centre = run(kept, {}, x.value)
        of_centre = run(kept, {}, x.bound) + x.gamma(n + ROOT + 2) * run(
            kept, {}, abs(x.value) + x.bound
        )
        off = x.value - centre
        of_off = of_off + of_centre + x.u * (abs(off) + of_off + of_centre) + 2 * x.tiny
    share = 1.0 if spec.function == "norm" else 1 / (n - spec.correction)
    squares = total(off**2) * share
    error = total(2 * abs(off) * of_off + of_off**2) * share
    error = error + x.gamma(n + ROOT + 4) * (squares + error) + 2 * (n + 1) * x.tiny
    alone = x.u * (squares + share * np.sqrt(total(off**2 * x.value**2))) + x.tiny
    if spec.function != "norm":  # of a mean that was rounded, where no deviation is larger
        alone = alone + share * x.u**2 * total(x.value**2)
    if spec.function != "var":
        moved = np.minimum(np.sqrt(error), error / np.where(value > 0, value, np.inf))
        moved = np.where(value > 0, moved, np.sqrt(error))
        error = moved + ROOT * x.u * (value + moved) + x.tiny
        by_slope = alone / np.where(value > 0, 2 * value, np.inf)
        alone = np.where(value > 0, np.minimum(by_slope, np.sqrt(alone)), np.sqrt(alone))
        alone = alone + x.u * np.sqrt(total(x.value**2) / n)
    return dataclasses.replace(
        x,
        value=value,
        bound=error,
        noise=np.zeros(value.shape) if x.exact else run(spec, {}, x.disturbed) - value,
        own=alone,
        unit=None,
        basis=x.rests_on("proved"),
    )


def backward(spec: Reduce, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The gradient by the input, of ``g`` by the output; equal largest ones share it."""
    kept = dataclasses.replace(spec, keepdims=True)
    y: Any = run(kept, {}, x)
    g, n = g.reshape(y.shape), spec.count(x.shape)
    match spec.function:
        case "mean":
            return np.broadcast_to(g / n, x.shape)
        case "sum":
            return np.broadcast_to(g, x.shape)
        case "norm1":
            return g * np.sign(x)
        case "norm":
            return g * x / np.where(y > 0, y, 1)
        case "max" | "min":
            won = x == y
            return g * won / won.sum(axis=spec.places(x.shape), keepdims=True)
    off = x - x.mean(axis=spec.places(x.shape), keepdims=True)
    by_variance = 2 * off / (n - spec.correction)
    return g * by_variance if spec.function == "var" else g * by_variance / (2 * y)
