"""Sums of products of two values along named axes: matrix products and attention."""

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from convparity.impls.errors import SpecError, quoted
from convparity.impls.spec.base import Join
from convparity.impls.spec.checks import Shape, fail, set_fields, takes

Named = tuple[str, ...]


@dataclass(frozen=True, init=False)
class Einsum(Join):
    """Products of two values, summed over the axes that the result does not have.

    A pattern names the axes of both values and of the result, channels last, in the words of einops
    (https://einops.rocks): ``"n q c, n k c -> n q k"`` are the scores of attention.

    Args:
        pattern: Axes, a comma, axes, an arrow, axes. The first of each is the batch, by one name.
            Each other axis of the result is one of the values; none occurs twice in one of them.

    Shapes:
        input: of each value as the pattern names it; an axis of one name has one size
        output: as behind the arrow

    Raises:
        SpecError: The pattern is not of this form, repeats an axis, makes one, or moves the batch.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Einsum("n q c, n k c -> n q k")
        >>> cp.output_shape(layer, (2, 5, 8), (2, 7, 8))
        (2, 5, 7)
    """

    arity: ClassVar[int | None] = 2

    pattern: str

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str):
            raise fail(self, f"pattern must be a text, not {quoted(pattern)}")
        spaced = " ".join(re.sub("(,|->)", r" \1 ", pattern).split())
        set_fields(self, pattern=spaced.replace(" ,", ","))
        self._check()

    def _check(self) -> None:
        sides = [side.split(",") for side in self.pattern.split("->")]
        if list(map(len, sides)) != [2, 1]:
            raise self._wrong('it has the form "n q c, n k c -> n q k"')
        for axes in self.axes:
            for name in axes:
                if not re.fullmatch(r"[^\W\d_]\w*", name, re.ASCII):
                    raise self._wrong(f"an axis has a name of letters and digits, not {name!r}")
            if len(set(axes)) < len(axes):
                raise self._wrong("an axis occurs once in each value, and once in the result")
            if len(axes) < 2:
                raise self._wrong("each has an axis besides the batch")
        first, second, result = self.axes
        if len({first[0], second[0], result[0]}) > 1:
            raise self._wrong("the first axis is the batch, which has one name and stays first")
        if new := set(result) - {*first, *second}:
            raise self._wrong(f"no value has the axis {min(new)!r} of the result")

    def _wrong(self, why: str) -> SpecError:
        return fail(self, f"{quoted(self.pattern)}: {why}")

    @property
    def axes(self) -> tuple[Named, Named, Named]:
        """The names of the axes of both values, and of the result."""
        first, second, result = re.split(",|->", self.pattern)
        return tuple(first.split()), tuple(second.split()), tuple(result.split())

    def sizes(self, *input_shapes: Shape) -> dict[str, int]:
        """The size of each axis.

        Args:
            *input_shapes: The shapes of both values, channels last.

        Returns:
            The sizes by the names.

        Raises:
            SpecError: A value has another number of axes, or an axis has two sizes.
        """
        found: dict[str, int] = {}
        for axes, shape in zip(self.axes, input_shapes, strict=False):
            takes(self, shape)
            if len(axes) != len(shape):
                raise self._wrong(f"a value of {len(axes)} axes is meant, not one of {shape}")
            for name, size in zip(axes, shape, strict=True):
                if found.setdefault(name, size) != size:
                    raise self._wrong(f"the axis {name!r} has the sizes {found[name]} and {size}")
        return found

    def terms(self, *input_shapes: Shape) -> int:
        """How many products become one number.

        Args:
            *input_shapes: The shapes of both values, channels last.

        Returns:
            The product of the sizes of the axes that the result does not have.
        """
        *_, result = self.axes
        sizes = self.sizes(*input_shapes)
        return math.prod(size for name, size in sizes.items() if name not in result)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        *_, result = self.axes
        sizes = self.sizes(*input_shapes)
        return tuple(sizes[name] for name in result)

    def multiply_accumulates(self, *input_shapes: Shape) -> int:
        return math.prod(self.sizes(*input_shapes).values())

    def largest(self, *sizes: float) -> float:
        return math.prod(sizes)  # of one product: how many are summed, their shapes say
