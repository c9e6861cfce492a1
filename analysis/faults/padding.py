"""Pads: how many pixels, on which side, and what is in them."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, crop, fault
from convparity.impls.spec import (
    AvgPool,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    MaxPool,
    Pairs,
    Shape,
    asked_pairs,
    output_shape,
    transposed_crop,
    window_extent,
)

CONVS = (Conv, DepthwiseConv)
POOLS = (MaxPool, AvgPool)


def _right(spec: Any, shape: Shape) -> Pairs:
    return asked_pairs(spec, shape[1:-1])


def _padded(spec: Any, shape: Shape, pairs: Pairs) -> Faulty | None:
    """The layer with other pads; None where they are the right ones."""
    right = _right(spec, shape)
    if pairs == right:
        return None
    given, wanted = (", ".join(str(pair) for pair in each) for each in (pairs, right))
    return Faulty(replace(spec, padding=pairs), f"pad {given} instead of {wanted}")


def _moded(spec: Any, shape: Shape, mode: str) -> Faulty | None:
    if spec.padding_mode != "zeros" or not any(map(any, _right(spec, shape))):
        return None
    return Faulty(replace(spec, padding_mode=mode), f"padding_mode {mode!r} for 'zeros'")


@fault(
    "padding-01",
    '"same" with the extra pixel at the start',
    *CONVS,
    *POOLS,
    hides="an even number of pixels to pad",
    reference="onnxruntime #11927",
)
def same_lower(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding != "same":
        return None
    return _padded(spec, shape, tuple((high, low) for low, high in _right(spec, shape)))


@fault(
    "padding-02",
    '"same" left at "valid"',
    *CONVS,
    *POOLS,
    hides="nothing to pad; elsewhere its shape shows it",
    reference="pytorch #27602",
)
def same_as_valid(spec: Any, shape: Shape) -> Faulty | None:
    return _padded(spec, shape, ((0, 0),) * spec.rank) if spec.padding == "same" else None


@fault(
    "padding-03",
    '"same" padded symmetrically at stride 2',
    *CONVS,
    *POOLS,
    hides="odd kernels at stride 1, and sizes that need as much on both sides",
    reference="pytorch #3867",
)
def same_symmetric(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding != "same":
        return None
    return _padded(spec, shape, tuple((k // 2, k // 2) for k in window_extent(spec)))


@fault(
    "padding-04",
    "padding that ignores the dilation",
    *CONVS,
    hides="no dilation, kernels of one pixel",
    reference="nnvm #307",
)
def dilation_not_padded(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding not in ("same", "causal"):
        return None
    return _padded(spec, shape, _right(replace(spec, dilation=1), shape))


@fault(
    "padding-05",
    "one pixel more on every side, and the output cropped",
    *CONVS,
    hides="no layer",
)
def padded_and_cropped(spec: Any, shape: Shape) -> Faulty | None:
    pairs = tuple((low + 1, high + 1) for low, high in _right(spec, shape))
    spatial = output_shape(spec, shape)[1:-1]
    return Faulty(
        replace(spec, padding=pairs),
        f"pad {pairs}, then the first {spatial} pixels",
        after=lambda y: crop(y, spatial),
    )


@fault(
    "padding-06",
    "pairs of pads in the order W, H",
    *CONVS,
    *POOLS,
    hides="the same pads on every axis",
    reference="onnx #7721",
)
def pairs_reversed(spec: Any, shape: Shape) -> Faulty | None:
    return _padded(spec, shape, _right(spec, shape)[::-1])


@fault(
    "padding-07",
    "low and high pads exchanged",
    *CONVS,
    *POOLS,
    hides="symmetric pads",
    reference="aimet #2873",
)
def low_and_high_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    if isinstance(spec.padding, str):
        return None
    return _padded(spec, shape, tuple((high, low) for low, high in spec.padding))


@fault("padding-08", "reflection for zeros", *CONVS, hides="no padding")
def reflect_for_zeros(spec: Any, shape: Shape) -> Faulty | None:
    return _moded(spec, shape, "reflect")


@fault("padding-09", "circular for zeros", *CONVS, hides="no padding")
def circular_for_zeros(spec: Any, shape: Shape) -> Faulty | None:
    return _moded(spec, shape, "circular")


@fault("padding-10", "the border repeated for zeros", *CONVS, hides="no padding")
def replicate_for_zeros(spec: Any, shape: Shape) -> Faulty | None:
    return _moded(spec, shape, "replicate")


@fault("padding-11", "padding mode ignored: zeros", *CONVS, hides="padding with zeros, no padding")
def mode_ignored(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding_mode == "zeros" or not any(map(any, _right(spec, shape))):
        return None
    return Faulty(replace(spec, padding_mode="zeros"), f"zeros for {spec.padding_mode!r}")


@fault(
    "padding-12",
    "reflection that repeats the border",
    *CONVS,
    hides="other modes than reflect, no padding",
    reference="coremltools #2280",
)
def symmetric_for_reflect(spec: Any, shape: Shape) -> Faulty | None:
    pairs = _right(spec, shape)
    if spec.padding_mode != "reflect" or not any(map(any, pairs)):
        return None
    return Faulty(
        replace(spec, padding="valid"),
        "1 0 0 1 for 2 1 0 1 2 around the border",
        before=lambda x: np.pad(x, ((0, 0), *pairs, (0, 0)), mode="symmetric"),
    )


@fault("padding-13", "a constant of 1e-3 for zero", *CONVS, hides="no padding, other modes")
def small_constant(spec: Any, shape: Shape) -> Faulty | None:
    pairs = _right(spec, shape)
    if spec.padding_mode != "zeros" or not any(map(any, pairs)):
        return None
    return Faulty(
        replace(spec, padding="valid"),
        "1e-3 in the padding",
        before=lambda x: np.pad(x, ((0, 0), *pairs, (0, 0)), constant_values=1e-3),
    )


@fault(
    "padding-14",
    "ceil for floor in the output's size",
    *CONVS,
    *POOLS,
    hides="sizes that the stride divides; elsewhere its shape shows it",
    reference="onnx-mlir #560",
)
def ceil_for_floor(spec: Any, shape: Shape) -> Faulty | None:
    if isinstance(spec.padding, str) and spec.padding != "valid":
        return None
    if getattr(spec, "ceil_mode", False):
        return None
    pairs = []
    axes = zip(shape[1:-1], _right(spec, shape), window_extent(spec), spec.stride, strict=True)
    for n, (low, high), k, s in axes:
        pairs.append((low, high + (k - n - low - high) % s))
    return _padded(spec, shape, tuple(pairs))


@fault(
    "padding-15",
    "causal padding centred",
    *CONVS,
    hides="kernels of one pixel",
    reference="CNTK #3053",
)
def causal_centred(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding != "causal":
        return None
    ((total, _),) = _right(spec, shape)
    return _padded(spec, shape, ((total // 2, total - total // 2),))


@fault(
    "padding-16",
    "causal padding on both sides",
    *CONVS,
    hides="kernels of one pixel; elsewhere its shape shows it",
    reference="TCN #8",
)
def causal_on_both_sides(spec: Any, shape: Shape) -> Faulty | None:
    if spec.padding != "causal":
        return None
    ((total, _),) = _right(spec, shape)
    return _padded(spec, shape, ((total, total),))


# ---------------------------------------------------------------- transposed convolutions


@fault(
    "padding-17",
    'transposed "same" with a stride, shifted by one pixel',
    ConvTranspose,
    hides="stride 1, kernels no larger than the stride",
    reference="keras #22876",
)
def transposed_same_shifted(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    pairs, extra = transposed_crop(spec)
    if spec.padding != "same" or max(spec.stride) == 1:
        return None
    shifted, more = [], []
    for (low, high), e, s in zip(pairs, extra, spec.stride, strict=True):
        moves = s > 1 and (high > 0 or e + 1 < s)
        shifted.append((low + moves, high - (moves and high > 0)))
        more.append(e + (moves and high == 0))
    moved = replace(spec, padding=tuple(shifted), output_padding=tuple(more))
    if tuple(shifted) == pairs:
        return None
    return Faulty(moved, f"crop {tuple(shifted)} instead of {pairs}")


@fault(
    "padding-18",
    'transposed "same" with the extra crop at the start',
    ConvTranspose,
    hides="an even number of pixels to crop",
    reference="tensorflow #45999",
)
def transposed_same_lower(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    pairs, extra = transposed_crop(spec)
    flipped = tuple((high, low) for low, high in pairs)
    if spec.padding != "same" or flipped == pairs:
        return None
    return Faulty(
        replace(spec, padding=flipped, output_padding=extra), f"crop {flipped} instead of {pairs}"
    )


@fault(
    "padding-19",
    "transposed padding taken for padding of the input: k - 1 - p for p",
    ConvTranspose,
    hides="p = (k - 1) / 2; elsewhere its shape shows it",
    reference="TICO #420",
)
def transposed_padding_of_input(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    if isinstance(spec.padding, str):
        return None
    pairs = []
    for k, d, (low, high) in zip(spec.kernel_size, spec.dilation, spec.padding, strict=True):
        extent = (k - 1) * d
        pairs.append((max(0, extent - low), max(0, extent - high)))
    if tuple(pairs) == spec.padding:
        return None
    return Faulty(
        replace(spec, padding=tuple(pairs)), f"crop {tuple(pairs)} instead of {spec.padding}"
    )


@fault(
    "padding-20",
    "output padding at the start",
    ConvTranspose,
    hides="no output padding",
)
def output_padding_at_the_start(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    if not any(spec.output_padding):
        return None
    extra, spatial = spec.output_padding, output_shape(spec, shape)[1:-1]

    def shift(y: np.ndarray) -> np.ndarray:
        rows = ((e, 0) for e in extra)
        return crop(np.pad(y, ((0, 0), *rows, (0, 0))), spatial)

    return Faulty(spec, f"{extra} rows of zeros at the start, not at the end", after=shift)


@fault(
    "padding-21",
    "transposed crop left out",
    ConvTranspose,
    hides="nothing to crop; elsewhere its shape shows it",
    reference="pytorch2keras #7",
)
def transposed_crop_left_out(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    pairs, extra = transposed_crop(spec)
    if not any(map(any, pairs)):
        return None
    return Faulty(
        replace(spec, padding="valid", output_padding=extra), f"crop 0 instead of {pairs}"
    )


@fault(
    "padding-22",
    'padding of k // 2, or other numbers, left to "same"',
    *CONVS,
    *POOLS,
    hides='pads that are those of "same", as k // 2 of odd kernels at stride 1',
    reference="keras #16363",
)
def numbers_as_same(spec: Any, shape: Shape) -> Faulty | None:
    if isinstance(spec.padding, str):
        return None
    same = replace(spec, padding="same")
    pairs = _right(same, shape)
    if pairs == spec.padding:
        return None
    given, wanted = (", ".join(str(pair) for pair in each) for each in (pairs, spec.padding))
    return Faulty(same, f'"same", which is pad {given} here, instead of {wanted}')
