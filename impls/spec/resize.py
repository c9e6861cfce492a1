"""Resizing: an image of more or fewer pixels, each of them one of the input, or a mean of some."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, SupportsFloat, get_args

from convparity.impls.errors import unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    PerAxis,
    Scales,
    Shape,
    boolean,
    fail,
    per_axis,
    rank_of,
    scales_of,
    set_fields,
    takes,
)

ResizeMethod = Literal["nearest", "linear", "nearest-exact", "cubic", "area"]  # as it is stored
ResizeMethodLike = Literal[
    "nearest", "linear", "nearest-exact", "cubic", "area", "bilinear", "trilinear", "bicubic"
]
RESIZE_METHODS: tuple[ResizeMethod, ...] = get_args(ResizeMethod)
OF_RANK = {"bilinear": 2, "trilinear": 3, "bicubic": 2}  # names of a method over several axes
SMOOTH = ("linear", "cubic")  # the methods that stand between pixels


@dataclass(frozen=True, init=False)
class Resize(Layer):
    """An image of another size, along each axis by itself.

    Along an axis of n pixels that becomes one of m, place i is

    - "nearest": pixel ``floor(i * n / m)``;
    - "nearest-exact": pixel ``floor((i + 1/2) * n / m)``, the one in its middle;
    - "linear": between two neighbours, weighed by their distance. Place i lies at
      ``(i + 1/2) * n / m - 1/2``, and never before the first pixel or behind the last; with
      ``align_corners`` at ``i * (n - 1) / (m - 1)``;
    - "cubic": there, by the four nearest pixels and Keys' kernel with a = -0.75, as in PyTorch;
      the border is repeated;
    - "area": the mean of the window i of ``AdaptiveAvgPool``.

    With ``antialias`` the kernel is as many times as wide as the image becomes smaller: every
    pixel within ``max(n / m, 1)`` ("linear", a triangle) or twice that ("cubic", Keys' kernel with
    a = -0.5) of the place has a share, and the shares of those that there are add up to 1. So do
    PyTorch's ``antialias`` and ``jax.image.resize``. JAX and TensorFlow have Keys' a = -0.5
    without it, too, where PyTorch and this spec have -0.75.

    Where ``scale`` is a fraction, PyTorch takes 1 / scale for n / m, though m is
    ``floor(n * scale)``, and so does this: of "nearest" and "nearest-exact" in float32, to the bit
    (but where m is n or 2 n, "nearest" is as if a size were given). An image that keeps its size
    is left as it is by "linear" and ``antialias``.

    Positions of whole scales and sizes are found exactly in each framework. PyTorch's own finds
    them in float32: its nearest pixel may be another one where a place lies just between two, and
    its shares differ by the rounding of a position.

    Args:
        size: Size of the output along each axis; a scalar stands for every axis.
        scale: Or how many times as large it is as the input, a number an axis.
        method: "nearest", "nearest-exact", "linear", "cubic" or "area"; "bilinear" and "bicubic"
            are of rank 2, "trilinear" of rank 3.
        align_corners: Whether the corner pixels of "linear" and "cubic" keep their places.
        rank: Number of spatial axes: 1, 2 or 3.
        antialias: Whether "linear" and "cubic" take a mean of all pixels that a smaller image
            leaves out. PyTorch's windows of aligned corners are cut off: not with them.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, *size, C)``

    Raises:
        SpecError: A field has a wrong type or value, not just one of size and scale is given, or
            corners are to be aligned, or an antialias made, by a method that has none.

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
    scale: Scales | None
    method: ResizeMethod
    align_corners: bool
    rank: int
    antialias: bool

    def __init__(
        self,
        size: PerAxis | None = None,
        scale: SupportsFloat | Iterable[SupportsFloat] | None = None,
        method: ResizeMethodLike = "nearest",
        align_corners: bool = False,
        rank: int = 2,
        antialias: bool = False,
    ) -> None:
        rank = rank_of(self, rank)
        if (size is None) == (scale is None):
            raise fail(self, "takes a size or a scale, just one of them")
        if not isinstance(method, str) or method not in (*RESIZE_METHODS, *OF_RANK):
            raise fail(self, unknown_name("method", method, (*RESIZE_METHODS, *OF_RANK)))
        if OF_RANK.get(method, rank) != rank:
            plain = "cubic" if method == "bicubic" else "linear"
            raise fail(self, f'"{method}" is of rank {OF_RANK[method]}, not {rank}: say "{plain}"')
        if method in OF_RANK:
            method = "cubic" if method == "bicubic" else "linear"
        aligned = boolean(self, "align_corners", align_corners)
        smooth = boolean(self, "antialias", antialias)
        for name, given in (("align_corners", aligned), ("antialias", smooth)):
            if given and method not in SMOOTH:
                raise fail(self, f'{name} belongs to "linear" and "cubic"')
        if aligned and smooth:
            raise fail(self, "antialias is not known with align_corners: leave one of them out")
        set_fields(
            self,
            size=None if size is None else per_axis(self, "size", size, rank),
            scale=None if scale is None else scales_of(self, "scale", scale, rank),
            method=method,
            align_corners=aligned,
            rank=rank,
            antialias=smooth,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2)
        if self.size is not None:
            return (input_shape[0], *self.size, input_shape[-1])
        assert self.scale is not None
        sizes = tuple(
            n * by if isinstance(by, int) else int(float(n) * by)
            for n, by in zip(input_shape[1:-1], self.scale, strict=True)
        )
        if min(sizes) < 1:
            raise fail(self, f"scaled by {self.scale}, nothing is left of {input_shape}")
        return (input_shape[0], *sizes, input_shape[-1])

    def parameters(self) -> dict[str, Shape]:
        return {}
