"""What a classifier ends with: flatten, dropout, dense; and the identity."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from convparity.impls.errors import unknown_name
from convparity.impls.spec.base import Layer
from convparity.impls.spec.checks import (
    Shape,
    axis_in,
    axis_of,
    boolean,
    fail,
    integer,
    number,
    set_fields,
    takes,
)


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of an example on one axis, in channels-last order whatever the framework.

    Shapes:
        input: ``(N, *spatial, C)``
        output: ``(N, prod(spatial) * C)``

    Example:
        >>> import convparity as cp
        >>> layer = cp.Flatten()
        >>> cp.output_shape(layer, (2, 4, 5, 3))
        (2, 60)
    """

    moves_values: ClassVar[bool] = False

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return (input_shape[0], math.prod(input_shape[1:]))

    def parameters(self) -> dict[str, Shape]:
        return {}


DropoutKind = Literal["element", "channel", "path"]
KINDS: tuple[DropoutKind, ...] = get_args(DropoutKind)


@dataclass(frozen=True, init=False)
class Dropout(Layer):
    """Sets values to zero at random while training; at inference, the identity.

    Args:
        p: The share of values that are set to zero, at least 0 and below 1.
        kind: What is set to zero at once: an "element", a "channel" of an example (arXiv 1411.4280)
            or a whole example, where a branch of a network ends: its "path" (arXiv 1603.09382).

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Raises:
        SpecError: ``p`` is not a number, or not in ``[0, 1)``, or the kind is not known.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> layer = cp.Dropout(0.2)
        >>> cp.reference(layer, {}, np.array([[1, 2]])).tolist()
        [[1.0, 2.0]]
    """

    moves_values: ClassVar[bool] = False

    p: float
    kind: DropoutKind

    def __init__(self, p: float = 0.5, kind: DropoutKind = "element") -> None:
        if not isinstance(kind, str) or kind not in KINDS:
            raise fail(self, unknown_name("kind", kind, KINDS))
        set_fields(self, p=number(self, "p", p), kind=kind)
        if not 0 <= self.p < 1:
            raise fail(self, f"p must lie in [0, 1), not {self.p}")

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}


@dataclass(frozen=True, init=False)
class Dense(Layer):
    """A fully connected layer, ``x @ kernel + bias``, along one axis, at every place of the others.

    Args:
        in_features: Features of the input.
        out_features: Features of the output.
        bias: Whether a number is added to each feature of the output.
        axis: Where the features are: -1, the last axis, or another one that is not the batch. Along
            the tokens of ``(N, tokens, C)``, 1, it is the layer that mixes them (arXiv 2105.01601).

    Shapes:
        input: ``(N, in_features)`` or ``(N, *spatial, in_features)``; of another axis, that one is
            of ``in_features``
        output: the same, of ``out_features``
        kernel: ``(in_features, out_features)``
        bias: ``(out_features,)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Dense(2, 3)
        >>> cp.output_shape(layer, (5, 2))
        (5, 3)
        >>> cp.parameter_shapes(layer)
        {'kernel': (2, 3), 'bias': (3,)}
        >>> cp.output_shape(cp.Dense(2, 3, axis=1), (5, 2, 8))
        (5, 3, 8)
    """

    in_features: int
    out_features: int
    bias: bool
    axis: int

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, axis: int = -1
    ) -> None:
        set_fields(
            self,
            in_features=integer(self, "in_features", in_features),
            out_features=integer(self, "out_features", out_features),
            bias=boolean(self, "bias", bias),
            axis=axis_of(self, axis),
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.in_features if self.axis == -1 else None)
        at = axis_in(self, self.axis, input_shape)
        if input_shape[at] != self.in_features:
            raise fail(
                self,
                f"it takes {self.in_features} values along axis {self.axis}, not {input_shape[at]} "
                f"in {tuple(input_shape)}: change the spec, or the input",
            )
        return (*input_shape[:at], self.out_features, *input_shape[at + 1 :])

    def parameters(self) -> dict[str, Shape]:
        kernel = {"kernel": (self.in_features, self.out_features)}
        return {**kernel, "bias": (self.out_features,)} if self.bias else {**kernel}

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        return math.prod(self.output_shape(input_shape)) * self.in_features


@dataclass(frozen=True)
class Identity(Layer):
    """What it is given.

    What does something in training alone, and no ``Dropout`` says it, is read as an identity:
    alpha dropout and Gaussian noise, for two. Written again, it does nothing in training either.

    Shapes:
        input: ``(N, *spatial, C)`` or ``(N, features)``
        output: that of the input

    Example:
        >>> import convparity as cp
        >>> layer = cp.Identity()
        >>> cp.output_shape(layer, (2, 4, 5, 3))
        (2, 4, 5, 3)
    """

    moves_values: ClassVar[bool] = False

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {}
