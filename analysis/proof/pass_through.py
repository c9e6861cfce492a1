"""Weights with which a layer passes signals on: what it is given, it gives, at most moved.

Before the layer that is lit, signals are told apart by their contents; after it, by the channels of
that layer which they carry: ``classes`` number them, and -1 is a channel that carries nothing. A
linear layer passes with one tap of 1 in a filter. Where there are more classes than filters, a
filter sums several, if they must all be carried on, or chooses some.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatchmethod

import numpy as np

from convparity.analysis.proof.linear_form import Linear, features_last, filters_shape, groups_of
from convparity.analysis.proof.selection import Selection, occurrence
from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Clamp,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    InputNorm,
    PReLU,
    Scale,
    Shape,
    Spec,
    effective_kernel,
    padding_pairs,
    parameter_shapes,
    without_parameters,
)
from convparity.impls.weights import Weights

INF = math.inf
# Where a function gives what it is given, to the last digit of float32 at least, or else where it
# keeps values best apart.
PASSES = {
    "relu": (0.0, INF),
    "relu6": (0.0, 6.0),
    "leaky_relu": (0.0, INF),
    "elu": (0.0, INF),
    "silu": (32.0, INF),
    "gelu": (9.0, INF),
    "gelu_tanh": (9.0, INF),
    "hard_swish": (3.0, INF),
    "softplus": (32.0, INF),
    "hard_sigmoid": (-2.0, 2.0),
    "sigmoid": (-1.0, 1.0),
    "tanh": (-0.5, 0.5),
    "softmax": (-1.0, 1.0),
    "mish": (32.0, INF),
    "selu": (0.0, INF),
    "celu": (0.0, INF),
    "hard_shrink": (64.0, INF),
    "soft_shrink": (64.0, INF),
    "quick_gelu": (20.0, INF),
    "abs": (0.0, INF),
}
Range = tuple[float, float]
ANY: Range = (-INF, INF)


def range_of(spec: Spec) -> Range | None:
    """Where a layer wants its input, so that signals pass; None of one that does not mind."""
    if isinstance(spec, Activation):
        return PASSES.get(spec.function, (-1.0, 1.0))
    if isinstance(spec, Clamp):
        return -INF if spec.low is None else spec.low, INF if spec.high is None else spec.high
    if isinstance(spec, InputNorm):  # as small as eps, so that eps is seen
        return -16 * math.sqrt(spec.eps), 16 * math.sqrt(spec.eps)
    return None


def offsets(spec: Spec) -> bool:
    """Whether a layer has weights that add to its output."""
    if isinstance(spec, BatchNorm):
        return True  # its mean does
    return bool(getattr(spec, "offset", False) or getattr(spec, "bias", False))


def fit(low: float, high: float, wanted: Range, can_add: bool) -> tuple[float, float]:
    """A power of two and a number to add that bring values from low to high into a range."""
    scale = 1.0
    span, room = high - low, wanted[1] - wanted[0]
    if not can_add:  # the scale alone, as far as it can
        room, span = wanted[1], max(high, -low if wanted[0] < 0 else 0.0)
    while span * scale > room:
        scale /= 2
    inside = wanted[0] <= low * scale and high * scale <= wanted[1]
    if inside or not can_add:
        return scale, 0.0
    return scale, wanted[0] - low * scale


@dataclass
class Passing:
    """How one lighting passes signals on: with its random numbers, before or after its layer."""

    rng: np.random.Generator
    after: bool
    middle: bool = False  # take the middle taps, from which the padding is far
    signs: bool = False  # some signals change their sign, so that small ones win in a MaxPool
    most: int = 64  # classes that one filter may sum

    def weights(
        self, spec: Spec, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        """The weights of a layer, and the classes of its output.

        ``values`` are its input, and what that would be without the activation that is lit; each
        should reach ``wanted`` at the output.
        """
        return self._weights(spec, values, classes, wanted)

    @singledispatchmethod
    def _weights(
        self, spec: Spec, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        """Of a layer of which no more is known: ones and zeros, if with them it changes nothing."""
        found = {
            name: np.full(shape, float(name in ("scale", "variance")))
            for name, shape in parameter_shapes(spec).items()
        }
        if all(np.array_equal(run(spec, found, value), value) for value in values):
            return found, classes
        raise UnsupportedError(f"no way is known to pass a signal through {type(spec).__name__}")

    @_weights.register
    def _(
        self, spec: BatchNorm, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        scale, offset = fit(*extent(values), wanted, can_add=True)
        n = spec.num_features
        found = {  # the statistics do what it has no parameter for
            "scale": np.full(n, scale),
            "offset": np.full(n, offset),
            "mean": np.full(n, 0.0 if spec.offset else -offset / scale),
            "variance": np.full(n, (1.0 if spec.scale else scale**-2) - spec.eps),
        }
        return {name: found[name] for name in spec.parameters()}, classes

    @_weights.register
    def _(
        self, spec: InputNorm, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        normal = [run(without_parameters(spec), {}, value) for value in values]
        low, high = (np.floor(extent(normal)[0]), np.ceil(extent(normal)[1]))
        scale, offset = fit(float(low), float(high), wanted, can_add=offsets(spec))
        found = {"scale": scale, "offset": offset}
        return {name: np.full(own, found[name]) for name, own in spec.parameters().items()}, classes

    @_weights.register
    def _(
        self, spec: PReLU, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        return {"slope": np.ones(spec.num_parameters)}, classes

    @_weights.register
    def _(
        self, spec: Scale, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Weights, np.ndarray]:
        scale, _ = fit(*extent(values), wanted, can_add=False)
        return {"scale": np.full(spec.num_features, scale)}, classes

    def select(
        self, spec: Linear, values: list[np.ndarray], classes: np.ndarray, wanted: Range
    ) -> tuple[Selection, np.ndarray]:
        """As ``weights``, of a linear layer: the filters that choose."""
        x = features_last(spec, values[0])
        gaps = (x == 0).all(axis=0).reshape(-1, x.shape[-1]).sum(axis=0)
        can_turn = spec.bias or wanted == ANY
        channels_stay = isinstance(spec, Dense) and spec.axis % x.ndim < x.ndim - 1
        own = np.arange(x.shape[-1]) if channels_stay else classes
        chosen, made = self._filters(spec, values[0].shape, own, gaps, can_turn)
        made = classes if channels_stay else made
        if wanted != ANY:
            outputs = [chosen.run(value) for value in values]
            scale, offset = fit(*extent(outputs), wanted, can_add=spec.bias)
            chosen = chosen._replace(size=scale, bias=offset)
        return chosen, made

    def _filters(
        self,
        spec: Linear,
        shape: Shape,
        classes: np.ndarray,
        gaps: np.ndarray,
        can_turn: bool,
    ) -> tuple[Selection, np.ndarray]:
        """Filters that choose, and the classes of their outputs.

        ``gaps`` count the pixels of each channel that are always zero.
        """
        _, channels, out = filters_shape(spec)
        groups = groups_of(spec)
        each = out // groups
        outputs, names = [np.zeros(0, int)], [np.zeros(0, int)]
        if channels == 1:  # nothing to choose
            outputs.append(self.rng.permutation(np.flatnonzero(classes.repeat(each) >= 0)))
            names.append(classes[outputs[-1] // each])
        for group in range(groups) if channels > 1 else ():
            own = slice(group * channels, (group + 1) * channels)
            there, first = np.unique(classes[own], return_index=True)
            order = self.rng.permutation(np.flatnonzero(there >= 0))
            if not self.after:  # those that padding has cut into come last
                order = order[np.argsort(gaps[own][first[order]], kind="stable")]
            if not order.size:
                continue
            count = each  # each filter chooses one class
            if self.after and len(order) > each:  # or each class goes into one of the sums
                count = min(len(order), each * self.most)
            hand = np.arange(count)
            names.append(there[order[hand % len(order)]])
            outputs.append(group * each + self.rng.permutation(each)[hand % each])
        output, name = np.concatenate(outputs), np.concatenate(names)
        copy = occurrence(name)
        sign = np.ones(out)
        if self.signs and can_turn:
            sign = np.where(self.rng.random(out) < 0.25, -1.0, 1.0)
        taps = list(_Taps(spec, shape, self)(copy))
        chosen = Selection(
            spec,
            np.concatenate(taps),
            np.tile(_holders(classes, channels, output // each, name, copy), len(taps)),
            np.tile(output, len(taps)),
            np.tile(sign[output], len(taps)),
        )
        sums = np.bincount(output, minlength=out)
        made = np.where(sums > 1, classes.max(initial=-1) + 1 + np.arange(out), -1)
        alone = sums[output] == 1
        made[output[alone]] = name[alone]
        return chosen, made


def extent(values: list[np.ndarray]) -> Range:
    """The smallest and the largest of all entries."""
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def _holders(
    classes: np.ndarray, channels: int, group: np.ndarray, name: np.ndarray, copy: np.ndarray
) -> np.ndarray:
    """For copies of classes, a channel of the group that holds each: in turn, if several do."""
    wide = classes.max(initial=0) + 2
    keys = np.arange(len(classes)) // channels * wide + classes
    order = np.argsort(keys, kind="stable")
    asked = group * wide + name
    first = np.searchsorted(keys[order], asked)
    count = np.searchsorted(keys[order], asked, side="right") - first
    found: np.ndarray = order[first + copy % np.maximum(count, 1)] % channels
    return found


def classes_of(value: np.ndarray) -> np.ndarray:
    """Equal numbers for channels of equal contents; -1 for those that hold one number alone."""
    flat = value.reshape(-1, value.shape[-1])
    sample = np.random.default_rng(0).integers(1, 2**20, len(flat)).astype(np.float64)
    keys = sample @ flat
    _, classes = np.unique(keys, return_inverse=True)
    return np.where(flat.max(axis=0) == flat.min(axis=0), -1, classes)


class _Taps:
    """Chooses the taps of passing filters: those that meet most pixels, others for copies."""

    def __init__(self, spec: Linear, shape: Shape, how: Passing) -> None:
        self.rng = how.rng
        self.sizes: Shape = (1,) if isinstance(spec, Dense) else spec.kernel_size
        # for each axis, taps to choose from: one list of them, or one for each phase
        self.best = [[[0]]]
        if isinstance(spec, ConvTranspose):
            windows = zip(spec.kernel_size, spec.dilation, spec.stride, strict=True)
            self.best = [_phases(k, d, s) for k, d, s in windows]
        elif not isinstance(spec, Dense):
            counts = coverage(spec, shape[1:-1])
            moves = zip(counts, spec.dilation, spec.stride, strict=True)
            self.best = [[_best(axis, d, s)] for axis, d, s in moves]
            if how.middle:
                axes = zip(self.best, self.sizes, strict=True)
                self.best = [[[_nearest(taps, (k - 1) / 2)]] for (taps,), k in axes]
            elif not how.after:  # copies of one signal become different ones where they are moved
                self.some = [
                    [[t for t, n in enumerate(axis) if 8 * n >= 7 * max(axis)]] for axis in counts
                ]
                return
        self.some = self.best

    def __call__(self, copy: np.ndarray) -> Iterator[np.ndarray]:
        """A tap, in C order, for each filter that passes a copy of this number; one a phase."""
        drawn = [
            [
                np.where(copy > 0, self._draw(others, len(copy)), self._draw(best, len(copy)))
                for best, others in zip(*phases, strict=True)
            ]
            for phases in zip(self.best, self.some, strict=True)
        ]
        for taps in itertools.product(*drawn):
            yield np.ravel_multi_index(taps, self.sizes)

    def _draw(self, taps: list[int], number: int) -> np.ndarray:
        return np.array(taps)[self.rng.integers(0, len(taps), number)]


def _best(counts: list[int], d: int, s: int) -> list[int]:
    """The taps that meet most pixels; with a stride, of each phase, so that none is skipped."""
    phases = _phases(len(counts), d, s)
    most = [max(counts[t] for t in taps) for taps in phases]
    return [
        t
        for taps, best in zip(phases, most, strict=True)
        for t in taps
        if counts[t] == best and 2 * best >= max(counts)
    ]


def _nearest(taps: list[int], middle: float) -> int:
    return min(taps, key=lambda tap: abs(tap - middle))


def _phases(k: int, d: int, s: int) -> list[list[int]]:
    """The taps of one axis of a transposed convolution, by the phase of the pixels they reach."""
    phases: dict[int, list[int]] = {}
    for tap in range(k):
        phases.setdefault(tap * d % s, []).append(tap)
    return list(phases.values())


def coverage(spec: Conv | DepthwiseConv, spatial: Shape) -> list[list[int]]:
    """For each axis and tap, how many output places find a pixel of the input there."""
    counts = []
    windows = zip(
        spatial,
        padding_pairs(spec, spatial),
        spec.kernel_size,
        spec.dilation,
        spec.stride,
        strict=True,
    )
    for (n, (low, high), k, d, s), extent_ in zip(
        windows, effective_kernel(spec.kernel_size, spec.dilation), strict=True
    ):
        places = np.arange((n + low + high - extent_) // s + 1) * s - low
        met = [places + t * d for t in range(k)]
        inside = [int(np.count_nonzero((at >= 0) & (at < n))) for at in met]
        counts.append(inside)
    return counts
