"""What of a layer was lit: every weight, every place at the border, both sides of its bends.

A weight is lit where the output would change if it were left out, by more than rounding may hide.
The gradient of a random sum of the outputs says so for all at once. What several lightings have lit
adds up.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.linear_form import (
    LINEAR,
    features_last,
    tap_sources,
    to_filters,
    to_kernel,
)
from convparity.analysis.proof.rounded import Rounded
from convparity.impls.reference import run
from convparity.impls.reference_pooling import pool_windows
from convparity.impls.spec import (
    Activation,
    AvgPool,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    MaxPool,
    Shape,
    Spec,
    padding_pairs,
    transposed_crop,
    window_dilation,
)
from convparity.impls.weights import Arrays

# Where values lie on no lattice, a change by one step must be so many times the bound.
RATIO = 100.0
BENDS_AT = {"relu": (0.0,), "relu6": (0.0, 6.0), "leaky_relu": (0.0,), "hard_swish": (-3.0, 3.0)}
BENDS_AT["hard_sigmoid"] = (-3.0, 3.0)


def sums(target: Rounded, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The coefficients of a sum of outputs that were tested, and what a gradient must exceed."""
    shape = target.value.shape
    signs = rng.choice([-1.0, 1.0], shape)
    if target.unit is not None:
        numbers = signs * rng.integers(1, 1000, shape, endpoint=True)
        return np.where(target.untested, 0, numbers), 1e-6 * target.unit
    return signs / np.maximum(target.bound, target.tiny), RATIO


class Seen(NamedTuple):
    """One node of a lighting that is proved by it: its input and output and their gradients."""

    spec: Spec
    weights: Arrays
    x: np.ndarray
    g: np.ndarray  # by its output
    by_weights: Arrays


class Certificate:
    """What of one layer, and of those without weights that follow it, was not lit so far."""

    def __init__(self) -> None:
        self.dark: dict[str, np.ndarray] = {}  # True where nothing has lit it yet
        self.refused: str | None = None
        self.steps: dict[str, list[np.ndarray]] = {}  # of a kernel: what tells its taps apart
        self.alike: dict[str, np.ndarray] = {}  # of a kernel: True where two filters were not told

    def refuse(self, reason: str) -> None:
        """Say that nothing can be lit, and why."""
        self.refused = reason

    def add(self, name: str, lit: np.ndarray, asked: np.ndarray | bool = True) -> bool:
        """Note what was lit of what is ``asked`` for; whether something new was."""
        before = self.dark.get(name)
        dark = (np.broadcast_to(asked, lit.shape) if before is None else before) & ~lit
        self.dark[name] = dark
        return before is None or bool((before != dark).any())

    @property
    def complete(self) -> bool:
        """Everything was lit, and taps of one filter are told apart."""
        return bool(self.dark) and not any(d.any() for d in self.dark.values())

    @property
    def told_apart(self) -> bool:
        """Few pairs of weights of one filter, or of filters, could be exchanged unseen."""
        pairs = all(alike.mean() <= ALIKE for alike in self.alike.values())
        return pairs and all(_alike(steps) <= ALIKE for steps in self.steps.values())

    def __str__(self) -> str:
        if self.refused is not None:
            return self.refused
        parts = [
            f"{int(dark.sum()):,} of {dark.size:,} {name}" if dark.size > 1 else name
            for name, dark in self.dark.items()
            if dark.any()
        ]
        return f"not lit: {', '.join(parts)}" if parts else "lit"

    def note(self, seen: Seen, least: float, name: str) -> bool:
        """Add what one node of a lighting shows; whether something new was lit."""
        new = False
        for own, g in seen.by_weights.items():
            step = _sizes(seen, own)
            asked: np.ndarray | bool = True
            if own == "kernel":
                asked = _meets_pixels(seen.spec, seen.x.shape, g.shape)
                self._tell_apart(seen, g, f"{name}{own}")
            new |= self.add(f"{name}{own}", abs(g) * step > least, asked)
        if isinstance(seen.spec, MaxPool | AvgPool):
            new |= self.add(f"{name}places of the window", *_places(seen, least))
        if isinstance(seen.spec, Conv | DepthwiseConv | ConvTranspose | MaxPool | AvgPool):
            for kind, lit in _borders(seen).items():
                new |= self.add(f"{name}{kind}", np.array([lit]))
        if isinstance(seen.spec, Activation):
            new |= self.add(f"{name}sides of the bends", _sides(seen))
        return new

    def _tell_apart(self, seen: Seen, g: np.ndarray, own: str) -> None:
        kernel = np.asarray(seen.weights["kernel"], dtype=np.float64)
        by_filter = features_last(seen.spec, seen.g)
        alike = _exchangeable(by_filter, by_filter.shape[-1])
        self.alike[own] = alike & self.alike.get(own, np.True_)
        for name, array in (("weights", kernel), ("gradients", g)):
            filters = to_filters(seen.spec, array)  # type: ignore[arg-type]
            flat = filters.reshape(-1, filters.shape[-1])
            some = np.linspace(0, flat.shape[1] - 1, min(16, flat.shape[1])).astype(int)
            self.steps.setdefault(name, []).append(flat[:, some])


MOST_FILTERS = 64  # of a layer, whose pairs are compared


def _exchangeable(g: np.ndarray, channels: int) -> np.ndarray:
    """Of each pair of channels, whether what follows treats both alike, wherever it takes both.

    ``g`` is the gradient by the layer's output. An exchange of two such would change nothing.
    """
    some = np.linspace(0, channels - 1, min(MOST_FILTERS, channels)).astype(int)
    flat = g.reshape(-1, channels)[:, some]
    alike = []
    for at in range(len(some) - 1):
        one, others = flat[:, at : at + 1], flat[:, at + 1 :]
        both = (one != 0) & (others != 0)
        differ = abs(one - others) > SAME * np.maximum(abs(one), abs(others))
        alike.append(~(both & differ).any(axis=0))
    return np.concatenate(alike) if alike else np.zeros(1, bool)


SAME = 1e-9  # of numbers that are equal but for the order of their sums
ALIKE = 1 / 500  # of the pairs of weights in one filter


def _alike(steps: list[np.ndarray]) -> float:
    """The share of pairs that have the same number in every lighting."""
    taps, filters = steps[0].shape
    pairs = filters * taps * (taps - 1) / 2
    if not pairs:
        return 0.0
    mixed = sum(step * math.pi ** (i + 1) * 2.0**-i for i, step in enumerate(steps))
    ordered = np.sort(mixed, axis=0)
    same = 0.0
    for column in ordered.T:
        _, counts = np.unique(column, return_counts=True)
        same += float((counts * (counts - 1) / 2).sum())
    return same / pairs


def _sizes(seen: Seen, own: str) -> np.ndarray:
    """What becomes of a weight that is left out; of a bias or mean that is 0, one."""
    values = abs(np.asarray(seen.weights[own], dtype=np.float64))
    return np.where(values > 0, values, 1.0)


def _meets_pixels(spec: Spec, shape: Shape, kernel: Shape) -> np.ndarray | bool:
    """Which taps of a kernel meet a pixel at all, and not padding alone."""
    if getattr(spec, "padding_mode", "zeros") != "zeros" or not isinstance(spec, LINEAR):
        return True
    met = np.any(tap_sources(spec, (1, *shape[1:])) >= 0, axis=1)
    filters = to_filters(spec, np.ones(kernel))
    return to_kernel(spec, np.asarray(met)[:, None, None] * filters) > 0


def _borders(seen: Seen) -> dict[str, bool]:
    """Of each kind of place, by the taps that meet pixels there: is one lit, in some channel?"""
    spec: Any = seen.spec
    lit = (seen.g != 0).any(axis=(0, -1))
    kinds: dict[str, bool] = {}
    for axis, met in enumerate(_met(spec, seen.x.shape[1:-1], lit.shape)):
        along = np.moveaxis(lit, axis, 0).reshape(lit.shape[axis], -1).any(axis=1)
        for pattern, one in zip(met.T, along, strict=True):
            taps = "".join("x" if each else "-" for each in pattern)
            name = f"places that meet {taps} on axis {axis + 1}"
            kinds[name] = kinds.get(name, False) or bool(one)
    return kinds


def _met(spec: Any, spatial: Shape, out: Shape) -> list[np.ndarray]:
    """For each axis ``(taps, places)``: whether the tap meets a pixel there."""
    found = []
    for axis, (n, m) in enumerate(zip(spatial, out, strict=True)):
        k, s = spec.kernel_size[axis], spec.stride[axis]
        d = window_dilation(spec)[axis]
        places, met = np.arange(m), np.zeros((k, m), bool)
        for t in range(k):
            if isinstance(spec, ConvTranspose):
                at = places + transposed_crop(spec)[0][axis][0] - t * d
                met[t] = (at % s == 0) & (at // s >= 0) & (at // s < n)
            else:
                at = places * s + t * d - padding_pairs(spec, spatial)[axis][0]
                met[t] = (at >= 0) & (at < n)
        found.append(met)
    return found


def _places(seen: Seen, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each place of a pool's window: did it reach a lit output, and can it?"""
    spec = seen.spec
    assert isinstance(spec, MaxPool | AvgPool)
    ones = np.ones((1, *seen.x.shape[1:-1], 1))
    fill = -np.inf if isinstance(spec, MaxPool) else 0.0
    asked = [bool((window > 0).any()) for window in pool_windows(spec, ones, fill if fill else 0)]
    y = run(spec, {}, seen.x)
    lit = []
    for window in pool_windows(spec, seen.x, fill):
        reached = (window == y) if isinstance(spec, MaxPool) else window != 0
        lit.append(bool((abs(seen.g) > least)[reached].any()))
    return np.array(lit), np.array(asked)


def _sides(seen: Seen) -> np.ndarray:
    """Whether values lay on each side of each bend of an activation, and one was lit."""
    assert isinstance(seen.spec, Activation)
    x, lit = seen.x, (seen.g != 0)
    edges = (-np.inf, *BENDS_AT.get(seen.spec.function, (0.0,)), np.inf)
    sides = itertools.pairwise(edges)
    return np.array([bool((lit & (low < x) & (x < high)).any()) for low, high in sides])
