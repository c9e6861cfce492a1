"""A linear layer whose filters only choose: computed by picking channels, not by products.

It is the same as the reference on the same kernel, and takes a fraction of the time, so that a
network of passing layers can be lit often.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.convolution_backward import folded
from convparity.analysis.proof.linear_form import (
    Linear,
    along,
    features_last,
    filters_shape,
    groups_of,
    to_kernel,
)
from convparity.analysis.proof.rounded import Rounded, common_unit
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import run
from convparity.impls.reference_convolution import as_grouped, window_places
from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Shape,
    output_shape,
    padding_pairs,
)
from convparity.impls.weights import Weights

Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs, outputs and signs of some taps


class Selection(NamedTuple):
    """Filters with few taps of one size, and a bias of one number.

    ``tap``, ``channel`` (of its group), ``output`` and ``sign`` are the taps, one an entry.
    """

    spec: Linear
    tap: np.ndarray
    channel: np.ndarray
    output: np.ndarray
    sign: np.ndarray
    size: float = 1.0
    bias: float = 0.0

    @property
    def weights(self) -> Weights:
        """The canonical weights."""
        filters = np.zeros(filters_shape(self.spec))
        filters[self.tap, self.channel, self.output] = self.sign * self.size
        found = {"kernel": to_kernel(self.spec, filters)}
        if self.spec.bias:
            found["bias"] = np.full(self.spec.parameters()["bias"], self.bias)
        return found

    @property
    def quick(self) -> bool:
        """Whether there is a short way: not for a transposed convolution."""
        return not isinstance(self.spec, ConvTranspose)

    def run(self, x: np.ndarray, absolute: bool = False) -> np.ndarray:
        """What the layer makes of ``x``, without its bias; with ``absolute``, of positive taps."""
        if not self.quick:
            return run(dataclasses.replace(self.spec, bias=False), self.weights, x)
        padded = np.pad(x, self._pads(x.shape), mode=self._mode) if self._pads(x.shape) else x
        y = np.zeros(output_shape(self.spec, x.shape))
        features, made = features_last(self.spec, padded), features_last(self.spec, y)  # views
        for seen, (inputs, outputs, signs) in self._parts(y.shape):
            chosen = features[seen][..., inputs]
            made[..., outputs] += chosen if absolute else chosen * signs
        return y * self.size

    def back(self, shape: Shape, g: np.ndarray) -> np.ndarray:
        """The gradient by the input, of ``g`` by the output."""
        if not self.quick:
            x = np.zeros(shape)
            return adjoint(self.spec, self.weights, [x], g, by_weights=False).inputs[0]
        pads = self._pads(shape)
        padded = tuple(n + sum(pair) for n, pair in zip(shape, pads or [(0, 0)] * 9, strict=False))
        by_padded = np.zeros(padded)
        features, given = features_last(self.spec, by_padded), features_last(self.spec, g)  # views
        for seen, (inputs, outputs, signs) in self._parts(g.shape):
            window, back = features[seen], given[..., outputs] * signs  # the window is a view
            left = np.arange(len(inputs))
            while left.size:  # each input once at a time
                _, first = np.unique(inputs[left], return_index=True)
                now = left[first]
                window[..., inputs[now]] += back[..., now]
                left = np.delete(left, first)
        by_padded *= self.size
        return folded(by_padded, shape, pads[1:-1], self._mode) if pads else by_padded

    def trace(self, x: Rounded) -> Rounded:
        """As ``rounding.trace`` of the layer."""
        if not (self.quick and x.direct):
            return trace(self.spec, self.weights, x)
        product = self.run(x.value)
        inherited = self.run(x.bound, absolute=True)
        if (x.value >= 0).all() and (self.sign > 0).all():
            magnitude = product + inherited
        else:
            magnitude = self.run(abs(x.value) + x.bound, absolute=True)
        small = x.small
        sums = np.bincount(self.output, minlength=filters_shape(self.spec)[-1])
        return x.then(
            product + self.bias,
            magnitude + abs(self.bias),
            inherited=inherited,
            noise=lambda disturbed: self.run(disturbed) + self.bias,
            variance=lambda: self.run(x.value**2, absolute=True) * self.size + self.bias**2,
            roundings=along(self.spec, sums + 2, product.ndim),
            unit=None if x.unit is None else _times(x.unit, self.size, self.bias),
            flushed=self.run(small, absolute=True) if small.any() else 0.0,
        )

    @property
    def _mode(self) -> Any:
        return "constant" if isinstance(self.spec, Dense) else NUMPY_MODES[self.spec.padding_mode]  # type: ignore[union-attr]

    def _pads(self, shape: Shape) -> list[tuple[int, int]]:
        if isinstance(self.spec, Dense | ConvTranspose):
            return []
        pairs = padding_pairs(self.spec, shape[1:-1])
        return [(0, 0), *pairs, (0, 0)] if any(map(any, pairs)) else []

    def _parts(self, made: Shape) -> Iterator[tuple[tuple[slice, ...], Part]]:
        """Where each tap looks, and its channels; each output once a part."""
        spec = self.spec
        _, channels, out = filters_shape(spec)
        inputs = self.output // (out // groups_of(spec)) * channels + self.channel
        rank = occurrence(self.output)
        seen = {0: (slice(None),)}
        if isinstance(spec, Conv | DepthwiseConv):
            conv = as_grouped(spec) if isinstance(spec, DepthwiseConv) else spec
            places = (place for _, place in window_places(conv, made[1:-1]))
            seen = dict(enumerate(places))  # type: ignore[arg-type]
        taps = math.prod(getattr(spec, "kernel_size", (1,)))
        keys = rank * taps + self.tap
        for key in np.unique(keys):
            some = keys == key
            yield seen[int(key) % taps], (inputs[some], self.output[some], self.sign[some])


def occurrence(names: np.ndarray) -> np.ndarray:
    """For each entry, how many equal ones are before it."""
    order = np.argsort(names, kind="stable")
    ordered = names[order]
    found = np.empty(len(names), int)
    found[order] = np.arange(len(names)) - np.searchsorted(ordered, ordered)
    return found


def _times(unit: float, *factors: float) -> float | None:
    own = common_unit(np.array(factors))
    return None if own is None else unit * own
