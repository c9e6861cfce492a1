"""A linear layer as its filters: which input pixel each tap meets, whatever the layer's kind.

``(taps, channels of one group, output channels)`` is the form in which Conv, DepthwiseConv,
ConvTranspose and Dense are alike: each output sums one product for each tap and channel.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from convparity.impls.reference import run
from convparity.impls.spec import Conv, ConvTranspose, Dense, DepthwiseConv, Shape, parameter_shapes

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
        return np.zeros((1, 1), dtype=int)
    spatial = input_shape[1:-1]
    rank = len(spatial)
    found = np.zeros((1,) * 2 * rank, dtype=int)
    none = np.zeros_like(found, dtype=bool)
    for axis, n in enumerate(spatial):  # each by itself: all at once would take taps * taps numbers
        met = _axis_sources(layer, axis, n)
        met = np.expand_dims(met, [each for each in range(2 * rank) if each % rank != axis])
        found, none = found * n + met, none | (met < 0)
    return np.where(none, -1, found).reshape(math.prod(layer.kernel_size), -1)


def _axis_sources(layer: Linear, axis: int, n: int) -> np.ndarray:
    """Of one axis with ``n`` pixels: ``(taps, output pixels)``."""
    assert not isinstance(layer, Dense)
    taps = layer.kernel_size[axis]
    fields: dict[str, Any] = {"rank": 1, "in_channels": 1, "bias": False, "kernel_size": taps}
    fields |= {"stride": layer.stride[axis], "dilation": layer.dilation[axis]}
    if not isinstance(layer.padding, str):
        fields["padding"] = (layer.padding[axis],)
    if isinstance(layer, ConvTranspose):
        fields["output_padding"] = layer.output_padding[axis]
    if isinstance(layer, DepthwiseConv):
        fields["depth_multiplier"] = taps
    else:
        fields |= {"out_channels": taps, "groups": 1}
    one = dataclasses.replace(layer, **fields)
    # an output channel for each tap, which shows the pixel that it meets
    kernel = np.eye(taps).reshape(parameter_shapes(one)["kernel"])
    met = run(one, {"kernel": kernel}, 1.0 + np.arange(n).reshape(1, n, 1))
    return met.reshape(-1, taps).T.astype(int) - 1
