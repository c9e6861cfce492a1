"""What every layer means: NumPy float64, plain loops over kernel taps, no framework.

Slow and obvious on purpose; ``parity_tests/core/test_reference.py`` holds it against a second
oracle that shares no code with it.
"""

import math
from collections.abc import Callable, Iterator
from functools import reduce, singledispatch
from itertools import product
from typing import Any, Protocol

import einops
import numpy as np

from convparity.impls.limits import check_work
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InputNorm,
    InstanceNorm,
    MaxPool,
    Multiply,
    Pad,
    Pairs,
    PReLU,
    Rearrange,
    Resize,
    RMSNorm,
    Scale,
    Shape,
    Slice,
    Spec,
    Subtract,
    adaptive_windows,
    effective_kernel,
    fold_steps,
    output_shape,
    packed,
    padding_pairs,
    parameter_axes,
    transposed_crop,
)
from convparity.impls.values import check_input, inputs_of
from convparity.impls.weights import Arrays, affine, check_weights


class Implementation(Protocol):
    """What computes the output of any spec: ``reference``, a framework, a candidate, a fault.

    It takes canonical weights and a channels-last ``x``, and gives a channels-last output.
    """

    def __call__(self, spec: Spec, weights: Arrays, x: np.ndarray, /) -> np.ndarray:
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


def as_grouped(spec: DepthwiseConv) -> Conv:
    """The grouped convolution that a depthwise one is: one group a channel."""
    return Conv(
        spec.in_channels,
        spec.out_channels,
        kernel_size=spec.kernel_size,
        stride=spec.stride,
        padding=spec.padding,
        dilation=spec.dilation,
        groups=spec.in_channels,
        bias=spec.bias,
        padding_mode=spec.padding_mode,
        rank=spec.rank,
    )


def convolve(spec: Conv, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The convolution without its bias: ``x`` (N, *spatial, I), ``kernel`` (*k, I/groups, O)."""
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = x
    if any(map(any, pairs)):
        mode = NUMPY_MODES[spec.padding_mode]
        wide = ((0, 0), *pairs, (0, 0))
        padded = surrounded(x, pairs) if mode == "constant" else np.pad(x, wide, mode=mode)
    out = output_shape(spec, x.shape)
    pixels, groups = math.prod(out[:-1]), spec.groups
    y_GPO = np.zeros((groups, pixels, out[-1] // groups))
    # the group axis first on both, for a product of matrices: (k, I/g, O) -> (k, g, I/g, O/g)
    kernel_kIGO = kernel.astype(np.float64).reshape(*kernel.shape[:-1], groups, -1)
    kernel_kGIO = kernel_kIGO.swapaxes(-2, -3)
    for tap, seen in window_places(spec, out[1:-1]):
        window_GPI = padded[seen].reshape(pixels, groups, -1).swapaxes(0, 1)
        y_GPO += window_GPI @ kernel_kGIO[tap]
    return y_GPO.swapaxes(0, 1).reshape(out)


def surrounded(x: np.ndarray, pairs: Pairs, fill: float = 0.0) -> np.ndarray:
    """``x`` with one number around its pixels, as ``np.pad`` has it, in a fraction of the time."""
    n, *spatial, channels = x.shape
    sizes = [low + size + high for size, (low, high) in zip(spatial, pairs, strict=True)]
    padded = np.full((n, *sizes, channels), fill, dtype=x.dtype)
    inside = [slice(low, low + size) for size, (low, _) in zip(spatial, pairs, strict=True)]
    padded[(slice(None), *inside)] = x
    return padded


def window_places(
    spec: Conv | ConvTranspose | MaxPool | AvgPool, out: Shape
) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Each place of the window, and the pixels that meet it, for every output pixel at once."""
    dilation = (1,) * spec.rank if isinstance(spec, MaxPool | AvgPool) else spec.dilation
    axes = zip(spec.kernel_size, dilation, spec.stride, out, strict=True)
    met = [[slice(t * d, t * d + (n - 1) * s + 1, s) for t in range(k)] for k, d, s, n in axes]
    taps = product(*map(range, spec.kernel_size))
    for tap, pixels in zip(taps, product(*met), strict=True):
        yield tap, (slice(None), *pixels)


def scatter(spec: ConvTranspose, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The transposed convolution without its bias: each pixel of ``x`` (N, *spatial, I) is spread.

    ``kernel`` is ``(*k, O/groups, I)``. The whole result is built, then cropped.
    """
    n, *spatial, _ = x.shape
    pairs, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    whole = [
        (size - 1) * s + k + more
        for size, s, k, more in zip(spatial, spec.stride, extent, extra, strict=True)
    ]
    y = np.zeros((n, *whole, spec.groups, spec.out_channels // spec.groups))
    # the group axis first on both, for a product of matrices: (k, O/g, I) -> (k, g, I/g, O/g)
    x_GPI = x.reshape(n * math.prod(spatial), spec.groups, -1).swapaxes(0, 1)
    kernel_kOGI = kernel.astype(np.float64).reshape(*kernel.shape[:-1], spec.groups, -1)
    kernel_kGIO = np.moveaxis(kernel_kOGI, -3, -1)
    for tap, reached in window_places(spec, tuple(spatial)):
        spread_PGO = (x_GPI @ kernel_kGIO[tap]).swapaxes(0, 1)
        y[reached] += spread_PGO.reshape(n, *spatial, *y.shape[-2:])
    kept = (slice(low, size - high) for size, (low, high) in zip(whole, pairs, strict=True))
    return y[(slice(None), *kept)].reshape(output_shape(spec, x.shape))


def pool_windows(spec: MaxPool | AvgPool, x: np.ndarray, fill: float) -> Iterator[np.ndarray]:
    """For each place in the window, the pixels that meet it; ``fill`` where that is padding."""
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = surrounded(x, pairs, fill)
    for _, seen in window_places(spec, output_shape(spec, x.shape)[1:-1]):
        yield padded[seen]


def pool_counts(spec: AvgPool, shape: Shape) -> np.ndarray:
    """How many values each window averages: ``(1, *spatial, 1)``."""
    ones = np.ones((1, *shape[1:-1], 1))
    if spec.count_include_pad:
        return np.full((1, *output_shape(spec, ones.shape)[1:-1], 1), np.prod(spec.kernel_size))
    return reduce(np.add, pool_windows(spec, ones, 0))


def adaptive(
    spec: AdaptiveAvgPool | AdaptiveMaxPool, x: np.ndarray, together: Callable[..., np.ndarray]
) -> np.ndarray:
    """``together``, a sum for one, of the pixels of each window: along one axis after another."""
    for axis, places in enumerate(spec.output_size, 1):
        windows = adaptive_windows(x.shape[axis], places)
        seen = (x.take(range(start, stop), axis) for start, stop in windows)
        x = np.concatenate([together(each, axis=axis, keepdims=True) for each in seen], axis)
    return x


def adaptive_counts(spec: AdaptiveAvgPool, shape: Shape) -> np.ndarray:
    """How many values each window averages: ``(1, *spatial, 1)``."""
    return adaptive(spec, np.ones((1, *shape[1:-1], 1)), np.sum)


def resizing(spec: Resize, shape: Shape) -> list[np.ndarray]:
    """For each axis the share that each of its pixels has in each place: ``(places, pixels)``."""
    found = []
    for n, m in zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True):
        places = np.arange(m)
        if spec.method == "nearest":
            found.append(np.eye(n)[places * n // m])
            continue
        if spec.align_corners:
            at = places * (n - 1) / max(m - 1, 1)
        else:
            at = np.clip(((2 * places + 1) * n - m) / (2 * m), 0, n - 1)
        found.append(np.maximum(1 - abs(at[:, None] - np.arange(n)), 0))
    return found


def along_axes(matrices: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Each matrix times the vectors that lie along its spatial axis."""
    for axis, matrix in enumerate(matrices, 1):
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


def normalised(spec: InputNorm, shape: Shape) -> tuple[Shape, Shape]:
    """The form of the input in which a norm takes its statistics over whole axes, and these."""
    match spec:
        case GroupNorm():
            each = spec.num_features // spec.num_groups
            return (shape[0], math.prod(shape[1:-1]), spec.num_groups, each), (1, 3)
        case InstanceNorm():
            return shape, tuple(range(1, len(shape) - 1))
        case _:
            return shape, tuple(axis % len(shape) for axis in parameter_axes(spec)[0])


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
def _(spec: AvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return reduce(np.add, pool_windows(spec, x, 0)) / pool_counts(spec, x.shape)


@run.register
def _(spec: Dense, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = x @ weights["kernel"].astype(np.float64)
    return y + weights["bias"] if spec.bias else y


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


@run.register
def _(spec: Add, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return reduce(np.add, values)


@run.register
def _(spec: Multiply, weights: Arrays, *values: np.ndarray) -> np.ndarray:
    return reduce(np.multiply, values)


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
    sizes = zip(x.shape[1:-1], spec.crops, strict=True)
    kept = x[(slice(None), *(slice(low, n - high) for n, (low, high) in sizes))]
    if spec.mode == "zeros":
        return surrounded(kept, spec.fills, spec.value)
    return np.pad(kept, ((0, 0), *spec.fills, (0, 0)), mode=NUMPY_MODES[spec.mode])


@run.register
def _(spec: Composite, weights: Arrays, *values: np.ndarray) -> Any:
    return fold_steps(
        spec, values, lambda step, taken: run(step.spec, step.weights(weights), *taken)
    )
