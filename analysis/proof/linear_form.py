"""A linear layer as its filters: which input pixel each tap meets, whatever the layer's kind.

``(taps, channels of one group, output channels)`` is the form in which Conv, DepthwiseConv,
ConvTranspose and Dense are alike: each output sums one product for each tap and channel.
"""

import math

import numpy as np

from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Shape,
    Spec,
    output_shape,
    padding_pairs,
    parameter_shapes,
    transposed_crop,
)

Linear = Conv | ConvTranspose | DepthwiseConv | Dense
LINEAR = (Conv, ConvTranspose, DepthwiseConv, Dense)


def filters_shape(layer: Linear) -> tuple[int, int, int]:
    """``(taps, channels of one group, output channels)``."""
    match layer:
        case Dense():
            return 1, layer.in_features, layer.out_features
        case DepthwiseConv():
            return math.prod(layer.kernel_size), 1, layer.out_channels
        case Conv() | ConvTranspose():
            each_in = layer.in_channels // layer.groups
            return math.prod(layer.kernel_size), each_in, layer.out_channels


def groups_of(layer: Linear) -> int:
    """The number of blocks of channels that do not see each other."""
    match layer:
        case Dense():
            return 1
        case DepthwiseConv():
            return layer.in_channels
        case Conv() | ConvTranspose():
            return layer.groups


def features_last(layer: Spec, array: np.ndarray) -> np.ndarray:
    """An input or output with the axis last along which a layer sums: a view."""
    return np.moveaxis(array, layer.axis, -1) if isinstance(layer, Dense) else array


def along(layer: Spec, vector: np.ndarray, ndim: int) -> np.ndarray:
    """A number of each output feature, shaped so that an output of so many axes can take it."""
    behind = ndim - 1 - layer.axis % ndim if isinstance(layer, Dense) else 0
    return vector.reshape(*vector.shape, *[1] * behind)


def to_kernel(layer: Linear, filters: np.ndarray) -> np.ndarray:
    """The canonical kernel of filters ``(taps, channels of one group, output channels)``."""
    if isinstance(layer, ConvTranspose):  # its kernel has the axes of the convolution it transposes
        taps, each_in, _ = filters.shape
        split = filters.reshape(taps, each_in, layer.groups, -1)
        filters = split.transpose(0, 3, 2, 1)
    return filters.reshape(parameter_shapes(layer)["kernel"])


def to_filters(layer: Linear, kernel: np.ndarray) -> np.ndarray:
    """The inverse of ``to_kernel``."""
    taps, each_in, out = filters_shape(layer)
    if isinstance(layer, ConvTranspose):
        split = kernel.reshape(taps, -1, layer.groups, each_in)
        kernel = split.transpose(0, 3, 2, 1)
    return kernel.reshape(taps, each_in, out)


def dealt(rng: np.random.Generator, taps: int, filters: int, limit: int) -> np.ndarray:
    """Filters ``(taps, filters)`` of integers up to ``limit``, each as seldom as it can be; no 0.

    Where there are as many integers as taps, no two taps of a filter could be exchanged unseen.
    """
    deck = np.concatenate([np.arange(-limit, 0), np.arange(1, limit + 1)])
    decks = np.tile(deck, -(-taps // len(deck)))[:, None]
    return rng.permuted(np.repeat(decks, filters, axis=1), axis=0)[:taps].astype(np.float64)


def tap_sources(layer: Linear, input_shape: Shape) -> np.ndarray:
    """The input pixel that each tap meets at each output pixel: ``(taps, output pixels)``.

    Pixels are counted in C order; -1 is none, i.e. padding with zeros.
    """
    if isinstance(layer, Dense):
        return np.arange(math.prod(input_shape[1:]) // layer.in_features)[None]
    spatial, out = input_shape[1:-1], output_shape(layer, input_shape)[1:-1]
    rank = len(spatial)
    found = np.zeros((1,) * 2 * rank, dtype=int)
    none = np.zeros_like(found, dtype=bool)
    for axis, n in enumerate(spatial):  # each by itself: all at once would take taps * taps numbers
        places = np.arange(out[axis]), np.arange(layer.kernel_size[axis])[:, None]
        if isinstance(layer, ConvTranspose):
            met = _spread_from(layer, axis, n, *places)
        else:
            met = _read_from(layer, axis, spatial, *places)
        met = np.expand_dims(met, [each for each in range(2 * rank) if each % rank != axis])
        found, none = found * n + met, none | (met < 0)
    return np.where(none, -1, found).reshape(math.prod(layer.kernel_size), -1)


def _read_from(
    layer: Conv | DepthwiseConv, axis: int, spatial: Shape, out: np.ndarray, tap: np.ndarray
) -> np.ndarray:
    """What each tap reads along one axis: ``(taps, output pixels)``, -1 for a zero."""
    pixels, wide = np.arange(spatial[axis]), padding_pairs(layer, spatial)[axis]
    mode = NUMPY_MODES[layer.padding_mode]
    padded = np.pad(pixels + 1, wide, mode=mode) - 1  # zeros become -1
    return np.asarray(padded[out * layer.stride[axis] + tap * layer.dilation[axis]])


def _spread_from(
    layer: ConvTranspose, axis: int, n: int, out: np.ndarray, tap: np.ndarray
) -> np.ndarray:
    """Which of ``n`` pixels each tap spreads there: ``(taps, output pixels)``, -1 for none."""
    (low, _), stride = transposed_crop(layer)[0][axis], layer.stride[axis]
    pixel, between = np.divmod(out + low - tap * layer.dilation[axis], stride)
    return np.where((between == 0) & (pixel >= 0) & (pixel < n), pixel, -1)
