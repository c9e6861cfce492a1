"""Resizing and adaptive pools: where places lie, and which pixels a place sees."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.reference_resize import along_axes
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Resize,
    Shape,
    adaptive_windows,
    output_shape,
)


@fault("resize-01", "corners aligned", Resize, hides="nearest, or corners that are to be aligned")
def corners_aligned(spec: Resize, shape: Shape) -> Faulty | None:
    if spec.method == "nearest" or spec.align_corners:
        return None
    return Faulty(replace(spec, align_corners=True), "align_corners=True")


@fault("resize-02", "corners not aligned", Resize, hides="nearest, or corners that are not to be")
def corners_not_aligned(spec: Resize, shape: Shape) -> Faulty | None:
    return Faulty(replace(spec, align_corners=False), "half pixels") if spec.align_corners else None


def _resized(spec: Resize, shape: Shape, detail: str, matrices: list[np.ndarray]) -> Faulty:
    def run(right: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        return along_axes(matrices, x.astype(np.float64)).astype(x.dtype)

    return Faulty(spec, detail, run=run)


def _axes(spec: Resize, shape: Shape) -> list[tuple[int, int]]:
    return list(zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True))


@fault("resize-03", "half pixels missing", Resize, hides="nearest, aligned corners, equal sizes")
def half_pixels_missing(spec: Resize, shape: Shape) -> Faulty | None:
    axes = _axes(spec, shape)
    if spec.method == "nearest" or spec.align_corners or all(n in (m, 1) for n, m in axes):
        return None
    places = [np.minimum(np.arange(m) * n / m, n - 1) for n, m in axes]
    matrices = [
        np.maximum(1 - abs(at[:, None] - np.arange(n)), 0)
        for at, (n, _) in zip(places, axes, strict=True)
    ]
    return _resized(spec, shape, "a place at i n / m", matrices)


@fault(
    "resize-04", "the nearest pixel by rounding", Resize, hides="linear, sizes that are multiples"
)
def nearest_rounded(spec: Resize, shape: Shape) -> Faulty | None:
    if spec.method != "nearest":
        return None
    axes = _axes(spec, shape)
    right = [np.arange(m) * n // m for n, m in axes]
    wrong = [np.minimum((2 * np.arange(m) * n + m) // (2 * m), n - 1) for n, m in axes]
    if all(map(np.array_equal, right, wrong)):
        return None
    eyes = [np.eye(n)[at] for at, (n, _) in zip(wrong, axes, strict=True)]
    return _resized(spec, shape, "rounded, not cut off", eyes)


@fault("resize-05", "nearest for linear", Resize, hides="nearest, one pixel, equal sizes")
def nearest_for_linear(spec: Resize, shape: Shape) -> Faulty | None:
    if spec.method == "nearest" or all(n in (m, 1) for n, m in _axes(spec, shape)):
        return None
    return Faulty(replace(spec, method="nearest", align_corners=False), "nearest")


@fault(
    "resize-06",
    "adaptive windows that end where the next begins: floor for ceil",
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    hides="sizes that are multiples of the places",
)
def windows_apart(spec: Any, shape: Shape) -> Faulty | None:
    reduce = np.max if isinstance(spec, AdaptiveMaxPool) else np.mean
    windows = []
    for n, places in zip(shape[1:-1], spec.output_size, strict=True):
        right = list(adaptive_windows(n, places))
        wrong = [
            (i * n // places, max((i + 1) * n // places, i * n // places + 1))
            for i in range(places)
        ]
        windows.append((right, wrong))
    if all(right == wrong for right, wrong in windows):
        return None

    def run(right: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        y = x.astype(np.float64)
        for axis, (_, own) in enumerate(windows, 1):
            seen = (y.take(range(start, stop), axis) for start, stop in own)
            y = np.concatenate([reduce(each, axis=axis, keepdims=True) for each in seen], axis)
        return y.astype(x.dtype)

    return Faulty(spec, "floor for ceil", run=run)


@fault("resize-07", "the sum for the mean of adaptive windows", AdaptiveAvgPool, hides="one pixel")
def sum_for_mean(spec: AdaptiveAvgPool, shape: Shape) -> Faulty | None:
    counts = [
        np.array([stop - start for start, stop in adaptive_windows(n, places)])
        for n, places in zip(shape[1:-1], spec.output_size, strict=True)
    ]
    if all(max(each) == 1 for each in counts):
        return None

    def times(y: np.ndarray) -> np.ndarray:
        for axis, each in enumerate(counts, 1):
            y = y * each.reshape(-1, *[1] * (y.ndim - 1 - axis)).astype(y.dtype)
        return y

    return Faulty(spec, "the sum", after=times)


def _each_one_pixel(spec: Any, shape: Shape) -> bool:
    axes = zip(shape[1:-1], spec.output_size, strict=True)
    return all(b - a == 1 for n, places in axes for a, b in adaptive_windows(n, places))


@fault(
    "resize-08", "the largest for the mean of adaptive windows", AdaptiveAvgPool, hides="one pixel"
)
def largest_for_mean(spec: AdaptiveAvgPool, shape: Shape) -> Faulty | None:
    if _each_one_pixel(spec, shape):
        return None
    return Faulty(AdaptiveMaxPool(spec.output_size, spec.rank), "the largest")


@fault(
    "resize-09", "the mean for the largest of adaptive windows", AdaptiveMaxPool, hides="one pixel"
)
def mean_for_largest(spec: AdaptiveMaxPool, shape: Shape) -> Faulty | None:
    if _each_one_pixel(spec, shape):
        return None
    return Faulty(AdaptiveAvgPool(spec.output_size, spec.rank), "the mean")
