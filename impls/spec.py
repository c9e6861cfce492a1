"""What a layer is, said once: frozen dataclasses in PyTorch's vocabulary, validated at birth.

A spec holds no weights and knows no framework. A scalar stands for every spatial axis; it is stored
as one int an axis. ``padding`` is stored as ``"valid"``, ``"same"`` (TensorFlow's rule, at any
stride), ``"causal"`` (rank 1) or one ``(low, high)`` pair an axis.
"""

import dataclasses
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from impls.errors import SpecError, one_of

NAME = re.compile(r"[A-Za-z0-9_]+")  # of a child
PADDINGS = ("valid", "same", "causal")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
ACTIVATIONS = ("relu", "relu6")

Pairs = tuple[tuple[int, int], ...]
Ints = int | Iterable[int]
Padding = str | int | Iterable[int] | Iterable[tuple[int, int]]


class Spec(ABC):  # noqa: B024 (a Layer adds nothing to it, a Composite its children)
    """Any layer or composite of layers."""


class Layer(Spec):
    """A spec without children; its weights, if any, are named directly (``kernel``, ``bias``)."""


class Composite(Spec):
    """A spec made of named children; a child's weights are named ``<child>.<name>``."""

    @property
    @abstractmethod
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """The children and their names, in the order in which they are declared."""


def walk(spec: Spec, path: str = "") -> Iterator[tuple[str, Spec]]:
    """Every layer without children, depth first, with its dotted path ("" for ``spec`` itself)."""
    if not isinstance(spec, Spec):
        raise SpecError(f"{spec!r} is not a spec")
    if not isinstance(spec, Composite):
        yield path, spec
        return
    for name, child in spec.children:
        yield from walk(child, f"{path}.{name}" if path else name)


# ---------------------------------------------------------------- validation


def _fail(spec: Spec, message: str) -> SpecError:
    return SpecError(f"{type(spec).__name__}: {message}")


def _set(spec: Spec, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(spec, name, value)  # the dataclasses are frozen for everybody else


def _int(spec: Spec, name: str, value: Any, least: int = 1) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise _fail(spec, f"{name} must be an integer, not {value!r}") from None
    if number < least:
        raise _fail(spec, f"{name} must be at least {least}, not {number}")
    return number


def _bool(spec: Spec, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _fail(spec, f"{name} must be True or False, not {value!r}")
    return value


def _number(spec: Spec, name: str, value: Any) -> float:
    try:
        if isinstance(value, bool | str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _fail(spec, f"{name} must be a number, not {value!r}") from None


def _spec(owner: Spec, name: str, value: Any) -> Spec:
    if not isinstance(value, Spec):
        raise _fail(owner, f"{name} must be a spec, not {value!r}")
    return value


def _axes(spec: Spec, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str):
        return (_int(spec, name, value, least),) * rank
    numbers = tuple(_int(spec, name, each, least) for each in value)
    if len(numbers) != rank:
        raise _fail(spec, f"{name} must have {rank} entries (rank {rank}), not {numbers}")
    return numbers


def _padding(spec: Spec, value: Any, rank: int) -> str | Pairs:
    if isinstance(value, str):
        if value not in PADDINGS:
            raise _fail(spec, one_of("padding", value, PADDINGS))
        if value == "causal" and rank != 1:
            raise _fail(spec, f"causal padding needs rank 1, not rank {rank}: give pairs instead")
        return value
    if not isinstance(value, Iterable):
        value = (value,) * rank
    entries = tuple(value)
    if len(entries) != rank:
        raise _fail(
            spec,
            f"padding must be a name, an int, {rank} ints or {rank} (low, high) pairs "
            f"(rank {rank}), not {value!r}",
        )
    pairs = []
    for entry in entries:
        low_high = tuple(entry) if isinstance(entry, Iterable) else (entry, entry)
        if len(low_high) != 2:
            raise _fail(spec, f"a padding pair is (low, high), not {entry!r}")
        pairs.append((_int(spec, "padding", low_high[0], 0), _int(spec, "padding", low_high[1], 0)))
    return tuple(pairs) if any(map(any, pairs)) else "valid"


def _rank(spec: Any) -> int:
    rank = _int(spec, "rank", spec.rank)
    if rank > 3:
        raise _fail(spec, f"rank must be 1, 2 or 3, not {rank}")
    return rank


def _convolution(spec: Any) -> None:
    """Validate and normalise the fields that every convolution has."""
    rank = _rank(spec)
    if spec.padding_mode not in PADDING_MODES:
        raise _fail(spec, one_of("padding_mode", spec.padding_mode, PADDING_MODES))
    _set(
        spec,
        rank=rank,
        in_channels=_int(spec, "in_channels", spec.in_channels),
        kernel_size=_axes(spec, "kernel_size", spec.kernel_size, rank),
        stride=_axes(spec, "stride", spec.stride, rank),
        dilation=_axes(spec, "dilation", spec.dilation, rank),
        padding=_padding(spec, spec.padding, rank),
    )


# ---------------------------------------------------------------- convolutions


@dataclasses.dataclass(frozen=True)
class Conv(Layer):
    """A convolution (cross-correlation) over ``rank`` spatial axes.

    Weights: ``kernel (*kernel_size, in_channels/groups, out_channels)``, ``bias (out_channels,)``.
    Groups are contiguous blocks of channels, as in every framework.
    """

    in_channels: int
    out_channels: int
    kernel_size: Any
    stride: Any = 1
    padding: Any = "valid"
    dilation: Any = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"
    rank: int = 2

    def __post_init__(self) -> None:
        _convolution(self)
        _set(
            self,
            out_channels=_int(self, "out_channels", self.out_channels),
            groups=_int(self, "groups", self.groups),
            bias=_bool(self, "bias", self.bias),
        )
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise _fail(
                    self,
                    f"{name}={getattr(self, name)} is not divisible by groups={self.groups}: "
                    "change one of them",
                )


@dataclasses.dataclass(frozen=True)
class DepthwiseConv(Layer):
    """A convolution of each channel by itself, ``depth_multiplier`` times.

    Weights: ``kernel (*kernel_size, in_channels, depth_multiplier)``, ``bias (out_channels,)``;
    output channel ``c * depth_multiplier + m`` sees input channel ``c`` (Sifre 2014, sec. 6.2).
    """

    in_channels: int
    kernel_size: Any
    stride: Any = 1
    padding: Any = "valid"
    dilation: Any = 1
    depth_multiplier: int = 1
    bias: bool = True
    padding_mode: str = "zeros"
    rank: int = 2

    def __post_init__(self) -> None:
        _convolution(self)
        _set(
            self,
            depth_multiplier=_int(self, "depth_multiplier", self.depth_multiplier),
            bias=_bool(self, "bias", self.bias),
        )

    @property
    def out_channels(self) -> int:
        """``in_channels * depth_multiplier``."""
        return self.in_channels * self.depth_multiplier


@dataclasses.dataclass(frozen=True)
class SeparableConv(Composite):
    """A depthwise convolution, then a pointwise (1x1) one, with nothing in between.

    ``stride``, ``padding`` and ``dilation`` belong to the depthwise step. Weights:
    ``depthwise.kernel``, ``depthwise.bias``, ``pointwise.kernel``, ``pointwise.bias``
    (Chollet, arXiv 1610.02357, sec. 1.1).
    """

    in_channels: int
    out_channels: int
    kernel_size: Any
    stride: Any = 1
    padding: Any = "valid"
    dilation: Any = 1
    depth_multiplier: int = 1
    depthwise_bias: bool = True
    pointwise_bias: bool = True
    padding_mode: str = "zeros"
    rank: int = 2

    def __post_init__(self) -> None:
        _convolution(self)
        _set(
            self,
            out_channels=_int(self, "out_channels", self.out_channels),
            depth_multiplier=_int(self, "depth_multiplier", self.depth_multiplier),
            depthwise_bias=_bool(self, "depthwise_bias", self.depthwise_bias),
            pointwise_bias=_bool(self, "pointwise_bias", self.pointwise_bias),
        )

    @property
    def depthwise(self) -> DepthwiseConv:
        """The first step: each channel by itself."""
        return DepthwiseConv(
            self.in_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.depth_multiplier,
            self.depthwise_bias,
            self.padding_mode,
            self.rank,
        )

    @property
    def pointwise(self) -> Conv:
        """The second step: a 1x1 convolution that mixes the channels."""
        return Conv(
            self.in_channels * self.depth_multiplier,
            self.out_channels,
            1,
            bias=self.pointwise_bias,
            rank=self.rank,
        )

    @property
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """``depthwise`` and ``pointwise``."""
        return (("depthwise", self.depthwise), ("pointwise", self.pointwise))


# ---------------------------------------------------------------- other layers


@dataclasses.dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation over the last axis, with its running statistics at inference.

    ``momentum`` is PyTorch's: the weight of the *new* batch. Weights: ``scale``, ``offset``,
    ``mean``, ``variance``, each ``(num_features,)`` (Ioffe and Szegedy, arXiv 1502.03167, alg. 2).
    """

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    rank: int = 2

    def __post_init__(self) -> None:
        _set(
            self,
            rank=_rank(self),
            num_features=_int(self, "num_features", self.num_features),
            eps=_number(self, "eps", self.eps),
            momentum=_number(self, "momentum", self.momentum),
        )
        if not 0 < self.eps < 1:
            raise _fail(self, f"eps must lie between 0 and 1, not {self.eps}")
        if not 0 <= self.momentum <= 1:
            raise _fail(self, f"momentum must lie between 0 and 1, not {self.momentum}")


@dataclasses.dataclass(frozen=True)
class Activation(Layer):
    """An elementwise function: ``relu`` is max(x, 0), ``relu6`` is min(max(x, 0), 6)."""

    function: str

    def __post_init__(self) -> None:
        if self.function not in ACTIVATIONS:
            raise _fail(self, one_of("activation", self.function, ACTIVATIONS))


@dataclasses.dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean over every spatial axis: ``(N, *spatial, C)`` to ``(N, C)``."""


@dataclasses.dataclass(frozen=True)
class Flatten(Layer):
    """``(N, *spatial, C)`` to ``(N, prod(spatial) * C)``, in channels-last order everywhere."""


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """Zeroes a share ``p`` of the values while training; the identity at inference."""

    p: float = 0.5

    def __post_init__(self) -> None:
        _set(self, p=_number(self, "p", self.p))
        if not 0 <= self.p < 1:
            raise _fail(self, f"p must lie in [0, 1), not {self.p}")


@dataclasses.dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer. Weights: ``kernel (in_features, out_features)``, ``bias``."""

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        _set(
            self,
            in_features=_int(self, "in_features", self.in_features),
            out_features=_int(self, "out_features", self.out_features),
            bias=_bool(self, "bias", self.bias),
        )


# ---------------------------------------------------------------- composites


@dataclasses.dataclass(frozen=True, init=False)
class Sequential(Composite):
    """Layers one after another: ``Sequential(a, b)`` names them "0", "1"; a mapping gives names."""

    layers: tuple[tuple[str, Spec], ...]

    def __init__(self, *layers: Any) -> None:
        given: Any = layers
        if len(layers) == 1 and not isinstance(layers[0], Spec):
            given = layers[0]
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise _fail(self, f"takes specs, a list of specs or a mapping, not {given!r}")
        named = given if isinstance(given, Mapping) else dict(enumerate(given))
        items = tuple((str(name), _spec(self, f"layer {name}", s)) for name, s in named.items())
        if not items:
            raise _fail(self, "needs at least one layer")
        names = [name for name, _ in items]
        for name in names:
            if names.count(name) > 1:
                raise _fail(self, f"two layers are called {name!r}")
            if not NAME.fullmatch(name):
                raise _fail(self, f"a layer's name is letters, digits and '_', not {name!r}")
        _set(self, layers=items)

    @property
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """The layers in order, with their names."""
        return self.layers

    def __repr__(self) -> str:
        if [name for name, _ in self.layers] == [str(i) for i in range(len(self.layers))]:
            return f"Sequential({', '.join(repr(spec) for _, spec in self.layers)})"
        return f"Sequential({dict(self.layers)!r})"


@dataclasses.dataclass(frozen=True)
class Residual(Composite):
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x`` (arXiv 1512.03385)."""

    body: Spec
    shortcut: Spec | None = None

    def __post_init__(self) -> None:
        _spec(self, "body", self.body)
        if self.shortcut is not None:
            _spec(self, "shortcut", self.shortcut)

    @property
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """``body``, and ``shortcut`` if there is one."""
        body = (("body", self.body),)
        return body if self.shortcut is None else (*body, ("shortcut", self.shortcut))
