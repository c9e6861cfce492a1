"""Arithmetic of values one by one: operands, divisors, the order of steps, stretched axes."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import (
    Add,
    Average,
    Divide,
    Identity,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Rescale,
    Shape,
    Shapes,
    Subtract,
    each_shape,
)

ONE_BY_ONE = (Add, Subtract, Multiply, Divide, Maximum, Minimum, Average)


@fault("arithmetic-01", "the second value divided by the first", Divide, hides="equal values")
def divided_backwards(spec: Divide, shape: Shapes) -> Faulty | None:
    return Faulty(spec, "the second by the first", before=lambda values: values[::-1])


@fault("arithmetic-02", "the product for a quotient", Divide, hides="divisors of 1 and -1")
def multiplied(spec: Divide, shape: Shapes) -> Faulty | None:
    return Faulty(Multiply(), "a b for a / b")


@fault("arithmetic-03", "the smallest of values for the largest", Maximum, hides="equal values")
def smallest(spec: Maximum, shape: Shapes) -> Faulty | None:
    return Faulty(Minimum(), "the smallest") if len(each_shape(shape)) > 1 else None


@fault("arithmetic-04", "the largest of values for the smallest", Minimum, hides="equal values")
def largest(spec: Minimum, shape: Shapes) -> Faulty | None:
    return Faulty(Maximum(), "the largest") if len(each_shape(shape)) > 1 else None


@fault("arithmetic-05", "the sum of values for their average", Average, hides="one value")
def summed(spec: Average, shape: Shapes) -> Faulty | None:
    return Faulty(Add(), "the sum") if len(each_shape(shape)) > 1 else None


@fault("arithmetic-06", "an average of averages of two", Average, hides="two values, or one")
def averaged_in_turn(spec: Average, shape: Shapes) -> Faulty | None:
    if len(each_shape(shape)) < 3:
        return None

    def run(right: Any, weights: Any, values: Any) -> np.ndarray:
        return np.asarray(reduce(lambda a, b: (a + b) / a.dtype.type(2), values))

    return Faulty(spec, "the last has a weight of 1/2", run=run)


def _both(spec: Rescale) -> tuple[np.ndarray, np.ndarray]:
    """The scale and the offset, of each channel where one of them is."""
    scale, offset = np.broadcast_arrays(spec.scale, spec.offset)
    return scale.astype(float), offset.astype(float)


def _rescaled(
    spec: Rescale, detail: str, change: Callable[[np.ndarray, np.ndarray], Any]
) -> Faulty | None:
    right = _both(spec)
    with np.errstate(divide="ignore"):
        wrong = change(*right)
    if all(map(np.array_equal, right, wrong)):
        return None
    return Faulty(Rescale(*(each.tolist() for each in wrong)), detail)


@fault("arithmetic-07", "an offset before its scale", Rescale, hides="a scale of 1, no offset")
def offset_first(spec: Rescale, shape: Shape) -> Faulty | None:
    return _rescaled(spec, "(x + offset) scale", lambda scale, offset: (scale, scale * offset))


@fault("arithmetic-08", "divided by a scale", Rescale, hides="scales of 1 and -1")
def scale_inverted(spec: Rescale, shape: Shape) -> Faulty | None:
    return _rescaled(spec, "x / scale + offset", lambda scale, offset: (1 / scale, offset))


@fault("arithmetic-09", "an offset subtracted", Rescale, hides="no offset")
def offset_subtracted(spec: Rescale, shape: Shape) -> Faulty | None:
    return _rescaled(spec, "x scale - offset", lambda scale, offset: (scale, 0 - offset))


@fault(
    "arithmetic-10",
    "numbers of the channels in reverse, as BGR for RGB",
    Rescale,
    hides="the same numbers for all channels, or from either end",
    reference="PaddleOCR #7247",
)
def channels_reversed(spec: Rescale, shape: Shape) -> Faulty | None:
    if spec.channels is None:
        return None
    return _rescaled(spec, "the last first", lambda scale, offset: (scale[::-1], offset[::-1]))


@fault(
    "arithmetic-11", "a scale left out, as 1 / sqrt(d) of attention", Rescale, hides="a scale of 1"
)
def scale_left_out(spec: Rescale, shape: Shape) -> Faulty | None:
    if not np.any(spec.offset):
        return None if np.all(np.equal(spec.scale, 1)) else Faulty(Identity(), "x")
    return _rescaled(spec, "x + offset", lambda scale, offset: (np.ones_like(scale), offset))


@fault("arithmetic-12", "the sign of an exponent left out", Power, hides="exponents from 0 on")
def exponent_positive(spec: Power, shape: Shape) -> Faulty | None:
    return None if spec.exponent >= 0 else Faulty(Power(-spec.exponent), f"{-spec.exponent:g}")


@fault("arithmetic-13", "a factor of a power short", Power, hides="exponents below 2, or not whole")
def factor_short(spec: Power, shape: Shape) -> Faulty | None:
    e = spec.exponent
    return None if e < 2 or e % 1 else Faulty(replace(spec, exponent=e - 1), f"{e - 1:g} for {e:g}")


@fault("arithmetic-14", "multiplied by an exponent", Power, hides="an exponent of 1")
def times_exponent(spec: Power, shape: Shape) -> Faulty | None:
    e = spec.exponent
    return None if e == 1 else Faulty(Rescale(e), f"{e:g} x for x to the power of {e:g}")


@fault(
    "arithmetic-15",
    "a value stretched along another axis of the same size",
    *ONE_BY_ONE,
    hides="values that are not stretched, sizes that differ",
    reference="AiDotNet.Tensors #651",
)
def stretched_elsewhere(spec: Any, shape: Shapes) -> Faulty | None:
    shapes = each_shape(shape)
    whole = spec.output_shape(*shapes)
    for i, own in enumerate(shapes):
        found = [axis for axis in range(1, len(whole)) if own[axis] == whole[axis] > 1]
        short = [axis for axis in range(1, len(whole)) if own[axis] == 1]
        alike = [(a, b) for a in found for b in short if whole[a] == whole[b]]
        if alike:
            return exchanged(spec, i, *alike[0])
    return None


def exchanged(spec: Any, i: int, a: int, b: int) -> Faulty:
    """Of a join, two axes of the same size of one value."""

    def before(values: Any) -> Any:
        return (*values[:i], values[i].swapaxes(a, b), *values[i + 1 :])

    return Faulty(spec, f"value {i}: axes {a} and {b} exchanged", before=before)
