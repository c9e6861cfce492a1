"""Operations that move values and compute nothing."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import SupportsIndex

import einops
import numpy as np

from convparity.impls.axis_patterns import ELLIPSIS, Axes, Moves, axes, moves, normal_form, sides
from convparity.impls.errors import FROM_USER_CODE, SpecError, quoted
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    LARGEST,
    PaddingMode,
    Pairs,
    Shape,
    axis_in,
    axis_of,
    fail,
    integer,
    number,
    pad_pairs,
    padding_mode_of,
    set_fields,
    takes,
)


@dataclass(frozen=True, init=False)
class Slice(Layer):
    """Every ``step``-th entry of a range of an axis, as Python slices: split, chunk and crop.

    Args:
        axis: The axis, channels last: -1 is that of the channels, 1 the first spatial one. The
            batch, 0, is not one of them.
        start: The first entry; a negative one counts from the end.
        stop: The entry behind the last; a negative one counts from the end, None is the end.
        step: From one entry to the next, at least 1.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: the same, with fewer entries along the axis

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Slice(-1, 1, stop=-1)
        >>> cp.output_shape(layer, (2, 4, 5, 8))
        (2, 4, 5, 6)
    """

    axis: int
    start: int
    stop: int | None
    step: int

    def __init__(self, axis: int, start: int = 0, stop: int | None = None, step: int = 1) -> None:
        set_fields(
            self,
            axis=axis_of(self, axis),
            start=integer(self, "start", start, -LARGEST),
            stop=None if stop is None else integer(self, "stop", stop, -LARGEST),
            step=integer(self, "step", step),
        )

    def entries(self, input_shape: Shape) -> range:
        """The entries of the axis that remain.

        Args:
            input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.

        Returns:
            Their places, from 0 on.
        """
        size = input_shape[axis_in(self, self.axis, input_shape)]
        return range(*slice(self.start, self.stop, self.step).indices(size))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        at = axis_in(self, self.axis, input_shape)
        if not (left := len(self.entries(input_shape))):
            raise fail(
                self,
                f"nothing is left of axis {self.axis} of size {input_shape[at]} from "
                f"{self.start} to {'the end' if self.stop is None else self.stop}",
            )
        return (*input_shape[:at], left, *input_shape[at + 1 :])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False, repr=False)
class Rearrange(Layer):
    """Every reshape and permute, in the language of einops (https://einops.rocks).

    A pattern names the axes before and after the arrow, channels last: ``"n h w c -> n (h w c)"``
    flattens. Parentheses split an axis into factors, or merge factors, the first being the slowest;
    "1" is an axis of size 1, and "..." any number of axes. Nothing is summed or repeated.

    Args:
        pattern: The axes before and after. The first is the batch, which stays first, and may be
            merged with others: ``"n h w c -> (n h) w c"``.
        sizes: The sizes of factors, as a mapping or as pairs; what can be inferred need not be
            said.
        **axes: The same, by name.

    Shapes:
        input: as in front of the arrow, with an axis besides the batch
        output: as behind it, with an axis besides the batch

    Raises:
        SpecError: The pattern is none of einops', repeats or drops an axis, or moves the batch; or
            a size is no integer from 1 on.

    Example:
        >>> import convparity as cp
        >>> shuffle = cp.Rearrange("n h w (g c) -> n h w (c g)", g=2)  # arXiv 1707.01083
        >>> cp.output_shape(shuffle, (1, 5, 7, 6))
        (1, 5, 7, 6)
        >>> to_depth = cp.Rearrange("n (h a) (w b) c -> n h w (a b c)", a=2, b=2)
        >>> cp.output_shape(to_depth, (1, 4, 6, 3))
        (1, 2, 3, 12)
    """

    pattern: str
    sizes: tuple[tuple[str, int], ...]

    def __init__(
        self,
        pattern: str,
        *,
        sizes: Mapping[str, int] | Iterable[tuple[str, int]] = (),
        **axes: int,
    ) -> None:
        if not isinstance(pattern, str):
            raise fail(self, f"pattern must be a text, not {quoted(pattern)}")
        try:
            given = {**dict(sizes), **axes}
            names = sorted(given)
        except FROM_USER_CODE:
            raise fail(
                self, f"sizes must be pairs of a name and a size, not {quoted(sizes)}"
            ) from None
        set_fields(
            self,
            pattern=normal_form(pattern),
            sizes=tuple(
                (name, integer(self, f"the size of {name}", given[name])) for name in names
            ),
        )
        self._check()

    def _check(self) -> None:
        """Raise for what einops refuses, and for what moves the batch."""
        before, *after = sides(self.pattern)
        ones = np.empty((1,) * sum(axis != (ELLIPSIS,) for axis in before))
        try:
            einops.rearrange(ones, self.pattern, **{name: 1 for name, _ in self.sizes})
        except FROM_USER_CODE as error:
            raise self._wrong(str(error).splitlines()[-1].strip()) from None
        batch = before[0][:1] if before else ()
        if batch in ((), (ELLIPSIS,)) or not after[0] or after[0][0][:1] != batch:
            raise self._wrong("the first axis is the batch, which has a name and stays first")
        if batch[0] in dict(self.sizes):
            raise self._wrong(f"the batch, {batch[0]}, may have any size")

    def _wrong(self, why: str) -> SpecError:
        return fail(self, f"{quoted(self.pattern)}: {why}")

    def __repr__(self) -> str:
        sizes = "".join(f", {name}={size}" for name, size in self.sizes)
        return f"Rearrange({self.pattern!r}{sizes})"

    def axes(self, ndim: int) -> tuple[Axes, Axes]:
        """The factors of each axis of an input of so many axes, and of the output.

        Args:
            ndim: How many axes the input has.

        Returns:
            For each axis a tuple of names, before and after.

        Raises:
            SpecError: The pattern has another number of axes.
        """
        try:
            return axes(self.pattern, ndim)
        except ValueError as error:
            raise self._wrong(str(error)) from None

    def moves(self, input_shape: Shape) -> Moves:
        """The reshape, permutation and reshape that the pattern is, channels last.

        Args:
            input_shape: ``(N, ..., C)``, channels last.

        Returns:
            The shape of all factors, their new order, and the shape of the output.

        Raises:
            SpecError: The input does not fit the pattern.
        """
        before, after = self.axes(len(input_shape))
        try:
            return moves(before, after, input_shape, self.sizes)
        except ValueError as error:
            raise self._wrong(f"{error}, in an input of shape {quoted(input_shape)}") from None

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        made = self.moves(tuple(input_shape)).merged
        if len(made) < 2:
            raise self._wrong(f"it makes {quoted(made)} of {quoted(input_shape)}, the batch alone")
        return made

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Pad(Layer):
    """Pixels around the spatial axes; a negative number crops, before anything is filled.

    ``channels`` are added, too, or left out.

    Args:
        pads: One ``(low, high)`` pair for each spatial axis, at most three; an int stands for both
            ends of its axis.
        mode: What the pixels are: ``"zeros"``, that is ``value``, ``"reflect"`` (the border itself
            once), ``"replicate"`` or ``"circular"``; by any amount.
        value: A finite number, which other modes do not take.
        channels: A ``(low, high)`` pair of channels in front of the first and behind the last, all
            of them ``value``, which other modes than "zeros" do not have.

    Shapes:
        input: ``(N, *spatial, C)``
        output: the same, with other sizes

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Pad([(0, 1), (-2, 3)], mode="replicate")
        >>> cp.output_shape(layer, (1, 4, 5, 3))
        (1, 5, 6, 3)
        >>> cp.output_shape(cp.Pad([0, 0], channels=(1, -2)), (1, 4, 5, 3))
        (1, 4, 5, 2)
    """

    pads: Pairs
    mode: PaddingMode
    value: float
    channels: tuple[int, int]

    def __init__(
        self,
        pads: Iterable[SupportsIndex | Iterable[SupportsIndex]],
        mode: PaddingMode = "zeros",
        value: float = 0.0,
        channels: Iterable[SupportsIndex] = (0, 0),
    ) -> None:
        set_fields(
            self,
            pads=pad_pairs(self, pads),
            mode=padding_mode_of(self, mode),
            value=number(self, "value", value),
            channels=pad_pairs(self, [channels])[0],
        )
        if any(self.channels) and self.mode != "zeros":
            raise fail(self, f"mode {self.mode!r} takes no channels, and {self.channels} are given")
        if not math.isfinite(self.value):
            raise fail(self, f"value must be finite, not {self.value}")
        if self.value and self.mode != "zeros":
            raise fail(self, f"mode {self.mode!r} takes no value, and {self.value} is given")

    @property
    def rank(self) -> int:
        """How many spatial axes the input has."""
        return len(self.pads)

    @property
    def crops(self) -> Pairs:
        """What is cut off the ends of each axis, first; that of the channels is the last."""
        return tuple((max(-low, 0), max(-high, 0)) for low, high in (*self.pads, self.channels))

    @property
    def fills(self) -> Pairs:
        """What is added to the ends of each axis, then; that of the channels is the last."""
        return tuple((max(low, 0), max(high, 0)) for low, high in (*self.pads, self.channels))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        left = tuple(n - sum(crop) for n, crop in zip(input_shape[1:], self.crops, strict=True))
        if min(left) < 1:
            cropped = self.crops if any(self.channels) else self.crops[:-1]
            raise fail(self, f"cropped by {cropped}, nothing is left of {quoted(input_shape)}")
        if self.mode == "reflect" and any(
            n == 1 and max(fill) > 0 for n, fill in zip(left, self.fills, strict=True)
        ):
            raise fail(self, f"one pixel cannot be reflected, input {quoted(input_shape)}")
        sizes = tuple(n + sum(fill) for n, fill in zip(left, self.fills, strict=True))
        return (input_shape[0], *sizes)

    def parameters(self) -> dict[str, Shape]:
        return {}
