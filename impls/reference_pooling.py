"""The windows of pools, and how many values each averages: ``reference.py`` asks them."""

import math
from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np

from convparity.impls.reference_convolution import (
    surrounded,
    window_places,
)
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Shape,
    adaptive_windows,
    asked_pairs,
    output_shape,
    padding_pairs,
)


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


def places_among(spec: MaxUnpool, places: np.ndarray) -> tuple[np.ndarray, ...]:
    """The example, pixel and channel of each value; none of the pixels is one behind the last."""
    n, *sizes, c = output_shape(spec, places.shape, places.shape)
    pixels = math.prod(sizes)
    flat = places.reshape(n, -1, c)
    examples, _, channels = np.indices(flat.shape)
    inside = (flat >= 0) & (flat < pixels)
    return examples, np.where(inside, flat, pixels).astype(np.int64), channels


def unpooled(spec: MaxUnpool, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Each value at its place, of several the last one, and 0 elsewhere."""
    n, *sizes, c = output_shape(spec, values.shape, places.shape)
    y = np.zeros((n, math.prod(sizes) + 1, c))
    y[places_among(spec, places)] = values.reshape(n, -1, c)
    return y[:, :-1].reshape(n, *sizes, c)
