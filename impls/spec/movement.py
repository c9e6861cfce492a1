"""Operations that move values and compute nothing."""

from dataclasses import dataclass

from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    LARGEST,
    Shape,
    axis_in,
    axis_of,
    fail,
    integer,
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
