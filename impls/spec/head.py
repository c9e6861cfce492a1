"""What a classifier ends with: flatten, dropout, dense."""

import math
from dataclasses import dataclass

from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Shape,
    boolean,
    fail,
    integer,
    number,
    set_fields,
    takes,
)


@dataclass(frozen=True)
class Flatten(Layer):
    """``(N, *spatial, C)`` to ``(N, prod(spatial) * C)``, in channels-last order everywhere."""

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return (input_shape[0], math.prod(input_shape[1:]))

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Dropout(Layer):
    """Zeroes a share ``p`` of the values while training; the identity at inference."""

    p: float

    def __init__(self, p: float = 0.5) -> None:
        set_fields(self, p=number(self, "p", p))
        if not 0 <= self.p < 1:
            raise fail(self, f"p must lie in [0, 1), not {self.p}")

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Dense(Layer):
    """A fully connected layer. Weights: ``kernel (in_features, out_features)``, ``bias``."""

    in_features: int
    out_features: int
    bias: bool

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        set_fields(
            self,
            in_features=integer(self, "in_features", in_features),
            out_features=integer(self, "out_features", out_features),
            bias=boolean(self, "bias", bias),
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, 2, self.in_features)
        return (input_shape[0], self.out_features)

    def parameters(self) -> dict[str, Shape]:
        kernel = {"kernel": (self.in_features, self.out_features)}
        return {**kernel, "bias": (self.out_features,)} if self.bias else {**kernel}
