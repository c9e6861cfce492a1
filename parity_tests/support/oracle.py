"""A second meaning of every layer, which shares no code with ``impls`` but the specs.

It has its own padding arithmetic (TensorFlow's documented formula), lets SciPy correlate each pair
of channels, dilates by putting zeros into the kernel, strides by slicing, takes its elementary
functions from SciPy, and loops over everything else. What fills more than some lines is in the
``<family>_oracle.py`` of its family.
"""

import re
from fractions import Fraction
from itertools import product
from math import copysign, exp, fsum, inf, log, nan, prod

import numpy as np

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Pad,
    Parameter,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Residual,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Slice,
    Spec,
    Subtract,
)
from convparity.impls.spec import Join
from parity_tests.support.activation_oracle import activated
from parity_tests.support.convolution_oracle import convolved, one_group_a_channel, spread
from parity_tests.support.movement_oracle import padded, rearranged, sliced
from parity_tests.support.pooling_oracle import adapted, pooled, put_back
from parity_tests.support.resize_oracle import resized


def oracle(spec: Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    match spec:
        case Parameter():
            return np.array([weights["value"] for _ in x])
        case Constant():
            return np.array([np.array(spec.values).reshape(spec.shape) for _ in x])
        case Conv():
            y = convolved(spec, weights["kernel"], spec.groups, x)
            return y + weights["bias"] if spec.bias else y
        case DepthwiseConv():
            y = convolved(spec, one_group_a_channel(weights["kernel"]), spec.in_channels, x)
            return y + weights["bias"] if spec.bias else y
        case ConvTranspose():
            y = spread(spec, weights["kernel"], x)
            return y + weights["bias"] if spec.bias else y
        case SeparableConv():
            kernel = one_group_a_channel(weights["depthwise.kernel"])
            y = convolved(spec, kernel, spec.in_channels, x)
            if spec.depthwise_bias:
                y = y + weights["depthwise.bias"]
            y = matmul(y, weights["pointwise.kernel"].reshape(y.shape[-1], -1))
            return y + weights["pointwise.bias"] if spec.pointwise_bias else y
        case Dense():
            y = matmul(x.swapaxes(spec.axis, -1), weights["kernel"])
            return (y + weights["bias"] if spec.bias else y).swapaxes(spec.axis, -1)
        case BatchNorm():
            y = np.empty(x.shape)
            for c in range(x.shape[-1]):
                mean, variance = float(weights["mean"][c]), float(weights["variance"][c])
                y[..., c] = (x[..., c] - mean) / (variance + spec.eps) ** 0.5
            return with_parameters(y, weights, [-1])
        case LayerNorm() | RMSNorm():
            axes = [spec.axes] if isinstance(spec.axes, int) else [*spec.axes]
            last = range(-len(axes), 0)
            moved = np.moveaxis(x, axes, last)
            y = np.empty(moved.shape)
            for place in np.ndindex(*moved.shape[: -len(axes)]):
                y[place] = standardised(moved[place], spec.eps, isinstance(spec, LayerNorm))
            return with_parameters(np.moveaxis(y, last, axes), weights, axes)
        case GroupNorm():
            y = np.empty(x.shape)
            each = spec.num_features // spec.num_groups
            for n, first in product(range(len(x)), range(0, spec.num_features, each)):
                group = (n, ..., slice(first, first + each))
                y[group] = standardised(x[group], spec.eps)
            return with_parameters(y, weights, [-1])
        case InstanceNorm():
            y = np.empty(x.shape)
            for n, c in product(range(len(x)), range(x.shape[-1])):
                y[n, ..., c] = standardised(x[n, ..., c], spec.eps)
            return with_parameters(y, weights, [-1])
        case Scale():
            factors = [float(factor) for factor in weights["scale"]]
            return np.stack([x[..., c] * factor for c, factor in enumerate(factors)], axis=-1)
        case Activation():
            return activated(spec, x.astype(float))
        case MaxPool() | MaxPoolIndices() | AvgPool():
            return pooled(spec, x)
        case Dropout() | Identity():
            return x
        case Clamp(low=low, high=high):
            least = -np.inf if low is None else low
            most = np.inf if high is None else high
            return np.array([sorted((least, v, most))[1] for v in x.flat], float).reshape(x.shape)
        case PReLU():
            slopes = [float(slope) for slope in weights["slope"]] * x.shape[-1]
            parts = [x[..., c] * np.where(x[..., c] < 0, slopes[c], 1) for c in range(x.shape[-1])]
            return np.stack(parts, axis=-1)
        case AdaptiveAvgPool():
            return adapted(spec, x, lambda seen: fsum(seen) / len(seen))
        case AdaptiveMaxPool():
            return adapted(spec, x, max)
        case Resize():
            return resized(spec, x)
        case GlobalMaxPool():
            largest = np.full((len(x), x.shape[-1]), -np.inf)
            for n, *_, c in np.ndindex(*x.shape):
                largest[n, c] = max(float(seen) for seen in x[n, ..., c].flat)
            return largest
        case GlobalAvgPool():
            batch, *spatial, channels = x.shape
            total = np.zeros((batch, channels))
            for pixel in product(*map(range, spatial)):
                total += x[(slice(None), *pixel)]
            return total / np.prod(spatial)
        case Flatten():  # the last axis runs fastest: channels, then W, then H
            indices = list(product(*map(range, x.shape[1:])))
            return np.array([[sample[index] for index in indices] for sample in x])
        case Slice():
            return sliced(spec, x)
        case Pad():
            return padded(spec, x.astype(float))
        case Rearrange():
            return rearranged(spec, x)
        case Rescale(scale=scale, offset=offset):
            channels = range(x.shape[-1])
            factor, more = (each if isinstance(each, tuple) else None for each in (scale, offset))
            parts = [
                x[..., c] * (factor[c] if factor else scale) + (more[c] if more else offset)
                for c in channels
            ]
            return np.stack(parts, axis=-1)
        case Reduce():
            return reduced(spec, x.astype(float))
        case Power(exponent=exponent):
            return np.vectorize(lambda each: powered(each, exponent), otypes=[float])(x)
        case Sequential():
            for name, child in spec.layers:
                x = oracle(child, inside(weights, name), x)
            return x
        case Residual():
            across = x
            if spec.shortcut is not None:
                across = oracle(spec.shortcut, inside(weights, "shortcut"), x)
            return oracle(spec.body, inside(weights, "body"), x) + across
        case Graph(
            outputs=str(last)
        ):  # of one value: ``parity_tests/core/test_graph.py`` has others
            values = {spec.inputs[0]: x}
            for name, node, inputs, child in spec.nodes:
                taken = [values[each] for each in inputs]
                own = inside(weights, str(child))
                joins = isinstance(node, Join)
                values[name] = joined(node, taken) if joins else oracle(node, own, taken[0])
            return values[last]
    raise AssertionError(f"the oracle does not know {spec}")


def joined(spec: Join, values: list[np.ndarray]) -> np.ndarray:
    match spec:
        case Add():
            return sum(values[1:], values[0])
        case Subtract():
            return values[0] - values[1]
        case Multiply():
            return prod(values[1:], start=values[0])
        case Concat():
            return np.concatenate(values, spec.axis)
        case Einsum():
            return summed(spec, *values)
        case MaxUnpool():
            return put_back(spec, *values)
        case Divide():
            return np.vectorize(quotient, otypes=[float])(*values)
        case Maximum() | Minimum():
            best = max if isinstance(spec, Maximum) else min
            return np.vectorize(lambda *each: best(each), otypes=[float])(*values)
        case Average():
            return np.vectorize(lambda *each: fsum(each) / len(each), otypes=[float])(*values)
    raise AssertionError(f"the oracle does not know {spec}")


def summed(spec: Einsum, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every place of all axes at once: one product each."""
    first, second, result = (side.split() for side in re.split(",|->", spec.pattern))
    sizes = dict(zip([*first, *second], [*a.shape, *b.shape], strict=True))
    y = np.zeros([sizes[name] for name in result])
    for place in product(*map(range, sizes.values())):
        at = dict(zip(sizes, place, strict=True))
        one, other = (tuple(at[name] for name in axes) for axes in (first, second))
        y[tuple(at[name] for name in result)] += float(a[one]) * float(b[other])
    return y


def reduced(spec: Reduce, x: np.ndarray) -> np.ndarray:
    """Place by place, of a list of numbers each."""
    gone = {axis if axis > 0 else x.ndim + axis for axis in spec.axes}
    y = np.empty([1 if i in gone else n for i, n in enumerate(x.shape)])
    for place in np.ndindex(*y.shape):
        seen = [slice(None) if i in gone else at for i, at in enumerate(place)]
        numbers = x[tuple(seen)].ravel().tolist()
        mean = fsum(numbers) / len(numbers)
        variance = fsum((each - mean) ** 2 for each in numbers) / max(
            len(numbers) - spec.correction, 1
        )
        y[place] = {
            "mean": mean,
            "sum": fsum(numbers),
            "max": max(numbers),
            "min": min(numbers),
            "var": variance,
            "std": variance**0.5,
            "norm": fsum(each * each for each in numbers) ** 0.5,
            "norm1": fsum(map(abs, numbers)),
        }[spec.function]
    return y if spec.keepdims else y[tuple(0 if i in gone else slice(None) for i in range(x.ndim))]


def quotient(a: float, b: float) -> float:
    """As IEEE 754 has it where ``b`` is 0."""
    if b:
        return a / b
    return copysign(inf, a) * copysign(1, b) if a else nan


def powered(x: float, exponent: float) -> float:
    """Of a whole exponent by fractions, which never round."""
    if exponent == int(exponent):
        if x == 0 and exponent < 0:
            return copysign(inf, x) if exponent % 2 else inf
        return float(Fraction(float(x)) ** int(exponent))
    if x < 0:
        return nan
    return exp(exponent * log(x)) if x else 0.0 if exponent > 0 else inf


def inside(weights: dict[str, np.ndarray], child: str) -> dict[str, np.ndarray]:
    return {
        name[len(child) + 1 :]: array
        for name, array in weights.items()
        if name.split(".")[0] == child
    }


def matmul(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Over the last axis, term by term."""
    y = np.zeros((*x.shape[:-1], kernel.shape[-1]))
    for i, o in np.ndindex(*kernel.shape):
        y[..., o] += x[..., i] * float(kernel[i, o])
    return y


def with_parameters(y: np.ndarray, weights: dict[str, np.ndarray], axes: list[int]) -> np.ndarray:
    """Times the scale and plus the offset of a norm, which lie along these axes, if it has them."""
    moved = np.moveaxis(y, axes, range(-len(axes), 0))
    if "scale" in weights:
        moved = moved * weights["scale"].astype(float)
    if "offset" in weights:
        moved = moved + weights["offset"].astype(float)
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def standardised(values: np.ndarray, eps: float, centred: bool = True) -> np.ndarray:
    """With mean 0 and variance 1, nearly; not centred, with mean square 1."""
    mean = fsum(values.flat) / values.size if centred else 0.0
    variance = fsum((value - mean) ** 2 for value in values.flat) / values.size
    return (values - mean) / (variance + eps) ** 0.5
