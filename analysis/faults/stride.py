"""Strides and dilations: of which axis, of which step, from which pixel on."""

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
    SeparableConv,
    Sequential,
    Shape,
    output_shape,
    padding_pairs,
)

CONVS = (Conv, DepthwiseConv)
STRIDED = (*CONVS, ConvTranspose)
POOLS = (MaxPool, AvgPool)


def _changed(spec: Any, **fields: Any) -> Faulty | None:
    """The layer with other strides or dilations; None where they are the same."""
    wrong = replace(spec, **fields)
    told = [f"{n} {getattr(wrong, n)} instead of {getattr(spec, n)}" for n in fields]
    return None if wrong == spec else Faulty(wrong, ", ".join(told))


def _fixed(spec: Any, shape: Shape) -> Any:
    """The layer with the pads of this input as numbers, so that they stay."""
    return replace(spec, padding=padding_pairs(spec, shape[1:-1]))


def _dilated(spec: Any) -> bool:
    return any(d > 1 and k > 1 for d, k in zip(spec.dilation, spec.kernel_size, strict=True))


@fault("stride-01", "strides of the axes exchanged", *STRIDED, *POOLS, hides="equal strides")
def strides_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    if isinstance(spec, ConvTranspose):
        return _changed(spec, stride=spec.stride[::-1], output_padding=spec.output_padding[::-1])
    return _changed(spec, stride=spec.stride[::-1])


@fault(
    "stride-02",
    "stride in the pointwise step, not in the depthwise one",
    SeparableConv,
    hides='stride 1, and any padding but "same": the pixels left out are the same',
    hidden=lambda spec, shape: (
        spec.padding != "same"
        or padding_pairs(spec.depthwise, shape[1:-1])
        == padding_pairs(replace(spec.depthwise, stride=(1,) * spec.rank), shape[1:-1])
    ),
)
def stride_in_the_pointwise_step(spec: SeparableConv, shape: Shape) -> Faulty | None:
    if max(spec.stride) == 1:
        return None
    steps = {
        "depthwise": replace(spec.depthwise, stride=(1,) * spec.rank),
        "pointwise": replace(spec.pointwise, stride=spec.stride),
    }
    return Faulty(Sequential(steps), f"stride {spec.stride} in the pointwise step")


@fault(
    "stride-03",
    "every second pixel from the second on",
    *CONVS,
    hides="stride 1",
)
def subsampled_from_the_second(spec: Any, shape: Shape) -> Faulty | None:
    if max(spec.stride) == 1:
        return None
    every = tuple(slice(min(1, s - 1), None, s) for s in spec.stride)
    dense = replace(_fixed(spec, shape), stride=1)
    if any(
        n < 2 and s > 1 for n, s in zip(output_shape(dense, shape)[1:-1], spec.stride, strict=True)
    ):
        return None
    return Faulty(
        dense,
        f"pixels 1, 1 + s, ... of stride {spec.stride}",
        after=lambda y: y[(slice(None), *every)],
    )


@fault(
    "stride-04",
    "dilation ignored, and the output cropped",
    *CONVS,
    hides="no dilation, kernels of one pixel",
)
def dilation_ignored(spec: Any, shape: Shape) -> Faulty | None:
    if not _dilated(spec):
        return None
    spatial = output_shape(spec, shape)[1:-1]
    return Faulty(
        replace(_fixed(spec, shape), dilation=1),
        f"dilation 1 instead of {spec.dilation}, the first {spatial} pixels",
        after=lambda y: crop(y, spatial),
    )


@fault(
    "stride-05",
    "dilation taken for the number of zeros between taps",
    *CONVS,
    hides="no dilation, kernels of one pixel",
)
def dilation_plus_one(spec: Any, shape: Shape) -> Faulty | None:
    if not _dilated(spec):
        return None
    more = tuple(
        d + (d > 1 and k > 1) for d, k in zip(spec.dilation, spec.kernel_size, strict=True)
    )
    return _changed(spec, dilation=more)


@fault(
    "stride-06",
    "dilations of the axes exchanged",
    *STRIDED,
    hides="equal dilations, kernels of one pixel",
    hidden=lambda spec, shape: max(spec.kernel_size) == 1,
    reference="tinygrad #17805",
)
def dilations_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    return _changed(spec, dilation=spec.dilation[::-1])


@fault(
    "stride-07",
    "stride and dilation exchanged",
    *CONVS,
    hides="equal stride and dilation",
)
def stride_and_dilation_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    return _changed(spec, stride=spec.dilation, dilation=spec.stride)


@fault(
    "stride-08",
    "stride on the first axis alone",
    *CONVS,
    *POOLS,
    hides="rows, stride 1 on the other axes; elsewhere its shape shows it",
)
def stride_on_the_first_axis(spec: Any, shape: Shape) -> Faulty | None:
    return _changed(spec, stride=(spec.stride[0], *(1,) * (spec.rank - 1)))


@fault(
    "stride-09",
    "dilation on the first axis alone",
    *STRIDED,
    hides="rows, no dilation on the other axes, kernels of one pixel there",
    hidden=lambda spec, shape: max(spec.kernel_size[1:], default=1) == 1,
)
def dilation_on_the_first_axis(spec: Any, shape: Shape) -> Faulty | None:
    return _changed(spec, dilation=(spec.dilation[0], *(1,) * (spec.rank - 1)))


@fault(
    "stride-10",
    "input subsampled before the kernel, not the output after it",
    *CONVS,
    hides="stride 1, kernels of one pixel without padding",
    hidden=lambda spec, shape: (
        max(spec.kernel_size) == 1 and not any(map(any, padding_pairs(spec, shape[1:-1])))
    ),
)
def input_subsampled(spec: Any, shape: Shape) -> Faulty | None:
    if max(spec.stride) == 1:
        return None
    every = tuple(slice(None, None, s) for s in spec.stride)
    return Faulty(
        replace(spec, stride=(1,) * spec.rank),
        f"stride 1 on x[::s], s {spec.stride}",
        before=lambda x: x[(slice(None), *every)],
    )


@fault(
    "stride-11",
    "transposed dilation ignored",
    ConvTranspose,
    hides="no dilation, kernels of one pixel",
)
def transposed_dilation_ignored(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    return _changed(spec, dilation=1) if _dilated(spec) else None


@fault(
    "stride-12",
    "transposed convolution as repeated pixels and a convolution",
    ConvTranspose,
    hides="stride 1, one pixel of kernel",
)
def upsampled_by_repeating(spec: ConvTranspose, shape: Shape) -> Faulty | None:
    if max(spec.stride) == 1 or spec.padding != "same":
        return None

    def repeat(x: np.ndarray) -> np.ndarray:
        for axis, s in enumerate(spec.stride):
            x = x.repeat(s, axis + 1)
        return x

    return Faulty(
        replace(spec, stride=(1,) * spec.rank), f"each pixel {spec.stride} times", before=repeat
    )
