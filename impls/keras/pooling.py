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
    fit,
    named_or_pairs,
    windows_shape,
    without_examples,
)


def fold(x_NSC: Any, combine: Callable[[Any, Any], Any], size: Ints, strides: Ints) -> Any:
    """Combine the pixels of each window, one axis after another, out of slices."""
    for axis, (k, s) in enumerate(zip(size, strides, strict=True), start=1):
        reach = (ops.shape(x_NSC)[axis] - k) // s * s + 1
        places = (slice(start, start + reach, s) for start in range(k))
        x_NSC = reduce(combine, [x_NSC[(slice(None),) * axis + (at,)] for at in places])
    return x_NSC


class _AnyPool(keras.layers.Layer):
    """(low, high) padding pairs for Keras's pooling layers: the input is padded first.

    Args:
        pool_size: Size of the window along each spatial axis; an int stands for every axis.
        strides: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same" (at any stride) or a (low, high) pair an axis.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
    """

    def __init__(
        self, pool_size: Any, strides: Any = None, padding: str | Pairs = "valid", **kwargs: Any
    ) -> None:
        super().__init__(pool_size, strides, **{**kwargs, "data_format": "channels_last"})
        self.requested_padding = named_or_pairs(padding, len(self.pool_size))
        # over three axes TensorFlow pools, and finds gradients, in float32 only
        self.folds = len(self.pool_size) == 3 and self.compute_dtype != "float32"

    def call(self, x_NSC: Any) -> Any:
        if (empty := without_examples(self, x_NSC)) is not None:
            return empty
        x_NSC, pairs = fit(x_NSC, self.requested_padding, self.pool_size, self.strides)
        return self.pool(x_NSC, pairs)

    def by_keras(self, x_NSC: Any) -> Any:
        return super().call(x_NSC)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return windows_shape(
            self.requested_padding, input_shape, self.pool_size, self.strides, input_shape[-1]
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.requested_padding}


class _MaxPool(_AnyPool):
    def pool(self, x_NSC: Any, pairs: Any) -> Any:
        if self.requested_padding != "valid":
            x_NSC = ops.pad(x_NSC, ((0, 0), *pairs, (0, 0)), constant_values=-math.inf)
        if self.folds:
            return fold(x_NSC, ops.maximum, self.pool_size, self.strides)
        return self.by_keras(x_NSC)


class _AveragePool(_AnyPool):
    """The mean of each window.

    Args:
        *args: As in ``_AnyPool``.
        count_include_pad: Whether the zeros of the padding count; Keras never counts them.
        **kwargs: As in ``_AnyPool``.
    """

    def __init__(self, *args: Any, count_include_pad: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count_include_pad = count_include_pad

    def pool(self, x_NSC: Any, pairs: Any) -> Any:
        pads = ((0, 0), *pairs, (0, 0))
        all_count = self.count_include_pad or self.requested_padding == "valid"
        x_padded = x_NSC if self.requested_padding == "valid" else ops.pad(x_NSC, pads)
        if all_count and not self.folds:
            return self.by_keras(x_padded)
        counts: Any = math.prod(self.pool_size)
        if not all_count:
            ones = ops.pad(ops.ones_like(x_NSC[:1, ..., :1]), pads)
            counts = fold(ones, ops.add, self.pool_size, self.strides)
        return fold(x_padded, ops.add, self.pool_size, self.strides) / counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count_include_pad": self.count_include_pad}


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
