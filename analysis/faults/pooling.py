"""Pools: what the padding counts for, defaults, and the wrong kind."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.reference import Implementation
from convparity.impls.spec import AvgPool, GlobalAvgPool, MaxPool, Shape, asked_pairs, padding_pairs
from convparity.impls.weights import Arrays

POOLS = (MaxPool, AvgPool)


def _pairs(spec: Any, shape: Shape) -> tuple[tuple[int, int], ...]:
    return padding_pairs(spec, shape[1:-1])


@fault(
    "pooling-01",
    "average pooling counts the padding, or does not",
    AvgPool,
    hides="no padding",
    reference="tvm #1144",
)
def padding_counted(spec: AvgPool, shape: Shape) -> Faulty | None:
    padded = any(map(any, asked_pairs(spec, shape[1:-1])))
    if spec.divisor_override is not None or not padded:
        return None
    other = not spec.count_include_pad
    return Faulty(replace(spec, count_include_pad=other), f"count_include_pad={other}")


@fault(
    "pooling-02",
    "max pooling padded with 0",
    MaxPool,
    hides="no padding, windows with a value from 0 on",
    reference="pytorch #41294",
)
def padded_with_zero(spec: MaxPool, shape: Shape) -> Faulty | None:
    pairs = _pairs(spec, shape)
    if not any(map(any, pairs)):
        return None
    return Faulty(
        replace(spec, padding="valid", ceil_mode=False),
        "0 for -inf in the padding",
        before=lambda x: np.pad(x, ((0, 0), *pairs, (0, 0))),
    )


@fault(
    "pooling-03",
    "stride of a pool left at 1",
    *POOLS,
    hides="stride 1; elsewhere its shape shows it",
)
def stride_of_one(spec: Any, shape: Shape) -> Faulty | None:
    if max(spec.stride) == 1:
        return None
    return Faulty(replace(spec, stride=1), f"stride 1 instead of {spec.stride}")


@fault("pooling-04", "average for max pooling", MaxPool, hides="windows of one pixel")
def average_for_max(spec: MaxPool, shape: Shape) -> Faulty | None:
    if max(spec.kernel_size) == 1 or max(spec.dilation) > 1:
        return None
    average = AvgPool(
        spec.kernel_size,
        spec.stride,
        spec.padding,
        count_include_pad=False,
        rank=spec.rank,
        ceil_mode=spec.ceil_mode,
    )
    return Faulty(average, "the mean for the largest")


@fault("pooling-05", "max for average pooling", AvgPool, hides="windows of one pixel")
def max_for_average(spec: AvgPool, shape: Shape) -> Faulty | None:
    if max(spec.kernel_size) == 1:
        return None
    return Faulty(
        MaxPool(spec.kernel_size, spec.stride, spec.padding, spec.rank, spec.ceil_mode),
        "the largest for the mean",
    )


@fault(
    "pooling-06",
    "average pooling of a repeated border",
    AvgPool,
    hides="no padding",
    reference="keras #23233",
)
def border_averaged(spec: AvgPool, shape: Shape) -> Faulty | None:
    pairs = _pairs(spec, shape)
    if not any(map(any, pairs)):
        return None
    return Faulty(
        replace(spec, padding="valid", ceil_mode=False),
        "the border repeated in the padding",
        before=lambda x: np.pad(x, ((0, 0), *pairs, (0, 0)), mode="edge"),
    )


def _globally(spec: Any, detail: str, reduce: Any) -> Faulty:
    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        y: np.ndarray = reduce(x, tuple(range(1, x.ndim - 1)))
        return y

    return Faulty(spec, detail, run=run)


@fault("pooling-07", "global max for global average", GlobalAvgPool, hides="one pixel")
def global_max(spec: GlobalAvgPool, shape: Shape) -> Faulty | None:
    if max(shape[1:-1]) == 1:
        return None
    return _globally(spec, "the largest for the mean", lambda x, axes: x.max(axis=axes))


@fault("pooling-08", "global sum for global average", GlobalAvgPool, hides="one pixel")
def global_sum(spec: GlobalAvgPool, shape: Shape) -> Faulty | None:
    if max(shape[1:-1]) == 1:
        return None
    return _globally(spec, "the sum for the mean", lambda x, axes: x.sum(axis=axes))
