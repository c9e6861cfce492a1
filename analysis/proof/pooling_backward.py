"""The backward pass of pools: ``adjoint`` asks it."""

import math
from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.reference import run
from convparity.impls.reference_convolution import window_places
from convparity.impls.reference_pooling import adaptive_counts, pool_counts
from convparity.impls.reference_resize import along_axis
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxPoolIndices,
    adaptive_windows,
    padding_pairs,
)


@singledispatch
def backward(spec: Any, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The gradient by the input, of ``g`` by the output; of equal ones, the first is chosen."""
    raise NotImplementedError(f"no backward pass is known for {type(spec).__name__}")


@backward.register
def _(spec: MaxPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    y, left = run(spec, {}, x), np.ones(g.shape, bool)

    def through(window: np.ndarray) -> np.ndarray:
        nonlocal left
        won = left & (window == y)  # the first of equal ones
        left = left & ~won
        return np.where(won, g, 0)

    return _by_windows(spec, x, g, -np.inf, through)


@backward.register
def _(spec: MaxPoolIndices, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    return np.zeros(x.shape)  # a place stays as it is, or jumps


@backward.register
def _(spec: AvgPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    each = g / pool_counts(spec, x.shape)
    return _by_windows(spec, x, g, 0, lambda _: each)


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


@backward.register
def _(spec: GlobalAvgPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    spatial = x.shape[1:-1]
    spread = g.reshape(len(g), *[1] * len(spatial), -1) / math.prod(spatial)
    return np.broadcast_to(spread, x.shape)


@backward.register
def _(spec: AdaptiveAvgPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    spread = g / adaptive_counts(spec, x.shape)
    for axis, places in enumerate(spec.output_size, 1):
        at = np.arange(x.shape[axis])
        windows = adaptive_windows(x.shape[axis], places)
        met = [(start <= at) & (at < stop) for start, stop in windows]
        spread = along_axis(axis, np.transpose(met).astype(np.float64), spread)
    return spread


@backward.register
def _(spec: AdaptiveMaxPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    found = np.zeros(x.shape)
    along = zip(x.shape[1:-1], spec.output_size, strict=True)
    windows = [adaptive_windows(n, m) for n, m in along]
    for place in np.ndindex(*spec.output_size):
        seen = (slice(None), *(slice(*axis[i]) for axis, i in zip(windows, place, strict=True)))
        found[seen] += _to_the_largest(x[seen], g[(slice(None), *place)])
    return found


@backward.register
def _(spec: GlobalMaxPool, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    return _to_the_largest(x, g)


def _to_the_largest(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """``g``, one number a channel, at the largest pixel; at the first of equal ones."""
    flat = x.reshape(len(x), -1, x.shape[-1])
    at = np.arange(flat.shape[1])[:, None] == flat.argmax(axis=1)[:, None]
    return np.where(at, g[:, None], 0.0).reshape(x.shape)
