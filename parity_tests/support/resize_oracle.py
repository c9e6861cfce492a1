"""A second meaning of a resized image, by fractions; ``oracle`` asks it."""

from fractions import Fraction
from math import floor, fsum
from typing import Any

import numpy as np

from convparity import Resize


def resized(spec: Resize, x: np.ndarray) -> np.ndarray:
    """Each place's position in the input as a fraction, then the shares of the pixels there."""
    for axis in range(spec.rank):
        n = x.shape[axis + 1]
        by = None if spec.scale is None else spec.scale[axis]
        m = spec.size[axis] if by is None else int(n * by)
        parts = []
        for place in range(m):
            shares = pixels_of(spec, place, n, m, by if isinstance(by, float) else None)
            parts.append(sum(share * np.take(x, j, axis + 1) for j, share in shares))
        x = np.stack(parts, axis + 1)
    return x


def pixels_of(spec: Resize, place: int, n: int, m: int, by: Any) -> list[tuple[int, float]]:
    """The pixels that one place is made of, and the share of each."""
    middle = place + Fraction(1, 2)
    step = Fraction(n, m)
    if by is not None and not (m == n and (spec.method == "linear" or spec.antialias)):
        step = 1 / Fraction(by)
    if spec.method.startswith("nearest"):
        exact = spec.method == "nearest-exact"
        if by is not None and (exact or m not in (n, 2 * n)):  # PyTorch's own arithmetic
            times = np.float32(1 / by)
            at = np.float32(float(middle) * float(times)) if exact else np.float32(place) * times
            return [(min(int(at), n - 1), 1.0)]
        at = (middle if exact else place) * Fraction(n, m)
        return [(max(j for j in range(n) if j <= at), 1.0)]
    if spec.method == "area":
        met = [j for j in range(n) if j * m < (place + 1) * n and (j + 1) * m > place * n]
        return [(j, 1 / len(met)) for j in met]
    at = middle * step - Fraction(1, 2)
    if spec.align_corners:
        at = Fraction(place * (n - 1), m - 1) if m > 1 else Fraction(0)
    if spec.antialias:
        wide = max(step, Fraction(1))
        shares = [float(kernel(spec.method, abs(at - j) / wide, -2)) for j in range(n)]
        return [(j, share / fsum(shares)) for j, share in enumerate(shares)]
    if spec.method == "linear":
        at = min(max(at, Fraction(0)), Fraction(n - 1))
    met = range(floor(at) - 1, floor(at) + 3)
    shares = [float(kernel(spec.method, abs(at - j), Fraction(-4, 3))) for j in met]
    return [(min(max(j, 0), n - 1), share) for j, share in zip(met, shares, strict=True)]


def kernel(method: str, d: Fraction, a: Any) -> Fraction:
    """A triangle, or Keys' cubic with 1 / a."""
    if method == "linear":
        return max(1 - d, Fraction(0))
    if d <= 1:
        return 1 - d**2 * (3 + 1 / Fraction(a)) + d**3 * (2 + 1 / Fraction(a))
    return (d - 1) * (d - 2) ** 2 / Fraction(a) if d < 2 else Fraction(0)
