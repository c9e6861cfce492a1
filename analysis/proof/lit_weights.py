"""Weights of the layer that is lit: dense small integers, no two of a filter alike if possible.

Where an activation follows at once, they are scaled by a power of two so that the values lie on
both sides of its bends; BatchNorm's ``variance + eps`` is a power of four, near eps for some
channels.
"""

import math
from dataclasses import dataclass
from functools import singledispatchmethod

import numpy as np

from convparity.analysis.proof.linear_form import (
    Linear,
    dealt,
    features_last,
    filters_shape,
    to_kernel,
)
from convparity.analysis.proof.rounded import rms
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    InputNorm,
    Scale,
    Shape,
    Spec,
    parameter_axes,
    parameter_shapes,
)
from convparity.impls.weights import Weights

# Where each function bends: the middle of what it is given, and the deviation.
BENDS = {
    "relu": (1.5, 4.0),
    "relu6": (3.0, 3.0),
    "leaky_relu": (0.0, 4.0),
    "elu": (0.0, 1.0),
    "silu": (0.5, 2.0),
    "gelu": (0.5, 1.5),
    "gelu_tanh": (0.5, 1.5),
    "hard_swish": (0.5, 2.5),
    "softplus": (0.0, 2.0),
    "hard_sigmoid": (0.0, 2.5),
    "sigmoid": (0.0, 1.5),
    "tanh": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "log_softmax": (0.0, 1.0),
    "selu": (0.0, 1.0),
    "celu": (0.0, 1.0),
    "softsign": (0.0, 1.0),
    "soft_shrink": (0.0, 1.0),
    "hard_shrink": (0.0, 1.0),
}
ANYWHERE = (0.0, 2.0)  # of a function that is not in the table
LOW = ("relu", "leaky_relu")  # some channels lie so low that whole windows of a pool are negative


def bends(activation: Activation) -> tuple[float, float]:
    """The middle of what an activation should be given, and the deviation."""
    return BENDS.get(activation.function, ANYWHERE)


@dataclass
class Filled:
    """How one lighting fills its layer."""

    rng: np.random.Generator
    limit: int  # the largest magnitude of a kernel's integers

    def weights(self, spec: Spec, x: np.ndarray, follows: Activation | None) -> Weights:
        """The weights of a layer with input ``x``, and the activation that follows, if one does."""
        return self._weights(spec, x, follows)

    @singledispatchmethod
    def _weights(self, spec: Spec, x: np.ndarray, follows: Activation | None) -> Weights:
        """Of a layer of which no more is known: integers other than 0; a variance is positive."""
        most = max(2, min(self.limit, 7))
        shapes = parameter_shapes(spec)
        found = {name: self._signed(shape, most) for name, shape in shapes.items()}
        return {name: abs(each) if name == "variance" else each for name, each in found.items()}

    @_weights.register(Conv)
    @_weights.register(ConvTranspose)
    @_weights.register(DepthwiseConv)
    @_weights.register(Dense)
    def _(self, spec: Linear, x: np.ndarray, follows: Activation | None) -> Weights:
        taps, channels, out = filters_shape(spec)
        n = taps * channels
        limit = max(1, min(self.limit, -(-n // 2)))
        kernel = to_kernel(spec, dealt(self.rng, n, out, limit).reshape(taps, channels, out))
        found = {"kernel": kernel}
        shape = spec.parameters().get("bias")
        bias = np.zeros(out)
        if shape is not None:
            found["bias"] = bias = self._signed(out, 2 * self.limit + 1)
        if follows is None:
            return found
        plain = {**found, "bias": 0 * bias} if shape is not None else found
        middles = features_last(spec, run(spec, plain, x)).reshape(-1, out)
        middle, deviation = bends(follows)
        size = max(rms(middles - middles.mean(axis=0)), 0.5)
        scale = 2.0 ** round(math.log2(deviation / size))
        found["kernel"] = kernel * scale
        if shape is not None:
            spread = (-1.2, 0.6) if follows.function in LOW else (-0.5, 0.5)
            aim = middle + deviation * self.rng.uniform(*spread, out)
            unit = min(scale, 1.0)
            bias = np.rint((aim - middles.mean(axis=0) * scale) / unit) * unit
            found["bias"] = np.where(bias == 0, unit, bias)
        return found

    def _signed(self, n: int | Shape, limit: int) -> np.ndarray:
        sizes = self.rng.integers(1, limit, n, endpoint=True)
        return np.asarray(sizes * self.rng.choice([-1.0, 1.0], n))

    @_weights.register
    def _(self, spec: BatchNorm, x: np.ndarray, follows: Activation | None) -> Weights:
        n, rng = spec.num_features, self.rng
        flat = x.reshape(-1, n)
        size = max(rms(flat - flat.mean(axis=0)), 2.0**-10)
        unit = 2.0 ** math.floor(math.log2(size))  # of means: about the data's deviation
        middle, deviation = (0.0, 2.0 * size) if follows is None else bends(follows)
        most = max(0, math.floor(-math.log(2 * spec.eps, 4)))  # variance + eps is at least 2 eps
        power = rng.integers(0, most, n, endpoint=True)
        factor = 2.0 ** (round(math.log2(deviation / size)) + rng.integers(-1, 0, n, endpoint=True))
        factor *= rng.choice([-1, 1, 1], n)
        mean = (np.rint(flat.mean(axis=0) / unit * 2) + rng.integers(-2, 2, n, endpoint=True)) / 2
        step = abs(factor) * unit / 2
        spread = (-1.5, 0.5) if follows is not None and follows.function in LOW else (-0.5, 0.5)
        offset = np.rint((middle + deviation * rng.uniform(*spread, n)) / step) * step
        found = {
            "scale": factor * 2.0**-power,
            "offset": np.where(offset == 0, step, offset),
            "mean": np.where(mean == 0, 0.5, mean) * unit,
            "variance": 4.0**-power - spec.eps,
        }
        return {name: found[name] for name in spec.parameters()}

    @_weights.register
    def _(self, spec: InputNorm, x: np.ndarray, follows: Activation | None) -> Weights:
        sizes = parameter_axes(spec)[1]
        middle, deviation = (0.0, 4.0)
        if follows is not None:
            middle, deviation = bends(follows)
        quarter = 2.0 ** (math.floor(math.log2(deviation)) - 2)
        offset = middle + quarter * self._signed(sizes, 3)
        found = {"scale": quarter * self._signed(sizes, 7), "offset": offset}
        return {name: found[name] for name in spec.parameters()}

    @_weights.register
    def _(self, spec: Scale, x: np.ndarray, follows: Activation | None) -> Weights:
        scale = self._signed(spec.num_features, max(2, min(self.limit, spec.num_features)))
        if follows is not None:
            size = max(rms(x * scale), 2.0**-10)
            scale = scale * 2.0 ** round(math.log2(bends(follows)[1] / size))
        return {"scale": scale}
