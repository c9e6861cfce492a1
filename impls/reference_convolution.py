"""Convolutions and transposed ones, by loops over kernel taps: ``reference.py`` asks them."""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from convparity.impls.spec import (
    NUMPY_MODES,
    AvgPool,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    MaxPool,
    MaxPoolIndices,
    Pairs,
    Shape,
    effective_kernel,
    output_shape,
    padding_pairs,
    transposed_crop,
    window_dilation,
)


def as_grouped(spec: DepthwiseConv) -> Conv:
    """The grouped convolution that a depthwise one is: one group a channel."""
    return Conv(
        spec.in_channels,
        spec.out_channels,
        kernel_size=spec.kernel_size,
        stride=spec.stride,
        padding=spec.padding,
        dilation=spec.dilation,
        groups=spec.in_channels,
        bias=spec.bias,
        padding_mode=spec.padding_mode,
        rank=spec.rank,
    )


def convolve(spec: Conv, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The convolution without its bias: ``x`` (N, *spatial, I), ``kernel`` (*k, I/groups, O)."""
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = x
    if any(map(any, pairs)):
        mode = NUMPY_MODES[spec.padding_mode]
        wide = ((0, 0), *pairs, (0, 0))
        padded = surrounded(x, pairs) if mode == "constant" else np.pad(x, wide, mode=mode)
    out = output_shape(spec, x.shape)
    pixels, groups = math.prod(out[:-1]), spec.groups
    y_GPO = np.zeros((groups, pixels, out[-1] // groups))
    # the group axis first on both, for a product of matrices: (k, I/g, O) -> (k, g, I/g, O/g)
    kernel_kIGO = kernel.astype(np.float64).reshape(*kernel.shape[:-1], groups, -1)
    kernel_kGIO = kernel_kIGO.swapaxes(-2, -3)
    for tap, seen in window_places(spec, out[1:-1]):
        window_GPI = padded[seen].reshape(pixels, groups, -1).swapaxes(0, 1)
        y_GPO += window_GPI @ kernel_kGIO[tap]
    return y_GPO.swapaxes(0, 1).reshape(out)


def surrounded(x: np.ndarray, pairs: Pairs, fill: float = 0.0) -> np.ndarray:
    """``x`` with one number around its pixels, as ``np.pad`` has it, in a fraction of the time."""
    n, *spatial, channels = x.shape
    sizes = [low + size + high for size, (low, high) in zip(spatial, pairs, strict=True)]
    padded = np.full((n, *sizes, channels), fill, dtype=x.dtype)
    inside = [slice(low, low + size) for size, (low, _) in zip(spatial, pairs, strict=True)]
    padded[(slice(None), *inside)] = x
    return padded


def window_places(
    spec: Conv | ConvTranspose | MaxPool | MaxPoolIndices | AvgPool, out: Shape
) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Each place of the window, and the pixels that meet it, for every output pixel at once."""
    axes = zip(spec.kernel_size, window_dilation(spec), spec.stride, out, strict=True)
    met = [[slice(t * d, t * d + (n - 1) * s + 1, s) for t in range(k)] for k, d, s, n in axes]
    taps = product(*map(range, spec.kernel_size))
    for tap, pixels in zip(taps, product(*met), strict=True):
        yield tap, (slice(None), *pixels)


def scatter(spec: ConvTranspose, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The transposed convolution without its bias: each pixel of ``x`` (N, *spatial, I) is spread.

    ``kernel`` is ``(*k, O/groups, I)``. The whole result is built, then cropped.
    """
    n, *spatial, _ = x.shape
    pairs, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    whole = [
        (size - 1) * s + k + more
        for size, s, k, more in zip(spatial, spec.stride, extent, extra, strict=True)
    ]
    y = np.zeros((n, *whole, spec.groups, spec.out_channels // spec.groups))
    # the group axis first on both, for a product of matrices: (k, O/g, I) -> (k, g, I/g, O/g)
    x_GPI = x.reshape(n * math.prod(spatial), spec.groups, -1).swapaxes(0, 1)
    kernel_kOGI = kernel.astype(np.float64).reshape(*kernel.shape[:-1], spec.groups, -1)
    kernel_kGIO = np.moveaxis(kernel_kOGI, -3, -1)
    for tap, reached in window_places(spec, tuple(spatial)):
        spread_PGO = (x_GPI @ kernel_kGIO[tap]).swapaxes(0, 1)
        y[reached] += spread_PGO.reshape(n, *spatial, *y.shape[-2:])
    kept = (slice(low, size - high) for size, (low, high) in zip(whole, pairs, strict=True))
    return y[(slice(None), *kept)].reshape(output_shape(spec, x.shape))
