"""Keras layers that give values of their own, whatever they are called with. A page to copy from.

Shapes: x_NSC any input, y_NSC the output, S any number of spatial axes.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from convparity.impls.keras.layers import registered


class _Given(keras.layers.Layer):
    """What both share: a value of one example, for every example."""

    shape: tuple[int, ...]

    def for_each(self, value_SC: Any, x_NSC: Any) -> Any:
        """One value for every example."""
        return ops.broadcast_to(value_SC, (ops.shape(x_NSC)[0], *self.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape}


@registered
class Parameter(_Given):
    """A weight as a layer, the same for every example; it starts as zeros.

    Args:
        shape: Of one example.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any; N alone counts
        y_NSC: S, C are the shape
        value: (*S, C)
    """

    def __init__(self, shape: Iterable[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.value_initializer = keras.initializers.Zeros()

    def build(self, input_shape: Any) -> None:
        self.value = self.add_weight(
            name="value", shape=self.shape, initializer=self.value_initializer
        )

    def call(self, x_NSC: Any) -> Any:
        return self.for_each(ops.convert_to_tensor(self.value), x_NSC)


@registered
class Constant(_Given):
    """Numbers as a layer, the same for every example, in the dtype of what it is called with.

    Args:
        values: The numbers in C order.
        shape: Of one example.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any; N alone counts
        y_NSC: S, C are the shape
    """

    def __init__(self, values: Iterable[float], shape: Iterable[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values, self.shape = tuple(values), tuple(shape)

    def call(self, x_NSC: Any) -> Any:
        value_SC = ops.convert_to_tensor(np.reshape(self.values, self.shape), dtype=x_NSC.dtype)
        return self.for_each(value_SC, x_NSC)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "values": self.values}
