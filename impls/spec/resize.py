"""Resizing: an image of more or fewer pixels, each of them a pixel of the input or between two."""

from dataclasses import dataclass
from typing import Literal, get_args

from convparity.impls.errors import unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    PerAxis,
    Shape,
    boolean,
    fail,
    per_axis,
    rank_of,
    set_fields,
    takes,
)

ResizeMethod = Literal["nearest", "linear"]  # as it is stored
ResizeMethodLike = Literal["nearest", "linear", "bilinear", "trilinear"]
METHODS: tuple[ResizeMethod, ...] = get_args(ResizeMethod)
OF_RANK = {"bilinear": 2, "trilinear": 3}  # names of "linear" over several axes


@dataclass(frozen=True, init=False)
class Resize(Layer):
    """An image of another size, along each axis by itself.

    Along an axis of n pixels that becomes one of m, "nearest" takes pixel ``floor(i * n / m)`` for
    place i. "linear" stands between two neighbours, weighed by their distance: place i lies at
    ``(i + 1/2) * n / m - 1/2``, and never before the first pixel or behind the last; with
    ``align_corners`` at ``i * (n - 1) / (m - 1)``. No pixel is averaged away first: there is no
    antialiasing.

    Positions are found in integers, and so exactly, in each framework. PyTorch's own, for one,
    finds them in float32. ``jax.image.resize`` takes the pixel in the middle of a place for the
    nearest, and smooths what it makes smaller: it is not used.

    Args:
        size: Size of the output along each axis; a scalar stands for every axis.
        scale: Or how many times as large it is as the input, an integer an axis. PyTorch takes
            fractions too, and then scales positions by the fraction and not by n / m, where no
            other framework follows: give the size.
        method: "nearest" or "linear"; "bilinear" is linear of rank 2, "trilinear" of rank 3.
        align_corners: Whether the corner pixels of "linear" keep their places.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *size, C)``

    Raises:
        SpecError: A field has a wrong type or value, not just one of size and scale is given, or
            corners are to be aligned by "nearest", which has none to keep.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> x = np.array([4, 8]).reshape(1, 2, 1)
        >>> layer = cp.Resize(scale=2, rank=1)
        >>> cp.reference(layer, {}, x).ravel().tolist()
        [4.0, 4.0, 8.0, 8.0]
        >>> layer = cp.Resize(size=4, method="linear", rank=1)
        >>> cp.reference(layer, {}, x).ravel().tolist()
        [4.0, 5.0, 7.0, 8.0]
    """

    size: Shape | None
    scale: Shape | None
    method: ResizeMethod
    align_corners: bool
    rank: int

    def __init__(
        self,
        size: PerAxis | None = None,
        scale: PerAxis | None = None,
        method: ResizeMethodLike = "nearest",
        align_corners: bool = False,
        rank: int = 2,
    ) -> None:
        rank = rank_of(self, rank)
        if (size is None) == (scale is None):
            raise fail(self, "takes a size or a scale, just one of them")
        if not isinstance(method, str) or method not in (*METHODS, *OF_RANK):
            raise fail(self, unknown_name("method", method, (*METHODS, *OF_RANK)))
        if OF_RANK.get(method, rank) != rank:
            raise fail(self, f'"{method}" is of rank {OF_RANK[method]}, not {rank}: say "linear"')
        aligned = boolean(self, "align_corners", align_corners)
        if aligned and method == "nearest":
            raise fail(self, 'align_corners belongs to "linear"')
        set_fields(
            self,
            size=None if size is None else per_axis(self, "size", size, rank),
            scale=None if scale is None else per_axis(self, "scale", scale, rank),
            method="linear" if method in OF_RANK else method,
            align_corners=aligned,
            rank=rank,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        if self.size is not None:
            return (input_shape[0], *self.size, input_shape[-1])
        assert self.scale is not None
        sizes = (n * by for n, by in zip(input_shape[1:-1], self.scale, strict=True))
        return (input_shape[0], *sizes, input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}
