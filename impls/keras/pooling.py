"""Keras pooling layers, channels-last, with any padding. A page to copy from.

Shapes: x_NSC the input, y_NSC the output, where S is one axis, two or three. Every class is
registered, so that ``keras.saving`` writes and reads it.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered
from convparity.impls.keras.windows import (
    Ints,
    Pairs,
    extent_of,
    fit,
    named_or_pairs,
    pairs_of,
    per_axis,
    windows_shape,
    without_examples,
)


def slices(x_NSC: Any, axis: int, k: int, s: int, d: int) -> list[Any]:
    """What each of the ``k`` places of a window meets along an axis."""
    reach = (ops.shape(x_NSC)[axis] - (k - 1) * d - 1) // s * s + 1
    places = (slice(t * d, t * d + reach, s) for t in range(k))
    return [x_NSC[(slice(None),) * axis + (at,)] for at in places]


def fold(
    x_NSC: Any,
    combine: Callable[[Any, Any], Any],
    size: Ints,
    strides: Ints,
    dilation: Ints | None = None,
) -> Any:
    """Combine the pixels of each window, from the last axis on, out of slices."""
    for axis in range(len(size), 0, -1):
        window = size[axis - 1], strides[axis - 1], dilation[axis - 1] if dilation else 1
        x_NSC = reduce(combine, slices(x_NSC, axis, *window))
    return x_NSC


def larger(a: Any, b: Any) -> Any:
    """The larger of two values, the first of equal ones; NaN is the largest."""
    return ops.where(ops.logical_or(b > a, ops.isnan(b)), b, a)


class _AnyPool(keras.layers.Layer):
    """(low, high) padding pairs for Keras's pooling layers: the input is padded first.

    Args:
        pool_size: Size of the window along each spatial axis; an int stands for every axis.
        strides: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same" (at any stride) or a (low, high) pair an axis.
        ceil_mode: Whether what the strides leave over at the end has a window, too; one that would
            start behind the last pixel is left out, as in PyTorch.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
    """

    dilation: Any = None  # of a window without holes

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str | Pairs = "valid",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, **{**kwargs, "data_format": "channels_last"})
        self.requested_padding = named_or_pairs(padding, len(self.pool_size))
        self.ceil_mode = ceil_mode
        # over three axes TensorFlow pools, and finds gradients, in float32 only
        self.folds = len(self.pool_size) == 3 and self.compute_dtype != "float32"

    def call(self, x_NSC: Any) -> Any:
        if (empty := without_examples(self, x_NSC)) is not None:
            return empty
        window = self.window
        x_NSC, pairs = fit(x_NSC, self.requested_padding, *window, self.ceil_mode)
        return self.pool(x_NSC, pairs)

    @property
    def window(self) -> tuple[Ints, Ints]:
        """How far the window reaches, and its strides."""
        size = self.pool_size
        return extent_of(size, self.dilation or (1,) * len(size)), self.strides

    @property
    def pads(self) -> bool:
        """Whether there may be anything beside the pixels."""
        return self.requested_padding != "valid" or self.ceil_mode

    def by_keras(self, x_NSC: Any) -> Any:
        return super().call(x_NSC)

    def compute_output_shape(self, input_shape: Any) -> Any:
        channels = input_shape[-1]
        padding, window = self.requested_padding, self.window
        return windows_shape(padding, input_shape, *window, channels, self.ceil_mode)

    def get_config(self) -> dict[str, Any]:
        own = {"padding": self.requested_padding, "ceil_mode": self.ceil_mode}
        return {**super().get_config(), **own}


class _MaxPool(_AnyPool):
    """The largest value of each window.

    Args:
        *args: As in ``_AnyPool``.
        dilation: Pixels from one value of the window to the next; an int stands for every axis.
        **kwargs: As in ``_AnyPool``.
    """

    def __init__(self, *args: Any, dilation: int | Ints = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dilation = per_axis(dilation, len(self.pool_size))

    def pool(self, x_NSC: Any, pairs: Any) -> Any:
        if self.pads:
            x_NSC = ops.pad(x_NSC, ((0, 0), *pairs, (0, 0)), constant_values=-math.inf)
        if self.folds or max(self.dilation) > 1:
            return fold(x_NSC, larger, self.pool_size, self.strides, self.dilation)
        return self.by_keras(x_NSC)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dilation": self.dilation}


class _AveragePool(_AnyPool):
    """The mean of each window.

    Args:
        *args: As in ``_AnyPool``.
        count_include_pad: Whether the zeros of the padding count; Keras never counts them, and
            nobody what ``ceil_mode`` adds.
        divisor_override: What the sum of each window is divided by; None is how many values count.
        **kwargs: As in ``_AnyPool``.
    """

    def __init__(
        self,
        *args: Any,
        count_include_pad: bool = False,
        divisor_override: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def pool(self, x_NSC: Any, pairs: Any) -> Any:
        pads = ((0, 0), *pairs, (0, 0))
        all_count = not self.pads or (self.count_include_pad and not self.ceil_mode)
        x_padded = ops.pad(x_NSC, pads) if self.pads else x_NSC
        if all_count and not self.folds and self.divisor_override is None:
            return self.by_keras(x_padded)
        counts: Any = math.prod(self.pool_size)
        if self.divisor_override is not None:
            counts = self.divisor_override
        elif not all_count:
            counts = fold(self._counted(x_NSC, pairs), ops.add, self.pool_size, self.strides)
        return fold(x_padded, ops.add, self.pool_size, self.strides) / counts

    def _counted(self, x_NSC: Any, pairs: Any) -> Any:
        """Ones where values count, and zeros elsewhere, in one padded channel."""
        ones = ops.ones_like(x_NSC[:1, ..., :1])
        if self.count_include_pad:  # without what ceil_mode adds
            own = pairs_of(self.requested_padding, ops.shape(x_NSC)[1:-1], *self.window)
            ones = ops.pad(ones, ((0, 0), *own, (0, 0)), constant_values=1)
            both = zip(pairs, own, strict=True)
            pairs = tuple((0, whole - high) for (_, whole), (_, high) in both)
        return ops.pad(ones, ((0, 0), *pairs, (0, 0)))

    def get_config(self) -> dict[str, Any]:
        own = {"count_include_pad": self.count_include_pad}
        return {**super().get_config(), **own, "divisor_override": self.divisor_override}


@registered
class MaxPooling1D(_MaxPool, keras.layers.MaxPooling1D):
    """``keras.layers.MaxPooling1D`` with any padding, which never wins."""


@registered
class MaxPooling2D(_MaxPool, keras.layers.MaxPooling2D):
    """``keras.layers.MaxPooling2D`` with any padding, which never wins."""


@registered
class MaxPooling3D(_MaxPool, keras.layers.MaxPooling3D):
    """``keras.layers.MaxPooling3D`` with any padding, which never wins."""


@registered
class AveragePooling1D(_AveragePool, keras.layers.AveragePooling1D):
    """``keras.layers.AveragePooling1D`` with any padding, counted or not."""


@registered
class AveragePooling2D(_AveragePool, keras.layers.AveragePooling2D):
    """``keras.layers.AveragePooling2D`` with any padding, counted or not."""


@registered
class AveragePooling3D(_AveragePool, keras.layers.AveragePooling3D):
    """``keras.layers.AveragePooling3D`` with any padding, counted or not."""


@registered
class GlobalAveragePooling(keras.layers.Layer):
    """The mean over every spatial axis; Keras has one layer for each number of them."""

    def call(self, x_NSC: Any) -> Any:
        return ops.mean(x_NSC, axis=tuple(range(1, len(x_NSC.shape) - 1)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[-1])


# ---------------------------------------------------------------- windows of the output's size


def windows(size: Any, places: int) -> list[tuple[Any, Any]]:
    """Where each of ``places`` windows that cover an axis starts and stops; a size may be open.

    Window i of m reaches from ``floor(i * n / m)`` to ``ceil((i + 1) * n / m)``, as in PyTorch.
    """
    return [(i * size // places, -(-(i + 1) * size // places)) for i in range(places)]


def pooled(x_NSC: Any, output_size: Ints, together: Callable[..., Any]) -> Any:
    """``together``, a sum for one, of the pixels of each window: along one axis after another."""
    for axis, places in enumerate(output_size, start=1):
        before = (slice(None),) * axis
        parts = [
            together(x_NSC[(*before, slice(start, stop))], axis=axis, keepdims=True)
            for start, stop in windows(ops.shape(x_NSC)[axis], places)
        ]
        x_NSC = ops.concatenate(parts, axis=axis)
    return x_NSC


class _Adaptive(keras.layers.Layer):
    """What these pools share.

    Args:
        output_size: Size of the output along each spatial axis.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C; S is ``output_size``
    """

    def __init__(self, output_size: Ints, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = tuple(output_size)
        self.input_spec = keras.InputSpec(ndim=len(self.output_size) + 2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.output_size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}


@registered
class AdaptiveAveragePooling(_Adaptive):
    """The mean of each window: one sum, in float32 at least, divided once.

    ``keras.layers.AdaptiveAveragePooling2D`` is missing before Keras 3.13.
    """

    def call(self, x_NSC: Any) -> Any:
        wide = ops.cast(x_NSC, keras.backend.result_type(x_NSC.dtype, "float32"))
        ones = ops.ones_like(wide[:1, ..., :1])
        counts = pooled(ones, self.output_size, ops.sum)
        return ops.cast(pooled(wide, self.output_size, ops.sum) / counts, x_NSC.dtype)


@registered
class AdaptiveMaxPooling(_Adaptive):
    """The largest value of each window.

    ``keras.layers.AdaptiveMaxPooling2D`` is missing before Keras 3.13.
    """

    def call(self, x_NSC: Any) -> Any:
        return pooled(x_NSC, self.output_size, ops.max)


@registered
class GlobalMaxPooling(keras.layers.Layer):
    """The largest value over every spatial axis; Keras has one layer for each number of them."""

    def call(self, x_NSC: Any) -> Any:
        return ops.max(x_NSC, axis=tuple(range(1, len(x_NSC.shape) - 1)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[-1])


# ---------------------------------------------------------------- where the largest values lie

MOST_PLACES = {"float16": 2**11, "bfloat16": 2**8, "float64": 2**53}  # counted without a gap


def first_largest(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
    """The larger of two values with its place: the first of equal ones, the last NaN, a pixel.

    A place is -1 in the padding.
    """
    (value, place), (other, further) = a, b
    larger = ops.logical_or(ops.logical_or(other > value, ops.isnan(other)), place < 0)
    return ops.where(larger, other, value), ops.where(larger, further, place)


@registered
class MaxPoolIndices(keras.layers.Layer):
    """Where the largest value of each window lies among the pixels of the input, row by row.

    A place is a number of the layer's dtype. Keras has no such pool.

    Args:
        pool_size: Size of the window along each spatial axis.
        strides: Pixels from one window to the next.
        padding: "valid", "same" (at any stride) or a (low, high) pair an axis.
        ceil_mode: As in ``MaxPooling2D``.
        dilation: Pixels from one value of the window to the next.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
    """

    def __init__(
        self,
        pool_size: Ints,
        strides: Ints,
        padding: str | Pairs = "valid",
        ceil_mode: bool = False,
        dilation: int | Ints = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides)
        self.requested_padding = named_or_pairs(padding, len(self.pool_size))
        self.ceil_mode = ceil_mode
        self.dilation = per_axis(dilation, len(self.pool_size))
        self.input_spec = keras.InputSpec(ndim=len(self.pool_size) + 2)

    def call(self, x_NSC: Any) -> Any:
        if (empty := without_examples(self, x_NSC)) is not None:
            return empty
        self._check(x_NSC.shape[1:-1])
        extent = extent_of(self.pool_size, self.dilation)
        x_NSC, pairs = fit(x_NSC, self.requested_padding, extent, self.strides, self.ceil_mode)
        sizes = ops.shape(x_NSC)[1:-1]
        ends = ((0, 0), *pairs, (0, 0))
        values = ops.pad(x_NSC, ends, constant_values=-math.inf)
        places = ops.reshape(ops.arange(math.prod(sizes), dtype="int32"), (1, *sizes, 1))
        places = ops.pad(places, ends, constant_values=-1)
        for axis in range(len(sizes), 0, -1):
            window = self.pool_size[axis - 1], self.strides[axis - 1], self.dilation[axis - 1]
            met = (slices(each, axis, *window) for each in (values, places))
            values, places = reduce(first_largest, zip(*met, strict=True))
        return ops.cast(ops.broadcast_to(places, ops.shape(values)), x_NSC.dtype)

    def _check(self, sizes: Any) -> None:
        most = MOST_PLACES.get(self.compute_dtype, 2**24)
        if None not in sizes and math.prod(sizes) > most:
            raise ValueError(
                f"an input of {math.prod(sizes)} pixels has more places than the {most} "
                f"that {self.compute_dtype} counts without a gap: use a wider dtype"
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        extent = extent_of(self.pool_size, self.dilation)
        window = (extent, self.strides, input_shape[-1], self.ceil_mode)
        return windows_shape(self.requested_padding, input_shape, *window)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.requested_padding,
            "ceil_mode": self.ceil_mode,
            "dilation": self.dilation,
        }


@registered
class MaxUnpool(keras.layers.Layer):
    """Each value back at its place among the pixels, and 0 elsewhere; of a list of both.

    Keras has no such layer.

    Args:
        pool_size: Size of the pool's window along each spatial axis.
        strides: Pixels from one window to the next.
        padding: What the pool padded on both sides of each axis.
        output_size: The pixels along each axis; None is what follows of the others.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC, places_NSC: any C
        y_NSC: that C
    """

    def __init__(
        self,
        pool_size: Ints,
        strides: Ints,
        padding: Ints,
        output_size: Ints | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides)
        self.padding = tuple(padding)
        self.output_size = None if output_size is None else tuple(output_size)

    def call(self, values: Any) -> Any:
        x_NSC, places_NSC = values
        n, *spatial, c = ops.shape(x_NSC)
        sizes = self.sizes(spatial)
        form, pixels = (n, math.prod(spatial), c), math.prod(sizes)
        inside = ops.logical_and(places_NSC >= 0, places_NSC < pixels)
        places_NSC = ops.where(inside, ops.cast(places_NSC, "int32"), pixels)
        at = [  # of each value: its example, its pixel and its channel
            ops.broadcast_to(ops.reshape(ops.arange(n, dtype="int32"), (-1, 1, 1)), form),
            ops.reshape(places_NSC, form),
            ops.broadcast_to(ops.arange(c, dtype="int32"), form),
        ]
        count = n * form[1] * c
        y_NPC = ops.scatter_update(
            ops.zeros((n, pixels + 1, c), x_NSC.dtype),  # the last of them is none of the output
            ops.reshape(ops.stack(at, -1), (count, 3)),
            ops.reshape(x_NSC, (count,)),
        )
        return ops.reshape(y_NPC[:, :-1], (n, *sizes, c))

    def sizes(self, spatial: Any) -> tuple[Any, ...]:
        """The pixels along each axis, of so many places; None where that is not known."""
        if self.output_size is not None:
            return self.output_size
        window = zip(spatial, self.strides, self.padding, self.pool_size, strict=True)
        return tuple(None if i is None else (i - 1) * s - 2 * p + k for i, s, p, k in window)

    def compute_output_shape(self, input_shape: Any) -> Any:
        n, *spatial, c = input_shape[0]
        return (n, *self.sizes(spatial), c)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "output_size": self.output_size,
        }
