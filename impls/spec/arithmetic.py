"""Arithmetic number by number: of several values, or of one with numbers that the spec says."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from convparity.impls.errors import FROM_USER_CODE, quoted
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import Shape, fail, number, set_fields, takes
from convparity.impls.spec.join import Elementwise

MOST_CHANNELS = 2**16  # of numbers that a spec says one by one


@dataclass(frozen=True)
class Divide(Elementwise):
    """The first value by the second; a size of 1 along an axis stands for any other.

    A number by 0 is an infinity, and 0 by 0 is NaN. Where rounding may have taken the divisor to
    0, nothing bounds the quotient, and a verdict is "not tested".

    Shapes:
        input: of both values the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Divide()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 1, 1, 3))
        (2, 5, 7, 3)
    """

    arity: ClassVar[int | None] = 2

    def largest(self, *sizes: float) -> float:
        return sizes[0]  # of integers, which are at least 1 where they divide


@dataclass(frozen=True)
class Maximum(Elementwise):
    """The largest of values, place by place; a size of 1 along an axis stands for any other.

    Shapes:
        input: of each value the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Maximum()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 1, 1, 3))
        (2, 5, 7, 3)
    """

    def largest(self, *sizes: float) -> float:
        return max(sizes)


@dataclass(frozen=True)
class Minimum(Elementwise):
    """The smallest of values, place by place; a size of 1 along an axis stands for any other.

    Shapes:
        input: of each value the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Minimum()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 1, 1, 3))
        (2, 5, 7, 3)
    """

    def largest(self, *sizes: float) -> float:
        return max(sizes)


@dataclass(frozen=True)
class Average(Elementwise):
    """The mean of values, place by place; a size of 1 along an axis stands for any other.

    Shapes:
        input: of each value the same, or 1 along some axes
        output: the largest of them along each axis

    Example:
        >>> import convparity as cp
        >>> layer = cp.Average()
        >>> cp.output_shape(layer, (2, 5, 7, 3), (2, 5, 7, 3))
        (2, 5, 7, 3)
    """

    def largest(self, *sizes: float) -> float:
        return sum(sizes) / len(sizes)


def per_channel(owner: object, name: str, value: Any) -> float | tuple[float, ...]:
    """A finite number, or one for each channel."""
    try:
        given = [value] if isinstance(value, str) else list(islice(value, MOST_CHANNELS + 1))
        several = True
    except FROM_USER_CODE:
        given, several = [value], False
    if not 0 < len(given) <= MOST_CHANNELS:
        raise fail(owner, f"{name} is a number, or one a channel, not {quoted(value)}")
    found = tuple(number(owner, name, each) for each in given)
    if not all(map(math.isfinite, found)):
        raise fail(owner, f"{name} must be finite, not {quoted(value)}")
    return found if several else found[0]


@dataclass(frozen=True, init=False)
class Rescale(Layer):
    """``x * scale + offset``, by numbers that no training changes.

    Args:
        scale: A finite number, or one for each channel.
        offset: The same; of numbers for each channel there are as many as in ``scale``.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Rescale(2, offset=(0, -1))
        >>> cp.reference(layer, {}, np.array([[1, 2]])).tolist()
        [[2.0, 3.0]]
    """

    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]

    def __init__(
        self, scale: float | Iterable[float] = 1.0, offset: float | Iterable[float] = 0.0
    ) -> None:
        set_fields(
            self,
            scale=per_channel(self, "scale", scale),
            offset=per_channel(self, "offset", offset),
        )
        if len({len(each) for each in (self.scale, self.offset) if isinstance(each, tuple)}) > 1:
            raise fail(self, "scale and offset have numbers for unlike many channels")

    @property
    def channels(self) -> int | None:
        """How many channels it has numbers for; None if they are the same for all."""
        several = (each for each in (self.scale, self.offset) if isinstance(each, tuple))
        return next(map(len, several), None)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.channels)
        return tuple(input_shape)

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Power(Layer):
    """``x ** exponent``: of a whole exponent by products, which are exact on integers.

    Of another exponent a number below 0 is NaN; of one below 0, a 0 is an infinity. To the power
    of 0 everything is 1.

    Args:
        exponent: A finite number.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: ``exponent`` is not a number, or not finite.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Power(3)
        >>> cp.reference(layer, {}, np.array([[2, -3]])).tolist()
        [[8.0, -27.0]]
    """

    exponent: float

    def __init__(self, exponent: float) -> None:
        set_fields(self, exponent=number(self, "exponent", exponent))
        if not math.isfinite(self.exponent):
            raise fail(self, f"exponent must be finite, not {self.exponent}")

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return tuple(input_shape)

    def parameters(self) -> dict[str, Shape]:
        return {}
