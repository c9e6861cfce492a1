"""Convolutions through transforms, in float32 throughout: Winograd's and Fourier's."""

from typing import Any

import numpy as np

from convparity.analysis.proof.linear_form import groups_of
from convparity.impls.spec import (
    Conv,
    DepthwiseConv,
    Spec,
    effective_kernel,
    output_shape,
    padding_pairs,
)
from convparity.impls.weights import Arrays

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def padded_groups(layer: Any, x: np.ndarray) -> np.ndarray:
    """The input with its padding, as ``(N, *spatial, groups, channels of one group)``."""
    pairs = ((0, 0), *padding_pairs(layer, x.shape[1:-1]), (0, 0))
    padded = np.pad(x, pairs, mode=NUMPY_MODES[layer.padding_mode])  # type: ignore[call-overload]
    return padded.reshape(*padded.shape[:-1], groups_of(layer), -1)


def grouped_kernel(layer: Any, kernel: np.ndarray) -> np.ndarray:
    """The kernel as ``(*kernel_size, channels of one group, groups, outputs of one group)``."""
    each_in = layer.in_channels // groups_of(layer)
    return kernel.reshape(*layer.kernel_size, each_in, groups_of(layer), -1)


def with_bias(layer: Any, weights: Arrays, y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The output in its shape; whatever the transform did was float32."""
    assert y.dtype == np.float32
    y = y.reshape(output_shape(layer, shape))
    return y + weights["bias"] if layer.bias else y


def has_fft(layer: Spec) -> bool:
    """Any convolution that is not transposed."""
    return isinstance(layer, Conv | DepthwiseConv)


def fft(layer: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """A convolution through the Fourier transform."""
    axes = tuple(range(1, layer.rank + 1))
    extent = effective_kernel(layer.kernel_size, layer.dilation)
    padded = padded_groups(layer, x)
    sizes = padded.shape[1:-2]
    filters = grouped_kernel(layer, weights["kernel"])
    kernel = np.zeros((1, *extent, *filters.shape[-3:]), dtype=np.float32)
    kernel[(0, *(slice(None, None, d) for d in layer.dilation))] = filters
    spectrum = np.einsum(
        "n...gi,n...igo->n...go",
        np.fft.rfftn(padded, axes=axes),
        np.conj(np.fft.rfftn(kernel, sizes, axes)).repeat(len(x), axis=0),
    )
    whole = np.fft.irfftn(spectrum, sizes, axes)
    kept = (slice(0, n - k + 1, s) for n, k, s in zip(sizes, extent, layer.stride, strict=True))
    return with_bias(layer, weights, np.ascontiguousarray(whole[(slice(None), *kept)]), x.shape)


WINOGRAD_X = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
WINOGRAD_W = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
WINOGRAD_Y = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


def has_winograd(layer: Spec) -> bool:
    """F(2x2, 3x3) is of 3x3 kernels without stride or dilation."""
    if not isinstance(layer, Conv | DepthwiseConv) or layer.kernel_size != (3, 3):
        return False
    return layer.stride == layer.dilation == (1, 1)


def winograd(layer: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """F(2x2, 3x3) of Lavin and Gray, arXiv 1509.09308; of an odd size the last tile is padded."""
    padded = padded_groups(layer, x)
    height, width = (n - 2 for n in padded.shape[1:3])  # of the output
    rest = ((0, 0), (0, height % 2), (0, width % 2), (0, 0), (0, 0))
    tiles = np.pad(padded, rest)
    windows = np.lib.stride_tricks.sliding_window_view(tiles, (4, 4), (1, 2))[:, ::2, ::2]
    left = np.einsum("ab,nhwgibc->nhwgiac", WINOGRAD_X, windows)
    transformed = np.einsum("nhwgiac,dc->nhwgiad", left, WINOGRAD_X)
    left = np.einsum("ab,bcigo->acigo", WINOGRAD_W, grouped_kernel(layer, weights["kernel"]))
    filters = np.einsum("acigo,dc->adigo", left, WINOGRAD_W)
    sums = np.einsum("nhwgiad,adigo->nhwgoad", transformed, filters)
    y = np.einsum("pa,nhwgoad,qd->nhpwqgo", WINOGRAD_Y, sums, WINOGRAD_Y)
    n, h, _, w, _, groups, each = y.shape
    whole = y.reshape(n, 2 * h, 2 * w, groups, each)
    return with_bias(layer, weights, whole[:, :height, :width], x.shape)
