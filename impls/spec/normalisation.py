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
    """Batch normalisation over the last axis, with its running statistics at inference.

    Of rank 1 it takes ``(N, C)`` too, as behind a dense layer. ``momentum`` is PyTorch's: the
    weight of the *new* batch. Weights: ``scale``, ``offset``,
    ``mean``, ``variance``, each ``(num_features,)`` (Ioffe and Szegedy, arXiv 1502.03167, alg. 2).
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
    """Normalises the channels of each position by themselves; any number of spatial axes.

    Weights: ``scale``, ``offset``, each ``(num_features,)`` (Ba et al., arXiv 1607.06450).
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
    """Normalises each group of channels, over all positions of one example.

    Weights: ``scale``, ``offset``, each ``(num_features,)`` (Wu and He, arXiv 1803.08494).
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
    """A factor of each channel, ``x * scale``; any number of spatial axes.

    Weights: ``scale``, ``(num_features,)`` (LayerScale: Touvron et al., arXiv 2103.17239, eq. 4).
    """

    num_features: int

    def __init__(self, num_features: int) -> None:
        set_fields(self, num_features=integer(self, "num_features", num_features))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {"scale": (self.num_features,)}
