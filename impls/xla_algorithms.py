"""Convolutions that XLA is slow at on a CPU, written so that it is fast: for all that runs on JAX.

XLA's CPU convolution handles ``feature_group_count`` one output at a time, so that a depthwise
convolution there takes longer than the regular one of eight times the arithmetic. The table says
which convolution is computed in which other way; the rest, and other platforms than the CPU, where
nothing was measured, keep ``lax.conv_general_dilated``.

Shapes: x_NSC the input, y_NSO the output, channels-last, with any number of spatial axes S;
kernels are SIO, where I is in_channels / groups. ``pairs`` are the (low, high) zeros of each axis.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    **options: Any,
) -> jax.Array:
    """What ``lax.conv_general_dilated`` computes, by the algorithm that the table names.

    ``nnx.Conv`` has an attribute for it: ``layer.conv_general_dilated``.
    """

    def native(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            kernel,
            window_strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            **options,
        )

    rank = lhs.ndim - 2
    strides, ones = tuple(window_strides), (1,) * rank
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    plain = (  # what the algorithms below can say
        numbers == _channels_last(rank)
        and tuple(lhs_dilation or ones) == ones
        and not any(options.values())  # a precision, an element type, a sharding
        and lhs.dtype == rhs.dtype
        and lhs.dtype in (jnp.float32, jnp.float64)  # others are summed in their own precision
    )
    algorithm = choose(rhs.shape, feature_group_count) if plain else None
    if algorithm is None:
        return native(lhs, rhs)
    dilation = tuple(rhs_dilation or ones)
    pairs: Any = padding
    if isinstance(padding, str):
        extent = [(k - 1) * d + 1 for k, d in zip(rhs.shape, dilation, strict=False)]
        pairs = lax.padtype_to_pads(lhs.shape[1:-1], extent, strides, padding)

    def fast(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return algorithm(x, kernel, strides, tuple((low, high) for low, high in pairs), dilation)

    return lax.platform_dependent(lhs, rhs, cpu=fast, default=native)


def _channels_last(rank: int) -> lax.ConvDimensionNumbers:
    images, spatial = (0, rank + 1, *range(1, rank + 1)), range(rank)
    return lax.ConvDimensionNumbers(images, (rank + 1, rank, *spatial), images)


# ---------------------------------------------------------------- pointwise: a matrix product


def matrix_product(
    x_NSC: jax.Array, kernel_SIO: jax.Array, strides: Ints, pairs: Pairs, dilation: Ints
) -> jax.Array:
    """A 1x1 convolution as the product of pixels and kernel."""
    kept = (slice(None), *(slice(None, None, s) for s in strides))
    pixels = _pad(x_NSC, pairs)[kept]
    kernel_IO = kernel_SIO.reshape(kernel_SIO.shape[-2:])
    # two axes: of more, XLA transposes the pixels for the kernel's gradient
    y_PO = pixels.reshape(-1, pixels.shape[-1]) @ kernel_IO
    return y_PO.reshape(*pixels.shape[:-1], -1)


# ---------------------------------------------------------------- depthwise: a sum over taps


def sum_over_taps(
    x_NSC: jax.Array, kernel_SIO: jax.Array, strides: Ints, pairs: Pairs, dilation: Ints
) -> jax.Array:
    """A depthwise convolution as the sum of its taps, each times a strided slice: one fused loop.

    It has a gradient of its own, so that ``jax.grad`` and ``jax.hessian`` work, but not ``jax.jvp``
    of the layer itself: ask for ``algorithm="native"`` there.
    """
    multiplier = kernel_SIO.shape[-1] // x_NSC.shape[-1]
    if multiplier > 1:  # output channel c * M + m sees channel c
        x_NSC = jnp.repeat(x_NSC, multiplier, axis=-1)
    return _depthwise(x_NSC, kernel_SIO.squeeze(-2), Window(strides, pairs, dilation))


class Window(NamedTuple):
    """How a kernel slides."""

    strides: Ints
    pairs: Pairs
    dilation: Ints


def _taps(x_NSC: jax.Array, kernel_SC: jax.Array, window: Window) -> jax.Array:
    return _sum(part * kernel_SC[tap] for tap, part in _seen(x_NSC, kernel_SC, window))


def _forward(x_NSC: jax.Array, kernel_SC: jax.Array, window: Window) -> Any:
    return _taps(x_NSC, kernel_SC, window), (x_NSC, kernel_SC)


def _backward(window: Window, kept: Any, dy_NSC: jax.Array) -> Any:
    x_NSC, kernel_SC = kept
    return (
        _by_input(dy_NSC, kernel_SC, x_NSC.shape[1:-1], window),
        _by_kernel(dy_NSC, x_NSC, kernel_SC, window),
    )


_depthwise = jax.custom_vjp(_taps, nondiff_argnums=(2,))
_depthwise.defvjp(_forward, _backward)


def _by_input(dy_NSC: jax.Array, kernel_SC: jax.Array, spatial: Ints, window: Window) -> jax.Array:
    """Of each pixel, by its place within the stride: only every s-th tap of each axis reaches it.

    Spreading dy with zeros, as automatic differentiation does, takes s times as long for each axis.
    """
    strides, pairs, dilation = window
    *kernel_size, channels = kernel_SC.shape
    padded_sizes = [low + n + high for n, (low, high) in zip(spatial, pairs, strict=True)]
    counts = [-(-n // s) for n, s in zip(padded_sizes, strides, strict=True)]
    reach = [(k - 1) * d // s for k, d, s in zip(kernel_size, dilation, strides, strict=True)]
    after = [max(count - n, 0) for count, n in zip(counts, dy_NSC.shape[1:-1], strict=True)]
    padded = _pad(dy_NSC, tuple(zip(reach, after, strict=True)))

    def at_place(place: Ints) -> jax.Array:
        rank = len(place)
        if rank < len(strides):  # the places of the next axis side by side
            parts = [at_place((*place, p)) for p in range(strides[rank])]
            return jnp.stack(parts, axis=rank + 2)
        found = []
        for tap in itertools.product(*map(range, kernel_size)):
            steps = [i * d - p for i, d, p in zip(tap, dilation, place, strict=True)]
            if all(step % s == 0 for step, s in zip(steps, strides, strict=True)):
                starts = [r - step // s for r, step, s in zip(reach, steps, strides, strict=True)]
                found.append(_part(padded, starts, counts, (1,) * rank) * kernel_SC[tap])
        return _sum(found) if found else jnp.zeros((len(dy_NSC), *counts, channels), dy_NSC.dtype)

    whole = [count * s for count, s in zip(counts, strides, strict=True)]
    by_place = at_place(()).reshape(len(dy_NSC), *whole, channels)
    return _part(by_place, [low for low, _ in pairs], spatial, (1,) * len(spatial))


def _by_kernel(
    dy_NSC: jax.Array, x_NSC: jax.Array, kernel_SC: jax.Array, window: Window
) -> jax.Array:
    """Of each tap: a row of taps is summed along the last axis in one pass, then over the rest.

    XLA reduces over all axes but the channels by stepping through memory, and for each tap anew.
    """
    products = [part * dy_NSC for _, part in _seen(x_NSC, kernel_SC, window)]
    zero = jnp.zeros((), products[0].dtype)
    along, width = (dy_NSC.ndim - 2,), kernel_SC.shape[-2]
    rows: list[jax.Array] = []
    for start in range(0, len(products), width):
        row = tuple(products[start : start + width])
        rows += lax.reduce(row, (zero,) * width, _add_each, along)
    rest = tuple(range(dy_NSC.ndim - 2))
    sums = [row.sum(rest) for row in lax.optimization_barrier(rows)]
    return jnp.stack(sums).reshape(kernel_SC.shape)


def _add_each(left: Any, right: Any) -> Any:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _sum(arrays: Iterable[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, arrays)


def _seen(
    x_NSC: jax.Array, kernel_SC: jax.Array, window: Window
) -> Iterator[tuple[Ints, jax.Array]]:
    """Each tap of the kernel, and the pixels that it sees."""
    strides, pairs, dilation = window
    padded, kernel_size = _pad(x_NSC, pairs), kernel_SC.shape[:-1]
    windows = zip(padded.shape[1:-1], kernel_size, strides, dilation, strict=True)
    sizes = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in windows]
    for tap in itertools.product(*map(range, kernel_size)):
        starts = [i * d for i, d in zip(tap, dilation, strict=True)]
        yield tap, _part(padded, starts, sizes, strides)


def _part(x_NSC: jax.Array, starts: Sequence[int], sizes: Sequence[int], steps: Ints) -> jax.Array:
    """``sizes`` pixels from ``starts`` on, in ``steps``."""
    ends = [i + (n - 1) * s + 1 for i, n, s in zip(starts, sizes, steps, strict=True)]
    batch, channels = x_NSC.shape[0], x_NSC.shape[-1]
    return lax.slice(x_NSC, (0, *starts, 0), (batch, *ends, channels), (1, *steps, 1))


def _pad(x_NSC: jax.Array, pairs: Pairs) -> jax.Array:
    if not any(map(any, pairs)):
        return x_NSC
    none = (0, 0, 0)
    config = [none, *((low, high, 0) for low, high in pairs), none]
    padded = lax.pad(x_NSC, jnp.zeros((), x_NSC.dtype), config)
    # written out: fused into what reads it, each tap would ask anew whether it sees padding
    return lax.optimization_barrier(padded)


# ---------------------------------------------------------------- layers in a row


def image_by_image(
    layers: Callable[[Any, jax.Array], jax.Array], weights: Any, x_NSC: jax.Array
) -> jax.Array:
    """``layers(weights, x)``, a few images at a time: the next layer reads from the cache.

    So much less memory is needed, too, that the pages are not fetched anew for each call. Layers
    that look at the whole batch (BatchNorm in training) can't be computed so.
    """
    if x_NSC.nbytes <= AT_ONCE // 4:
        return layers(weights, x_NSC)  # not worth asking for the size of the output
    y_NSO = jax.eval_shape(layers, weights, x_NSC)
    touched = (x_NSC.size + y_NSO.size) * x_NSC.dtype.itemsize
    few = max(1, AT_ONCE * len(x_NSC) // touched)
    few = next(n for n in range(min(few, len(x_NSC)), 0, -1) if len(x_NSC) % n == 0)
    if few == len(x_NSC):
        return layers(weights, x_NSC)

    def by_few(weights: Any, x_NSC: jax.Array) -> jax.Array:
        groups = x_NSC.reshape(-1, few, *x_NSC.shape[1:])
        y = lax.map(lambda x: layers(weights, x), groups)
        return y.reshape(-1, *y.shape[2:])

    # its gradient adds to the weights' once a group: that pays for large images only
    trained = by_few if touched > MUCH else layers
    run = jax.custom_vjp(by_few)
    run.defvjp(lambda *inputs: jax.vjp(trained, *inputs), lambda pull, dy: pull(dy))
    return lax.platform_dependent(weights, x_NSC, cpu=run, default=layers)


# ---------------------------------------------------------------- the table

Algorithm = Callable[[jax.Array, jax.Array, Ints, Pairs, Ints], jax.Array]
# How many times as fast as XLA's own: CPU with two cores, float32, JAX 0.10.
#
#                                               forward     gradient
#   pointwise   matrix_product  1x1             1.1 to 4
#   depthwise   sum_over_taps   7x7             17          2.2
#                               11x11           16          0.8   (hence no more than 49 taps)
#                               3x3x3           183         18
#                               9, 31, 49       20 to 36    4 to 17
#   separable   both            3x3             6 to 11     6 to 10     (docs/speed.md)
#                               5x5, stride 2   5 to 9      26 to 34
#   regular, grouped: XLA's own
MOST_TAPS = 49
AT_ONCE = 3 << 20  # bytes of images, in and out, that go through a row of layers at once
MUCH = 16 << 20  # bytes beyond which that pays in training, too


def choose(kernel_shape: Ints, groups: int) -> Algorithm | None:
    """The algorithm for a kernel of shape SIO; None is XLA's own."""
    *kernel_size, in_each, _ = kernel_shape
    if groups == 1 and math.prod(kernel_size) == 1:
        return matrix_product
    if groups > 1 and in_each == 1 and math.prod(kernel_size) <= MOST_TAPS:
        return sum_over_taps
    return None
