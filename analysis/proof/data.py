"""Data on which a spec is judged: integers that nothing can round, and random reals."""

import bisect
import contextlib
import math
from functools import singledispatchmethod
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.linear_form import LINEAR, Linear, dealt, filters_shape, to_kernel
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, common_unit, exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.proof.shapes import size_along, spatial_axes, with_size
from convparity.analysis.proof.trust import Trust, changed, constant_outputs, trust
from convparity.impls.errors import SpecError
from convparity.impls.reference import run
from convparity.impls.reference_normalisation import normalised
from convparity.impls.reference_pooling import adaptive_counts
from convparity.impls.reference_resize import resizing
from convparity.impls.spec import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    InputNorm,
    Join,
    Layer,
    MaxPool,
    MaxPoolIndices,
    Rearrange,
    Reduce,
    Resize,
    Scale,
    Shape,
    Shapes,
    Slice,
    Spec,
    each_shape,
    fold_steps,
    output_shape,
    packed,
    together,
    under,
    walk,
    walk_shapes,
)
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Arrays, Weights, init_weights

Case = tuple[Weights, Any]  # the input: an array, or a tuple of those that a graph takes


class Judged(NamedTuple):
    """A case on integers, its exact output with what rounding makes of it, and its trust."""

    case: Case
    target: Any  # Rounded, or a tuple or a dict of those of several outputs
    trust: Trust


LIMIT = 7  # the largest magnitude of an input or a weight
LIMITS = (LIMIT, LIMIT, LIMIT, LIMIT, 3, 2, 1)  # smaller ones, as rounding hides larger numbers


def real_case(spec: Spec, input_shape: Shapes, seed: int) -> Case:
    """Weights as ``init_weights`` draws them, and a standard-normal float32 input."""
    return init_weights(spec, seed), on_each(_float32, normal(input_shape, seed))


def _float32(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)


def normal(input_shape: Shapes, seed: int) -> Any:
    """A standard-normal float64 input."""
    rng = np.random.default_rng(seed)
    return together([rng.standard_normal(shape) for shape in each_shape(input_shape)])


def traced(spec: Spec, weights: Arrays, x: Any, dtype: str = "float32", direct: bool = True) -> Any:
    """What ``spec`` must make of ``x``, with what rounding may make of that.

    Of several outputs, in the container in which its user gets them.
    """
    return packed(
        spec, trace(spec, weights, *(exact_input(each, dtype, direct) for each in parts(x)))
    )


def exact_shape(spec: Spec, input_shape: Shapes) -> Shapes:
    """The shape nearest to ``input_shape``, smaller if possible, where ``integer_case`` is exact.

    A mean over 49 pixels rounds, one over 16 does not: where a global pooling would see a size that
    is no power of two, the input changes until it does. Other specs keep their shape.
    """
    shape = together(each_shape(input_shape))
    for axis in spatial_axes(shape):
        shape = _exact_axis(spec, shape, axis)
    return shape


def _exact_axis(spec: Spec, shape: Shapes, axis: int) -> Shapes:
    """``shape`` with the nearest size of one axis at which each global pooling counts in powers."""

    def counts(size: int) -> list[int]:
        """What each pooling sees; more for a larger size, or as many."""
        pooled = _pooled_shapes(spec, with_size(shape, axis, size))
        return [each[axis] for each in pooled if axis < len(each) - 1]

    def exact(size: int) -> bool:
        return all(count & (count - 1) == 0 for count in counts(size))

    def with_room(size: int) -> bool:
        """Whether it is too large for the power below one of the counts."""
        with contextlib.suppress(SpecError):
            return any(a > b for a, b in zip(counts(size), powers, strict=True))
        return False

    n = size = size_along(shape, axis)
    with contextlib.suppress(SpecError):  # too small for a kernel
        while not exact(size):
            powers = [2 ** (count.bit_length() - 1) for count in counts(size)]
            # between that power and the count there is no other: no size in between fits
            size = bisect.bisect_left(range(size), True, key=with_room) - 1
        return with_size(shape, axis, size)
    for size in range(n + 1, 2 * n + 16):
        with contextlib.suppress(SpecError):
            if exact(size):
                return with_size(shape, axis, size)
    return shape


def _pooled_shapes(spec: Spec, shape: Shapes) -> list[Shape]:
    """The shapes that reach a global pooling; 1 for an axis of which it makes several places."""
    found = []
    for _, step, shapes in walk_shapes(spec, *each_shape(shape)):
        if isinstance(step, GlobalAvgPool):
            found.append(shapes[0])
        if isinstance(step, AdaptiveAvgPool):
            whole = (
                n if m == 1 else 1 for n, m in zip(shapes[0][1:-1], step.output_size, strict=True)
            )
            found.append((shapes[0][0], *whole, shapes[0][-1]))
    return found


def integer_case(spec: Spec, input_shape: Shapes, seed: int, dtype: str = "float32") -> Case:
    """Small integers for every input and weight, such that sums of them are exact in ``dtype``.

    Then the order of summation cannot matter, and every framework must give the same bits. Layers
    in a row multiply: in a deep network the filters are thinned, each to as many taps as the
    layers still to come leave room for. BatchNorm gets a variance that makes ``variance + eps`` a
    power of four: its root may be rounded, but not so far that another integer is as near.
    ``rounding.trace`` says whether that holds; where it does not, smaller numbers are
    drawn, and where the data cannot tell right from wrong, others.
    """
    return judged_case(spec, input_shape, seed, dtype).case


def judged_case(spec: Spec, input_shape: Shapes, seed: int, dtype: str = "float32") -> Judged:
    """An ``integer_case`` with what it must give, and what it can tell."""
    shape, rung, retries = together(each_shape(input_shape)), 0, 0
    while True:
        # half of the integers that the dtype counts without a gap
        budget = 0.5 / UNIT_ROUNDOFF[dtype] / 32**rung
        seeds = [seed, retries] if retries else [seed]
        case = _integers(spec, shape, seeds, budget, LIMITS[rung])
        target = traced(spec, *case, dtype)
        if any(each.untested.any() for each in parts(target)) and rung + 1 < len(LIMITS):
            rung += 1
            continue
        seen = case_trust(spec, *case)
        if seen.ok or retries == 9:
            return Judged(case, target, seen)
        retries += 1


def layer_case(
    layer: Layer, input_shape: Shape, seed: int, dtype: str = "float32", direct: bool = True
) -> Judged:
    """A ``judged_case`` of one layer that tells more of it than integers alone would.

    No two taps of a filter hold the same number: else an exchange of the two could not show.
    Filters have as many integers as it takes for that, where sums of them are still exact. What a
    layer or group norm divides has, in half of its places, a variance about as large as epsilon:
    beside a larger one, no epsilon could be told from another.
    """
    (weights, x), _, seen = judged_case(layer, input_shape, seed, dtype)
    apart, near = weights, x
    if isinstance(layer, LINEAR):
        apart = _told_apart(layer, weights, x, seed, dtype)
    elif isinstance(layer, InputNorm):
        near = _near_epsilon(layer, x, seed)
    target = trace(layer, apart, exact_input(near, dtype, direct))
    if target.untested.any():  # a transform's margin, for one, grows with the numbers
        apart, near = weights, x
        target = trace(layer, apart, exact_input(near, dtype, direct))
    return Judged((apart, near), target, seen)


def _near_epsilon(layer: InputNorm, x: np.ndarray, seed: int) -> np.ndarray:
    """``x``, times a power of two in half of the places that are normalised by themselves."""
    factor = 2.0 ** round(math.log2(math.sqrt(max(layer.eps, 2.0**-40)) / LIMIT))
    form, axes = normalised(layer, x.shape)
    # the places: an example and group each, or a pixel of an example each
    shape = [1 if axis in axes else n for axis, n in enumerate(form)]
    alternate = np.arange(math.prod(shape)) % 2 == 0  # the first, where there is one alone
    chosen = np.random.default_rng(seed).permutation(alternate).reshape(shape)
    scaled = np.where(np.broadcast_to(chosen, form).reshape(x.shape), x * factor, x)
    return scaled.astype(np.float32)


def _told_apart(layer: Linear, weights: Weights, x: np.ndarray, seed: int, dtype: str) -> Weights:
    taps, channels, out = filters_shape(layer)
    n = taps * channels
    bias = float(abs(weights["bias"]).max(initial=0)) if layer.bias else 0.0
    room = int((0.5 / UNIT_ROUNDOFF[dtype] - bias) / (float(abs(x).max(initial=1)) * n))
    limit = min(room, max(LIMIT, -(-n // 2)))
    if limit < LIMIT:
        return weights
    filters = dealt(np.random.default_rng([seed, n]), n, out, limit)
    kernel = to_kernel(layer, filters.reshape(taps, channels, out))
    return {**weights, "kernel": kernel.astype(np.float32)}


def case_trust(spec: Spec, weights: Arrays, x: Any) -> Trust:
    """What a case can tell of ``spec`` as a whole.

    Of a deep network, whose signal may die between its layers, a tenth of the outputs must tell; of
    another, where padding alone may make most of them, one must; of several outputs, in each.
    """
    values = [np.asarray(each, dtype=np.float64) for each in parts(x)]
    if isinstance(spec, Layer):
        return trust(spec, weights, values[0])
    shares = [float(each.mean()) if each.size else 1.0 for each in changed(spec, weights, *values)]
    if not all(shares):
        same = constant_outputs(spec, *(value.shape for value in values))
        shares = [1.0 if alike else share for share, alike in zip(shares, same, strict=True)]
    share = min(shares)
    return Trust(share, blind="" if not share or (is_deep(spec) and share < 0.1) else None)


def is_deep(spec: Spec) -> bool:
    """It has so many linear layers that the signal must be kept alive."""
    return sum(isinstance(layer, LINEAR) for _, layer in walk(spec)) >= DEEP


def _integers(spec: Spec, shape: Shapes, seeds: list[int], budget: float, limit: int) -> Case:
    rng = np.random.default_rng(seeds)
    # no zero, which would hide the taps that meet it
    shapes = each_shape(shape)
    x = [rng.integers(1, limit, n, endpoint=True) * rng.choice([-1, 1], n) for n in shapes]
    left = sum(isinstance(layer, LINEAR) for _, layer, _ in walk_shapes(spec, *shapes))
    draw = _Draw(rng, budget, left, limit)
    draw.draw(spec, "", *(_Value(each, limit) for each in shapes))
    return draw.weights, together([each.astype(np.float32) for each in x])


DEEP = 8  # linear layers: from here on, the signal must be kept alive


class _Value(NamedTuple):
    """What is known of a value while the weights that follow it are drawn."""

    shape: Shape
    size: float  # no entry is larger


class _Draw:
    """Draws weights layer by layer, knowing how large the values have become (``size``)."""

    def __init__(self, rng: np.random.Generator, budget: float, left: int, limit: int) -> None:
        self.rng, self.budget, self.left, self.limit = rng, budget, left, limit
        self.size: float = limit
        self.deep = left >= DEEP
        self.weights = Weights()
        self.drawn: dict[str, tuple[float, float]] = {}  # how large its first input and output are

    def draw(self, spec: Spec, path: str, *values: _Value) -> _Value:
        """Draw the weights of ``spec``; what it makes of ``values``."""
        if isinstance(spec, Composite):
            return fold_steps(
                spec,
                values,
                lambda step, inputs: self.draw(step.spec, step.path(path), *inputs),
            )
        shapes = [value.shape for value in values]
        if isinstance(spec, Join):
            self.size = max(1.0, spec.largest(*(value.size for value in values)))
            if isinstance(spec, Einsum):
                self.size *= spec.terms(*shapes)
        elif path in self.drawn:  # it runs again: its sums grow as they did, and what it adds stays
            before, after = self.drawn[path]
            self.size = values[0].size * max(1.0, after / before) + after
        else:
            self.size = values[0].size
            self.weights |= under(path, self.layer(spec, shapes[0]))
            self.drawn[path] = (values[0].size, self.size)
        return _Value(output_shape(spec, *shapes), self.size)

    @singledispatchmethod
    def layer(self, spec: Spec, shape: Shape) -> Weights:
        """The weights of one layer on an input of ``shape``; ``size`` becomes that of its output.

        Before it, ``size`` is that of the layer's input. Where no more is known of a layer, no
        weight is 0, which may hide what it meets, and the reference says how large its output is.
        """
        if not isinstance(spec, Layer):
            raise NotImplementedError(f"no integers are drawn for {type(spec).__name__}")
        weights = {name: self._small(name, own) for name, own in spec.parameters().items()}
        largest = self.size * np.random.default_rng(0).choice([-1.0, 1.0], shape)
        self.size = max(1.0, float(abs(run(spec, weights, largest)).max(initial=0)))
        return weights

    @layer.register(Dropout)
    @layer.register(Identity)
    @layer.register(Flatten)
    @layer.register(MaxPool)
    @layer.register(Rearrange)
    @layer.register(Slice)
    @layer.register(AdaptiveMaxPool)
    @layer.register(GlobalMaxPool)
    def _(self, spec: Spec, shape: Shape) -> Weights:
        return {}

    @layer.register
    def _(self, spec: Activation, shape: Shape) -> Weights:
        if spec.function == "relu6":
            self.size = 6
        return {}

    @layer.register
    def _(self, spec: MaxPoolIndices, shape: Shape) -> Weights:
        self.size = max(1, math.prod(shape[1:-1]) - 1)  # the last place
        return {}

    @layer.register
    def _(self, spec: AvgPool, shape: Shape) -> Weights:
        self.size *= math.prod(spec.kernel_size)
        return {}

    @layer.register
    def _(self, spec: GlobalAvgPool, shape: Shape) -> Weights:
        self.size *= math.prod(shape[1:-1])  # a mean of n integers is a multiple of 1/n
        return {}

    @layer.register
    def _(self, spec: AdaptiveAvgPool, shape: Shape) -> Weights:
        self.size *= int(adaptive_counts(spec, shape).max())
        return {}

    @layer.register
    def _(self, spec: Reduce, shape: Shape) -> Weights:
        if spec.function not in ("max", "min"):
            self.size *= spec.count(shape)
        return {}

    @layer.register
    def _(self, spec: Resize, shape: Shape) -> Weights:
        for matrix in resizing(spec, shape):
            self.size *= float(abs(matrix).sum(axis=1).max()) / (common_unit(matrix) or 1.0)
        return {}

    @layer.register
    def _(self, spec: InputNorm, shape: Shape) -> Weights:
        return {name: self._integers(own) for name, own in spec.parameters().items()}

    @layer.register
    def _(self, spec: BatchNorm, shape: Shape) -> Weights:
        n = spec.num_features
        root = self.rng.choice([0.5, 1.0, 2.0] if spec.eps < 0.25 else [1.0, 2.0], n)
        mean, offset = self.rng.integers(-3, 3, n, endpoint=True), self.rng.integers(-2, 6, n)
        sign = self.rng.choice([-1, 1, 1], n)
        if self.deep:  # a scale of 1 and an offset near the mean keep the signal where ReLU6 is
            offset, sign = mean + self.rng.integers(-1, 1, n, endpoint=True), np.ones(n)
        elif self.limit < LIMIT:  # 16 bits: a scale of 1 too, and offsets that they tell apart
            root, mean, offset = np.ones(n), np.sign(mean), np.sign(offset)
        self.size += 3 + 5
        if not spec.scale:  # the root divides, by a half at least
            self.size *= 2
        found = {
            "scale": (root * sign).astype(np.float32),
            "offset": offset.astype(np.float32),
            "mean": mean.astype(np.float32),
            # float64, so that adding eps back gives the power of four exactly there too
            "variance": root**2 - spec.eps,
        }
        return {name: found[name] for name in spec.parameters()}

    @layer.register
    def _(self, spec: Scale, shape: Shape) -> Weights:
        n = spec.num_features  # none is 0, which would hide its channel
        if self.deep:  # as in BatchNorm; mostly +1, as ReLU stops what has changed its sign
            return {"scale": self.rng.choice([-1, *[1] * 9], n).astype(np.float32)}
        size = self.rng.integers(1, min(self.limit, 3), n, endpoint=True)
        self.size *= int(size.max())
        return {"scale": (size * self.rng.choice([-1, 1], n)).astype(np.float32)}

    @layer.register(Conv)
    @layer.register(ConvTranspose)
    @layer.register(Dense)
    @layer.register(DepthwiseConv)
    def _(self, spec: Linear, shape: Shape) -> Weights:
        shapes = spec.parameters()
        if isinstance(spec, ConvTranspose):  # drawn as the convolution from its inputs to outputs
            *k, out, _ = shapes["kernel"]
            each_in = spec.in_channels // spec.groups
            drawn = self._kernel((*k, each_in, spec.out_channels), 1)
            split = drawn.reshape(*k, each_in, spec.groups, out)
            weights = {"kernel": split.swapaxes(-1, -3).reshape(shapes["kernel"])}
        else:
            filter_axes = 2 if isinstance(spec, DepthwiseConv) else 1
            weights = {"kernel": self._kernel(shapes["kernel"], filter_axes)}
        if spec.bias:
            weights["bias"] = self._integers(shapes["bias"])
            self.size += self.limit
        return weights

    def _small(self, name: str, shape: Shape) -> np.ndarray:
        sizes = self.rng.integers(1, min(self.limit, 3), shape, endpoint=True)
        signs = self.rng.choice([-1, 1], shape) if name != "variance" else 1
        return (sizes * signs).astype(np.float32)

    def _integers(self, shape: Shape) -> np.ndarray:
        return self.rng.integers(-self.limit, self.limit, shape, endpoint=True).astype(np.float32)

    def _kernel(self, shape: Shape, filter_axes: int) -> np.ndarray:
        """The last ``filter_axes`` tell the filters apart; over the others each one sums."""
        filters = shape[-filter_axes:]
        taps = math.prod(shape[:-filter_axes])
        growth = max(1, int((self.budget / self.size) ** (1 / self.left)))
        self.left -= 1
        if growth >= taps:  # every tap may be used, with magnitudes up to growth / taps
            limit = min(self.limit, growth // taps)
            kernel = self.rng.integers(-limit, limit, (taps, *filters), endpoint=True)
        elif self.deep:
            kernel = self._dealt(taps, filters, growth)
        else:  # a few taps of +-1 in each filter, at random places
            sign = self.rng.choice([-1, 1, 1], (taps, *filters))
            rank = self.rng.random((taps, *filters)).argsort(axis=0).argsort(axis=0)
            kernel = np.where(rank < growth, sign, 0)
        self.size *= max(1, int(abs(kernel).sum(axis=0).max()))
        return kernel.reshape(shape).astype(np.float32)

    def _dealt(self, taps: int, filters: Shape, growth: int) -> np.ndarray:
        """A few taps in each filter, dealt from a shuffled deck so that each input is read.

        Most are +1: of sums with random signs, ReLU would leave little to the layers that follow.
        """
        made = math.prod(filters)
        decks = [self.rng.permutation(taps) for _ in range(-(-made * growth // taps))]
        hands = np.concatenate(decks)[: made * growth].reshape(made, growth)
        kernel = np.zeros((taps, made))
        kernel[hands, np.arange(made)[:, None]] = self.rng.choice([-1, *[1] * 9], hands.shape)
        return kernel.reshape(taps, *filters)
