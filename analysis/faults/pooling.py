"""Pools: what the padding counts for, defaults, the wrong kind, and how places are counted."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.reference import Implementation
from convparity.impls.reference_pooling import places_among, pool_counts
from convparity.impls.spec import (
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Shape,
    Shapes,
    asked_pairs,
    each_shape,
    output_shape,
    padding_pairs,
)
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


@fault("pooling-09", "global average for global max", GlobalMaxPool, hides="one pixel")
def global_average(spec: GlobalMaxPool, shape: Shape) -> Faulty | None:
    return Faulty(GlobalAvgPool(), "the mean for the largest") if max(shape[1:-1]) > 1 else None


def _ceiled(spec: Any, shape: Shape, ceil_mode: bool) -> Faulty | None:
    other = replace(spec, ceil_mode=ceil_mode)
    right, wrong = (output_shape(each, shape) for each in (spec, other))
    return None if right == wrong else Faulty(other, f"places {wrong[1:-1]}, not {right[1:-1]}")


@fault(
    "pooling-10",
    "ceil_mode dropped",
    *POOLS,
    MaxPoolIndices,
    hides="no pixels left over, or no such mode; elsewhere its shape shows it",
    reference="onnx-mlir #560",
)
def ceil_mode_dropped(spec: Any, shape: Shape) -> Faulty | None:
    return _ceiled(spec, shape, ceil_mode=False)


@fault(
    "pooling-11",
    "ceil_mode added",
    *POOLS,
    MaxPoolIndices,
    hides="no pixels left over, or such a mode; elsewhere its shape shows it",
    reference="netscope #25",
)
def ceil_mode_added(spec: Any, shape: Shape) -> Faulty | None:
    return _ceiled(spec, shape, ceil_mode=True)


@fault(
    "pooling-12",
    "dilation of a pool dropped",
    MaxPool,
    MaxPoolIndices,
    hides="no dilation; elsewhere its shape may show it",
    hidden=lambda spec, shape: all(
        k == 1 or d == 1 for k, d in zip(spec.kernel_size, spec.dilation, strict=True)
    ),
    reference="torch2trt #526",
)
def pool_dilation_dropped(spec: Any, shape: Shape) -> Faulty | None:
    if max(spec.dilation) == 1:
        return None
    return Faulty(replace(spec, dilation=1), f"dilation 1 instead of {spec.dilation}")


def _divided(spec: AvgPool, shape: Shape, divisor: int | None) -> Faulty | None:
    other = replace(spec, divisor_override=divisor)
    if (pool_counts(other, shape) == pool_counts(spec, shape)).all():
        return None
    return Faulty(other, f"divisor_override={divisor}")


@fault(
    "pooling-13",
    "divisor_override ignored",
    AvgPool,
    hides="no such divisor, or the number of values",
    reference="executorch #18616",
)
def divisor_ignored(spec: AvgPool, shape: Shape) -> Faulty | None:
    return _divided(spec, shape, None)


@fault(
    "pooling-14",
    "what ceil_mode adds is counted in an average",
    AvgPool,
    hides="no such mode, padding that is not counted, a divisor of its own",
    reference="tract #2847",
)
def ceil_mode_counted(spec: AvgPool, shape: Shape) -> Faulty | None:
    if spec.divisor_override is not None or not spec.count_include_pad:
        return None
    return _divided(spec, shape, math.prod(spec.kernel_size))


def _split(y: np.ndarray, sizes: Shape) -> list[np.ndarray]:
    """The coordinates of a place that is counted row by row."""
    return [y // math.prod(sizes[i + 1 :]) % n for i, n in enumerate(sizes)]


def _counted(at: list[np.ndarray], sizes: Shape) -> np.ndarray:
    """The place at some coordinates."""
    return np.asarray(sum(a * math.prod(sizes[i + 1 :]) for i, a in enumerate(at)))


@fault("pooling-15", "places counted in the window", MaxPoolIndices, hides="one window of all")
def places_in_the_window(spec: MaxPoolIndices, shape: Shape) -> Faulty | None:
    places, pairs, sizes = output_shape(spec, shape)[1:-1], _pairs(spec, shape), shape[1:-1]
    if spec.kernel_size == sizes and set(places) == {1} and not any(map(any, pairs)):
        return None

    def inside(y: np.ndarray) -> np.ndarray:
        found = []
        for axis, at in enumerate(_split(y, sizes)):
            start = np.arange(places[axis]) * spec.stride[axis] - pairs[axis][0]
            along = start.reshape([-1 if i == axis + 1 else 1 for i in range(y.ndim)])
            found.append((at - along) // spec.dilation[axis])
        return _counted(found, spec.kernel_size).astype(y.dtype)

    return Faulty(spec, "from the first pixel of each window", after=inside)


@fault(
    "pooling-16",
    "places counted column by column",
    MaxPoolIndices,
    hides="one row, one column",
)
def places_by_columns(spec: MaxPoolIndices, shape: Shape) -> Faulty | None:
    sizes = shape[1:-1]
    if sum(n > 1 for n in sizes) < 2:
        return None
    return Faulty(spec, "x h + y", after=lambda y: _counted(_split(y, sizes)[::-1], sizes[::-1]))


@fault(
    "pooling-17",
    "places counted with the channels",
    MaxPoolIndices,
    hides="one channel",
    reference="tensorflow #7161",
)
def places_with_channels(spec: MaxPoolIndices, shape: Shape) -> Faulty | None:
    c = shape[-1]
    if c == 1:
        return None
    return Faulty(spec, f"{c} y + c", after=lambda y: y * c + np.arange(c, dtype=y.dtype))


@fault(
    "pooling-18",
    "places counted with the padding",
    MaxPoolIndices,
    hides="no padding",
    reference="tensorflow #10216",
)
def places_with_padding(spec: MaxPoolIndices, shape: Shape) -> Faulty | None:
    pairs, sizes = _pairs(spec, shape), shape[1:-1]
    wider = tuple(n + low + high for n, (low, high) in zip(sizes, pairs, strict=True))
    lows = [low for low, _ in pairs]
    if not any(lows) and wider[1:] == sizes[1:]:
        return None

    def after(y: np.ndarray) -> np.ndarray:
        return _counted([a + n for a, n in zip(_split(y, sizes), lows, strict=True)], wider)

    return Faulty(spec, f"in {wider} pixels", after=after)


@fault("pooling-19", "values put back one pixel further", MaxUnpool, hides="one pixel")
def put_one_further(spec: MaxUnpool, shape: Shapes) -> Faulty | None:
    if (pixels := math.prod(output_shape(spec, *each_shape(shape))[1:-1])) == 1:
        return None
    return Faulty(spec, "at the next pixel", before=lambda both: (both[0], (both[1] + 1) % pixels))


@fault(
    "pooling-20",
    "places of values read column by column",
    MaxUnpool,
    hides="one row, one column",
)
def put_by_columns(spec: MaxUnpool, shape: Shapes) -> Faulty | None:
    sizes = output_shape(spec, *each_shape(shape))[1:-1]
    if sum(n > 1 for n in sizes) < 2:
        return None

    def before(both: Any) -> Any:
        at = _split(both[1], sizes[::-1])[::-1]
        return both[0], _counted(at, sizes).astype(both[1].dtype)

    return Faulty(spec, "x h + y", before=before)


@fault(
    "pooling-21",
    "values at one place added",
    MaxUnpool,
    hides="windows that share no pixel, or choose none of those",
)
def put_together(spec: MaxUnpool, shape: Shapes) -> Faulty | None:
    if all(s >= k for s, k in zip(spec.stride, spec.kernel_size, strict=True)):
        return None

    def run(right: Implementation, weights: Arrays, both: Any) -> np.ndarray:
        n, *sizes, c = output_shape(spec, *each_shape(shape))
        y = np.zeros((n, math.prod(sizes) + 1, c), both[0].dtype)
        np.add.at(y, places_among(spec, both[1]), both[0].reshape(n, -1, c))
        return y[:, :-1].reshape(n, *sizes, c)

    return Faulty(spec, "their sum", run=run)
