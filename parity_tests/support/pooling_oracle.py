"""A second meaning of pools, window by window; ``oracle`` asks it."""

from itertools import product
from math import fsum, prod
from typing import Any

import numpy as np

from convparity import AvgPool, MaxPool, MaxPoolIndices, MaxUnpool


def pooled(spec: Any, x: np.ndarray) -> np.ndarray:
    """The largest, its place, or the mean of what each window sees; padding holds none."""
    windows = []  # for each axis, the places that each output sees
    counted = []  # and how many of its places lie in the image or its padding
    for axis, n in enumerate(x.shape[1:-1]):
        k, stride = spec.kernel_size[axis], spec.stride[axis]
        step = 1 if isinstance(spec, AvgPool) else spec.dilation[axis]
        reach = (k - 1) * step + 1
        match spec.padding:
            case "valid":
                low, high = 0, 0
            case "same":
                total = max(reach - (n % stride or stride), 0)
                low, high = total // 2, total - total // 2
            case _:
                low, high = spec.padding[axis]
        starts = [*range(-low, n + high - reach + 1, stride)]
        left = n + high > starts[-1] + reach  # are there places behind the last window?
        if spec.ceil_mode and left and starts[-1] + stride < n:
            starts.append(starts[-1] + stride)
        seen = [range(start, start + reach, step) for start in starts]
        windows.append([[p for p in each if 0 <= p < n] for each in seen])
        counted.append([sum(-low <= p < n + high for p in each) for each in seen])
    y = np.empty((len(x), *map(len, windows), x.shape[-1]))
    for n, *at, c in np.ndindex(*y.shape):
        places = [*product(*(axis[i] for axis, i in zip(windows, at, strict=True)))]
        values = [float(x[(n, *place, c)]) for place in places]
        if isinstance(spec, MaxPoolIndices):
            first = places[values.index(max(values))]
            y[(n, *at, c)] = int(np.ravel_multi_index(first, x.shape[1:-1]))
            continue
        if isinstance(spec, MaxPool):
            y[(n, *at, c)] = max(values)
            continue
        all_of_them = prod(axis[i] for axis, i in zip(counted, at, strict=True))
        number = all_of_them if spec.count_include_pad else len(values)
        y[(n, *at, c)] = fsum(values) / (spec.divisor_override or number)
    return y


def adapted(spec: Any, x: np.ndarray, together: Any) -> np.ndarray:
    """``together`` of the pixels that lie in each place's share of the image, even in part."""
    windows = [
        [[p for p in range(n) if p < (at + 1) * n / m and p + 1 > at * n / m] for at in range(m)]
        for n, m in zip(x.shape[1:-1], spec.output_size, strict=True)
    ]
    y = np.empty((len(x), *spec.output_size, x.shape[-1]))
    for n, *at, c in np.ndindex(*y.shape):
        places = product(*(axis[i] for axis, i in zip(windows, at, strict=True)))
        y[(n, *at, c)] = together([float(x[(n, *place, c)]) for place in places])
    return y


def put_back(spec: MaxUnpool, x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Pixel by pixel: the value whose place that is."""
    sizes = spec.output_size or [
        s * (n - 1) + k - p - p
        for n, s, k, p in zip(
            x.shape[1:-1], spec.stride, spec.kernel_size, spec.padding, strict=True
        )
    ]
    y = np.empty((len(x), *sizes, x.shape[-1]))
    for n, *at, c in np.ndindex(*y.shape):
        number = 0
        for size, where in zip(sizes, at, strict=True):
            number = number * size + where
        each = zip(x[n, ..., c].flat, places[n, ..., c].flat, strict=True)
        there = [value for value, place in each if number <= place < number + 1]
        y[(n, *at, c)] = there[-1] if there else 0
    return y
