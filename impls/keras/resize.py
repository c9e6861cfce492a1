"""A Keras layer that resizes, channels-last, at exact positions. A page to copy from.

Shapes: x_NSC the input, y_NSC the output, where S is one axis, two or three. The class is
registered, so that ``keras.saving`` writes and reads it.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from convparity.impls.keras.layers import registered
from convparity.impls.keras.windows import Ints, largest


@registered
class Resize(keras.layers.Layer):
    """``keras.layers.UpSampling2D`` to any size, with any number of axes, and down, too.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, a number an axis; a fraction scales
            positions, too.
        method: "nearest", pixel ``floor(i * n / m)``, "nearest-exact", "linear", "cubic" (Keys'
            kernel with a = -0.75, where Keras has -0.5) or "area".
        align_corners: Whether the corner pixels of "linear" and "cubic" keep their places.
        antialias: Whether "linear" and "cubic" (then with a = -0.5) take all pixels that a smaller
            image leaves out into their means.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale: tuple[int | float, ...] | None = None,
        method: str = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size: Any = None if size is None else tuple(size)
        self.scale: Any = None if scale is None else tuple(scale)
        self.method, self.align_corners, self.antialias = method, align_corners, antialias
        self.input_spec = keras.InputSpec(ndim=len(self.size or self.scale or ()) + 2)

    def call(self, x_NSC: Any) -> Any:
        for axis in range(1, len(x_NSC.shape) - 1):
            n = ops.shape(x_NSC)[axis]  # a tensor, where the size is open
            by = None if self.scale is None else self.scale[axis - 1]
            fraction = by if isinstance(by, float) else None
            if by is None:
                m = self.size[axis - 1]
            elif fraction is None:
                m = n * by
            else:
                m = int(n * by) if isinstance(n, int) else cast(cast(n, "float64") * by, "int32")
            x_NSC = self.along(x_NSC, axis, n, m, fraction)
        return x_NSC

    def along(self, x_NSC: Any, axis: int, n: Any, m: Any, by: float | None) -> Any:
        """With m pixels along an axis of n; ``by`` is a scale that is a fraction."""
        xp: Any = np if isinstance(n, int) and isinstance(m, int) else ops
        places = xp.arange(m, dtype="int64" if xp is np else "int32")
        if self.method.startswith("nearest"):
            return ops.take(x_NSC, self.nearest(xp, places, n, m, by), axis=axis)
        if self.method == "area":
            taps, shares = means(xp, places, n, m)
        elif self.antialias:
            if by is None:
                wide = xp.maximum(cast(n, "float64") / cast(m, "float64"), 1)
            else:
                wide = max(1 / by, 1.0)
            taps, shares = smoothed(xp, self.at(xp, places, n, m, by), n, wide, self.method)
        else:
            taps, shares = between(xp, self.at(xp, places, n, m, by), n, self.method)
        wide_type = keras.backend.result_type(x_NSC.dtype, "float32")
        seen = ops.take(ops.cast(x_NSC, wide_type), xp.clip(taps, 0, n - 1), axis=axis)
        behind = (1,) * (len(x_NSC.shape) - axis - 1)
        weights = ops.reshape(ops.cast(shares, wide_type), (*ops.shape(shares), *behind))
        return ops.cast(ops.sum(seen * weights, axis=axis + 1), x_NSC.dtype)

    def nearest(self, xp: Any, places: Any, n: Any, m: Any, by: float | None) -> Any:
        """The pixel of each place: of a fraction as PyTorch finds it, in float32."""
        exact = self.method == "nearest-exact"
        found = (2 * places + 1) * n // (2 * m) if exact else places * n // m
        if by is None:
            return found
        step = np.float32(1 / by)
        if exact:
            at = cast((cast(places, "float64") + 0.5) * float(step), "float32")
        else:
            at = cast(places, "float32") * step
        scaled = xp.minimum(cast(xp.floor(at), "int32"), n - 1)
        return scaled if exact else xp.where((m == n) | (m == 2 * n), found, scaled)

    def at(self, xp: Any, places: Any, n: Any, m: Any, by: float | None) -> Any:
        """Where each place lies among the pixels."""
        if self.align_corners:
            return cast(places * (n - 1), "float64") / cast(largest(m - 1, 1), "float64")
        found = cast((2 * places + 1) * n - m, "float64") / cast(2 * m, "float64")
        if by is None:
            return found
        scaled = (cast(places, "float64") + 0.5) / by - 0.5
        as_it_is = self.method == "linear" or self.antialias  # as PyTorch leaves it
        return xp.where(m == n, found, scaled) if as_it_is else scaled

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *spatial, channels = input_shape
        if self.size is not None:
            return (batch, *self.size, channels)
        sizes = (
            None if n is None else int(n * by) for n, by in zip(spatial, self.scale, strict=True)
        )
        return (batch, *sizes, channels)

    def get_config(self) -> dict[str, Any]:
        how = {"method": self.method, "align_corners": self.align_corners}
        sizes = {"size": self.size, "scale": self.scale}
        return {**super().get_config(), **sizes, **how, "antialias": self.antialias}


# ---------------------------------------------------------------- which pixels, and their shares

# Sizes are integers, and all of this NumPy (``xp``), or tensors where they are open, which only
# TensorFlow has.


def cast(value: Any, dtype: str) -> Any:
    """An integer, an array or a tensor in another type."""
    if isinstance(value, int | float):
        return np.dtype(dtype).type(value)
    return value.astype(dtype) if isinstance(value, np.ndarray) else ops.cast(value, dtype)


def between(xp: Any, at: Any, n: Any, method: str) -> tuple[Any, Any]:
    """The two pixels around each position, or four; beyond the border the last one."""
    linear = method == "linear"
    if linear:
        at = xp.clip(at, 0, cast(n - 1, "float64"))
    around = np.arange(2.0) if linear else np.arange(-1.0, 3.0)
    seen = xp.floor(at)[:, None] + around
    distance = xp.abs(at[:, None] - seen)
    return cast(seen, "int32"), 1 - distance if linear else cubic(xp, distance, -0.75)


def smoothed(xp: Any, at: Any, n: Any, wide: Any, method: str) -> tuple[Any, Any]:
    """All pixels under a kernel that is so many times as wide; their shares add up to 1."""
    reach = wide if method == "linear" else 2 * wide
    around = cast(xp.arange(cast(2 * reach, "int32") + 1, dtype="int32"), "float64")
    seen = -xp.floor(reach - at)[:, None] + around
    distance = xp.abs(at[:, None] - seen) / wide
    linear = method == "linear"
    shares = xp.maximum(1 - distance, 0) if linear else cubic(xp, distance, -0.5)
    shares = xp.where((seen >= 0) & (seen < cast(n, "float64")), shares, 0)
    return cast(seen, "int32"), shares / xp.sum(shares, axis=1, keepdims=True)


def means(xp: Any, places: Any, n: Any, m: Any) -> tuple[Any, Any]:
    """The pixels of each window of an adaptive mean."""
    start, stop = places * n // m, -(-(places + 1) * n // m)
    seen = start[:, None] + xp.arange(n // m + 2)
    return seen, cast(seen < stop[:, None], "float64") / cast(stop - start, "float64")[:, None]


def cubic(xp: Any, d: Any, a: float) -> Any:
    """Keys' cubic kernel of a distance."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return xp.where(d <= 1, near, xp.where(d < 2, far, 0 * d))
