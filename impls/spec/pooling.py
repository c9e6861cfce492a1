"""Pooling: the largest value or the mean of each window, and the mean of a whole image."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import Join, Layer
from convparity.impls.spec.checks import (
    LARGEST,
    Padding,
    PaddingLike,
    PerAxis,
    Shape,
    boolean,
    fail,
    integer,
    padding_of,
    per_axis,
    rank_of,
    set_fields,
    takes,
)
from convparity.impls.spec.windows import check_taps, effective_kernel, positions


def _window(
    owner: object,
    rank: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    dilation: Any = 1,
) -> dict[str, Any]:
    """The fields that every pool has, in normal form."""
    rank = rank_of(owner, rank)
    dilation = per_axis(owner, "dilation", dilation, rank)
    kernel = per_axis(owner, "kernel_size", kernel_size, rank)
    stride = kernel if stride is None else per_axis(owner, "stride", stride, rank)
    pads = padding_of(owner, padding, rank)
    if pads == "causal":
        raise fail(owner, "causal padding belongs to Conv: give pairs instead")
    extent = effective_kernel(kernel, dilation)
    for size, pair in () if isinstance(pads, str) else zip(extent, pads, strict=True):
        if max(pair) >= size:
            raise fail(
                owner,
                f"padding {pair} must be smaller than the kernel {size}: "
                "a window would lie in the padding alone",
            )
    return {
        "rank": rank,
        "kernel_size": kernel,
        "stride": stride,
        "padding": pads,
        "ceil_mode": boolean(owner, "ceil_mode", ceil_mode),
    }


@dataclass(frozen=True, init=False)
class _Largest(Layer):
    """What chooses the largest value of each window."""

    kernel_size: Shape
    stride: Shape
    padding: Padding
    rank: int
    ceil_mode: bool
    dilation: Shape

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PaddingLike = "valid",
        rank: int = 2,
        ceil_mode: bool = False,
        dilation: PerAxis = 1,
    ) -> None:
        window = _window(self, rank, kernel_size, stride, padding, ceil_mode, dilation)
        set_fields(self, **window, dilation=per_axis(self, "dilation", dilation, window["rank"]))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        places = positions(self, input_shape[1:-1])
        check_taps(self, input_shape[1:-1])
        return (input_shape[0], *places, input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class MaxPool(_Largest):
    """The largest value of each window of a channel; a pixel of the padding is never the largest.

    Args:
        kernel_size: Size of the window along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same", an int, one int an axis, or one ``(low, high)`` pair an axis, as
            in ``Conv``; below the size of the window.
        rank: Number of spatial axes: 1, 2 or 3.
        ceil_mode: Whether the pixels that the stride leaves over at the end have a window, too,
            which reaches beyond the padding; as in PyTorch, one that would start behind the last
            pixel is left out.
        dilation: Pixels from one value of the window to the next, along each axis.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *places, C)``; n pixels, padding included, have
            ``(n - (kernel_size - 1) * dilation - 1) // stride + 1`` places

    Raises:
        SpecError: A field has a wrong type or value, or a window would lie in the padding alone.

    Example:
        >>> import convparity as cp
        >>> layer = cp.MaxPool(kernel_size=3, stride=2, padding=1)
        >>> cp.output_shape(layer, (1, 7, 9, 3))
        (1, 4, 5, 3)
        >>> cp.MaxPool(2).stride
        (2, 2)
        >>> cp.output_shape(cp.MaxPool(3, stride=2, ceil_mode=True), (1, 8, 9, 3))
        (1, 4, 4, 3)
    """


MOST_PLACES = 2**24  # which float32 counts without a gap


@dataclass(frozen=True, init=False)
class MaxPoolIndices(_Largest):
    """Where the largest value of each window lies: what PyTorch's ``return_indices`` adds.

    A place counts the pixels of the input, without padding, row by row; it is a number of the
    input's dtype. Of equal values the first one counts, of several NaN the last. No gradient
    passes.

    Args:
        kernel_size: Size of the window along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same", an int, one int an axis, or one ``(low, high)`` pair an axis, as
            in ``Conv``; below the size of the window.
        rank: Number of spatial axes: 1, 2 or 3.
        ceil_mode: As in ``MaxPool``.
        dilation: Pixels from one value of the window to the next, along each axis.

    Shapes:
        input: ``(N, *spatial, C)``, of 2**24 pixels at most, which float32 counts; a module of
            float16 takes 2**11 and one of bfloat16 2**8
        output: ``(N, *places, C)``, with the places of ``MaxPool``

    Raises:
        SpecError: A field has a wrong type or value, or a window would lie in the padding alone.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> x = np.array([[1, 5, 2], [7, 7, 0]]).reshape(1, 2, 3, 1)
        >>> layer = cp.MaxPoolIndices(2, stride=1)
        >>> cp.reference(layer, {}, x).ravel().tolist()
        [3.0, 4.0]
        >>> nodes = {"largest": (cp.MaxPool(2), "x"), "places": (cp.MaxPoolIndices(2), "x")}
        >>> both = cp.Graph(nodes, outputs=("largest", "places"))
    """

    def output_shape(self, input_shape: Shape, /) -> Shape:
        output = super().output_shape(input_shape)
        if (pixels := math.prod(input_shape[1:-1])) > MOST_PLACES:
            raise fail(
                self,
                f"an input of {pixels:,} pixels has more places than the {MOST_PLACES:,} that "
                "float32 counts without a gap",
            )
        return output


@dataclass(frozen=True, init=False)
class AvgPool(Layer):
    """The mean of each window of a channel.

    Args:
        kernel_size: Size of the window along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same", an int, one int an axis, or one ``(low, high)`` pair an axis, as
            in ``Conv``; below the size of the window.
        count_include_pad: Whether the zeros of the padding count in the mean, as they do in PyTorch
            and Flax; in TensorFlow they do not. What ``ceil_mode`` adds never counts.
        rank: Number of spatial axes: 1, 2 or 3.
        ceil_mode: As in ``MaxPool``.
        divisor_override: What the sum of each window is divided by, instead of the number of its
            values: any integer but 0. PyTorch has it for images and volumes.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *places, C)``, with the places of ``MaxPool``

    Raises:
        SpecError: A field has a wrong type or value, or a window would lie in the padding alone.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.AvgPool(kernel_size=2, padding=1, rank=1)
        >>> cp.reference(layer, {}, np.array([4, 6]).reshape(1, 2, 1)).ravel().tolist()
        [2.0, 3.0]
        >>> layer = cp.AvgPool(kernel_size=2, padding=1, count_include_pad=False, rank=1)
        >>> cp.reference(layer, {}, np.array([4, 6]).reshape(1, 2, 1)).ravel().tolist()
        [4.0, 6.0]
    """

    kernel_size: Shape
    stride: Shape
    padding: Padding
    count_include_pad: bool
    rank: int
    ceil_mode: bool
    divisor_override: int | None

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PaddingLike = "valid",
        count_include_pad: bool = True,
        rank: int = 2,
        ceil_mode: bool = False,
        divisor_override: int | None = None,
    ) -> None:
        if divisor_override is not None:
            divisor_override = integer(self, "divisor_override", divisor_override, -LARGEST)
            if not divisor_override:
                raise fail(self, "divisor_override must not be 0")
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding, ceil_mode),
            count_include_pad=boolean(self, "count_include_pad", count_include_pad),
            divisor_override=divisor_override,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        return (input_shape[0], *positions(self, input_shape[1:-1]), input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean of each channel over all pixels.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, C)``

    Example:
        >>> import convparity as cp
        >>> layer = cp.GlobalAvgPool()
        >>> cp.output_shape(layer, (1, 7, 9, 3))
        (1, 3)
    """

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        if len(input_shape) < 3:
            raise SpecError(f"GlobalAvgPool takes (N, *spatial, C), not {tuple(input_shape)}")
        return (input_shape[0], input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class AdaptiveAvgPool(Layer):
    """The mean of each of so many windows as the output is to have; they cover the whole input.

    Window i of m, along an axis of n pixels, reaches from ``floor(i * n / m)`` to
    ``ceil((i + 1) * n / m)``, as in PyTorch: neighbours may share a pixel, and differ in size.
    ``AdaptiveAvgPool(1)`` is the mean of a whole image, as ``GlobalAvgPool`` is, and keeps the
    spatial axes.

    Args:
        output_size: Size of the output along each axis; a scalar stands for every axis.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *output_size, C)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> cp.output_shape(cp.AdaptiveAvgPool(1), (2, 7, 9, 3))
        (2, 1, 1, 3)
        >>> layer = cp.AdaptiveAvgPool(2, rank=1)
        >>> x = np.array([1, 2, 6, 8, 9]).reshape(1, 5, 1)
        >>> cp.reference(layer, {}, x).ravel().tolist()
        [3.0, 7.666666666666667]
    """

    output_size: Shape
    rank: int

    def __init__(self, output_size: PerAxis, rank: int = 2) -> None:
        rank = rank_of(self, rank)
        set_fields(self, rank=rank, output_size=per_axis(self, "output_size", output_size, rank))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        return (input_shape[0], *self.output_size, input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class AdaptiveMaxPool(Layer):
    """The largest value of each of so many windows as the output is to have.

    The windows are those of ``AdaptiveAvgPool``.

    Args:
        output_size: Size of the output along each axis; a scalar stands for every axis.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *output_size, C)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.AdaptiveMaxPool(2, rank=1)
        >>> x = np.array([1, 2, 6, 8, 9]).reshape(1, 5, 1)
        >>> cp.reference(layer, {}, x).ravel().tolist()
        [6.0, 9.0]
    """

    output_size: Shape
    rank: int

    def __init__(self, output_size: PerAxis, rank: int = 2) -> None:
        rank = rank_of(self, rank)
        set_fields(self, rank=rank, output_size=per_axis(self, "output_size", output_size, rank))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        return (input_shape[0], *self.output_size, input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True)
class GlobalMaxPool(Layer):
    """The largest value of each channel over all pixels.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, C)``

    Example:
        >>> import convparity as cp
        >>> layer = cp.GlobalMaxPool()
        >>> cp.output_shape(layer, (1, 7, 9, 3))
        (1, 3)
    """

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        if len(input_shape) < 3:
            raise SpecError(f"GlobalMaxPool takes (N, *spatial, C), not {tuple(input_shape)}")
        return (input_shape[0], input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class MaxUnpool(Join):
    """Each value back at its place among the pixels, and 0 elsewhere: SegNet (arXiv 1511.00561).

    The first value is what a ``MaxPool`` gave, or what layers made of it, the second one the places
    that ``MaxPoolIndices`` gave of the same input, rounded down. A value whose place is no pixel of
    the output is left out, where PyTorch's own layer fails. Of unlike values at one place, which
    windows that share pixels may choose, PyTorch leaves it open which one stays: in the reference
    it is the last, and the pixel is "not tested". The gradient of a value is that of its place;
    none passes the places.

    Args:
        kernel_size: Size of the pool's window along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: What the pool padded on both sides of each axis; a scalar stands for every axis.
        rank: Number of spatial axes: 1, 2 or 3.
        output_size: The pixels along each axis, less than a stride from what follows of the other
            fields, which is None: several sizes have one number of windows.

    Shapes:
        input: ``(N, *places, C)``, of both values
        output: ``(N, *output_size, C)``; of None, n places have
            ``(n - 1) * stride - 2 * padding + kernel_size`` pixels

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.MaxUnpool(2, rank=1)
        >>> nodes = {
        ...     "largest": (cp.MaxPool(2, rank=1), "x"),
        ...     "places": (cp.MaxPoolIndices(2, rank=1), "x"),
        ...     "back": (layer, "largest", "places"),
        ... }
        >>> x = np.array([1, 5, 7, 2]).reshape(1, 4, 1)
        >>> cp.reference(cp.Graph(nodes), {}, x).ravel().tolist()
        [0.0, 5.0, 7.0, 0.0]
    """

    arity: ClassVar[int | None] = 2

    kernel_size: Shape
    stride: Shape
    padding: Shape
    rank: int
    output_size: Shape | None

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        rank: int = 2,
        output_size: PerAxis | None = None,
    ) -> None:
        rank = rank_of(self, rank)
        kernel = per_axis(self, "kernel_size", kernel_size, rank)
        if output_size is not None:
            output_size = per_axis(self, "output_size", output_size, rank)
        set_fields(
            self,
            kernel_size=kernel,
            stride=kernel if stride is None else per_axis(self, "stride", stride, rank),
            padding=per_axis(self, "padding", padding, rank, 0),
            rank=rank,
            output_size=output_size,
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        for shape in input_shapes:
            takes(self, shape, self.rank + 2)
        values, *others = map(tuple, input_shapes)
        if others != [values]:
            said = " and ".join(map(str, input_shapes))
            raise fail(self, f"it takes values and as many places, of one shape, not {said}")
        window = zip(values[1:-1], self.stride, self.padding, self.kernel_size, strict=True)
        sizes = tuple((n - 1) * s - 2 * p + k for n, s, p, k in window)
        asked = sizes if self.output_size is None else self.output_size
        if min(asked) < 1:
            raise fail(self, f"no pixel is left beside a padding of {self.padding}: {sizes}")
        if any(abs(a - n) >= s for a, n, s in zip(asked, sizes, self.stride, strict=True)):
            raise fail(
                self,
                f"output_size {asked} must be less than the stride {self.stride} from {sizes}, "
                f"which places of {values[1:-1]} have",
            )
        return (values[0], *asked, values[-1])

    def largest(self, *sizes: float) -> float:
        return sizes[0]
