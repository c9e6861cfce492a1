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
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
    Concat,
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
    GroupNorm,
    Identity,
    InputNorm,
    InstanceNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    Minimum,
    Multiply,
    Pad,
    Pairs,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Shape,
    Slice,
    Spec,
    Subtract,
    adaptive_windows,
    asked_pairs,
    effective_kernel,
    fold_steps,
    output_shape,
    packed,
    padding_pairs,
    parameter_axes,
    transposed_crop,
    window_dilation,
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
    spec: Conv | ConvTranspose | MaxPool | MaxPoolIndices | AvgPool, out: Shape
) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Each place of the window, and the pixels that meet it, for every output pixel at once."""
    axes = zip(spec.kernel_size, window_dilation(spec), spec.stride, out, strict=True)
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


def pool_windows(
    spec: MaxPool | MaxPoolIndices | AvgPool, x: np.ndarray, fill: float
) -> Iterator[np.ndarray]:
    """For each place in the window, the pixels that meet it; ``fill`` where that is padding."""
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = surrounded(x, pairs, fill)
    for _, seen in window_places(spec, output_shape(spec, x.shape)[1:-1]):
        yield padded[seen]


def pool_counts(spec: AvgPool, shape: Shape) -> np.ndarray:
    """What the sum of each window is divided by: ``(1, *spatial, 1)``."""
    ones = np.ones((1, *shape[1:-1], 1))
    if spec.divisor_override is not None:
        return np.full(output_shape(spec, ones.shape), spec.divisor_override)
    if not spec.count_include_pad:
        return reduce(np.add, pool_windows(spec, ones, 0))
    # its own padding counts, and not what ceil_mode adds behind that
    counts = np.ones((1, *[1] * spec.rank, 1))
    for axis, (low, high) in enumerate(asked_pairs(spec, shape[1:-1])):
        k, s, n = spec.kernel_size[axis], spec.stride[axis], shape[1 + axis]
        starts = s * np.arange(output_shape(spec, ones.shape)[1 + axis])
        along = np.minimum(starts + k, low + n + high) - starts
        counts = counts * along.reshape([-1 if i == axis + 1 else 1 for i in range(spec.rank + 2)])
    return counts


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
    sizes = zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True)
    scales = spec.scale or (1,) * spec.rank
    return [
        _shares(spec, n, m, by if isinstance(by, float) else None)
        for (n, m), by in zip(sizes, scales, strict=True)
    ]


def _shares(spec: Resize, n: int, m: int, by: float | None) -> np.ndarray:
    """Those of one axis; ``by`` is its scale where that is a fraction."""
    places, pixels = np.arange(m), np.arange(n)
    if spec.method == "area":
        windows = np.array(adaptive_windows(n, m))
        inside = (windows[:, :1] <= pixels) & (pixels < windows[:, 1:])
        return inside / inside.sum(axis=1, keepdims=True)
    if spec.method in ("nearest", "nearest-exact"):
        return np.eye(n)[_nearest(spec, places, n, m, by)]
    as_it_is = m == n and (spec.method == "linear" or spec.antialias)  # as PyTorch leaves it
    at: np.ndarray
    if spec.align_corners:
        at = places * (n - 1) / max(m - 1, 1)
    elif by is None or as_it_is:
        at = ((2 * places + 1) * n - m) / (2 * m)
    else:
        at = (places + 0.5) / by - 0.5
    if spec.antialias:
        wide = max(n / m if by is None else 1 / by, 1)
        kernel = _triangle if spec.method == "linear" else _keys(-0.5)
        shares = kernel(abs(at[:, None] - pixels) / wide)
        return shares / shares.sum(axis=1, keepdims=True)
    if spec.method == "linear":
        return _triangle(abs(np.clip(at, 0, n - 1)[:, None] - pixels))
    found = np.zeros((m, n))
    for tap in range(-1, 3):
        seen = np.floor(at).astype(int) + tap
        np.add.at(found, (places, np.clip(seen, 0, n - 1)), _keys(-0.75)(abs(at - seen)))
    return found


def _nearest(spec: Resize, places: np.ndarray, n: int, m: int, by: float | None) -> np.ndarray:
    """The pixel of each place: of a fraction as PyTorch finds it, in float32."""
    exact = spec.method == "nearest-exact"
    if by is None or (not exact and m in (n, 2 * n)):
        return (2 * places + 1) * n // (2 * m) if exact else places * n // m
    step = np.float32(1 / by)
    at = (places + 0.5) * float(step) if exact else places.astype(np.float32) * step
    return np.minimum(np.floor(at.astype(np.float32)).astype(int), n - 1)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _keys(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Keys' cubic kernel (IEEE Trans. ASSP 29, 1981) of a distance."""

    def kernel(d: np.ndarray) -> np.ndarray:
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel


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
