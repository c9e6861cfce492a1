"""Activations: functions of each value, and the softmax of each position."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from convparity.impls.errors import unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import Shape, fail, number, set_fields, takes

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
]
ACTIVATIONS: tuple[ActivationName, ...] = get_args(ActivationName)
DEFAULT_ALPHA = {"leaky_relu": 0.01, "elu": 1.0}


@dataclass(frozen=True, init=False)
class Activation(Layer):
    """A function of each value; "softmax" is over the channels of each position.

    Args:
        function: "relu", "relu6", "leaky_relu", "elu", "silu", "gelu" (exact, with erf),
            "gelu_tanh" (its approximation, arXiv 1606.08415), "sigmoid", "hard_sigmoid"
            (``relu6(x + 3) / 6``), "hard_swish" (``x`` times that, arXiv 1905.02244), "softplus",
            "softmax" or "tanh".
        alpha: Slope of "leaky_relu" below 0 (None is 0.01), or the limit of "elu" (None is 1); no
            other function takes it.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: The function is not known, takes no alpha, or alpha is negative or not finite.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Activation("leaky_relu", alpha=0.5)
        >>> cp.reference(layer, {}, np.array([[-4, 3]])).tolist()
        [[-2.0, 3.0]]
    """

    function: ActivationName
    alpha: float | None

    def __init__(self, function: ActivationName, alpha: float | None = None) -> None:
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
        set_fields(self, function=function, alpha=alpha)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}
