"""Pooling: the largest value or the mean of each window, and the mean of a whole image."""

from dataclasses import dataclass
from typing import Any

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Padding,
    PaddingLike,
    PerAxis,
    Shape,
    boolean,
    fail,
    padding_of,
    per_axis,
    rank_of,
    set_fields,
    takes,
)
from convparity.impls.spec.windows import positions


def _window(
    owner: object, rank: Any, kernel_size: Any, stride: Any, padding: Any
) -> dict[str, Any]:
    """The fields that every pool has, in normal form."""
    rank = rank_of(owner, rank)
    kernel = per_axis(owner, "kernel_size", kernel_size, rank)
    stride = kernel if stride is None else per_axis(owner, "stride", stride, rank)
    pads = padding_of(owner, padding, rank)
    if pads == "causal":
        raise fail(owner, "causal padding belongs to Conv: give pairs instead")
    for size, pair in () if isinstance(pads, str) else zip(kernel, pads, strict=True):
        if max(pair) >= size:
            raise fail(
                owner,
                f"padding {pair} must be smaller than the kernel {size}: "
                "a window would lie in the padding alone",
            )
    return {"rank": rank, "kernel_size": kernel, "stride": stride, "padding": pads}


@dataclass(frozen=True, init=False)
class MaxPool(Layer):
    """The largest value of each window, of each channel by itself; padding never wins.

    ``stride`` is the kernel's size unless it is given.
    """

    kernel_size: Shape
    stride: Shape
    padding: Padding
    rank: int

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PaddingLike = "valid",
        rank: int = 2,
    ) -> None:
        set_fields(self, **_window(self, rank, kernel_size, stride, padding))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        return (input_shape[0], *positions(self, input_shape[1:-1]), input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class AvgPool(Layer):
    """The mean of each window, of each channel by itself.

    ``count_include_pad`` says whether the zeros of the padding count, as PyTorch and Flax do and
    TensorFlow does not. ``stride`` is the kernel's size unless it is given.
    """

    kernel_size: Shape
    stride: Shape
    padding: Padding
    count_include_pad: bool
    rank: int

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PaddingLike = "valid",
        count_include_pad: bool = True,
        rank: int = 2,
    ) -> None:
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding),
            count_include_pad=boolean(self, "count_include_pad", count_include_pad),
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        return (input_shape[0], *positions(self, input_shape[1:-1]), input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean over every spatial axis: ``(N, *spatial, C)`` to ``(N, C)``."""

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        if len(input_shape) < 3:
            raise SpecError(f"GlobalAvgPool takes (N, *spatial, C), not {tuple(input_shape)}")
        return (input_shape[0], input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}
