"""A second meaning of activations, by SciPy's functions; ``oracle`` asks it."""

import numpy as np
from scipy import special

from convparity import Activation


def activated(spec: Activation, x: np.ndarray) -> np.ndarray:
    """From the papers' definitions and SciPy's functions."""
    sixth = np.array([min(max(value + 3, 0), 6) / 6 for value in x.flat]).reshape(x.shape)
    match spec.function:
        case "relu":
            return x * (x > 0)
        case "relu6":
            return np.array([min(max(value, 0), 6) for value in x.flat]).reshape(x.shape)
        case "leaky_relu":
            return x * (x > 0) + spec.alpha * x * (x < 0)
        case "elu":
            return x * (x > 0) + spec.alpha * special.expm1(x * (x < 0))
        case "silu":
            return x * special.expit(x)
        case "gelu":
            return x * special.ndtr(x)
        case "gelu_tanh":
            return x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
        case "sigmoid":
            return special.expit(x)
        case "hard_sigmoid":
            return sixth
        case "hard_swish":
            return x * sixth
        case "softplus":
            return -special.log_expit(-x * spec.alpha) / spec.alpha
        case "softmax":
            return special.softmax(x, axis=spec.axis)
        case "log_softmax":
            return special.log_softmax(x, axis=spec.axis)
        case "mish":
            return x * np.tanh(-special.log_expit(-x))
        case "selu":  # from the fixed point that its paper asks for
            tail, pi = special.erfc(0.5**0.5) * np.e**0.5, np.pi
            alpha = (2 / pi) ** 0.5 / (1 - tail)
            squares = 2 * special.erfc(2**0.5) * np.e**2 + pi * tail**2 - 2 * (2 + pi) * tail
            scale = (1 - tail) * (2 * pi / (squares + pi + 2)) ** 0.5
            return scale * (x * (x > 0) + alpha * special.expm1(x * (x < 0)))
        case "celu":
            return x * (x > 0) + spec.alpha * special.expm1(x * (x < 0) / spec.alpha)
        case "log_sigmoid":
            return special.log_expit(x)
        case "softsign":
            return np.sign(x) - np.sign(x) / (1 + abs(x))
        case "tanhshrink":
            return x + 1 - 2 * special.expit(2 * x)
        case "soft_shrink":
            return np.sign(x) * np.maximum(abs(x) - spec.alpha, 0)
        case "hard_shrink":
            return x * ((x > spec.alpha) | (x < -spec.alpha))
        case "quick_gelu":
            return x * special.expit(1.702 * x)
        case "relu_squared":
            return x * x * (x > 0)
        case "abs":
            return np.maximum(x, -x)
        case "tanh":
            return 2 * special.expit(2 * x) - 1
    raise AssertionError(f"the oracle does not know {spec}")
