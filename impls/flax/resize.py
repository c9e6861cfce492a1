"""A Flax NNX layer that resizes, channels-last, at exact positions. A page to copy from.

Shapes: x_NHWC the input, y_NHWC the output, where H and W stand for one to three spatial axes.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from convparity.impls.flax.layers import Axes


class Resize(nnx.Module):
    """The pixels of another size, as PyTorch has them; ``jax.image.resize`` has other ones.

    That takes the pixel in the middle of a place for the nearest, smooths what it makes smaller
    unless told, and has Keys' cubic kernel with a = -0.5.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, a number an axis; a fraction scales
            positions, too.
        method: "nearest", pixel ``floor(i * n / m)``, "nearest-exact", "linear", "cubic" (Keys'
            kernel with a = -0.75) or "area".
        align_corners: Whether the corner pixels of "linear" and "cubic" keep their places.
        antialias: Whether "linear" and "cubic" (then with a = -0.5) take all pixels that a smaller
            image leaves out into their means.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C
    """

    def __init__(
        self,
        size: Axes | None = None,
        scale: tuple[int | float, ...] | None = None,
        method: str = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        self.size: Any = size
        self.scale: Any = scale
        self.method, self.align_corners, self.antialias = method, align_corners, antialias

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        for axis, n in enumerate(x_NHWC.shape[1:-1], 1):
            by = 1 if self.scale is None else self.scale[axis - 1]
            fraction = by if isinstance(by, float) else None
            m = int(n * by) if self.size is None else self.size[axis - 1]
            x_NHWC = self.along(x_NHWC, axis, n, m, fraction)
        return x_NHWC

    def along(self, x_NHWC: jax.Array, axis: int, n: int, m: int, by: float | None) -> jax.Array:
        """With m pixels along an axis of n; ``by`` is a scale that is a fraction."""
        places = np.arange(m)
        if self.method.startswith("nearest"):
            return jnp.take(x_NHWC, self.nearest(places, n, m, by), axis, mode="clip")
        if self.method == "area":
            taps, shares = means(places, n, m)
        elif self.antialias:
            wide = max(n / m if by is None else 1 / by, 1.0)
            taps, shares = smoothed(self.at(places, n, m, by), n, wide, self.method)
        else:
            taps, shares = between(self.at(places, n, m, by), n, self.method)
        wide_type = jnp.promote_types(x_NHWC.dtype, jnp.float32)
        seen = jnp.take(x_NHWC.astype(wide_type), np.clip(taps, 0, n - 1), axis, mode="clip")
        weights = shares.reshape(*shares.shape, *[1] * (x_NHWC.ndim - axis - 1))
        return (seen * jnp.asarray(weights, wide_type)).sum(axis + 1).astype(x_NHWC.dtype)

    def nearest(self, places: np.ndarray, n: int, m: int, by: float | None) -> np.ndarray:
        """The pixel of each place: of a fraction as PyTorch finds it, in float32."""
        exact = self.method == "nearest-exact"
        if by is None or (not exact and m in (n, 2 * n)):
            return (2 * places + 1) * n // (2 * m) if exact else places * n // m
        step = np.float32(1 / by)
        at = (places + 0.5) * float(step) if exact else places.astype(np.float32) * step
        return np.minimum(np.floor(at.astype(np.float32)).astype(int), n - 1)

    def at(self, places: np.ndarray, n: int, m: int, by: float | None) -> np.ndarray:
        """Where each place lies among the pixels."""
        if self.align_corners:
            return places * (n - 1) / max(m - 1, 1)
        as_it_is = m == n and (self.method == "linear" or self.antialias)  # as PyTorch leaves it
        if by is None or as_it_is:
            return ((2 * places + 1) * n - m) / (2 * m)
        return (places + 0.5) / by - 0.5


# ---------------------------------------------------------------- which pixels, and their shares


def between(at: np.ndarray, n: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """The two pixels around each position, or four; beyond the border the last one."""
    if method == "linear":
        at = at.clip(0, n - 1)
    seen = np.floor(at)[:, None] + (np.arange(2) if method == "linear" else np.arange(-1, 3))
    distance = abs(at[:, None] - seen)
    return seen.astype(int), 1 - distance if method == "linear" else keys(distance, -0.75)


def smoothed(at: np.ndarray, n: int, wide: float, method: str) -> tuple[np.ndarray, np.ndarray]:
    """All pixels under a kernel that is so many times as wide; their shares add up to 1."""
    reach = wide if method == "linear" else 2 * wide
    seen = np.ceil(at - reach)[:, None] + np.arange(int(2 * reach) + 1)
    distance = abs(at[:, None] - seen) / wide
    shares = np.maximum(1 - distance, 0) if method == "linear" else keys(distance, -0.5)
    shares = np.where((seen >= 0) & (seen < n), shares, 0)
    return seen.astype(int), shares / shares.sum(axis=1, keepdims=True)


def means(places: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of each window of an adaptive mean."""
    start, stop = places * n // m, -(-(places + 1) * n // m)
    seen = start[:, None] + np.arange(n // m + 2)
    return seen, (seen < stop[:, None]) / (stop - start)[:, None]


def keys(d: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic kernel of a distance."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
