"""Activations: functions of each value, and the softmax along an axis."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from convparity.impls.errors import unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Shape,
    axis_in,
    axis_of,
    fail,
    integer,
    number,
    set_fields,
    takes,
)

ActivationName = Literal[
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "silu",
    "gelu",
    "gelu_tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_swish",
    "softplus",
    "softmax",
    "tanh",
    "log_softmax",
    "mish",
    "selu",
    "celu",
    "log_sigmoid",
    "softsign",
    "tanhshrink",
    "soft_shrink",
    "hard_shrink",
    "quick_gelu",
    "relu_squared",
    "abs",
]
ACTIVATIONS: tuple[ActivationName, ...] = get_args(ActivationName)
DEFAULT_ALPHA = {
    "leaky_relu": 0.01,
    "elu": 1.0,
    "softplus": 1.0,
    "celu": 1.0,
    "soft_shrink": 0.5,
    "hard_shrink": 0.5,
}
DIVIDES = ("softplus", "celu")  # by their alpha
OVER_AXIS = ("softmax", "log_softmax")


@dataclass(frozen=True, init=False)
class Activation(Layer):
    """A function of each value; "softmax" and its logarithm are over an axis.

    Args:
        function: "relu", "relu6", "leaky_relu", "elu", "silu", "gelu" (exact, with erf),
            "gelu_tanh" (its approximation, arXiv 1606.08415), "sigmoid", "hard_sigmoid"
            (``relu6(x + 3) / 6``), "hard_swish" (``x`` times that, arXiv 1905.02244), "softplus",
            "softmax", "log_softmax", "tanh", "mish" (arXiv 1908.08681), "selu" (arXiv 1706.02515),
            "celu" (arXiv 1704.07483), "log_sigmoid", "softsign" (``x / (1 + |x|)``), "tanhshrink"
            (``x - tanh(x)``), "soft_shrink", "hard_shrink", "quick_gelu"
            (``x * sigmoid(1.702 x)``), "relu_squared" or "abs".
        alpha: Slope of "leaky_relu" below 0 (None is 0.01), the limit of "elu" and of "celu" (1),
            what "softplus" multiplies by and divides by again, PyTorch's beta (1), or how far from
            0 the values lie that "soft_shrink" and "hard_shrink" make 0 (0.5); no other function
            takes it.
        axis: Along which "softmax" and "log_softmax" are taken, as of channels-last arrays: -1,
            which None stands for, is that of the channels, 1 the first spatial one; no other
            function takes it.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: The function is not known, or takes no alpha or axis; alpha is negative or not
            finite, or 0 where it divides; the axis is the batch, or the input has none such.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Activation("leaky_relu", alpha=0.5)
        >>> cp.reference(layer, {}, np.array([[-4, 3]])).tolist()
        [[-2.0, 3.0]]
    """

    function: ActivationName
    alpha: float | None
    axis: int | None

    def __init__(
        self, function: ActivationName, alpha: float | None = None, axis: int | None = None
    ) -> None:
        if not isinstance(function, str) or function not in ACTIVATIONS:
            raise fail(self, unknown_name("activation", function, ACTIVATIONS))
        if alpha is None:
            alpha = DEFAULT_ALPHA.get(function)
        elif function not in DEFAULT_ALPHA:
            raise fail(self, f"{function} takes no alpha; {', '.join(DEFAULT_ALPHA)} do")
        else:
            alpha = number(self, "alpha", alpha)
            if not 0 <= alpha < math.inf:
                raise fail(self, f"alpha must be a finite number from 0 on, not {alpha}")
            if alpha == 0 and function in DIVIDES:
                raise fail(self, f"{function} divides by its alpha, which must not be 0")
        if function in OVER_AXIS:
            axis = -1 if axis is None else axis_of(self, axis)
        elif axis is not None:
            raise fail(self, f"{function} takes no axis; {', '.join(OVER_AXIS)} do")
        set_fields(self, function=function, alpha=alpha, axis=axis)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        if self.axis is not None:
            axis_in(self, self.axis, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Clamp(Layer):
    """Values between two limits: what lies beyond one becomes that.

    Args:
        low: What no value is below; None if there is no such limit.
        high: What no value is above; None if there is no such limit.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: There is no limit, one is not finite, or low is not below high.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Clamp(-1, 1)
        >>> cp.reference(layer, {}, np.array([[-4, 0.5, 3]])).tolist()
        [[-1.0, 0.5, 1.0]]
    """

    low: float | None
    high: float | None

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        given = {"low": low, "high": high}
        found = {
            name: None if each is None else number(self, name, each) for name, each in given.items()
        }
        limits = [each for each in found.values() if each is not None]
        if not limits or not all(map(math.isfinite, limits)):
            raise fail(self, f"needs a finite limit, low or high or both, not {low} and {high}")
        if limits != sorted(set(limits)):
            raise fail(self, f"low must be below high, not {low} and {high}")
        set_fields(self, **found)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class PReLU(Layer):
    """ReLU with a learned slope below 0, of each channel or of all (arXiv 1502.01852).

    Args:
        num_parameters: Slopes: as many as the input has channels, or 1.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, C)``
        output: that of the input
        slope: ``(num_parameters,)``

    Raises:
        SpecError: ``num_parameters`` is not a positive integer.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.PReLU(2)
        >>> cp.reference(layer, {"slope": np.array([10, 100])}, np.array([[-1, -2]])).tolist()
        [[-10.0, -200.0]]
    """

    num_parameters: int

    def __init__(self, num_parameters: int = 1) -> None:
        set_fields(self, num_parameters=integer(self, "num_parameters", num_parameters))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=None if self.num_parameters == 1 else self.num_parameters)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {"slope": (self.num_parameters,)}
