"""Axes: of kernels, of inputs, of what is flattened."""

import dataclasses
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import (
    Faulty,
    buffer_as,
    channels_first,
    fault,
    kernel,
    kernel_shape,
)
from convparity.impls.layouts import CHANNELS_FIRST
from convparity.impls.spec import Conv, ConvTranspose, Dense, DepthwiseConv, Flatten, Shape

WINDOWED = (Conv, DepthwiseConv, ConvTranspose)


@fault(
    "layout-01",
    "kernel axes (2, 3, 0, 1) for (2, 3, 1, 0): in and out exchanged",
    Conv,
    hides="layers with as many inputs in a group as outputs are the only ones that take it",
)
def in_and_out_exchanged(spec: Conv, shape: Shape) -> Faulty | None:
    *_, i, o = kernel_shape(spec)
    if i != o or o == 1:
        return None
    return Faulty(
        spec, f"kernel[..., i, o] for [..., o, i], both {o}", kernel(lambda w: w.swapaxes(-1, -2))
    )


@fault(
    "layout-02",
    "kernel height and width exchanged",
    *WINDOWED,
    hides="rows, kernels of one pixel; others than square ones are refused",
)
def height_and_width_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    if spec.rank < 2 or spec.kernel_size[-1] != spec.kernel_size[-2] or spec.kernel_size[-1] == 1:
        return None
    k = spec.kernel_size[-1]
    return Faulty(spec, f"the {k}x{k} kernel transposed", kernel(lambda w: w.swapaxes(-3, -4)))


@fault(
    "layout-03",
    "kernel reshaped where it had to be transposed",
    Conv,
    hides="one filter of one channel",
    reference="tensorflow #30044",
)
def kernel_reshaped(spec: Conv, shape: Shape) -> Faulty | None:
    canonical = kernel_shape(spec)
    native = CHANNELS_FIRST.native_shape(canonical)
    if sum(n > 1 for n in canonical) < 2 or canonical[-2:] == (1, 1):
        return None
    return Faulty(
        spec,
        f"{native} reshaped to {canonical}",
        kernel(lambda w: buffer_as(CHANNELS_FIRST.to_native(w), canonical)),
    )


@fault(
    "layout-04",
    "input reshaped from channels first to last",
    *WINDOWED,
    hides="one channel, one pixel",
)
def input_reshaped(spec: Any, shape: Shape) -> Faulty | None:
    if shape[-1] == 1 or max(shape[1:-1]) == 1:
        return None
    return Faulty(
        spec,
        f"{channels_first(np.broadcast_to(0, shape)).shape} reshaped to {shape}",
        before=lambda x: buffer_as(channels_first(x), x.shape),
    )


@fault(
    "layout-05",
    "output left channels first",
    *WINDOWED,
    hides="all but outputs of as many pixels each way as channels (where its shape shows it, too)",
)
def output_left_channels_first(spec: Any, shape: Shape) -> Faulty | None:
    return Faulty(spec, "the output is (N, C, *spatial)", after=channels_first)


@fault(
    "layout-06",
    "kernel of a row read in the order (in, out, taps)",
    Conv,
    hides="one tap, one filter of one channel",
)
def row_kernel_rotated(spec: Conv, shape: Shape) -> Faulty | None:
    taps, i, o = k if len(k := kernel_shape(spec)) == 3 else (1, 1, 1)
    if taps == 1 or i * o == 1:
        return None
    return Faulty(
        spec,
        f"{(i, o, taps)} read as {(taps, i, o)}",
        kernel(lambda w: buffer_as(np.moveaxis(w, 0, -1), w.shape)),
    )


@fault(
    "layout-07",
    "kernel depth, height and width rotated",
    *WINDOWED,
    hides="ranks 1 and 2, kernels of one voxel; others than cubes are refused",
)
def volume_kernel_rotated(spec: Any, shape: Shape) -> Faulty | None:
    if spec.rank < 3 or len(set(spec.kernel_size)) > 1 or spec.kernel_size[0] == 1:
        return None
    return Faulty(
        spec,
        "kernel (depth, height, width) read as (height, width, depth)",
        kernel(lambda w: w.transpose(1, 2, 0, 3, 4)),
    )


def _flipped(spec: Any) -> Faulty | None:
    if max(spec.kernel_size) == 1:
        return None
    axes = tuple(range(spec.rank))
    return Faulty(
        spec, f"kernel {spec.kernel_size} flipped on every axis", kernel(lambda w: np.flip(w, axes))
    )


@fault(
    "layout-08",
    "kernel flipped: a convolution where a correlation was meant",
    Conv,
    DepthwiseConv,
    hides="kernels of one pixel",
    reference="keras #3015",
)
def kernel_flipped(spec: Any, shape: Shape) -> Faulty | None:
    return _flipped(spec)


@fault(
    "layout-09",
    "transposed convolution's kernel not flipped",
    ConvTranspose,
    hides="kernels of one pixel",
    reference="jax #11252",
)
def transposed_kernel_flipped(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    return _flipped(spec)


@fault(
    "layout-10",
    "transposed convolution's in and out axes not swapped",
    ConvTranspose,
    hides="layers with as many inputs as outputs of a group are the only ones that take it",
)
def transposed_axes_kept(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    *_, o, i = kernel_shape(spec)
    if i != o or o == 1:
        return None
    return Faulty(
        spec, f"kernel[..., o, i] for [..., i, o], both {o}", kernel(lambda w: w.swapaxes(-1, -2))
    )


@fault(
    "layout-11",
    "flattened in the order C, H, W for H, W, C",
    Flatten,
    hides="one channel, one pixel",
    reference="keras #9696",
)
def flattened_channels_first(spec: Flatten, shape: Shape) -> Faulty | None:
    if len(shape) < 3 or shape[-1] == 1 or max(shape[1:-1]) == 1:
        return None
    return Faulty(
        spec,
        f"{shape[1:]} flattened in the order {channels_first(np.broadcast_to(0, shape)).shape[1:]}",
        before=channels_first,
    )


@fault(
    "layout-12",
    "dense kernel not transposed",
    Dense,
    hides="one feature; others than square ones are refused",
)
def dense_kernel_transposed(spec: Dense, shape: Shape) -> Faulty | None:
    n = spec.in_features
    if n != spec.out_features or n == 1:
        return None
    return Faulty(spec, f"the {n}x{n} kernel transposed", kernel(np.transpose))


@fault(
    "layout-13",
    "channels of a picture read as BGR for RGB",
    Conv,
    hides="inputs of other than three channels",
    reference="opencv #9625",
)
def bgr(spec: Conv, shape: Shape) -> Faulty | None:
    if spec.in_channels != 3:
        return None
    return Faulty(spec, "input channels (2, 1, 0)", before=lambda x: x[..., ::-1])


@fault(
    "layout-14",
    "input read as (W, H) for (H, W)",
    *WINDOWED,
    hides="rows, inputs of one pixel; others than square ones show it by their shape",
)
def input_transposed(spec: Any, shape: Shape) -> Faulty | None:
    if spec.rank < 2 or shape[-2] * shape[-3] == 1:
        return None
    return Faulty(
        spec,
        f"input ({shape[-3]}, {shape[-2]}) transposed",
        before=lambda x: x.swapaxes(-2, -3),
    )


@fault(
    "layout-15",
    "dense layer along another axis of the same size",
    Dense,
    hides="inputs of one axis; others than square layers show it by their shape",
    reference="pytorch #36591",
)
def dense_along_another_axis(spec: Dense, shape: Shape) -> Faulty | None:
    at, n = spec.axis % len(shape), spec.in_features
    others = [axis for axis in range(1, len(shape)) if axis != at and shape[axis] == n]
    if not others or n != spec.out_features or n == 1:
        return None
    return Faulty(dataclasses.replace(spec, axis=others[-1]), f"axis {others[-1]} for {at}")
