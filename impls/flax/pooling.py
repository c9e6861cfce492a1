"""Flax NNX pools, channels-last: what ``nnx`` lacks to say every spec. A page to copy from.

Shapes: x_NHWC the input, y_NHWC the output, where H and W stand for one to three spatial axes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from convparity.impls.flax.layers import Axes, Padding


class MaxPool(nnx.Module):
    """``nnx.max_pool`` as a layer; padding is -inf. The function's own stride would be 1.

    Args:
        window_shape: Size of the window along each spatial axis.
        strides: Pixels from one window to the next.
        padding: "VALID", "SAME" (at any stride) or a (low, high) pair an axis.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C
    """

    def __init__(self, window_shape: Axes, strides: Axes, padding: Padding = "VALID") -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return nnx.max_pool(x_NHWC, self.window_shape, self.strides, self.padding)


class AvgPool(nnx.Module):
    """The mean of each window: one sum, divided once.

    ``nnx.avg_pool`` sums in the input's dtype, where a bfloat16 counts to 256 only; this sums in
    float32 at least, as ``jnp.mean`` does.

    Args:
        window_shape, strides, padding: As in ``MaxPool``.
        count_include_pad: Whether the zeros of the padding count, as they do in Flax.
    """

    def __init__(
        self,
        window_shape: Axes,
        strides: Axes,
        padding: Padding = "VALID",
        count_include_pad: bool = True,
    ) -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding
        self.count_include_pad = count_include_pad

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        wide = x_NHWC.astype(jnp.promote_types(x_NHWC.dtype, jnp.float32))
        y_NHWC = nnx.avg_pool(
            wide, self.window_shape, self.strides, self.padding, self.count_include_pad
        )
        return y_NHWC.astype(x_NHWC.dtype)


class GlobalAvgPool(nnx.Module):
    """The mean over the spatial axes.

    Shapes:
        x_NHWC: any C
        y_NC: that C
    """

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return jnp.mean(x_NHWC, axis=tuple(range(1, x_NHWC.ndim - 1)))


# ---------------------------------------------------------------- windows of the output's size


def windows(size: int, places: int) -> list[tuple[int, int]]:
    """Where each of ``places`` windows that cover an axis of ``size`` starts and stops.

    Window i of m reaches from ``floor(i * n / m)`` to ``ceil((i + 1) * n / m)``, as in PyTorch;
    Flax and JAX have none.
    """
    return [(i * size // places, -(-(i + 1) * size // places)) for i in range(places)]


def pooled(x_NHWC: jax.Array, output_size: Axes, together: Callable[..., jax.Array]) -> jax.Array:
    """``together``, a sum for one, of the pixels of each window: along one axis after another."""
    for axis, places in enumerate(output_size, 1):
        parts = [
            together(jax.lax.slice_in_dim(x_NHWC, start, stop, axis=axis), axis=axis, keepdims=True)
            for start, stop in windows(x_NHWC.shape[axis], places)
        ]
        x_NHWC = jnp.concatenate(parts, axis)
    return x_NHWC


class AdaptiveAvgPool(nnx.Module):
    """The mean of each window: one sum, in float32 at least, divided once.

    Args:
        output_size: Size of the output along each spatial axis.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C; H and W are ``output_size``
    """

    def __init__(self, output_size: Axes) -> None:
        self.output_size = output_size

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        wide = x_NHWC.astype(jnp.promote_types(x_NHWC.dtype, jnp.float32))
        ones = jnp.ones((1, *x_NHWC.shape[1:-1], 1), wide.dtype)
        counts = pooled(ones, self.output_size, jnp.sum)
        return (pooled(wide, self.output_size, jnp.sum) / counts).astype(x_NHWC.dtype)


class AdaptiveMaxPool(nnx.Module):
    """The largest value of each window.

    Args:
        output_size: Size of the output along each spatial axis.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C; H and W are ``output_size``
    """

    def __init__(self, output_size: Axes) -> None:
        self.output_size = output_size

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return pooled(x_NHWC, self.output_size, jnp.max)


class GlobalMaxPool(nnx.Module):
    """The largest value over the spatial axes.

    Shapes:
        x_NHWC: any C
        y_NC: that C
    """

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return jnp.max(x_NHWC, axis=tuple(range(1, x_NHWC.ndim - 1)))
