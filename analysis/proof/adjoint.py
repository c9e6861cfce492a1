"""The backward pass of every layer, in float64 NumPy: what of its input and weights matters.

``adjoint(spec, weights, inputs, g)`` takes the gradient ``g`` of some number by the layer's output,
and gives that number's gradients by the layer's inputs and by its weights.
"""

from collections.abc import Callable
from functools import reduce, singledispatch
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof import arithmetic_backward as arithmetic
from convparity.analysis.proof import (
    convolution_backward,
    einsums,
    places,
    pooling_backward,
    reductions,
)
from convparity.analysis.proof.arithmetic_backward import to_shape
from convparity.analysis.proof.certificate import BENDS_AT
from convparity.analysis.proof.convolution_backward import by_channel, folded
from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import run
from convparity.impls.reference_activation import activate
from convparity.impls.reference_normalisation import normalised
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
    parameter_axes,
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


@adjoint.register(Conv)
@adjoint.register(DepthwiseConv)
@adjoint.register(ConvTranspose)
def _(
    spec: Any, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    by_input, found = convolution_backward.backward(spec, weights, inputs[0], g, by_weights)
    return Gradients((by_input,), found)


@adjoint.register
def _(
    spec: Dense, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    x, g = (np.moveaxis(each, spec.axis, -1) for each in (x, g))
    flat_x, flat_g = (each.reshape(-1, each.shape[-1]) for each in (x, g))
    found = {"kernel": flat_x.T @ flat_g} if by_weights else {}
    if spec.bias:
        found["bias"] = by_channel(g)
    by_input = g @ weights["kernel"].astype(np.float64).T
    return Gradients((np.moveaxis(by_input, -1, spec.axis),), found)


@adjoint.register
def _(
    spec: Source, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((np.zeros(inputs[0].shape),), {name: g.sum(axis=0) for name in weights})


@adjoint.register
def _(
    spec: BatchNorm, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    scale, _ = affine(spec, weights, 1)
    mean, variance = (weights[name].astype(np.float64) for name in spec.statistics)
    spread = variance + spec.eps
    factor = scale / np.sqrt(spread)
    by_offset, by_centred = by_channel(g), by_channel(g * (x - mean))
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
    return Gradients((g * weights["scale"],), {"scale": by_channel(g * inputs[0])})


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


@adjoint.register(MaxPool)
@adjoint.register(MaxPoolIndices)
@adjoint.register(AvgPool)
@adjoint.register(GlobalAvgPool)
@adjoint.register(AdaptiveAvgPool)
@adjoint.register(AdaptiveMaxPool)
@adjoint.register(GlobalMaxPool)
def _(
    spec: Any, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients((pooling_backward.backward(spec, inputs[0], g),), {})


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
    by_slope = by_channel(g * np.minimum(x, 0))
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
    spec: Rearrange, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    (x,) = inputs
    split, order, _ = spec.moves(x.shape)
    parts = g.reshape([split[i] for i in order]).transpose(np.argsort(order))
    return Gradients((parts.reshape(x.shape),), {})


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


@adjoint.register
def _(
    spec: MaxUnpool, weights: Arrays, inputs: Inputs, g: np.ndarray, by_weights: bool = True
) -> Gradients:
    return Gradients(places.backward(spec, inputs, g), {})
