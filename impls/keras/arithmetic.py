"""Keras layers that compute number by number, channels-last. A page to copy from."""

from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered


@registered
class Divide(keras.layers.Layer):
    """The first value of a list by the second."""

    def call(self, values: Any) -> Any:
        first, second = values
        return first / second

    def compute_output_shape(self, input_shape: Any) -> Any:
        first, second = input_shape
        return tuple(b if a == 1 else a for a, b in zip(first, second, strict=True))


Numbers = float | tuple[float, ...]


@registered
class Rescale(keras.layers.Layer):
    """x * scale + offset; ``keras.layers.Rescaling`` asks a global setting where channels are.

    Args:
        scale: A number, or one a channel.
        offset: The same.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, scale: Numbers = 1.0, offset: Numbers = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, x: Any) -> Any:
        scale, offset = (
            ops.convert_to_tensor(each, dtype=x.dtype) for each in (self.scale, self.offset)
        )
        return x * scale + offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@registered
class Power(keras.layers.Layer):
    """x ** exponent: of a whole exponent by products, since ops.power may err on integers.

    Args:
        exponent: Any number.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, exponent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exponent = exponent

    def call(self, x: Any) -> Any:
        if not self.exponent or not float(self.exponent).is_integer():
            return ops.power(x, ops.cast(self.exponent, x.dtype))
        y, square, left = ops.ones_like(x), x, abs(int(self.exponent))
        while left:
            if left % 2:
                y = y * square
            left //= 2
            if left:
                square = square * square
        return 1 / y if self.exponent < 0 else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "exponent": self.exponent}
