"""Normalisation, as at inference: by running statistics, or over channels or groups of them.

And what is left of it without its statistics: a scale of each channel.
"""

from dataclasses import dataclass
from typing import ClassVar

from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Shape,
    divisible,
    fail,
    integer,
    number,
    rank_of,
    set_fields,
    takes,
)


def _eps(owner: object, value: float) -> float:
    eps = number(owner, "eps", value)
    if not 0 < eps < 1:
        raise fail(owner, f"eps must lie between 0 and 1, not {eps}")
    return eps


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

    Shapes:
        input: ``(N, *spatial, num_features)``; of rank 1 also ``(N, num_features)``
        output: that of the input
        scale: ``(num_features,)``
        offset: ``(num_features,)``
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

    statistics: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, rank: int = 2
    ) -> None:
        set_fields(
            self,
            rank=rank_of(self, rank),
            num_features=integer(self, "num_features", num_features),
            momentum=number(self, "momentum", momentum),
            eps=_eps(self, eps),
        )
        if not 0 <= self.momentum <= 1:
            raise fail(self, f"momentum must lie between 0 and 1, not {self.momentum}")

    def output_shape(self, input_shape: Shape, /) -> Shape:
        flat = self.rank == 1 and len(input_shape) == 2
        takes(self, input_shape, None if flat else self.rank + 2, self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "offset", "mean", "variance"), (self.num_features,))


@dataclass(frozen=True, init=False)
class LayerNorm(Layer):
    """Normalises the channels of each position (Ba et al., arXiv 1607.06450).

    The mean and the variance of the channels are taken at each pixel of each example.

    Args:
        num_features: Channels of the input.
        eps: What is added to the variance; between 0 and 1.

    Shapes:
        input: ``(N, *spatial, num_features)``, with any number of spatial axes
        output: that of the input
        scale: ``(num_features,)``
        offset: ``(num_features,)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.LayerNorm(8)
        >>> cp.output_shape(layer, (1, 7, 9, 8))
        (1, 7, 9, 8)
        >>> cp.parameter_shapes(layer)
        {'scale': (8,), 'offset': (8,)}
    """

    num_features: int
    eps: float

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        set_fields(
            self,
            num_features=integer(self, "num_features", num_features),
            eps=_eps(self, eps),
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "offset"), (self.num_features,))


@dataclass(frozen=True, init=False)
class GroupNorm(Layer):
    """Normalises each group of channels over all pixels (Wu and He, arXiv 1803.08494).

    The mean and the variance are taken over the channels of a group and the pixels of one example.

    Args:
        num_groups: Number of groups, contiguous blocks of channels; it divides ``num_features``.
        num_features: Channels of the input.
        eps: What is added to the variance; between 0 and 1.

    Shapes:
        input: ``(N, *spatial, num_features)``, with any number of spatial axes
        output: that of the input
        scale: ``(num_features,)``
        offset: ``(num_features,)``

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

    def __init__(self, num_groups: int, num_features: int, eps: float = 1e-5) -> None:
        set_fields(
            self,
            num_groups=integer(self, "num_groups", num_groups),
            num_features=integer(self, "num_features", num_features),
            eps=_eps(self, eps),
        )
        divisible(self, "num_features", self.num_features, "num_groups", self.num_groups)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "offset"), (self.num_features,))


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
