"""What a network holds by itself: values that take nothing of its input."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from convparity.impls.errors import FROM_USER_CODE, quoted
from convparity.impls.spec.base import Source
from convparity.impls.spec.checks import Shape, fail, integer, number, set_fields

MOST_AXES = 4  # of one example
MOST = 4096  # numbers of a Constant: a spec is read as a whole, and compared as one
Numbers = (
    Iterable[float]
    | Iterable[Iterable[float]]
    | Iterable[Iterable[Iterable[float]]]
    | Iterable[Iterable[Iterable[Iterable[float]]]]
)


def _shape(owner: object, value: Any) -> Shape:
    """The shape of one example: 1 to 4 sizes."""
    try:
        sizes = [value] if isinstance(value, int | str) else list(islice(value, MOST_AXES + 1))
    except FROM_USER_CODE:
        sizes = [value]
    if not 0 < len(sizes) <= MOST_AXES:
        raise fail(owner, f"shape has 1 to {MOST_AXES} sizes, not {quoted(value)}")
    return tuple(integer(owner, "shape", each) for each in sizes)


@dataclass(frozen=True, init=False)
class Parameter(Source):
    """A trained value by itself, the same for every example: a position, a token, a scale.

    In a ``Graph`` it is a node that takes nothing, ``"pos": (Parameter((7, 7, 8)),)``; joins add it
    to other values, multiply these by it, or put it beside them. ``Residual(Parameter(shape))``
    adds it to the input.

    Args:
        shape: Of one example, channels last: ``(*spatial, C)`` or ``(features,)``; at most 4 sizes.

    Shapes:
        input: any; its batch alone counts
        output: ``(N, *shape)``
        value: ``shape``

    Raises:
        SpecError: ``shape`` is not 1 to 4 integers of at least 1.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Parameter((5, 3))
        >>> net = cp.Graph({"pos": (layer,), "sum": (cp.Add(), "x", "pos")})
        >>> cp.output_shape(net, (2, 5, 3))
        (2, 5, 3)
        >>> cp.parameter_shapes(net)
        {'pos.value': (5, 3)}
    """

    shape: Shape

    def __init__(self, shape: int | Iterable[int]) -> None:
        set_fields(self, shape=_shape(self, shape))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return (input_shape[0], *self.shape)

    def parameters(self) -> dict[str, Shape]:
        return {"value": self.shape}


@dataclass(frozen=True, init=False)
class Constant(Source):
    """Numbers that no training changes, the same for every example.

    In a ``Graph`` it is a node that takes nothing: ``"mask": (Constant([[1, 0], [1, 1]]),)``. Each
    number is rounded to the dtype in which the network computes, once.

    Args:
        values: The numbers, at most 4,096, all finite: nested as deep as they have axes, channels
            last, or an array; or all of them in one row, in C order, beside ``shape``.
        shape: Of one example, as in ``Parameter``; None is that in which ``values`` are nested.

    Shapes:
        input: any; its batch alone counts
        output: ``(N, *shape)``

    Raises:
        SpecError: A value is no finite number; there are more; or they do not fill the shape.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Constant([[1, 2], [3, 4]])
        >>> cp.output_shape(layer, (5, 7))
        (5, 2, 2)
        >>> layer == cp.Constant([1, 2, 3, 4], (2, 2))
        True
    """

    values: tuple[float, ...]
    shape: Shape

    def __init__(self, values: Numbers, shape: int | Iterable[int] | None = None) -> None:
        flat, nested = self._flat(values)
        found = _shape(self, nested if shape is None else shape)
        if math.prod(found) != len(flat):
            raise fail(self, f"{len(flat):,} values do not fill the shape {found}")
        set_fields(self, values=flat, shape=found)

    def _flat(self, values: Any) -> tuple[tuple[float, ...], Shape]:
        """The numbers in C order, and the shape in which they are nested."""
        sizes: list[int] = []
        level: list[Any] = [values]
        while level and not isinstance(level[0], str | bytes) and hasattr(level[0], "__iter__"):
            rows = [self._row(each) for each in level]
            if len({len(row) for row in rows}) > 1:
                raise fail(self, f"values are nested unevenly: {quoted(values)}")
            sizes.append(len(rows[0]))
            level = [each for row in rows for each in row]
            if not 0 < len(level) <= MOST or len(sizes) > MOST_AXES:
                raise fail(self, f"it takes 1 to {MOST:,} numbers along 1 to {MOST_AXES} axes")
        found = tuple(number(self, "a value", each) for each in level)
        if not all(map(math.isfinite, found)):
            raise fail(self, f"values must be finite, not {quoted(values)}")
        return found, tuple(sizes)

    def _row(self, value: Any) -> list[Any]:
        try:
            if isinstance(value, str | bytes):
                raise TypeError
            return list(islice(value, MOST + 1))
        except FROM_USER_CODE:
            raise fail(self, f"values are numbers, nested evenly, not {quoted(value)}") from None

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return (input_shape[0], *self.shape)

    def parameters(self) -> dict[str, Shape]:
        return {}
