"""Keras activations, channels-last: what ``keras.layers`` lacks to say every spec.

A page to copy from. Every class and function is registered, so that ``keras.saving`` writes and
reads it.
"""

from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered


@registered
def quick_gelu(x: Any) -> Any:
    """``x * sigmoid(1.702 x)``, which CLIP has for GELU."""
    return x * ops.sigmoid(1.702 * x)


@registered
def relu_squared(x: Any) -> Any:
    """The square of ReLU."""
    return ops.square(ops.relu(x))


@registered
def absolute(x: Any) -> Any:
    """The absolute value."""
    return ops.abs(x)


def softplus(x: Any, alpha: float) -> Any:
    """``log(1 + exp(alpha x)) / alpha``, and x where ``alpha x`` may overflow."""
    return ops.where(alpha * x > 40, x, ops.softplus(alpha * x) / alpha)


FUNCTIONS = {  # of a value and an alpha; Keras's own shrinking ones make 0 of NaN
    "softplus": softplus,
    "celu": ops.celu,
    "soft_shrink": lambda x, alpha: x - ops.clip(x, -alpha, alpha),
    "hard_shrink": lambda x, alpha: ops.where(ops.abs(x) <= alpha, ops.zeros_like(x), x),
}


@registered
class WithAlpha(keras.layers.Layer):
    """A function of each value with a parameter that ``keras.layers.Activation`` cannot give it.

    Args:
        function: "softplus", by which alpha multiplies and divides again, "celu", "soft_shrink" or
            "hard_shrink".
        alpha: The parameter.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, function: str, alpha: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function, self.alpha = function, alpha
        self.built = True

    def call(self, x: Any) -> Any:
        return FUNCTIONS[self.function](x, self.alpha)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function, "alpha": self.alpha}


@registered
class Clamp(keras.layers.Layer):
    """Values between two limits, or on one side of one.

    Args:
        low: What no value is below; None if there is no such limit.
        high: What no value is above; None if there is no such limit.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, low: float | None = None, high: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.built = True

    def call(self, x: Any) -> Any:
        x = x if self.low is None else ops.maximum(x, self.low)
        return x if self.high is None else ops.minimum(x, self.high)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


@registered
class PReLU(keras.layers.Layer):
    """``keras.layers.PReLU`` with a slope for each channel, or one, whatever the input's rank.

    Args:
        num_parameters: Slopes: as many as there are channels, or 1.
        alpha_initializer: What makes the slopes.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C, or that of num_parameters
        y_NSC: that C
        alpha: (num_parameters,)
    """

    def __init__(
        self, num_parameters: int = 1, alpha_initializer: Any = "zeros", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_parameters = num_parameters
        self.alpha_initializer = keras.initializers.get(alpha_initializer)

    def build(self, input_shape: Any) -> None:
        shape = (self.num_parameters,)
        self.alpha = self.add_weight(name="alpha", shape=shape, initializer=self.alpha_initializer)

    def call(self, x_NSC: Any) -> Any:
        return ops.where(x_NSC >= 0, x_NSC, ops.convert_to_tensor(self.alpha) * x_NSC)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"alpha_initializer": keras.initializers.serialize(self.alpha_initializer)}
        return {**super().get_config(), "num_parameters": self.num_parameters, **own}


@registered
class LogSoftmax(keras.layers.Layer):
    """The logarithm of ``keras.layers.Softmax``.

    Args:
        axis: Along which it is taken: -1 is that of the channels, 1 the first spatial one.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.built = True

    def call(self, x: Any) -> Any:
        return ops.log_softmax(x, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
