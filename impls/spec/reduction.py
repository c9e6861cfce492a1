"""Sums, means and the like over any axes but the batch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal, SupportsIndex, get_args

from convparity.impls.errors import FROM_USER_CODE, quoted, unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    MOST_AXES,
    Shape,
    axis_in,
    axis_of,
    boolean,
    fail,
    integer,
    set_fields,
    takes,
)

Reduction = Literal["mean", "sum", "max", "min", "var", "std", "norm", "norm1"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)
SPREADS = ("var", "std")


@dataclass(frozen=True, init=False)
class Reduce(Layer):
    """One number of all that lie along some axes.

    Args:
        function: ``"mean"``, ``"sum"``, ``"max"``, ``"min"``, ``"var"``, ``"std"`` (the root of the
            variance), ``"norm"`` (the root of the sum of squares) or ``"norm1"`` (the sum of
            absolute values).
        axes: One axis or several, channels last: -1 is that of the channels, 1 the first spatial
            one. The batch, 0, is not one of them.
        keepdims: Whether each remains as an axis of size 1.
        correction: What a variance divides by is their number less this: 0 or 1.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: the same without these axes, or with 1 in their places

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Reduce("mean", (1, 2))
        >>> cp.output_shape(layer, (2, 5, 7, 3))
        (2, 3)
        >>> cp.output_shape(cp.Reduce("max", -1, keepdims=True), (2, 5, 7, 3))
        (2, 5, 7, 1)
    """

    function: Reduction
    axes: tuple[int, ...]
    keepdims: bool
    correction: int

    def __init__(
        self,
        function: Reduction,
        axes: SupportsIndex | Iterable[SupportsIndex],
        keepdims: bool = False,
        correction: int = 0,
    ) -> None:
        if not isinstance(function, str) or function not in REDUCTIONS:
            raise fail(self, unknown_name("function", function, REDUCTIONS))
        try:
            given = list(islice(axes, MOST_AXES)) if isinstance(axes, Iterable) else [axes]
        except FROM_USER_CODE:
            given = []
        if not given:
            raise fail(self, f"axes are one or several, not {quoted(axes)}")
        set_fields(
            self,
            function=function,
            axes=tuple(axis_of(self, each) for each in given),
            keepdims=boolean(self, "keepdims", keepdims),
            correction=integer(self, "correction", correction, 0),
        )
        if self.correction > 1 or (self.correction and function not in SPREADS):
            raise fail(self, f"correction is 0, or 1 of var and std, not {self.correction}")

    def places(self, input_shape: Shape) -> tuple[int, ...]:
        """Which axes of an input are meant, counted from 0, in order.

        Args:
            input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.

        Returns:
            Their places, from 1 on.

        Raises:
            SpecError: The input lacks one of them, or one is named twice.
        """
        found = tuple(sorted(axis_in(self, each, input_shape) for each in self.axes))
        if len(set(found)) < len(found):
            raise fail(self, f"axes {self.axes} name one of {quoted(input_shape)} twice")
        return found

    def count(self, input_shape: Shape) -> int:
        """How many numbers become one.

        Args:
            input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.

        Returns:
            The product of the sizes of the axes.
        """
        return math.prod(input_shape[at] for at in self.places(input_shape))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        at = self.places(input_shape)
        if self.count(input_shape) <= self.correction:
            raise fail(self, f"a variance of one number with correction 1, of {input_shape}")
        if self.keepdims:
            return tuple(1 if i in at else n for i, n in enumerate(input_shape))
        if len(at) == len(input_shape) - 1:
            raise fail(self, f"nothing but the batch is left of {input_shape}: give keepdims=True")
        return tuple(n for i, n in enumerate(input_shape) if i not in at)

    def parameters(self) -> dict[str, Shape]:
        return {}
