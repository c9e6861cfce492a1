"""Batches of one, outputs of one channel, inputs of an odd size."""

from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import AvgPool, Conv, ConvTranspose, DepthwiseConv, MaxPool, Shape, Spec

WINDOWED = (Conv, DepthwiseConv, ConvTranspose, MaxPool, AvgPool)


@fault(
    "edges-01",
    "batch of one squeezed",
    *WINDOWED,
    hides="batches of several; elsewhere its shape shows it",
    reference="KP2D #14",
)
def batch_squeezed(spec: Spec, shape: Shape) -> Faulty | None:
    if shape[0] > 1:
        return None
    return Faulty(spec, "y[0] for y", after=lambda y: y[0])


@fault(
    "edges-02",
    "one output channel squeezed",
    Conv,
    hides="several channels; elsewhere its shape shows it",
)
def channel_squeezed(spec: Conv, shape: Shape) -> Faulty | None:
    if spec.out_channels > 1:
        return None
    return Faulty(spec, "y[..., 0] for y", after=lambda y: y[..., 0])


@fault(
    "edges-03",
    "the first example's output for all of them",
    *WINDOWED,
    hides="batches of one",
)
def first_for_all(spec: Spec, shape: Shape) -> Faulty | None:
    if shape[0] == 1:
        return None
    return Faulty(spec, f"y[0] {shape[0]} times", after=lambda y: np.repeat(y[:1], len(y), axis=0))


@fault(
    "edges-04",
    "last row of an odd input cut off",
    *WINDOWED,
    hides="even sizes, sizes of one; elsewhere its shape may show it",
)
def odd_row_cut(spec: Any, shape: Shape) -> Faulty | None:
    n = shape[1]
    if n % 2 == 0 or n == 1:
        return None
    return Faulty(spec, f"{n - 1} of {n} rows", before=lambda x: x[:, : n - 1])
