"""A Keras layer that resizes, channels-last, at exact positions. A page to copy from.

Shapes: x_NSC the input, y_NSC the output, where S is one axis, two or three. The class is
registered, so that ``keras.saving`` writes and reads it.
"""

from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered
from convparity.impls.keras.windows import Ints


@registered
class Resize(keras.layers.Layer):
    """``keras.layers.UpSampling2D`` to any size, with any number of axes, and down, too.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, an integer an axis.
        method: "nearest", pixel ``floor(i * n / m)``, or "linear".
        align_corners: Whether the corner pixels of "linear" keep their places.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale: Ints | None = None,
        method: str = "nearest",
        align_corners: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size: Any = None if size is None else tuple(size)
        self.scale: Any = None if scale is None else tuple(scale)
        self.method, self.align_corners = method, align_corners
        self.input_spec = keras.InputSpec(ndim=len(self.size or self.scale or ()) + 2)

    def call(self, x_NSC: Any) -> Any:
        for axis in range(1, len(x_NSC.shape) - 1):
            n = ops.shape(x_NSC)[axis]  # a tensor, where the size is open
            m = n * self.scale[axis - 1] if self.size is None else self.size[axis - 1]
            x_NSC = self.along(x_NSC, axis, n, m)
        return x_NSC

    def along(self, x_NSC: Any, axis: int, n: Any, m: Any) -> Any:
        """With m pixels along an axis of n."""
        places = ops.arange(m, dtype="int32")
        if self.method == "nearest":
            return ops.take(x_NSC, places * n // m, axis=axis)
        # a position is at / parts
        if self.align_corners:
            at, parts = places * (n - 1), ops.maximum(m - 1, 1)
        else:
            at, parts = ops.clip((2 * places + 1) * n - m, 0, 2 * m * (n - 1)), 2 * m
        low = at // parts
        shape = [-1 if each == axis else 1 for each in range(len(x_NSC.shape))]
        wide = keras.backend.result_type(x_NSC.dtype, "float32")
        share = ops.reshape(ops.cast(at % parts, wide) / ops.cast(parts, wide), shape)
        x_low = ops.take(x_NSC, low, axis=axis)
        x_high = ops.take(x_NSC, ops.minimum(low + 1, n - 1), axis=axis)
        shares = (ops.cast(each, x_NSC.dtype) for each in (1 - share, share))
        return sum(x * each for x, each in zip((x_low, x_high), shares, strict=True))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *spatial, channels = input_shape
        if self.size is not None:
            return (batch, *self.size, channels)
        sizes = (None if n is None else n * by for n, by in zip(spatial, self.scale, strict=True))
        return (batch, *sizes, channels)

    def get_config(self) -> dict[str, Any]:
        how = {"method": self.method, "align_corners": self.align_corners}
        return {**super().get_config(), "size": self.size, "scale": self.scale, **how}
