"""A second meaning of convolutions, by SciPy's correlation; ``oracle`` asks it."""

from itertools import product
from typing import Any

import numpy as np
from scipy.signal import correlate

from convparity import ConvTranspose


def one_group_a_channel(kernel: np.ndarray) -> np.ndarray:
    """(*k, C, M) to (*k, 1, C * M)."""
    channels, multiplier = kernel.shape[-2:]
    filters = [kernel[..., [c], m] for c in range(channels) for m in range(multiplier)]
    return np.stack(filters, axis=-1)


def convolved(spec: Any, kernel: np.ndarray, groups: int, x: np.ndarray) -> np.ndarray:
    """``kernel`` is (*k, in/groups, out)."""
    every = tuple(slice(None, None, step) for step in spec.stride)
    dilated = np.zeros(
        [(k - 1) * d + 1 for k, d in zip(spec.kernel_size, spec.dilation, strict=True)]
        + list(kernel.shape[-2:])
    )
    dilated[tuple(slice(None, None, step) for step in spec.dilation)] = kernel
    padded = x.astype(float)
    for axis, size in enumerate(x.shape[1:-1]):
        low, high = pads(spec, axis, size)
        padded = lengthened(padded, axis + 1, low, high, spec.padding_mode)
    taken, made = kernel.shape[-2], kernel.shape[-1] // groups
    samples = []
    for sample in padded:
        channels = []
        for out in range(groups * made):
            first = out // made * taken  # of the channels that this output's group takes
            dense = sum(
                correlate(sample[..., first + i], dilated[..., i, out], "valid", "direct")
                for i in range(taken)
            )
            channels.append(dense[every])
        samples.append(np.stack(channels, axis=-1))
    return np.stack(samples)


def pads(spec: Any, axis: int, size: int) -> tuple[int, int]:
    """https://www.tensorflow.org/api_docs/python/tf/nn, "Notes on padding"."""
    stride, filter_size = spec.stride[axis], spec.kernel_size[axis]
    filter_size += (filter_size - 1) * (spec.dilation[axis] - 1)
    match spec.padding:
        case "valid":
            return 0, 0
        case "causal":  # no output sees a later input
            return filter_size - 1, 0
        case "same":
            rest = size % stride
            total = max(filter_size - (rest or stride), 0)
            return total // 2, total - total // 2
    return spec.padding[axis]


def lengthened(x: np.ndarray, axis: int, low: int, high: int, mode: str) -> np.ndarray:
    """``x`` with ``low`` and ``high`` more entries along ``axis``, each looked up in ``x``."""
    n = x.shape[axis]
    entries = []
    for place in range(-low, n + high):
        match mode:
            case "reflect":  # there and back again, the borders once each
                source = place % max(2 * n - 2, 1)
                source = min(source, 2 * n - 2 - source)
            case "circular":
                source = place % n
            case _:
                source = min(max(place, 0), n - 1)
        entry = np.take(x, source, axis)
        entries.append(0 * entry if mode == "zeros" and source != place else entry)
    return np.stack(entries, axis)


def spread(spec: ConvTranspose, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Each pixel meets each tap, and lands where the convolution would have seen it from.

    ``kernel`` is (*k, out/groups, in).
    """
    low, sizes = [], []
    for axis, n in enumerate(x.shape[1:-1]):
        stride = spec.stride[axis]
        extent = (spec.kernel_size[axis] - 1) * spec.dilation[axis] + 1
        if spec.padding == "same":  # the pads of the convolution of n * stride pixels to n
            low.append(pads(spec, axis, n * stride)[0])
            sizes.append(n * stride)
        else:
            first, last = (0, 0) if spec.padding == "valid" else spec.padding[axis]
            low.append(first)
            sizes.append((n - 1) * stride + extent + spec.output_padding[axis] - first - last)
    y = np.zeros((len(x), *sizes, spec.out_channels))
    made, taken = kernel.shape[-2], kernel.shape[-1] // spec.groups
    for pixel, tap in product(np.ndindex(*x.shape[1:-1]), np.ndindex(*spec.kernel_size)):
        at = tuple(
            p * s + t * d - first
            for p, s, t, d, first in zip(pixel, spec.stride, tap, spec.dilation, low, strict=True)
        )
        if not all(0 <= place < size for place, size in zip(at, sizes, strict=True)):
            continue
        for i, o in product(range(spec.in_channels), range(made)):
            to = i // taken * made + o  # outputs of the group that the input is in
            y[(slice(None), *at, to)] += x[(slice(None), *pixel, i)] * float(kernel[(*tap, o, i)])
    return y
