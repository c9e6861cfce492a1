"""The backward pass of every layer, in float64 NumPy: what of its input and weights matters.

``adjoint(spec, weights, inputs, g)`` takes the gradient ``g`` of some number by the layer's output,
and gives that number's gradients by the layer's inputs and by its weights.
"""

import math
from collections.abc import Callable
from functools import reduce, singledispatch
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof import arithmetic_backward as arithmetic
from convparity.analysis.proof import einsums, reductions
from convparity.analysis.proof.arithmetic_backward import to_shape
from convparity.analysis.proof.certificate import BENDS_AT
from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import (
    activate,
    adaptive_counts,
    along_axes,
    as_grouped,
    normalised,
    pool_counts,
    resizing,
    run,
    window_places,
)
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
    Identity,
    InputNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
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
    Shape,
    Slice,
    Spec,
    Subtract,
    adaptive_windows,
    effective_kernel,
    padding_pairs,
    parameter_axes,
    transposed_crop,
)
from convparity.impls.weights import Arrays, Weights, affine

STEP = 2.0**-12  # of the differences that stand for derivatives
BENDS = {**BENDS_AT, "elu": (0.0,)}
SLOPE_STEP = 2.0**-17  # of those of a function: neither rounding nor its bend exceeds 1e-10
MOST = 2**12  # numbers by which a layer is differentiated one by one

Inputs = list[np.ndarray]


class Gradients(NamedTuple):
    """Of one number, by what a layer takes."""

    inputs: tuple[np.ndarray, ...]
    weights: Weights


@singledispatch
def adjoint(
    spec: Spec, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    """The gradients by the inputs and weights of a layer or join, of ``g`` by its output.

    Without ``by_weights`` those by the weights mean nothing: they take as long as the others.
    Where no more is known of a layer, each number is moved a little to both sides, and the
    reference says what that makes of the output: two runs a number, of ``MOST`` numbers at most.
    """
    taken = [np.array(value, dtype=np.float64) for value in inputs]
    held = {name: np.array(array, dtype=np.float64) for name, array in weights.items()}
    moved = [*taken, *(held.values() if by_weights else ())]
    if (numbers := sum(each.size for each in moved)) > MOST:
        name = type(spec).__name__
        raise UnsupportedError(
            f"no backward pass is known for {name}, and {numbers:,} numbers are too many to try"
        )
    found = [_differences(lambda: run(spec, held, *taken), each, g) for each in moved]
    return Gradients(tuple(found[: len(taken)]), dict(zip(held, found[len(taken) :], strict=False)))


def _differences(output: Callable[[], np.ndarray], at: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The gradient by ``at``, which ``output`` is computed from: exact where that is linear."""
    found = np.zeros(at.shape)
    for place in np.ndindex(*at.shape):
        middle, sides = at[place], []
        for side in (middle + STEP, middle - STEP):
            at[place] = side
            sides.append(output())
        at[place] = middle
        found[place] = np.vdot(g, sides[0] - sides[1]) / (2 * STEP)
    return found


@adjoint.register
def _(
    spec: Conv, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = np.pad(x, ((0, 0), *pairs, (0, 0)), mode=NUMPY_MODES[spec.padding_mode])
    kernel = weights["kernel"].astype(np.float64)
    groups, pixels = spec.groups, math.prod(g.shape[:-1])
    g_GPO = g.reshape(pixels, groups, -1).swapaxes(0, 1)
    kernel_kGIO = kernel.reshape(*kernel.shape[:-1], groups, -1).swapaxes(-2, -3)
    by_kernel = np.zeros_like(kernel_kGIO)
    by_padded = np.zeros(padded.shape)
    for tap, seen in window_places(spec, g.shape[1:-1]):
        window = padded[seen]
        window_GIP = window.reshape(pixels, groups, -1).transpose(1, 2, 0)
        if by_weights:
            by_kernel[tap] = window_GIP @ g_GPO
        back = g_GPO @ kernel_kGIO[tap].swapaxes(-1, -2)
        by_padded[seen] += back.swapaxes(0, 1).reshape(window.shape)
    found = {"kernel": by_kernel.swapaxes(-2, -3).reshape(kernel.shape)}
    if spec.bias:
        found["bias"] = _by_channel(g)
    mode = NUMPY_MODES[spec.padding_mode]
    return Gradients((folded(by_padded, x.shape, pairs, mode),), found)


def folded(by_padded: np.ndarray, shape: Shape, pairs: Any, mode: Any) -> np.ndarray:
    """The gradient by an array, of that by the padded array."""
    for axis, pair in enumerate(pairs, 1):
        if not any(pair):
            continue
        n = shape[axis]
        origin = np.pad(np.arange(1, n + 1), pair, mode=mode)  # 0: a zero
        places = (origin[None] == np.arange(1, n + 1)[:, None]).astype(np.float64)
        by_padded = _along(axis, places, by_padded)
    return by_padded


def _along(axis: int, matrix: np.ndarray, array: np.ndarray) -> np.ndarray:
    """The product of a matrix with each of the vectors that lie along an axis."""
    return np.moveaxis(np.tensordot(matrix, array, (1, axis)), 0, axis)


def _by_channel(g: np.ndarray) -> np.ndarray:
    total: np.ndarray = g.reshape(-1, g.shape[-1]).sum(axis=0)
    return total


@adjoint.register
def _(
    spec: DepthwiseConv, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    kernel = weights["kernel"]
    grouped = kernel.reshape(*spec.kernel_size, 1, spec.out_channels)
    found = adjoint(as_grouped(spec), {**weights, "kernel": grouped}, inputs, g, by_weights)
    found.weights["kernel"] = found.weights["kernel"].reshape(kernel.shape)
    return found


@adjoint.register
def _(
    spec: ConvTranspose, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    kernel = weights["kernel"].astype(np.float64)
    pairs, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    spatial = x.shape[1:-1]
    ends = [  # what was cropped at the high end; more than there is where zeros were added
        (low, (n - 1) * s + k + more - low - out)
        for n, s, k, more, (low, _), out in zip(
            spatial, spec.stride, extent, extra, pairs, g.shape[1:-1], strict=True
        )
    ]
    whole = np.pad(g, ((0, 0), *ends, (0, 0)))
    groups, pixels = spec.groups, math.prod(x.shape[:-1])
    x_GIP = x.reshape(pixels, groups, -1).transpose(1, 2, 0)
    kernel_kGIO = np.moveaxis(kernel.reshape(*kernel.shape[:-1], groups, -1), -3, -1)
    by_kernel = np.zeros_like(kernel_kGIO)
    by_input = np.zeros((groups, pixels, x.shape[-1] // groups))
    for tap, reached in window_places(spec, spatial):
        g_GPO = whole[reached].reshape(pixels, groups, -1).swapaxes(0, 1)
        if by_weights:
            by_kernel[tap] = x_GIP @ g_GPO
        by_input += g_GPO @ kernel_kGIO[tap].swapaxes(-1, -2)
    found = {"kernel": np.moveaxis(by_kernel, -1, -3).reshape(kernel.shape)}
    if spec.bias:
        found["bias"] = _by_channel(g)
    return Gradients((by_input.swapaxes(0, 1).reshape(x.shape),), found)


@adjoint.register
def _(
    spec: Dense, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    flat_x, flat_g = (each.reshape(-1, each.shape[-1]) for each in (x, g))
    found = {"kernel": flat_x.T @ flat_g} if by_weights else {}
    if spec.bias:
        found["bias"] = _by_channel(g)
    return Gradients((g @ weights["kernel"].astype(np.float64).T,), found)


@adjoint.register
def _(
    spec: BatchNorm, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    scale, _ = affine(spec, weights, 1)
    mean, variance = (weights[name].astype(np.float64) for name in spec.statistics)
    spread = variance + spec.eps
    factor = scale / np.sqrt(spread)
    by_offset, by_centred = _by_channel(g), _by_channel(g * (x - mean))
    found = {
        "scale": by_centred / np.sqrt(spread),
        "offset": by_offset,
        "mean": -factor * by_offset,
        "variance": -factor / (2 * spread) * by_centred,
    }
    return Gradients((g * factor,), {name: found[name] for name in weights})


@adjoint.register
def _(
    spec: InputNorm, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    form, axes = normalised(spec, x.shape)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(values.mean(axis=axes, keepdims=True))

    centres = not isinstance(spec, RMSNorm)
    grouped = x.reshape(form)
    centred = grouped - mean(grouped) if centres else grouped
    root = np.sqrt(mean(centred**2) + spec.eps)
    normal = centred / root
    h = (g * affine(spec, weights, x.ndim)[0]).reshape(form)
    by_input = (h - (mean(h) if centres else 0.0) - normal * mean(h * normal)) / root
    held = [axis % x.ndim for axis in parameter_axes(spec)[0]]
    others = tuple(axis for axis in range(x.ndim) if axis not in held)
    found = {
        "scale": (g * normal.reshape(x.shape)).sum(axis=others),
        "offset": g.sum(axis=others),
    }
    return Gradients((by_input.reshape(x.shape),), {name: found[name] for name in weights})


@adjoint.register
def _(
    spec: Scale, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((g * weights["scale"],), {"scale": _by_channel(g * inputs[0])})


@adjoint.register
def _(
    spec: Activation, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    if spec.function == "softmax":
        y = activate(spec, x)
        return Gradients((y * (g - (g * y).sum(axis=spec.axis, keepdims=True)),), {})
    if spec.function == "log_softmax":
        shares = np.exp(activate(spec, x))
        return Gradients((g - shares * g.sum(axis=spec.axis, keepdims=True),), {})
    return Gradients((g * _slope(spec, x),), {})


def _slope(spec: Activation, x: np.ndarray) -> np.ndarray:
    """The derivative, by differences that do not reach over a bend; at one, of both sides."""
    step = SLOPE_STEP
    found: np.ndarray = (activate(spec, x + step) - activate(spec, x - step)) / (2 * step)
    for bend in BENDS.get(spec.function, ()):
        near = (abs(x - bend) < step) & (x != bend)
        at, to = x[near], np.where(x[near] > bend, step, -step)
        y, first, second = (activate(spec, at + n * to) for n in range(3))
        found[near] = (4 * first - 3 * y - second) / (2 * to)
    return found


@adjoint.register
def _(
    spec: MaxPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    y, left = run(spec, {}, x), np.ones(g.shape, bool)

    def through(window: np.ndarray) -> np.ndarray:
        nonlocal left
        won = left & (window == y)  # the first of equal ones
        left = left & ~won
        return np.where(won, g, 0)

    return Gradients((_by_windows(spec, x, g, -np.inf, through),), {})


@adjoint.register
def _(
    spec: MaxPoolIndices,
    weights: Arrays,
    inputs: Inputs,
    g: np.ndarray,
    by_weights: bool = True,
) -> Gradients:
    return Gradients((np.zeros(inputs[0].shape),), {})  # a place stays as it is, or jumps


@adjoint.register
def _(
    spec: AvgPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    each = g / pool_counts(spec, x.shape)
    return Gradients((_by_windows(spec, x, g, 0, lambda _: each),), {})


def _by_windows(
    spec: MaxPool | AvgPool, x: np.ndarray, g: np.ndarray, fill: float, through: Any
) -> np.ndarray:
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = np.pad(x, ((0, 0), *pairs, (0, 0)), constant_values=fill)
    by_padded = np.zeros(padded.shape)
    for _, seen in window_places(spec, g.shape[1:-1]):
        by_padded[seen] += through(padded[seen])
    inside = (slice(low, low + n) for (low, _), n in zip(pairs, x.shape[1:-1], strict=True))
    return by_padded[(slice(None), *inside)]


@adjoint.register
def _(
    spec: GlobalAvgPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    spatial = x.shape[1:-1]
    spread = g.reshape(len(g), *[1] * len(spatial), -1) / math.prod(spatial)
    return Gradients((np.broadcast_to(spread, x.shape),), {})


@adjoint.register
def _(
    spec: Flatten, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((g.reshape(inputs[0].shape),), {})


@adjoint.register(Dropout)
@adjoint.register(Identity)
def _(
    spec: Any, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((g,), {})


@adjoint.register
def _(
    spec: Clamp, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    return Gradients((np.where(run(spec, {}, x) == x, g, 0.0),), {})


@adjoint.register
def _(
    spec: PReLU, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    by_slope = _by_channel(g * np.minimum(x, 0))
    if spec.num_parameters == 1:
        by_slope = by_slope.sum(keepdims=True)
    return Gradients((np.where(x >= 0, g, weights["slope"] * g),), {"slope": by_slope})


@adjoint.register
def _(
    spec: Add, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients(tuple(to_shape(g, x.shape) for x in inputs), {})


@adjoint.register
def _(
    spec: Subtract, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    first, second = inputs
    return Gradients((to_shape(g, first.shape), to_shape(-g, second.shape)), {})


@adjoint.register
def _(
    spec: Multiply, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    others = [
        reduce(np.multiply, (x for j, x in enumerate(inputs) if j != i), np.ones(()))
        for i in range(len(inputs))
    ]
    return Gradients(
        tuple(to_shape(g * rest, x.shape) for x, rest in zip(inputs, others, strict=True)), {}
    )


@adjoint.register
def _(
    spec: Concat, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    ends = np.cumsum([x.shape[spec.axis] for x in inputs])[:-1]
    return Gradients(tuple(np.split(g, ends, axis=spec.axis)), {})


@adjoint.register
def _(
    spec: Slice, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    by_input = np.zeros(x.shape)
    np.moveaxis(by_input, spec.axis, 0)[spec.entries(x.shape)] = np.moveaxis(g, spec.axis, 0)
    return Gradients((by_input,), {})


@adjoint.register
def _(
    spec: AdaptiveAvgPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    spread = g / adaptive_counts(spec, x.shape)
    for axis, places in enumerate(spec.output_size, 1):
        at = np.arange(x.shape[axis])
        windows = adaptive_windows(x.shape[axis], places)
        met = [(start <= at) & (at < stop) for start, stop in windows]
        spread = _along(axis, np.transpose(met).astype(np.float64), spread)
    return Gradients((spread,), {})


@adjoint.register
def _(
    spec: Rearrange, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    split, order, _ = spec.moves(x.shape)
    parts = g.reshape([split[i] for i in order]).transpose(np.argsort(order))
    return Gradients((parts.reshape(x.shape),), {})


@adjoint.register
def _(
    spec: AdaptiveMaxPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    found = np.zeros(x.shape)
    along = zip(x.shape[1:-1], spec.output_size, strict=True)
    windows = [adaptive_windows(n, m) for n, m in along]
    for place in np.ndindex(*spec.output_size):
        seen = (slice(None), *(slice(*axis[i]) for axis, i in zip(windows, place, strict=True)))
        found[seen] += _to_the_largest(x[seen], g[(slice(None), *place)])
    return Gradients((found,), {})


@adjoint.register
def _(
    spec: GlobalMaxPool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((_to_the_largest(inputs[0], g),), {})


def _to_the_largest(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """``g``, one number a channel, at the largest pixel; at the first of equal ones."""
    flat = x.reshape(len(x), -1, x.shape[-1])
    at = np.arange(flat.shape[1])[:, None] == flat.argmax(axis=1)[:, None]
    return np.where(at, g[:, None], 0.0).reshape(x.shape)


@adjoint.register
def _(
    spec: Resize, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    transposed = [matrix.T for matrix in resizing(spec, inputs[0].shape)]
    return Gradients((along_axes(transposed, g),), {})


@adjoint.register
def _(
    spec: Pad, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    sizes = (n - sum(crop) for n, crop in zip(x.shape[1:], spec.crops, strict=True))
    by_kept = folded(g, (len(x), *sizes), spec.fills, NUMPY_MODES[spec.mode])
    return Gradients((np.pad(by_kept, ((0, 0), *spec.crops)),), {})


@adjoint.register(Divide)
@adjoint.register(Maximum)
@adjoint.register(Minimum)
@adjoint.register(Average)
@adjoint.register(Rescale)
@adjoint.register(Power)
def _(
    spec: Any, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients(arithmetic.backward(spec, inputs, g), {})


@adjoint.register
def _(
    spec: Reduce, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((reductions.backward(spec, inputs[0], g),), {})


@adjoint.register
def _(
    spec: Einsum, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients(einsums.backward(spec, inputs, g), {})
