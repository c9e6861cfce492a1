"""One limit on work, computed from shapes before any is done.

A line of text asks for a million taps as easily as for nine. What the plain loops of the reference
need is counted first, and more than a machine has is one error that says how to allow it.
"""

import math
import os
from typing import NamedTuple

from convparity.impls.errors import InputError, quoted
from convparity.impls.spec import (
    AvgPool,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Join,
    MaxPool,
    MaxPoolIndices,
    Shape,
    Source,
    Spec,
    output_shape,
    padding_pairs,
    parameter_shapes,
    transposed_crop,
    walk_shapes,
    window_extent,
)
from convparity.impls.spec.checks import MOST_AXES

VARIABLE = "CONVPARITY_LIMIT"  # in the environment: how many times as much is allowed
NUMBERS = 2**26  # of one layer: its input, with padding, its output, and what each tap meets there
WEIGHTS = 2**28  # of all layers
TAPS = 2**15  # of one window: steps of a plain loop
MACS = 2**36  # of one layer: multiplications
POOLS = (MaxPool, MaxPoolIndices, AvgPool)
WINDOWS = (Conv, ConvTranspose, DepthwiseConv, *POOLS)


class Work(NamedTuple):
    """What one layer takes."""

    taps: int
    numbers: int
    weights: int
    macs: int


MOST = Work(TAPS, NUMBERS, WEIGHTS, MACS)
WHAT = ("taps of a window", "numbers at once", "weights", "multiplications")


def layer_work(spec: Spec, shapes: tuple[Shape, ...]) -> Work:
    """What a layer, or a join, takes on inputs of these shapes."""
    out = output_shape(spec, *shapes)
    numbers = sum(map(math.prod, shapes)) + math.prod(out)
    weights = sum(map(math.prod, spec.parameters().values())) if hasattr(spec, "parameters") else 0
    if isinstance(spec, Source):
        return Work(1, numbers, weights, 0)
    if not isinstance(spec, WINDOWS):
        products = spec.multiply_accumulates(*shapes) if isinstance(spec, Join) else 0
        return Work(1, numbers, weights, products + weights * max(1, math.prod(out[:-1])))
    n, *spatial, channels = shapes[0]
    taps = math.prod(spec.kernel_size)
    met = channels // spec.groups if isinstance(spec, Conv | ConvTranspose) else 1
    if isinstance(spec, ConvTranspose):
        extent, (_, extra) = window_extent(spec), transposed_crop(spec)
        sizes = zip(spatial, spec.stride, extent, extra, strict=True)
        whole = [(size - 1) * s + k + more for size, s, k, more in sizes]  # before it is cropped
        numbers += n * math.prod(whole) * out[-1]
        places = n * math.prod(spatial) * out[-1]
    else:
        pairs = padding_pairs(spec, tuple(spatial))
        padded = [low + size + high for size, (low, high) in zip(spatial, pairs, strict=True)]
        numbers += n * math.prod(padded) * channels
        places = math.prod(out)
    if not isinstance(spec, POOLS):
        numbers += taps * math.prod(out[1:-1])  # which pixel each tap meets
    return Work(taps, numbers, weights, places * taps * met)


def largest_file() -> int:
    """The bytes that a file of weights has at most: all that are allowed, in float64."""
    return 8 * WEIGHTS * _times() + 2**24


def check_numbers(shape: Shape, what: str) -> None:
    """Raise ``InputError`` for an array, not yet made or read, of more numbers than the limit."""
    number, most = math.prod(shape), NUMBERS * _times()
    if number > most or min(shape, default=0) < 0 or len(shape) > MOST_AXES:
        raise InputError(
            f"{what} of shape {quoted(tuple(shape))} is no array of at most {_said(most)} numbers "
            f"and {MOST_AXES} axes: give a smaller one, or set "
            f"{VARIABLE}={quoted(max(1, -(-number // NUMBERS)))} in the environment"
        )


def check_work(spec: Spec, *input_shapes: Shape, passes: int = 1) -> None:
    """Raise ``InputError`` if a layer of ``spec`` takes more than the limit on this input.

    ``passes`` is how many times as many numbers are held, or runs made, as in one run of the
    reference. Raises ``SpecError`` where the input does not fit.
    """
    times, weights = _times(), 0
    ran: set[str] = set()
    for path, each, shapes in walk_shapes(spec, *input_shapes):
        if hasattr(each, "children"):
            continue
        work = layer_work(each, shapes)
        weights += 0 if path in ran else work.weights  # of a layer that runs again, the same ones
        ran.add(path)
        numbers, macs = passes * work.numbers, passes * work.macs
        asked = Work(work.taps, numbers, weights, macs)
        for name, number, most in zip(WHAT, asked, MOST, strict=True):
            if number > most * times:
                where = f"layer {path!r}" if path else type(each).__name__
                raise InputError(
                    f"{where} takes {_said(number)} {name} on an input of {quoted(shapes[0])}, "
                    f"and {_said(most * times)} are allowed: give a smaller one, or set "
                    f"{VARIABLE}={quoted(-(-number // most))} in the environment"
                )


def check_size(spec: Spec) -> None:
    """Raise ``InputError`` if ``spec`` has more weights than the limit."""
    number, times = sum(map(math.prod, parameter_shapes(spec).values())), _times()
    if number > WEIGHTS * times:
        raise InputError(
            f"{type(spec).__name__} has {_said(number)} weights, and {_said(WEIGHTS * times)} are "
            f"allowed: give a smaller one, or set {VARIABLE}={quoted(-(-number // WEIGHTS))} in "
            "the environment"
        )


def _said(number: int) -> str:
    return f"{number:,}" if number < 10**15 else "more than 10^15"


def _times() -> int:
    said = os.environ.get(VARIABLE, "1")
    if not said.isascii() or not said.isdigit() or not 0 < len(said) < 10 or int(said) == 0:
        raise InputError(f"{VARIABLE} is a number of at least 1, such as 8, not {quoted(said)}")
    return int(said)
