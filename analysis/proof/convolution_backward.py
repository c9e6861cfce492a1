"""The backward pass of convolutions, and of padding: ``adjoint`` asks it."""

import math
from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.reference_convolution import as_grouped, window_places
from convparity.impls.reference_resize import along_axis
from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Shape,
    effective_kernel,
    padding_pairs,
    transposed_crop,
)
from convparity.impls.weights import Arrays, Weights

Found = tuple[np.ndarray, Weights]  # the gradients by the input, and by the weights


@singledispatch
def backward(spec: Any, weights: Arrays, x: np.ndarray, g: np.ndarray, by_weights: bool) -> Found:
    """The gradients of ``g`` by the output; without ``by_weights`` that by the kernel is 0."""
    raise NotImplementedError(f"no backward pass is known for {type(spec).__name__}")


@backward.register
def _(spec: Conv, weights: Arrays, x: np.ndarray, g: np.ndarray, by_weights: bool) -> Found:
    pairs = padding_pairs(spec, x.shape[1:-1])
    padded = np.pad(x, ((0, 0), *pairs, (0, 0)), mode=NUMPY_MODES[spec.padding_mode])
    kernel = weights["kernel"].astype(np.float64)
    groups, pixels = spec.groups, math.prod(g.shape[:-1])
    g_GPO = g.reshape(pixels, groups, -1).swapaxes(0, 1)
    kernel_kGIO = kernel.reshape(*kernel.shape[:-1], groups, -1).swapaxes(-2, -3)
    by_kernel = np.zeros_like(kernel_kGIO)
    by_padded = np.zeros(padded.shape)
    for tap, seen in window_places(spec, g.shape[1:-1]):
        window = padded[seen]
        window_GIP = window.reshape(pixels, groups, -1).transpose(1, 2, 0)
        if by_weights:
            by_kernel[tap] = window_GIP @ g_GPO
        back = g_GPO @ kernel_kGIO[tap].swapaxes(-1, -2)
        by_padded[seen] += back.swapaxes(0, 1).reshape(window.shape)
    found = {"kernel": by_kernel.swapaxes(-2, -3).reshape(kernel.shape)}
    if spec.bias:
        found["bias"] = by_channel(g)
    mode = NUMPY_MODES[spec.padding_mode]
    return folded(by_padded, x.shape, pairs, mode), found


def folded(by_padded: np.ndarray, shape: Shape, pairs: Any, mode: Any) -> np.ndarray:
    """The gradient by an array, of that by the padded array."""
    for axis, pair in enumerate(pairs, 1):
        if not any(pair):
            continue
        n = shape[axis]
        origin = np.pad(np.arange(1, n + 1), pair, mode=mode)  # 0: a zero
        places = (origin[None] == np.arange(1, n + 1)[:, None]).astype(np.float64)
        by_padded = along_axis(axis, places, by_padded)
    return by_padded


def by_channel(g: np.ndarray) -> np.ndarray:
    """The sum over all axes but the last."""
    total: np.ndarray = g.reshape(-1, g.shape[-1]).sum(axis=0)
    return total


@backward.register
def _(
    spec: DepthwiseConv, weights: Arrays, x: np.ndarray, g: np.ndarray, by_weights: bool
) -> Found:
    kernel = weights["kernel"]
    grouped = kernel.reshape(*spec.kernel_size, 1, spec.out_channels)
    by_input, found = backward(as_grouped(spec), {**weights, "kernel": grouped}, x, g, by_weights)
    found["kernel"] = found["kernel"].reshape(kernel.shape)
    return by_input, found


@backward.register
def _(
    spec: ConvTranspose, weights: Arrays, x: np.ndarray, g: np.ndarray, by_weights: bool
) -> Found:
    kernel = weights["kernel"].astype(np.float64)
    pairs, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    spatial = x.shape[1:-1]
    ends = [  # what was cropped at the high end; more than there is where zeros were added
        (low, (n - 1) * s + k + more - low - out)
        for n, s, k, more, (low, _), out in zip(
            spatial, spec.stride, extent, extra, pairs, g.shape[1:-1], strict=True
        )
    ]
    whole = np.pad(g, ((0, 0), *ends, (0, 0)))
    groups, pixels = spec.groups, math.prod(x.shape[:-1])
    x_GIP = x.reshape(pixels, groups, -1).transpose(1, 2, 0)
    kernel_kGIO = np.moveaxis(kernel.reshape(*kernel.shape[:-1], groups, -1), -3, -1)
    by_kernel = np.zeros_like(kernel_kGIO)
    by_input = np.zeros((groups, pixels, x.shape[-1] // groups))
    for tap, reached in window_places(spec, spatial):
        g_GPO = whole[reached].reshape(pixels, groups, -1).swapaxes(0, 1)
        if by_weights:
            by_kernel[tap] = x_GIP @ g_GPO
        by_input += g_GPO @ kernel_kGIO[tap].swapaxes(-1, -2)
    found = {"kernel": np.moveaxis(by_kernel, -1, -3).reshape(kernel.shape)}
    if spec.bias:
        found["bias"] = by_channel(g)
    return by_input.swapaxes(0, 1).reshape(x.shape), found
