"""What a layer is, said once: frozen dataclasses in PyTorch's vocabulary, validated at birth.

A spec holds no weights and knows no framework. A scalar stands for every spatial axis; it is stored
as one int an axis. ``padding`` is stored as ``"valid"``, ``"same"`` (TensorFlow's rule, at any
stride), ``"causal"`` (rank 1) or one ``(low, high)`` pair an axis.
"""

import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from convparity.impls.errors import SpecError, one_of
from convparity.impls.validation import (
    boolean,
    convolution,
    fail,
    grouped,
    integer,
    number,
    padded,
    per_axis,
    rank_of,
    set_fields,
    window,
)

NAME = re.compile(r"[A-Za-z0-9_]+")  # of a child
ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "silu",
    "gelu",
    "gelu_tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_swish",
    "softplus",
    "softmax",
    "tanh",
)
DEFAULT_ALPHA = {"leaky_relu": 0.01, "elu": 1.0}


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


def _a_spec(owner: Spec, name: str, value: Any) -> Spec:
    if not isinstance(value, Spec):
        raise fail(owner, f"{name} must be a spec, not {value!r}")
    return value


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
        convolution(self)
        padded(self)
        grouped(self)


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
        convolution(self)
        padded(self)
        set_fields(
            self,
            depth_multiplier=integer(self, "depth_multiplier", self.depth_multiplier),
            bias=boolean(self, "bias", self.bias),
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
        convolution(self)
        padded(self)
        set_fields(
            self,
            out_channels=integer(self, "out_channels", self.out_channels),
            depth_multiplier=integer(self, "depth_multiplier", self.depth_multiplier),
            depthwise_bias=boolean(self, "depthwise_bias", self.depthwise_bias),
            pointwise_bias=boolean(self, "pointwise_bias", self.pointwise_bias),
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


@dataclasses.dataclass(frozen=True)
class ConvTranspose(Layer):
    """The transpose, i.e. the gradient by its input, of ``Conv(out_channels, in_channels, ...)``.

    It maps that convolution's output shape to its input shape. Several inputs share an output size
    when ``stride > 1``: ``output_padding`` (below the stride) chooses, as in PyTorch; under "same"
    the size is ``n * stride``. Weights: ``kernel (*kernel_size, out_channels/groups, in_channels)``
    (the convolution's own kernel), ``bias (out_channels,)``. See Dumoulin and Visin, arXiv
    1603.07285, ch. 4.
    """

    in_channels: int
    out_channels: int
    kernel_size: Any
    stride: Any = 1
    padding: Any = "valid"
    output_padding: Any = 0
    groups: int = 1
    bias: bool = True
    dilation: Any = 1
    rank: int = 2

    def __post_init__(self) -> None:
        convolution(self)
        grouped(self)
        extra = per_axis(self, "output_padding", self.output_padding, self.rank, 0)
        set_fields(self, output_padding=extra)
        if self.padding == "causal":
            raise fail(self, "causal padding belongs to Conv: crop the output with pairs instead")
        if self.padding == "same" and any(extra):
            raise fail(self, 'under "same" the output is n * stride: drop output_padding')
        if any(e >= s for e, s in zip(extra, self.stride, strict=True)):
            raise fail(
                self,
                f"output_padding {extra} must be below the stride {self.stride}: a larger output "
                "would be the transpose of another input size",
            )

    @property
    def conv(self) -> Conv:
        """The convolution of which this is the transpose, without a bias."""
        return Conv(
            self.out_channels,
            self.in_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias=False,
            rank=self.rank,
        )


# ---------------------------------------------------------------- pooling


def _pool(spec: Any) -> None:
    if spec.stride is None:
        set_fields(spec, stride=spec.kernel_size)
    window(spec)
    if spec.padding == "causal":
        raise fail(spec, "causal padding belongs to Conv: give pairs instead")
    if isinstance(spec.padding, str):
        return
    for size, pair in zip(spec.kernel_size, spec.padding, strict=True):
        if max(pair) >= size:
            raise fail(
                spec,
                f"padding {pair} must be smaller than the kernel {size}: "
                "a window would lie in the padding alone",
            )


@dataclasses.dataclass(frozen=True)
class MaxPool(Layer):
    """The largest value of each window, of each channel by itself; padding never wins.

    ``stride`` is the kernel's size unless it is given.
    """

    kernel_size: Any
    stride: Any = None
    padding: Any = "valid"
    rank: int = 2

    def __post_init__(self) -> None:
        _pool(self)


@dataclasses.dataclass(frozen=True)
class AvgPool(Layer):
    """The mean of each window, of each channel by itself.

    ``count_include_pad`` says whether the zeros of the padding count, as PyTorch and Flax do and
    TensorFlow does not. ``stride`` is the kernel's size unless it is given.
    """

    kernel_size: Any
    stride: Any = None
    padding: Any = "valid"
    count_include_pad: bool = True
    rank: int = 2

    def __post_init__(self) -> None:
        _pool(self)
        boolean(self, "count_include_pad", self.count_include_pad)


# ---------------------------------------------------------------- other layers


def _eps(spec: Any) -> None:
    set_fields(spec, eps=number(spec, "eps", spec.eps))
    if not 0 < spec.eps < 1:
        raise fail(spec, f"eps must lie between 0 and 1, not {spec.eps}")


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
        set_fields(
            self,
            rank=rank_of(self),
            num_features=integer(self, "num_features", self.num_features),
            momentum=number(self, "momentum", self.momentum),
        )
        _eps(self)
        if not 0 <= self.momentum <= 1:
            raise fail(self, f"momentum must lie between 0 and 1, not {self.momentum}")


@dataclasses.dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalises the channels of each position by themselves; any number of spatial axes.

    Weights: ``scale``, ``offset``, each ``(num_features,)`` (Ba et al., arXiv 1607.06450).
    """

    num_features: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        set_fields(self, num_features=integer(self, "num_features", self.num_features))
        _eps(self)


@dataclasses.dataclass(frozen=True)
class GroupNorm(Layer):
    """Normalises each group of channels, over all positions of one example.

    Weights: ``scale``, ``offset``, each ``(num_features,)`` (Wu and He, arXiv 1803.08494).
    """

    num_groups: int
    num_features: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("num_groups", "num_features"):
            set_fields(self, **{name: integer(self, name, getattr(self, name))})
        if self.num_features % self.num_groups:
            raise fail(
                self,
                f"num_features={self.num_features} is not divisible by "
                f"num_groups={self.num_groups}: change one of them",
            )
        _eps(self)


@dataclasses.dataclass(frozen=True)
class Activation(Layer):
    """A function of each value; ``softmax`` is over the channels.

    ``alpha`` is the slope of ``leaky_relu`` below 0 (0.01 unless given) and the limit of ``elu``
    (1 unless given); no other function takes it. ``gelu`` is exact (erf), ``gelu_tanh`` its
    approximation (arXiv 1606.08415); ``hard_sigmoid`` is relu6(x + 3) / 6, ``hard_swish`` x times
    that (arXiv 1905.02244).
    """

    function: str
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.function not in ACTIVATIONS:
            raise fail(self, one_of("activation", self.function, ACTIVATIONS))
        if self.alpha is None:
            set_fields(self, alpha=DEFAULT_ALPHA.get(self.function))
        elif self.function not in DEFAULT_ALPHA:
            raise fail(self, f"{self.function} takes no alpha; {', '.join(DEFAULT_ALPHA)} do")
        else:
            set_fields(self, alpha=number(self, "alpha", self.alpha))
            if not 0 <= self.alpha < math.inf:
                raise fail(self, f"alpha must be a finite number from 0 on, not {self.alpha}")


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
        set_fields(self, p=number(self, "p", self.p))
        if not 0 <= self.p < 1:
            raise fail(self, f"p must lie in [0, 1), not {self.p}")


@dataclasses.dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer. Weights: ``kernel (in_features, out_features)``, ``bias``."""

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        set_fields(
            self,
            in_features=integer(self, "in_features", self.in_features),
            out_features=integer(self, "out_features", self.out_features),
            bias=boolean(self, "bias", self.bias),
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
            raise fail(self, f"takes specs, a list of specs or a mapping, not {given!r}")
        named = given if isinstance(given, Mapping) else dict(enumerate(given))
        items = tuple((str(name), _a_spec(self, f"layer {name}", s)) for name, s in named.items())
        if not items:
            raise fail(self, "needs at least one layer")
        names = [name for name, _ in items]
        for name in names:
            if names.count(name) > 1:
                raise fail(self, f"two layers are called {name!r}")
            if not NAME.fullmatch(name):
                raise fail(self, f"a layer's name is letters, digits and '_', not {name!r}")
        set_fields(self, layers=items)

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
        _a_spec(self, "body", self.body)
        if self.shortcut is not None:
            _a_spec(self, "shortcut", self.shortcut)

    @property
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """``body``, and ``shortcut`` if there is one."""
        body = (("body", self.body),)
        return body if self.shortcut is None else (*body, ("shortcut", self.shortcut))
