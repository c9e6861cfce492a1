"""Other sizes of what a spec takes: of one input its shape, of several a tuple of their shapes.

Sizes of several inputs hang together: one may be half of another. So they change together, each in
proportion, and a size of 1, which may stand for any other, stays.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from convparity.impls.errors import InputError, SpecError, quoted
from convparity.impls.spec import (
    Shape,
    Shapes,
    Spec,
    each_shape,
    number_of_inputs,
    output_shape,
    shape_of,
)


def asked_shape(spec: Spec, given: Any) -> Shapes:
    """The ``input_shape`` that a user gives: of a graph with several inputs, a tuple of shapes."""
    number = number_of_inputs(spec)
    if number == 1:
        return shape_of(given)
    if not isinstance(given, tuple | list) or len(given) != number:
        raise InputError(
            f"input_shape is a tuple of {number} shapes, one for each input, not {quoted(given)}"
        )
    return tuple(map(shape_of, given))


def shape_like(x: Any) -> Shapes:
    """The shape of an input, or of a tuple of them."""
    return tuple(each.shape for each in x) if isinstance(x, tuple) else x.shape


def fits(spec: Spec, shape: Shapes) -> bool:
    """Whether a spec takes inputs of this shape."""
    try:
        output_shape(spec, *each_shape(shape))
    except SpecError:
        return False
    return True


def spatial_axes(shape: Shapes) -> range:
    """The axes that are neither the batch nor, of any of the inputs, its channels."""
    return range(1, max(map(len, each_shape(shape))) - 1)


def size_along(shape: Shapes, axis: int) -> int:
    """The size along an axis; of several inputs, what divides all of theirs."""
    return math.gcd(*_sizes(each_shape(shape), axis)) or 1


def with_size(shape: Shapes, axis: int, size: int) -> Shapes:
    """The shape with another ``size_along`` an axis."""
    shapes, before = each_shape(shape), size_along(shape, axis)
    if len(shapes) == 1:
        return (*shapes[0][:axis], size, *shapes[0][axis + 1 :])
    return tuple(
        (*each[:axis], each[axis] // before * size, *each[axis + 1 :])
        if _sizes([each], axis)
        else each
        for each in shapes
    )


def with_batch(spec: Spec, shape: Shapes, sizes: Iterable[int]) -> Shapes:
    """The shape with the first of these batches that ``spec`` takes: a pattern may split it."""
    for n in sizes:
        if fits(spec, found := with_size(shape, 0, n)):
            return found
    return shape


def _sizes(shapes: Sequence[Shape], axis: int) -> list[int]:
    """The sizes along an axis, but for those of 1, and of inputs that have no such axis."""
    there = [shape[axis] for shape in shapes if axis < len(shape) - 1]
    return [n for n in there if n != 1 or axis == 0]
