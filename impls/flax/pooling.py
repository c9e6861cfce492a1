"""Flax NNX pools, channels-last: what ``nnx`` lacks to say every spec. A page to copy from.

Shapes: x_NHWC the input, y_NHWC the output, where H and W stand for one to three spatial axes.
"""

import math
from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from flax import nnx

from convparity.impls.flax.layers import Axes, Padding


def pads_of(
    x_NHWC: jax.Array, padding: Padding, extent: Axes, strides: Axes, ceil_mode: bool = False
) -> list[tuple[int, int]]:
    """The (low, high) pads of each spatial axis, with what ``ceil_mode`` adds at the high ends.

    As in PyTorch, no window starts behind the last pixel.
    """
    sizes = x_NHWC.shape[1:-1]
    pairs = (
        jax.lax.padtype_to_pads(sizes, extent, strides, padding)
        if isinstance(padding, str)
        else padding
    )
    if not ceil_mode:
        return [(low, high) for low, high in pairs]
    longer = []
    for n, (low, high), k, s in zip(sizes, pairs, extent, strides, strict=True):
        # where the last window starts
        last = min(-(-(n + low + high - k) // s), (n + low - 1) // s) * s
        longer.append((low, max(high, last + k - n - low)))
    return longer


def larger(a: jax.Array, b: jax.Array) -> jax.Array:
    """The larger of two values, the first of equal ones; NaN is the largest."""
    return jnp.where((b > a) | jnp.isnan(b), b, a)


def slices(x_NHWC: jax.Array, axis: int, k: int, s: int, d: int) -> list[jax.Array]:
    """What each of the ``k`` places of a window meets along an axis."""
    reach = (x_NHWC.shape[axis] - (k - 1) * d - 1) // s * s + 1
    return [jax.lax.slice_in_dim(x_NHWC, t * d, t * d + reach, s, axis) for t in range(k)]


def fold(
    x_NHWC: jax.Array,
    combine: Callable[[jax.Array, jax.Array], jax.Array],
    size: Axes,
    strides: Axes,
    dilation: Axes,
) -> jax.Array:
    """Combine the pixels of each window, from the last axis on, out of slices."""
    for axis in range(len(size), 0, -1):
        window = size[axis - 1], strides[axis - 1], dilation[axis - 1]
        x_NHWC = reduce(combine, slices(x_NHWC, axis, *window))
    return x_NHWC


class MaxPool(nnx.Module):
    """``nnx.max_pool`` as a layer; padding is -inf. The function's own stride would be 1.

    JAX has no gradient of a dilated window: that is combined out of slices.

    Args:
        window_shape: Size of the window along each spatial axis.
        strides: Pixels from one window to the next.
        padding: "VALID", "SAME" (at any stride) or a (low, high) pair an axis.
        ceil_mode: Whether what the strides leave over at the end has a window, too.
        dilation: Pixels from one value of the window to the next; None is 1.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C
    """

    def __init__(
        self,
        window_shape: Axes,
        strides: Axes,
        padding: Padding = "VALID",
        ceil_mode: bool = False,
        dilation: Axes | None = None,
    ) -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.dilation = dilation

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        strides = self.strides or (1,) * len(self.window_shape)
        dilation = self.dilation or (1,) * len(self.window_shape)
        if max(dilation) == 1 and not self.ceil_mode:
            return nnx.max_pool(x_NHWC, self.window_shape, strides, self.padding)
        extent = [(k - 1) * d + 1 for k, d in zip(self.window_shape, dilation, strict=True)]
        pads = pads_of(x_NHWC, self.padding, tuple(extent), strides, self.ceil_mode)
        if max(dilation) == 1:
            return nnx.max_pool(x_NHWC, self.window_shape, strides, pads)
        widths = [(0, 0, 0), *((low, high, 0) for low, high in pads), (0, 0, 0)]
        padded = jax.lax.pad(x_NHWC, jnp.asarray(-jnp.inf, x_NHWC.dtype), widths)
        return fold(padded, larger, self.window_shape, strides, dilation)


class AvgPool(nnx.Module):
    """The mean of each window: one sum, divided once.

    ``nnx.avg_pool`` sums in the input's dtype, where a bfloat16 counts to 256 only; this sums in
    float32 at least, as ``jnp.mean`` does.

    Args:
        window_shape, strides, padding, ceil_mode: As in ``MaxPool``.
        count_include_pad: Whether the zeros of the padding count, as they do in Flax; what
            ``ceil_mode`` adds never does.
        divisor_override: What the sum of each window is divided by; None is how many values count.
    """

    def __init__(
        self,
        window_shape: Axes,
        strides: Axes,
        padding: Padding = "VALID",
        count_include_pad: bool = True,
        ceil_mode: bool = False,
        divisor_override: int | None = None,
    ) -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding
        self.count_include_pad = count_include_pad
        self.ceil_mode = ceil_mode
        self.divisor_override = divisor_override

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        wide = x_NHWC.astype(jnp.promote_types(x_NHWC.dtype, jnp.float32))
        if self.ceil_mode or self.divisor_override is not None:
            return self._divided(wide).astype(x_NHWC.dtype)
        y_NHWC = nnx.avg_pool(
            wide, self.window_shape, self.strides, self.padding, self.count_include_pad
        )
        return y_NHWC.astype(x_NHWC.dtype)

    def _divided(self, x_NHWC: jax.Array) -> jax.Array:
        """The sum of each window, by a divisor of its own."""
        window, strides = self.window_shape, self.strides or (1,) * len(self.window_shape)
        pads = pads_of(x_NHWC, self.padding, window, strides, self.ceil_mode)

        def sums(values_NHWC: jax.Array, pairs: list[tuple[int, int]]) -> jax.Array:
            ends = [(0, 0), *pairs, (0, 0)]
            shape, steps = (1, *window, 1), (1, *strides, 1)
            return jax.lax.reduce_window(values_NHWC, 0.0, jax.lax.add, shape, steps, ends)

        total = sums(x_NHWC, pads)
        if self.divisor_override is not None:
            return total / self.divisor_override
        ones, rest = jnp.ones((1, *x_NHWC.shape[1:-1], 1), x_NHWC.dtype), pads
        if self.count_include_pad:  # without what ceil_mode adds
            own = pads_of(x_NHWC, self.padding, window, strides)
            ones = jnp.pad(ones, [(0, 0), *own, (0, 0)], constant_values=1)
            rest = [(0, a - b) for (_, a), (_, b) in zip(pads, own, strict=True)]
        return total / sums(ones, rest)


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


# ---------------------------------------------------------------- where the largest values lie


Placed = tuple[jax.Array, jax.Array]  # values, and where they lie: -1 in the padding


def first_largest(a: Placed, b: Placed) -> Placed:
    """The larger of two values with its place: the first of equal ones, the last NaN, a pixel."""
    (value, place), (other, further) = a, b
    larger = (other > value) | jnp.isnan(other) | (place < 0)
    return jnp.where(larger, other, value), jnp.where(larger, further, place)


class MaxPoolIndices(nnx.Module):
    """Where the largest value of each window lies among the pixels of the input, row by row.

    A place is a number of the input's dtype. Flax and JAX have no such pool.

    Args:
        window_shape, strides, padding, ceil_mode, dilation: As in ``MaxPool``.

    Shapes:
        x_NHWC: any C
        y_NHWC: that C
    """

    def __init__(
        self,
        window_shape: Axes,
        strides: Axes,
        padding: Padding = "VALID",
        ceil_mode: bool = False,
        dilation: Axes | None = None,
    ) -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.dilation = dilation

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        sizes = x_NHWC.shape[1:-1]
        pixels, most = math.prod(sizes), int(2 / jnp.finfo(x_NHWC.dtype).eps)
        if pixels > most:
            raise ValueError(
                f"an input of {pixels} pixels has more places than the {most} that "
                f"{x_NHWC.dtype} counts without a gap: use a wider dtype"
            )
        strides = self.strides or (1,) * len(self.window_shape)
        dilation = self.dilation or (1,) * len(self.window_shape)
        extent = [(k - 1) * d + 1 for k, d in zip(self.window_shape, dilation, strict=True)]
        pads = pads_of(x_NHWC, self.padding, tuple(extent), strides, self.ceil_mode)
        ends = [(0, 0), *pads, (0, 0)]
        values = jnp.pad(x_NHWC, ends, constant_values=-jnp.inf)
        places = jnp.arange(pixels, dtype=jnp.int32).reshape(1, *sizes, 1)
        places = jnp.pad(places, ends, constant_values=-1)
        for axis in range(len(sizes), 0, -1):
            window = self.window_shape[axis - 1], strides[axis - 1], dilation[axis - 1]
            met = (slices(each, axis, *window) for each in (values, places))
            values, places = reduce(first_largest, zip(*met, strict=True))
        return jnp.broadcast_to(places, values.shape).astype(x_NHWC.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def put_back(x_NPC: jax.Array, places_NPC: jax.Array, pixels: int) -> jax.Array:
    """Each value at its place among so many pixels, if it is one, and 0 elsewhere.

    The gradient of every value is that of its place, as in PyTorch: JAX's own is none but for one
    of several values at one place.
    """
    n, _, c = x_NPC.shape
    y_NPC = jnp.zeros((n, pixels, c), x_NPC.dtype)
    return y_NPC.at[jnp.arange(n)[:, None, None], places_NPC, jnp.arange(c)].set(x_NPC, mode="drop")


def _put_back(x_NPC: jax.Array, places_NPC: jax.Array, pixels: int) -> tuple[jax.Array, jax.Array]:
    return put_back(x_NPC, places_NPC, pixels), places_NPC


def _taken_back(
    pixels: int, places_NPC: jax.Array, g_NPC: jax.Array
) -> tuple[jax.Array, jax.Array | None]:
    return jnp.take_along_axis(g_NPC, places_NPC, axis=1, mode="fill", fill_value=0), None


put_back.defvjp(_put_back, _taken_back)


class MaxUnpool(nnx.Module):
    """Each value back at its place among the pixels, and 0 elsewhere.

    Flax and JAX have no such layer.

    Args:
        window_shape: Size of the pool's window along each spatial axis.
        strides: Pixels from one window to the next.
        padding: What the pool padded on both sides of each axis.
        output_size: The pixels along each axis; None is what follows of the others.

    Shapes:
        x_NHWC, places_NHWC: any C
        y_NHWC: that C
    """

    def __init__(
        self, window_shape: Axes, strides: Axes, padding: Axes, output_size: Axes | None = None
    ) -> None:
        self.window_shape = window_shape
        self.strides = strides
        self.padding = padding
        self.output_size = output_size

    def __call__(self, x_NHWC: jax.Array, places_NHWC: jax.Array) -> jax.Array:
        n, *spatial, c = x_NHWC.shape
        window = zip(spatial, self.strides, self.padding, self.window_shape, strict=True)
        sizes = self.output_size or [(i - 1) * s - 2 * p + k for i, s, p, k in window]
        flat = (n, math.prod(spatial), c)
        pixels = math.prod(sizes)
        inside = (places_NHWC >= 0) & (places_NHWC < pixels)
        places_NPC = jnp.where(inside, places_NHWC, pixels).astype(jnp.int32).reshape(flat)
        return put_back(x_NHWC.reshape(flat), places_NPC, pixels).reshape(n, *sizes, c)
