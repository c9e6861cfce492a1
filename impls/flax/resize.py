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

    That takes the pixel in the middle of a place for the nearest, and smooths what it makes smaller
    unless told.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, an integer an axis.
        method: "nearest", pixel ``floor(i * n / m)``, or "linear".
        align_corners: Whether the corner pixels of "linear" keep their places.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C
    """

    def __init__(
        self,
        size: Axes | None = None,
        scale: Axes | None = None,
        method: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        self.size: Any = size
        self.scale: Any = scale
        self.method, self.align_corners = method, align_corners

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        for axis, n in enumerate(x_NHWC.shape[1:-1], 1):
            m = n * self.scale[axis - 1] if self.size is None else self.size[axis - 1]
            x_NHWC = self.along(x_NHWC, axis, n, m)
        return x_NHWC

    def along(self, x_NHWC: jax.Array, axis: int, n: int, m: int) -> jax.Array:
        """With m pixels along an axis of n."""
        places = np.arange(m)
        if self.method == "nearest":
            return jnp.take(x_NHWC, places * n // m, axis, mode="clip")
        # a position is at / parts
        if self.align_corners:
            at, parts = places * (n - 1), max(m - 1, 1)
        else:
            at, parts = np.clip((2 * places + 1) * n - m, 0, 2 * m * (n - 1)), 2 * m
        low = at // parts
        shape = [-1 if each == axis else 1 for each in range(x_NHWC.ndim)]
        share = (at % parts / parts).reshape(shape)
        x_low = jnp.take(x_NHWC, low, axis, mode="clip")
        x_high = jnp.take(x_NHWC, np.minimum(low + 1, n - 1), axis, mode="clip")
        dtype = x_NHWC.dtype
        return x_low * jnp.asarray(1 - share, dtype) + x_high * jnp.asarray(share, dtype)
