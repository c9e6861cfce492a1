"""How far rounding alone can take an output from its exact value.

Beside each value go three measures of its error. ``bound`` is what no order of summation exceeds
(Higham, Accuracy and Stability of Numerical Algorithms, ch. 3-4); over many layers it grows
beyond all use. ``scale`` is the size of the error if roundings were independent: known for the last
layer, and for those before it a sample, carried through the network in float64. ``unit`` is the
power of two that divides every exact value: what is computed must lie nearer to the right multiple
of it than to any other.

Sums and products of small integers are not rounded at all, in any order, and stay ``exact``. No
other function is taken to be exact anywhere, not even at handy points: a reciprocal root of 4 is
0.5 on one processor and 0.49999994 on another.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import reduce, singledispatch
from typing import Any

import numpy as np

from convparity.analysis.proof.arithmetic_bounds import arithmetic, finer, weakest_basis
from convparity.analysis.proof.einsums import sum_of_products
from convparity.analysis.proof.functions import rounded_clamp, rounded_function
from convparity.analysis.proof.linear_form import along, features_last, to_filters
from convparity.analysis.proof.places import back_in_place, place_of_largest
from convparity.analysis.proof.reductions import reduction
from convparity.analysis.proof.rounded import (
    TRANSFORM,
    Rounded,
    common_unit,
    round_to,
)
from convparity.analysis.proof.rounded_resize import resized
from convparity.impls.reference import run
from convparity.impls.reference_normalisation import normalised
from convparity.impls.reference_pooling import adaptive_counts, pool_counts
from convparity.impls.spec import (
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
    Shape,
    Slice,
    Source,
    Spec,
    Subtract,
    fold_steps,
)
from convparity.impls.weights import Arrays, affine

# Measured margins, in units of u. A square root, its reciprocal and a quotient are correctly
# rounded by IEEE 754, but libraries replace them by approximations: TensorFlow's reciprocal root
# was seen to be off by 2.
ROOT = 12


def _times(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b


@singledispatch
def trace(spec: Spec, weights: Arrays, *values: Rounded) -> Rounded:
    """The output of ``spec`` on its input with its rounding error, layer after layer."""
    raise NotImplementedError(f"no rounding bound is known for {type(spec).__name__}")


@trace.register(Conv)
@trace.register(ConvTranspose)
@trace.register(DepthwiseConv)
@trace.register(Dense)
def _(spec: Any, weights: Arrays, x: Rounded) -> Rounded:
    plain = dataclasses.replace(spec, bias=False)
    kernel = weights["kernel"].astype(np.float64)
    own = weights["bias"].astype(np.float64) if spec.bias else np.zeros(1)
    bias = along(spec, own, x.value.ndim)
    # a tap of 0 adds nothing, whatever the order
    roundings = np.count_nonzero(to_filters(spec, kernel), axis=(0, 1)) + 2

    def through(taps: np.ndarray, values: np.ndarray) -> np.ndarray:
        return run(plain, {"kernel": taps}, values)

    product = through(kernel, x.value)
    value = product + bias
    inherited = _inherited(plain, abs(kernel), x, value)
    if x.direct and (kernel >= 0).all() and (x.value >= 0).all():
        magnitude = product + inherited + abs(bias)  # the same, computed already
    else:
        magnitude = through(abs(kernel), abs(x.value) + x.bound) + abs(bias)
    return x.then(
        value,
        magnitude,
        inherited=inherited,
        noise=lambda disturbed: through(kernel, disturbed) + bias,
        variance=lambda: through(kernel**2, x.value**2) + bias**2,
        roundings=along(spec, roundings, x.value.ndim),
        unit=_times(x.unit, common_unit(kernel, bias)),
        margin=0.0 if x.direct else transform_margin(spec, weights, abs(x.value), x.u),
        flushed=_flushed(x, kernel, through),
    )


def _flushed(
    x: Rounded, kernel: np.ndarray, through: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray | float:
    """What a layer of products loses where subnormal inputs and taps count as zeros."""
    taps = np.where(abs(kernel) < x.tiny, abs(kernel), 0)
    lost: np.ndarray | float = 0.0
    if (small := x.small).any():
        lost = lost + through(abs(kernel), small)
    if taps.any():
        lost = lost + through(taps, abs(x.value))
    return lost


def transform_margin(spec: Any, weights: Arrays, size: np.ndarray, u: float) -> np.ndarray:
    """64 u M for each output channel, where M sums max|x| sum|w| over its input channels, and |b|.

    ``size`` is |x|. Winograd and FFT mix all the pixels of a channel, so that the largest one
    counts everywhere.
    """
    filters = abs(to_filters(spec, weights["kernel"].astype(np.float64))).sum(axis=0)
    channels = filters.shape[0]
    features = features_last(spec, size)
    grouped = features.reshape(-1, features.shape[-1]).max(axis=0).reshape(-1, channels)
    most = np.einsum("gc,cgo->go", grouped, filters.reshape(channels, len(grouped), -1)).ravel()
    if spec.bias:
        most = most + abs(weights["bias"].astype(np.float64))
    return along(spec, np.asarray(TRANSFORM * u * most), size.ndim)


def _inherited(plain: Any, kernel: np.ndarray, x: Rounded, value: np.ndarray) -> np.ndarray:
    """What becomes of the input's bound, and of a transform's margin for it."""
    if not x.bound.any():
        return np.zeros(value.shape)
    weights = {"kernel": kernel}
    bound = run(plain, weights, x.bound)
    return bound if x.direct else bound + transform_margin(plain, weights, x.bound, x.u)


@trace.register
def _(spec: BatchNorm, weights: Arrays, x: Rounded) -> Rounded:
    value = run(spec, weights, x.value)
    scale, offset = (each.ravel() for each in affine(spec, weights, x.value.ndim))
    mean, variance = (weights[name].astype(np.float64) for name in spec.statistics)
    spread = variance + spec.eps
    factor = scale / np.sqrt(spread)
    size = abs(x.value) + abs(mean)
    # of results, of a scale, and of eps, which 16 bits do not always hold
    small = 1 + abs(factor) + size / np.sqrt(spread) + (abs(factor) * size + abs(offset)) / spread
    return x.then(
        value,
        # a framework may subtract the mean first, or fold it into the offset: this bounds both
        abs(factor) * (size + x.bound) + abs(offset),
        inherited=abs(factor) * x.bound * (1 + x.tiny / spread),
        noise=lambda disturbed: run(spec, weights, disturbed),
        variance=lambda: factor**2 * (x.value**2 + mean**2) + offset**2,
        roundings=ROOT + 6,  # variance, sum, root, its product, affine map
        unit=_times(x.unit, common_unit(factor, factor * mean, offset, mean)),
        flushed=abs(factor) * x.small + x.tiny * small,
        rounds=True,
    )


@trace.register
def _(spec: InputNorm, weights: Arrays, x: Rounded) -> Rounded:
    value = run(spec, weights, x.value)
    n, mean = _group_means(spec, x.value.shape)
    scale, offset = map(abs, affine(spec, weights, x.value.ndim))
    centres = not isinstance(spec, RMSNorm)
    centre = mean(x.value) if centres else np.zeros(value.shape)
    centred = abs(x.value - centre)
    spread = mean(centred**2) + spec.eps
    # the mean, then the deviations, their squares, and what remains of them under the root
    of_mean = mean(x.bound) + x.gamma(n + 2) * mean(abs(x.value) + x.bound) if centres else 0.0
    of_centred = x.bound + of_mean + x.u * (centred + x.bound + of_mean) + 2 * x.tiny
    of_squares = mean(2 * centred * of_centred + of_centred**2)
    of_spread = of_squares + x.gamma(n + 4) * mean((centred + of_centred) ** 2)
    of_root = (of_spread + x.tiny) / spread + (ROOT + 4) * x.u  # relative
    normal = centred / np.sqrt(spread)
    # a framework may fold the mean into the offset, and so round x and the mean at full size
    folded = 8 * x.u * (abs(x.value) + x.bound + abs(centre)) / np.sqrt(spread)
    error = of_centred / np.sqrt(spread) * (1 + of_root) + normal * of_root + folded
    # normalised values never exceed the root of their number: what a bound beyond that is worth
    error = np.where(of_root < 0.5, np.minimum(error, 3 * math.sqrt(n)), 3 * math.sqrt(n))
    terms = x.value**2 + centre**2 + centred**2
    return dataclasses.replace(
        x,
        value=value,
        bound=scale * error + 4 * x.u * (scale * normal + offset) + 8 * x.tiny * (1 + normal),
        noise=np.zeros(value.shape) if x.exact else run(spec, weights, x.disturbed) - value,
        own=x.u * np.sqrt(scale**2 * terms / spread + offset**2)
        + x.tiny * (1 + scale / np.sqrt(spread)),
        unit=None,
        basis=x.rests_on("proved"),
    )


def _group_means(spec: InputNorm, shape: Shape) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
    """How many values are normalised together, and their mean at each of their places."""
    form, axes = normalised(spec, shape)

    def mean(array: np.ndarray) -> np.ndarray:
        means = array.reshape(form).mean(axis=axes, keepdims=True)
        return np.broadcast_to(means, form).reshape(shape)

    return math.prod(form[axis] for axis in axes), mean


@trace.register
def _(spec: Scale, weights: Arrays, x: Rounded) -> Rounded:
    scale = weights["scale"].astype(np.float64)
    value = x.value * scale
    return x.then(
        value,
        (abs(x.value) + x.bound) * abs(scale),
        inherited=x.bound * abs(scale),
        noise=lambda disturbed: disturbed * scale,
        variance=lambda: value**2,
        roundings=1,
        unit=_times(x.unit, common_unit(scale)),
        flushed=_flushed(x, scale, lambda factors, values: values * factors),
    )


SLOPES = {  # the steepest slope of each function; its errors grow by no more
    "sigmoid": 0.25,
    "silu": 1.1,
    "gelu": 1.13,
    "gelu_tanh": 1.13,
    "hard_sigmoid": 1 / 6,
    "hard_swish": 1.5,
    "softplus": 1.0,
    "softmax": 2.0,
    "tanh": 1.0,
    "log_softmax": 2.0,
    "mish": 1.09,
    "selu": 1.76,
    "celu": 1.0,
    "log_sigmoid": 1.0,
    "softsign": 1.0,
    "tanhshrink": 1.0,
    "soft_shrink": 1.0,
    "quick_gelu": 1.1,
}


@trace.register
def _(spec: Activation, weights: Arrays, x: Rounded) -> Rounded:
    return rounded_function(spec, x, SLOPES)


@trace.register
def _(spec: Clamp, weights: Arrays, x: Rounded) -> Rounded:
    return rounded_clamp(spec, x)


@trace.register
def _(spec: PReLU, weights: Arrays, x: Rounded) -> Rounded:
    slope = weights["slope"].astype(np.float64)
    value = run(spec, weights, x.value)
    steepest = np.maximum(1, abs(slope))
    return x.then(
        value,
        (abs(x.value) + x.bound) * steepest,
        inherited=x.bound * steepest,
        noise=lambda disturbed: run(spec, weights, disturbed),
        variance=lambda: value**2,
        roundings=1,
        unit=_times(x.unit, common_unit(slope)),
        flushed=x.small * steepest + np.where(abs(slope) < x.tiny, abs(slope * x.value), 0),
    )


@trace.register(Dropout)
@trace.register(Identity)
@trace.register(Flatten)
@trace.register(Rearrange)
@trace.register(Slice)
def _(
    spec: Dropout | Identity | Flatten | Rearrange | Slice, weights: Arrays, x: Rounded
) -> Rounded:
    parts = (x.value, x.bound + x.small, x.noise, x.own + x.small)
    value, bound, noise, own = (run(spec, {}, part) for part in parts)
    return dataclasses.replace(x, value=value, bound=bound, noise=noise, own=own)


@trace.register(MaxPool)
@trace.register(AdaptiveMaxPool)
@trace.register(GlobalMaxPool)
def _(spec: Spec, weights: Arrays, x: Rounded) -> Rounded:
    value = run(spec, weights, x.value)
    return dataclasses.replace(
        x,
        value=value,
        bound=run(spec, weights, x.bound + x.small),
        noise=np.zeros(value.shape) if x.exact else run(spec, weights, x.disturbed) - value,
        own=run(spec, weights, x.small),
    )


@trace.register
def _(spec: MaxPoolIndices, weights: Arrays, x: Rounded) -> Rounded:
    return place_of_largest(spec, x)


@trace.register
def _(spec: AvgPool, weights: Arrays, x: Rounded) -> Rounded:
    return _mean(spec, x, pool_counts(spec, x.value.shape), math.prod(spec.kernel_size))


@trace.register
def _(spec: GlobalAvgPool, weights: Arrays, x: Rounded) -> Rounded:
    return _mean(spec, x, np.array(math.prod(x.value.shape[1:-1])))


@trace.register
def _(spec: AdaptiveAvgPool, weights: Arrays, x: Rounded) -> Rounded:
    return _mean(spec, x, adaptive_counts(spec, x.value.shape))


def _mean(
    spec: AvgPool | GlobalAvgPool | AdaptiveAvgPool,
    x: Rounded,
    divisors: np.ndarray,
    terms: int | None = None,
) -> Rounded:
    """A mean is a sum, which may be exact, and a division, which is if the divisor is 2**k.

    ``terms`` is how many values are added at most, if not as many as they are divided by.
    """
    value, counts = run(spec, {}, x.value), abs(divisors)
    magnitude = abs(run(spec, {}, abs(x.value) + x.bound))
    most = int(counts.max())
    exact_sums = x.exact and bool(np.max(magnitude * most, initial=0) * x.u <= (x.unit or 0))
    powers = bool(np.all(np.frexp(counts)[0] == 0.5))
    return x.then(
        value,
        abs(value) if exact_sums else magnitude,
        inherited=abs(run(spec, {}, x.bound)),
        noise=lambda disturbed: run(spec, {}, disturbed),
        variance=lambda: run(spec, {}, x.value**2) / divisors,
        # the sum; the reciprocal, and the product with it
        roundings=ROOT + 2 + (0 if exact_sums else terms or most),
        unit=_times(x.unit, 1 / most) if powers else None,
        flushed=abs(run(spec, {}, x.small)),
        rounds=True,
    )


@trace.register(Add)
@trace.register(Subtract)
@trace.register(Multiply)
@trace.register(Divide)
@trace.register(Maximum)
@trace.register(Minimum)
@trace.register(Average)
@trace.register(Rescale)
@trace.register(Power)
def _(spec: Any, weights: Arrays, *values: Rounded) -> Rounded:
    return arithmetic(spec, values)


@trace.register
def _(spec: Concat, weights: Arrays, *values: Rounded) -> Rounded:
    def joined(name: str) -> np.ndarray:
        parts = [np.broadcast_to(getattr(each, name), each.value.shape) for each in values]
        return np.concatenate(parts, axis=spec.axis)

    small = np.concatenate([each.small for each in values], axis=spec.axis)
    return dataclasses.replace(
        values[0],
        value=joined("value"),
        bound=joined("bound") + small,
        noise=joined("noise"),
        own=joined("own") + small,
        unit=reduce(finer, (each.unit for each in values)),
        basis=weakest_basis(values),
    )


@trace.register
def _(spec: Resize, weights: Arrays, x: Rounded) -> Rounded:
    return resized(spec, x, ROOT)


@trace.register
def _(spec: Pad, weights: Arrays, x: Rounded) -> Rounded:
    value = run(spec, weights, x.value)
    fill = np.array(spec.value)
    slip = abs(float(round_to(fill, x.dtype)) - spec.value)  # of a number that the dtype lacks
    slip += float(abs(fill)) if abs(fill) < x.tiny else 0.0
    padded = [
        run(dataclasses.replace(spec, value=each), weights, part)
        for part, each in (
            (x.bound + x.small, slip),
            (x.noise, 0.0),
            (x.own + x.small, slip),
        )
    ]
    return dataclasses.replace(
        x,
        value=value,
        bound=padded[0],
        noise=padded[1],
        own=padded[2],
        unit=finer(x.unit, common_unit(fill)),
        basis=x.rests_on("proved" if slip else "exact"),
    )


@trace.register
def _(spec: Source, weights: Arrays, x: Rounded) -> Rounded:
    value = run(spec, weights, x.value)
    slip = abs(round_to(value, x.dtype) - value)  # of a number that the dtype lacks
    slip = slip + np.where(abs(value) < x.tiny, abs(value), 0)
    return dataclasses.replace(
        x,
        value=value,
        bound=slip,
        noise=np.zeros(value.shape),
        own=slip,
        unit=common_unit(value),
        basis="proved" if slip.any() else "exact",
    )


@trace.register
def _(spec: Composite, weights: Arrays, *values: Rounded) -> Any:
    return fold_steps(
        spec, values, lambda step, values: trace(step.spec, step.weights(weights), *values)
    )


@trace.register
def _(spec: Reduce, weights: Arrays, x: Rounded) -> Rounded:
    return reduction(spec, x)


@trace.register
def _(spec: Einsum, weights: Arrays, first: Rounded, second: Rounded) -> Rounded:
    return sum_of_products(spec, first, second)


@trace.register
def _(spec: MaxUnpool, weights: Arrays, values: Rounded, places: Rounded) -> Rounded:
    return back_in_place(spec, values, places)
