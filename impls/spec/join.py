"""Where several values become one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import INPUT, Composite, Join, Spec, Step, check_extent, one_to_one
from convparity.impls.spec.checks import Shape, axis_in, axis_of, set_fields, takes


class Elementwise(Join):
    """A join that computes value by value, where a size of 1 along an axis stands for any other."""

    def output_shape(self, *input_shapes: Shape) -> Shape:
        for shape in input_shapes:
            takes(self, shape)
        sizes = list(zip(*input_shapes, strict=False))
        alike = len({len(shape) for shape in input_shapes}) == 1
        if not alike or any(len(set(each) - {1}) > 1 for each in sizes):
            said = " and ".join(map(str, input_shapes))
            raise SpecError(
                f"{type(self).__name__} takes values of one shape, or of size 1 along an axis, not "
                f"{said}"
            )
        return tuple(map(max, sizes))


@dataclass(frozen=True)
class Add(Elementwise):
    """The sum of values, from the left; a size of 1 along an axis stands for any other.

    Shapes:
        input: of each value the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Add()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 1, 1, 3))
        (2, 5, 7, 3)
    """


@dataclass(frozen=True)
class Multiply(Elementwise):
    """The product of values, from the left; a size of 1 along an axis stands for any other.

    A squeeze-and-excitation block (arXiv 1709.01507) multiplies an image by a gate for each
    channel.

    Shapes:
        input: of each value the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Multiply()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 1, 1, 3))
        (2, 5, 7, 3)
    """

    def largest(self, *sizes: float) -> float:
        return math.prod(sizes)


@dataclass(frozen=True)
class Subtract(Elementwise):
    """The first value less the second; a size of 1 along an axis stands for any other.

    Shapes:
        input: of both values the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Subtract()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 5, 7, 3))
        (2, 5, 7, 3)
    """

    arity: ClassVar[int | None] = 2


@dataclass(frozen=True, init=False)
class Concat(Join):
    """Values one after another along an axis.

    Args:
        axis: The axis, channels last: -1 is that of the channels, 1 the first spatial one. The
            batch, 0, is not one of them.

    Shapes:
        input: of each value the same but along the axis
        output: the sum of theirs along the axis

    Raises:
        SpecError: ``axis`` is not an integer, or is 0.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Concat()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 5, 7, 8))
        (2, 5, 7, 11)
    """

    axis: int

    def __init__(self, axis: int = -1) -> None:
        set_fields(self, axis=axis_of(self, axis))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        at = axis_in(self, self.axis, input_shapes[0])
        for shape in input_shapes:
            takes(self, shape)
        rest = {(*shape[:at], *shape[at + 1 :]) for shape in input_shapes}
        if len(rest) != 1 or len({len(shape) for shape in input_shapes}) != 1:
            said = " and ".join(map(str, input_shapes))
            raise SpecError(f"Concat takes values of one shape but along axis {at}, not {said}")
        first = input_shapes[0]
        return (*first[:at], sum(shape[at] for shape in input_shapes), *first[at + 1 :])

    def largest(self, *sizes: float) -> float:
        return max(sizes)


JOINS: dict[str, type[Join]] = {"add": Add}  # by the names that native modules call them by


@dataclass(frozen=True, init=False)
class Residual(Composite):
    """``body(x) + shortcut(x)`` (arXiv 1512.03385); without a shortcut, ``body(x) + x``.

    Args:
        body: The spec of the main branch.
        shortcut: The spec of the other branch; None where the input itself is added.

    Shapes:
        input: that of both branches
        output: that of both branches, which must be the same

    The weights have ``body.`` or ``shortcut.`` in front: ``body.kernel``.

    Raises:
        SpecError: ``body`` or ``shortcut`` is not a spec, or more than 64 composites are nested.

    Example:
        >>> import convparity as cp
        >>> block = cp.Residual(cp.Conv(3, 8, 3, padding="same"), shortcut=cp.Conv(3, 8, 1))
        >>> cp.output_shape(block, (1, 7, 9, 3))
        (1, 7, 9, 8)
        >>> list(cp.parameter_shapes(block))
        ['body.kernel', 'body.bias', 'shortcut.kernel', 'shortcut.bias']
    """

    body: Spec
    shortcut: Spec | None

    def __init__(self, body: Spec, shortcut: Spec | None = None) -> None:
        set_fields(
            self,
            body=one_to_one(self, "body", body),
            shortcut=None if shortcut is None else one_to_one(self, "shortcut", shortcut),
        )
        check_extent(self)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """``body``, ``shortcut`` if there is one, and ``add``, their sum."""
        body = Step("body", self.body, (INPUT,), "body")
        if self.shortcut is None:
            return body, Step("add", Add(), ("body", INPUT), None)
        shortcut = Step("shortcut", self.shortcut, (INPUT,), "shortcut")
        return body, shortcut, Step("add", Add(), ("body", "shortcut"), None)

    def with_children(self, children: Mapping[str, Spec]) -> "Residual":
        return Residual(children["body"], children.get("shortcut"))
