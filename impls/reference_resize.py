"""The share of each pixel in each place of a resized image: ``reference.py`` asks it."""

from collections.abc import Callable

import numpy as np

from convparity.impls.spec import (
    Resize,
    Shape,
    adaptive_windows,
    output_shape,
)


def resizing(spec: Resize, shape: Shape) -> list[np.ndarray]:
    """For each axis the share that each of its pixels has in each place: ``(places, pixels)``."""
    sizes = zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True)
    scales = spec.scale or (1,) * spec.rank
    return [
        _shares(spec, n, m, by if isinstance(by, float) else None)
        for (n, m), by in zip(sizes, scales, strict=True)
    ]


def _shares(spec: Resize, n: int, m: int, by: float | None) -> np.ndarray:
    """Those of one axis; ``by`` is its scale where that is a fraction."""
    places, pixels = np.arange(m), np.arange(n)
    if spec.method == "area":
        windows = np.array(adaptive_windows(n, m))
        inside = (windows[:, :1] <= pixels) & (pixels < windows[:, 1:])
        return inside / inside.sum(axis=1, keepdims=True)
    if spec.method in ("nearest", "nearest-exact"):
        return np.eye(n)[_nearest(spec, places, n, m, by)]
    as_it_is = m == n and (spec.method == "linear" or spec.antialias)  # as PyTorch leaves it
    at: np.ndarray
    if spec.align_corners:
        at = places * (n - 1) / max(m - 1, 1)
    elif by is None or as_it_is:
        at = ((2 * places + 1) * n - m) / (2 * m)
    else:
        at = (places + 0.5) / by - 0.5
    if spec.antialias:
        wide = max(n / m if by is None else 1 / by, 1)
        kernel = _triangle if spec.method == "linear" else _keys(-0.5)
        shares = kernel(abs(at[:, None] - pixels) / wide)
        return shares / shares.sum(axis=1, keepdims=True)
    if spec.method == "linear":
        return _triangle(abs(np.clip(at, 0, n - 1)[:, None] - pixels))
    found = np.zeros((m, n))
    for tap in range(-1, 3):
        seen = np.floor(at).astype(int) + tap
        np.add.at(found, (places, np.clip(seen, 0, n - 1)), _keys(-0.75)(abs(at - seen)))
    return found


def _nearest(spec: Resize, places: np.ndarray, n: int, m: int, by: float | None) -> np.ndarray:
    """The pixel of each place: of a fraction as PyTorch finds it, in float32."""
    exact = spec.method == "nearest-exact"
    if by is None or (not exact and m in (n, 2 * n)):
        return (2 * places + 1) * n // (2 * m) if exact else places * n // m
    step = np.float32(1 / by)
    at = (places + 0.5) * float(step) if exact else places.astype(np.float32) * step
    return np.minimum(np.floor(at.astype(np.float32)).astype(int), n - 1)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _keys(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Keys' cubic kernel (IEEE Trans. ASSP 29, 1981) of a distance."""

    def kernel(d: np.ndarray) -> np.ndarray:
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel


def along_axis(axis: int, matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The matrix times the vectors that lie along an axis."""
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)


def along_axes(matrices: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Each matrix times the vectors that lie along its spatial axis."""
    for axis, matrix in enumerate(matrices, 1):
        x = along_axis(axis, matrix, x)
    return x
