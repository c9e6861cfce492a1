"""Normalisation, as at inference: by running statistics, or over axes or groups of the input.

And what is left of it without its statistics: a scale of each channel.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, SupportsIndex

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Shape,
    axes_and_sizes,
    axis_in,
    boolean,
    divisible,
    fail,
    integer,
    number,
    rank_of,
    set_fields,
    takes,
)

Sizes = SupportsIndex | Iterable[SupportsIndex]  # of one axis, or one an axis


def _eps(owner: object, value: float) -> float:
    eps = number(owner, "eps", value)
    if not 0 < eps < 1:
        raise fail(owner, f"eps must lie between 0 and 1, not {eps}")
    return eps


def _affine(spec: "BatchNorm | InputNorm", shape: Shape) -> dict[str, Shape]:
    """The shape of each parameter that a norm has."""
    return {name: shape for name in ("scale", "offset") if getattr(spec, name, False)}


@dataclass(frozen=True, init=False)
class BatchNorm(Layer):
    """Batch normalisation (Ioffe and Szegedy, arXiv 1502.03167, alg. 2), as it is at inference.

    ``(x - mean) / sqrt(variance + eps) * scale + offset`` for each channel, with the running
    statistics ``mean`` and ``variance``.

    Args:
        num_features: Channels of the input.
        eps: What is added to the variance; between 0 and 1.
        momentum: Weight of the *new* batch in the running statistics, as in PyTorch; Flax and Keras
            give the weight of the old ones, ``1 - momentum``.
        rank: Number of spatial axes: 1, 2 or 3.
        scale: Whether each channel is multiplied by a number of its own.
        offset: Whether each channel has a number added.

    Shapes:
        input: ``(N, *spatial, num_features)``; of rank 1 also ``(N, num_features)``
        output: that of the input
        scale: ``(num_features,)``, if it has one
        offset: ``(num_features,)``, if it has one
        mean: ``(num_features,)``
        variance: ``(num_features,)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.BatchNorm(8, eps=1e-3)
        >>> cp.output_shape(layer, (1, 7, 9, 8))
        (1, 7, 9, 8)
        >>> list(cp.parameter_shapes(layer))
        ['scale', 'offset', 'mean', 'variance']
    """

    num_features: int
    eps: float
    momentum: float
    rank: int
    scale: bool
    offset: bool

    statistics: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        rank: int = 2,
        scale: bool = True,
        offset: bool = True,
    ) -> None:
        set_fields(
            self,
            rank=rank_of(self, rank),
            num_features=integer(self, "num_features", num_features),
            momentum=number(self, "momentum", momentum),
            eps=_eps(self, eps),
            scale=boolean(self, "scale", scale),
            offset=boolean(self, "offset", offset),
        )
        if not 0 <= self.momentum <= 1:
            raise fail(self, f"momentum must lie between 0 and 1, not {self.momentum}")

    def output_shape(self, input_shape: Shape, /) -> Shape:
        flat = self.rank == 1 and len(input_shape) == 2
        takes(self, input_shape, None if flat else self.rank + 2, self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        shape = (self.num_features,)
        return {**_affine(self, shape), **dict.fromkeys(self.statistics, shape)}


@dataclass(frozen=True, init=False)
class LayerNorm(Layer):
    """Normalises the channels of each position, or other axes (Ba et al., arXiv 1607.06450).

    The mean and the variance are taken over the axes, at each place of the others: of channels, at
    each pixel of each example.

    PyTorch's ``nn.LayerNorm`` and ``nn.RMSNorm`` take the last axes of ``(N, C, H, W)``: of an
    image these are ``axes=(1, 2, 3)`` for three of them, ``(1, 2)`` for two, and 2 for the last.

    Args:
        num_features: Sizes of the axes: an int of one, a tuple of several. Channels, by default.
        eps: What is added to the variance; between 0 and 1.
        scale: Whether each value is multiplied by a number of its place on the axes.
        offset: Whether each value has such a number added.
        axes: An axis or a tuple of axes, as of channels-last arrays and in ascending order: -1 is
            that of the channels, 1 the first spatial one; never 0, the batch.

    Shapes:
        input: ``(N, *spatial, C)``, with any number of spatial axes; of the sizes that are given
        output: that of the input
        scale: the sizes in the order of the axes, ``(num_features,)`` of one; if it has one
        offset: as the scale, if it has one

    Raises:
        SpecError: A field has a wrong type or value, or there are not as many sizes as axes.

    Example:
        >>> import convparity as cp
        >>> layer = cp.LayerNorm(8)
        >>> cp.output_shape(layer, (1, 7, 9, 8))
        (1, 7, 9, 8)
        >>> cp.parameter_shapes(layer)
        {'scale': (8,), 'offset': (8,)}
        >>> cp.parameter_shapes(cp.LayerNorm((7, 9, 8), offset=False, axes=(1, 2, 3)))
        {'scale': (7, 9, 8)}
    """

    num_features: int | Shape
    eps: float
    scale: bool
    offset: bool
    axes: int | Shape

    def __init__(
        self,
        num_features: Sizes,
        eps: float = 1e-5,
        scale: bool = True,
        offset: bool = True,
        axes: Sizes = -1,
    ) -> None:
        found, sizes = axes_and_sizes(self, axes, num_features)
        set_fields(
            self,
            num_features=sizes,
            eps=_eps(self, eps),
            scale=boolean(self, "scale", scale),
            offset=boolean(self, "offset", offset),
            axes=found,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        _takes_axes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return _affine(self, parameter_axes(self)[1])

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        return 0  # as of any norm, though its scale may have several axes


@dataclass(frozen=True, init=False)
class GroupNorm(Layer):
    """Normalises each group of channels over all pixels (Wu and He, arXiv 1803.08494).

    The mean and the variance are taken over the channels of a group and the pixels of one example.

    Args:
        num_groups: Number of groups, contiguous blocks of channels; it divides ``num_features``.
        num_features: Channels of the input.
        eps: What is added to the variance; between 0 and 1.
        scale: Whether each channel is multiplied by a number of its own.
        offset: Whether each channel has a number added.

    Shapes:
        input: ``(N, *spatial, num_features)``, with any number of spatial axes
        output: that of the input
        scale: ``(num_features,)``, if it has one
        offset: ``(num_features,)``, if it has one

    Raises:
        SpecError: A field has a wrong type or value, or the groups do not divide the channels.

    Example:
        >>> import convparity as cp
        >>> layer = cp.GroupNorm(num_groups=2, num_features=8)
        >>> cp.output_shape(layer, (1, 7, 9, 8))
        (1, 7, 9, 8)
        >>> cp.parameter_shapes(layer)
        {'scale': (8,), 'offset': (8,)}
    """

    num_groups: int
    num_features: int
    eps: float
    scale: bool
    offset: bool

    def __init__(
        self,
        num_groups: int,
        num_features: int,
        eps: float = 1e-5,
        scale: bool = True,
        offset: bool = True,
    ) -> None:
        set_fields(
            self,
            num_groups=integer(self, "num_groups", num_groups),
            num_features=integer(self, "num_features", num_features),
            eps=_eps(self, eps),
            scale=boolean(self, "scale", scale),
            offset=boolean(self, "offset", offset),
        )
        divisible(self, "num_features", self.num_features, "num_groups", self.num_groups)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return _affine(self, (self.num_features,))


@dataclass(frozen=True, init=False)
class InstanceNorm(Layer):
    """Normalises each channel of each example over its pixels (Ulyanov et al., arXiv 1607.08022).

    PyTorch's, with running statistics, is a ``BatchNorm`` at inference, and is read as one.

    Args:
        num_features: Channels of the input.
        eps: What is added to the variance; between 0 and 1.
        scale: Whether each channel is multiplied by a number of its own.
        offset: Whether each channel has a number added.

    Shapes:
        input: ``(N, *spatial, num_features)``, with one spatial axis at least
        output: that of the input
        scale: ``(num_features,)``, if it has one
        offset: ``(num_features,)``, if it has one

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.InstanceNorm(1, eps=1e-9)
        >>> x, weights = np.array([[[2], [4]]]), {"scale": np.ones(1), "offset": np.ones(1)}
        >>> cp.reference(layer, weights, x).round(6).ravel().tolist()
        [0.0, 2.0]
    """

    num_features: int
    eps: float
    scale: bool
    offset: bool

    def __init__(
        self, num_features: int, eps: float = 1e-5, scale: bool = True, offset: bool = True
    ) -> None:
        set_fields(
            self,
            num_features=integer(self, "num_features", num_features),
            eps=_eps(self, eps),
            scale=boolean(self, "scale", scale),
            offset=boolean(self, "offset", offset),
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        if len(input_shape) == 2:
            raise SpecError(
                f"InstanceNorm: there are no pixels to normalise in an input of shape {input_shape}"
            )
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return _affine(self, (self.num_features,))


@dataclass(frozen=True, init=False)
class RMSNorm(Layer):
    """Divides the channels of each position by their root mean square (arXiv 1910.07467).

    ``x / sqrt(mean(x^2) + eps) * scale``: a ``LayerNorm`` that subtracts no mean and adds nothing.

    Args:
        num_features: Sizes of the axes: an int of one, a tuple of several. Channels, by default.
        eps: What is added to the mean square; between 0 and 1.
        scale: Whether each value is multiplied by a number of its place on the axes.
        axes: An axis or a tuple of axes, as in ``LayerNorm``.

    Shapes:
        input: ``(N, *spatial, C)``, with any number of spatial axes; of the sizes that are given
        output: that of the input
        scale: the sizes in the order of the axes, ``(num_features,)`` of one; if it has one

    Raises:
        SpecError: A field has a wrong type or value, or there are not as many sizes as axes.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.RMSNorm(2, eps=1e-9)
        >>> cp.reference(layer, {"scale": np.array([1, 10])}, np.array([[1, 7]])).round(6).tolist()
        [[0.2, 14.0]]
    """

    num_features: int | Shape
    eps: float
    scale: bool
    axes: int | Shape

    def __init__(
        self, num_features: Sizes, eps: float = 1e-6, scale: bool = True, axes: Sizes = -1
    ) -> None:
        found, sizes = axes_and_sizes(self, axes, num_features)
        set_fields(
            self,
            num_features=sizes,
            eps=_eps(self, eps),
            scale=boolean(self, "scale", scale),
            axes=found,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        _takes_axes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return _affine(self, parameter_axes(self)[1])

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        return 0  # as of any norm, though its scale may have several axes


InputNorm = LayerNorm | GroupNorm | InstanceNorm | RMSNorm  # each by statistics of its own input


def parameter_axes(spec: BatchNorm | InputNorm) -> tuple[Shape, Shape]:
    """The axes along which a norm has a number for each place, and their sizes."""
    axes, sizes = getattr(spec, "axes", -1), spec.num_features
    if isinstance(axes, int) and isinstance(sizes, int):
        return (axes,), (sizes,)
    return tuple(axes), tuple(sizes)  # type: ignore[arg-type]


def without_parameters(spec: InputNorm) -> InputNorm:
    """The norm that has neither a scale nor an offset."""
    if isinstance(spec, RMSNorm):
        return replace(spec, scale=False)
    return replace(spec, scale=False, offset=False)


def _takes_axes(spec: LayerNorm | RMSNorm, shape: Shape) -> None:
    """Raise unless the input has the axes, in their order and of their sizes."""
    axes, sizes = parameter_axes(spec)
    if axes == (-1,):
        takes(spec, shape, channels=sizes[0])
        return
    takes(spec, shape)
    found = [axis_in(spec, axis, shape) for axis in axes]
    if found != sorted(set(found)):
        raise fail(spec, f"axes={spec.axes} are not in ascending order in an input of {shape}")
    if tuple(shape[axis] for axis in found) != sizes:
        raise fail(spec, f"axes {spec.axes} are of sizes {spec.num_features}, not as in {shape}")


@dataclass(frozen=True, init=False)
class Scale(Layer):
    """Multiplies each channel by a number (LayerScale: Touvron et al., arXiv 2103.17239, eq. 4).

    Args:
        num_features: Channels of the input.

    Shapes:
        input: ``(N, *spatial, num_features)``, with any number of spatial axes
        output: that of the input
        scale: ``(num_features,)``

    Raises:
        SpecError: ``num_features`` is not a positive integer.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Scale(2)
        >>> cp.reference(layer, {"scale": np.array([10, 100])}, np.array([[1, 2]])).tolist()
        [[10.0, 200.0]]
    """

    num_features: int

    def __init__(self, num_features: int) -> None:
        set_fields(self, num_features=integer(self, "num_features", num_features))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {"scale": (self.num_features,)}
