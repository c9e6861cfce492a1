"""What every layer means: NumPy float64, plain loops over kernel taps, no framework.

Slow and obvious on purpose; ``parity_tests/core/test_reference.py`` holds it against a second
oracle that shares no code with it.
"""

import math
from collections.abc import Callable
from functools import reduce, singledispatch
from typing import Any, Protocol

import einops
import numpy as np

from convparity.impls.limits import check_work
from convparity.impls.reference_activation import activate
from convparity.impls.reference_convolution import as_grouped, convolve, scatter
from convparity.impls.reference_normalisation import normalised
from convparity.impls.reference_pooling import (
    adaptive,
    adaptive_counts,
    pool_counts,
    pool_windows,
    unpooled,
)
from convparity.impls.reference_resize import along_axes, resizing
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
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
    Identity,
    InputNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Slice,
    Source,
    Spec,
    Subtract,
    fold_steps,
    packed,
)
from convparity.impls.values import check_input, inputs_of
from convparity.impls.weights import Arrays, affine, check_weights


class Implementation(Protocol):
    """What computes the output of any spec: ``reference``, a framework, a candidate, a fault.

    It takes canonical weights and a channels-last ``x``, and gives a channels-last output; of a
    graph of several inputs or outputs, a tuple of arrays, or a dict.
    """

    def __call__(self, spec: Spec, weights: Arrays, x: Any, /) -> Any:
        """The output of ``spec`` at inference."""


def reference(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """Compute a spec at inference in NumPy float64: the truth by which all else is judged.

    It uses plain loops over the taps of a kernel, and no framework.

    Args:
        spec: Any layer or network.
        weights: The canonical weights: an array for each name of ``parameter_shapes(spec)``.
        x: The input, channels last: ``(N, *spatial, C)`` or ``(N, features)``; of a graph that
            takes several values, a tuple of them.

    Returns:
        The output in float64, of shape ``output_shape(spec, x.shape)``; of a graph with several
        outputs, a tuple or a dict of them.

    Raises:
        SpecError: ``x`` does not fit the spec.
        WeightError: The weights do not fit the spec: their names, shapes or values.
        InputError: ``x`` is not an array of real numbers, or a layer takes more than the limit.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> weights = {"kernel": np.array([1, 10]).reshape(2, 1, 1)}
        >>> x = np.array([1, 2, 3]).reshape(1, 3, 1)
        >>> cp.reference(cp.Conv(1, 1, 2, bias=False, rank=1), weights, x).ravel().tolist()
        [21.0, 32.0]
    """
    arrays = inputs_of(check_input(spec, x))
    check_work(spec, *(array.shape for array in arrays))
    own = check_weights(spec, weights)
    y: np.ndarray = packed(spec, run(spec, own, *(array.astype(np.float64) for array in arrays)))
    return y


# ---------------------------------------------------------------- one meaning a layer


@singledispatch
def run(spec: Spec, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    """``reference`` without its checks: the meaning of each layer, and nothing else."""
    raise NotImplementedError(f"the reference does not know {type(spec).__name__}")


@run.register
def _(spec: Conv, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = convolve(spec, weights["kernel"], x)
    return y + weights["bias"] if spec.bias else y


@run.register
def _(spec: DepthwiseConv, weights: Arrays, x: np.ndarray) -> np.ndarray:
    kernel = weights["kernel"].reshape(*spec.kernel_size, 1, spec.out_channels)
    return run(as_grouped(spec), {**weights, "kernel": kernel}, x)


@run.register
def _(spec: ConvTranspose, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = scatter(spec, weights["kernel"], x)
    return y + weights["bias"] if spec.bias else y


@run.register
def _(spec: MaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return reduce(np.maximum, pool_windows(spec, x, -np.inf))


@run.register
def _(spec: MaxPoolIndices, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """The first of equal values, and the last NaN, as in PyTorch; padding is never chosen."""
    pixels = np.arange(math.prod(x.shape[1:-1])).reshape(1, *x.shape[1:-1], 1)
    windows = zip(pool_windows(spec, x, -np.inf), pool_windows(spec, pixels, -1), strict=True)
    largest, places = next(windows)
    for values, others in windows:
        larger = (values > largest) | np.isnan(values) | (places < 0)
        largest, places = np.where(larger, values, largest), np.where(larger, others, places)
    return np.broadcast_to(places, largest.shape).astype(np.float64)


@run.register
def _(spec: AvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return reduce(np.add, pool_windows(spec, x, 0)) / pool_counts(spec, x.shape)


@run.register
def _(spec: Dense, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = np.moveaxis(x, spec.axis, -1) @ weights["kernel"].astype(np.float64)
    return np.moveaxis(y + weights["bias"] if spec.bias else y, -1, spec.axis)


@run.register
def _(spec: BatchNorm, weights: Arrays, x: np.ndarray) -> np.ndarray:
    scale, offset = affine(spec, weights, x.ndim)
    mean, variance = (weights[name].astype(np.float64) for name in spec.statistics)
    return (x - mean) * (scale / np.sqrt(variance + spec.eps)) + offset


@run.register
def _(spec: InputNorm, weights: Arrays, x: np.ndarray) -> np.ndarray:
    scale, offset = affine(spec, weights, x.ndim)
    form, axes = normalised(spec, x.shape)
    centred = x.reshape(form)
    if not isinstance(spec, RMSNorm):
        centred = centred - centred.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)
    return (centred / np.sqrt(variance + spec.eps)).reshape(x.shape) * scale + offset


@run.register
def _(spec: Scale, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x * weights["scale"].astype(np.float64)


@run.register
def _(spec: Activation, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return activate(spec, x)


@run.register
def _(spec: GlobalAvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    mean: np.ndarray = x.mean(axis=tuple(range(1, x.ndim - 1)))
    return mean


@run.register
def _(spec: Flatten, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[0], -1)


@run.register(Dropout)
@run.register(Identity)
def _(spec: Dropout | Identity, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x


@run.register
def _(spec: Clamp, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return np.clip(x, spec.low, spec.high)


@run.register
def _(spec: PReLU, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, x, weights["slope"].astype(np.float64) * x)


JOINED: dict[type[Spec], np.ufunc] = {
    **{Add: np.add, Multiply: np.multiply, Divide: np.divide},
    **{Maximum: np.maximum, Minimum: np.minimum},
}


@run.register(Add)
@run.register(Multiply)
@run.register(Divide)
@run.register(Maximum)
@run.register(Minimum)
@np.errstate(divide="ignore", invalid="ignore")
def _(spec: Spec, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return reduce(JOINED[type(spec)], values)


@run.register
def _(spec: Subtract, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    first, second = values
    return first - second


@run.register
def _(spec: Concat, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return np.concatenate(values, axis=spec.axis)


@run.register
def _(spec: AdaptiveAvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return adaptive(spec, x, np.sum) / adaptive_counts(spec, x.shape)


@run.register
def _(spec: Slice, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return np.take(x, spec.entries(x.shape), axis=spec.axis)


@run.register
def _(spec: Rearrange, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return einops.rearrange(x, spec.pattern, **dict(spec.sizes))


@run.register
def _(spec: AdaptiveMaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return adaptive(spec, x, np.max)


@run.register
def _(spec: GlobalMaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    largest: np.ndarray = x.max(axis=tuple(range(1, x.ndim - 1)))
    return largest


@run.register
def _(spec: Resize, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return along_axes(resizing(spec, x.shape), x)


@run.register
def _(spec: Pad, weights: Arrays, x: np.ndarray) -> np.ndarray:
    sizes = zip(x.shape[1:], spec.crops, strict=True)
    kept = x[(slice(None), *(slice(low, n - high) for n, (low, high) in sizes))]
    if spec.mode == "zeros":
        return np.pad(kept, ((0, 0), *spec.fills), constant_values=spec.value)
    return np.pad(kept, ((0, 0), *spec.fills), mode=NUMPY_MODES[spec.mode])


@run.register
def _(spec: Source, weights: Arrays, x: np.ndarray) -> np.ndarray:
    own = np.reshape(spec.values, spec.shape) if isinstance(spec, Constant) else weights["value"]
    return np.stack([own.astype(np.float64)] * len(x))


@run.register
def _(spec: Composite, weights: Arrays, *values: np.ndarray) -> Any:
    return fold_steps(
        spec, values, lambda step, taken: run(step.spec, step.weights(weights), *taken)
    )


@run.register
def _(spec: Average, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    total: np.ndarray = reduce(np.add, values)
    return total / len(values)


@run.register
def _(spec: Rescale, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x * np.array(spec.scale) + np.array(spec.offset)


@run.register
def _(spec: Power, weights: Arrays, x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.power(x, spec.exponent))


NUMPY_REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {
    **{"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min},
    "norm": lambda x, axes, keepdims: np.sqrt(np.sum(x**2, axes, keepdims=keepdims)),
    "norm1": lambda x, axes, keepdims: np.sum(abs(x), axes, keepdims=keepdims),
}


@run.register
def _(spec: Reduce, weights: Arrays, x: np.ndarray) -> np.ndarray:
    axes = spec.places(x.shape)
    if spec.function in NUMPY_REDUCTIONS:
        return np.asarray(NUMPY_REDUCTIONS[spec.function](x, axes, keepdims=spec.keepdims))
    squares = (x - x.mean(axes, keepdims=True)) ** 2
    variance = squares.sum(axes, keepdims=spec.keepdims) / (spec.count(x.shape) - spec.correction)
    return np.asarray(variance if spec.function == "var" else np.sqrt(variance))


def einsum(axes: tuple[tuple[str, ...], ...], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of products, of axes that have names."""
    number = {name: i for i, name in enumerate(dict.fromkeys([*axes[0], *axes[1]]))}
    first, second, result = ([number[name] for name in each] for each in axes)
    return np.asarray(np.einsum(a, first, b, second, result))


@run.register
def _(spec: Einsum, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return einsum(spec.axes, *values)


@run.register
def _(spec: MaxUnpool, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return unpooled(spec, *values)
