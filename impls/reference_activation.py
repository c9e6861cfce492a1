"""The functions of activations, from their definitions: ``reference.py`` asks them."""

import math

import numpy as np

from convparity.impls.spec import (
    Activation,
)


def activate(spec: Activation, x: np.ndarray) -> np.ndarray:
    """The function of each value, from its definition."""
    alpha = spec.alpha or 0.0
    match spec.function:
        case "relu":
            return np.maximum(x, 0)
        case "relu6":
            return np.clip(x, 0, 6)
        case "leaky_relu":
            return np.where(x >= 0, x, spec.alpha * x)
        case "elu":
            return np.where(x >= 0, x, spec.alpha * np.expm1(np.minimum(x, 0)))
        case "sigmoid":
            return _sigmoid(x)
        case "silu":
            return x * _sigmoid(x)
        case "tanh":
            return np.tanh(x)
        case "gelu":
            return x * _erfc(-x / np.sqrt(2)) / 2
        case "gelu_tanh":
            return x * _sigmoid(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        case "hard_sigmoid":
            return np.clip(x + 3, 0, 6) / 6
        case "hard_swish":
            return x * (np.clip(x + 3, 0, 6) / 6)
        case "softplus":
            return np.logaddexp(spec.alpha * x, 0) / spec.alpha
        case "softmax":
            powers = np.exp(x - x.max(axis=spec.axis, keepdims=True))
            return powers / powers.sum(axis=spec.axis, keepdims=True)
        case "log_softmax":
            lower = x - x.max(axis=spec.axis, keepdims=True)
            return lower - np.log(np.exp(lower).sum(axis=spec.axis, keepdims=True))
        case "mish":
            return x * np.tanh(np.logaddexp(x, 0))
        case "selu":
            below = 1.6732632423543772 * np.expm1(np.minimum(x, 0))
            return 1.0507009873554805 * np.where(x >= 0, x, below)
        case "celu":
            return np.where(x >= 0, x, spec.alpha * np.expm1(np.minimum(x, 0) / spec.alpha))
        case "log_sigmoid":
            return -np.logaddexp(-x, 0)
        case "softsign":
            return x / (1 + abs(x))
        case "tanhshrink":
            return x - np.tanh(x)
        case "soft_shrink":
            return x - np.clip(x, -alpha, alpha)
        case "hard_shrink":
            return np.where(abs(x) <= alpha, 0, x)
        case "quick_gelu":
            return x * _sigmoid(1.702 * x)
        case "relu_squared":
            return np.maximum(x, 0) ** 2
        case "abs":
            return abs(x)
    raise NotImplementedError(f"the reference does not know the activation {spec.function!r}")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))  # no overflow on either side


_erfc = np.vectorize(math.erfc, otypes=[np.float64])  # NumPy has none
