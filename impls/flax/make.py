"""Flax: specs to ``flax.nnx`` modules."""

from collections.abc import Callable
from functools import lru_cache, singledispatch
from typing import Any, NamedTuple

from flax import nnx

from convparity.impls.adapter import check_names
from convparity.impls.errors import UnsupportedError
from convparity.impls.flax import layers
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Scale,
    SeparableConv,
    Sequential,
    Spec,
    wires,
)

# What each activation is called with: the function, then what follows x.
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "relu": (nnx.relu, ()),
    "relu6": (nnx.relu6, ()),
    "leaky_relu": (nnx.leaky_relu, ()),  # and the spec's alpha
    "elu": (nnx.elu, ()),  # and the spec's alpha
    "silu": (nnx.silu, ()),
    "gelu": (nnx.gelu, (False,)),  # approximate
    "gelu_tanh": (nnx.gelu, (True,)),
    "sigmoid": (nnx.sigmoid, ()),
    "hard_sigmoid": (nnx.hard_sigmoid, ()),
    "hard_swish": (nnx.hard_swish, ()),
    "softplus": (nnx.softplus, ()),
    "softmax": (nnx.softmax, ()),
    "tanh": (nnx.tanh, ()),
}


class How(NamedTuple):
    """How a module is made: the dtype of its weights, and what their first values are."""

    dtype: Any
    rngs: nnx.Rngs
    kernel_init: nnx.Initializer = layers.KERNEL_INIT


@singledispatch
def make(spec: Spec, how: How) -> Any:
    """The native module of a spec, as ``how`` initialises it."""
    raise UnsupportedError(f"flax: {type(spec).__name__} is not built yet")


def outline(spec: Spec, dtype: Any) -> Any:
    """The native module of a spec with shapes in place of its arrays: no initialiser runs.

    Each would compile for every new shape. Layer by layer, and alike ones once, as tracing many
    layers together takes time that grows with the square of their number.
    """
    module = compose(spec, lambda child: outline(child, dtype))
    return nnx.clone(_traced(spec, dtype)) if module is None else module


@lru_cache(maxsize=1024)
def _traced(spec: Spec, dtype: Any) -> Any:
    def traced() -> Any:
        # zeros, and no keys: to trace what draws numbers takes several times as long
        rngs: Any = nnx.Rngs(0) if isinstance(spec, Dropout) else _NoKeys()
        return make(spec, How(dtype, rngs, nnx.initializers.zeros))

    return nnx.eval_shape(traced)


class _NoKeys:
    """For initialisers that look at no key."""

    def params(self) -> None:
        """No key."""


def compose(spec: Spec, child: Callable[[Spec], Any]) -> Any:
    """The native module of a composite from those of its children; None where it is one layer."""
    if isinstance(spec, SeparableConv) or not isinstance(spec, Composite):
        return None
    chain = isinstance(spec, Sequential)
    check_names("flax", spec, layers.Sequential if chain else layers.Graph)
    children = {name: child(each) for name, each in spec.children}
    return layers.Sequential(children) if chain else layers.Graph(children, wires(spec))


def _padding(padding: Any) -> Any:
    return padding.upper() if isinstance(padding, str) else padding


@make.register
def _(spec: Conv, how: How) -> nnx.Module:
    kind, more = nnx.Conv, {}  # Flax's own layer, where it can say the spec
    if spec.padding_mode != "zeros":
        kind, more = layers.Conv, {"padding_mode": NUMPY_MODES[spec.padding_mode]}
    return kind(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        kernel_dilation=spec.dilation,
        feature_group_count=spec.groups,
        use_bias=spec.bias,
        kernel_init=how.kernel_init,
        param_dtype=how.dtype,
        rngs=how.rngs,
        **more,
    )


@make.register
def _(spec: DepthwiseConv, how: How) -> nnx.Module:
    return layers.DepthwiseConv(
        spec.in_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        padding_mode=NUMPY_MODES[spec.padding_mode],
        kernel_dilation=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        use_bias=spec.bias,
        kernel_init=how.kernel_init,
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: SeparableConv, how: How) -> nnx.Module:
    return layers.SeparableConv(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        padding_mode=NUMPY_MODES[spec.padding_mode],
        kernel_dilation=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        depthwise_bias=spec.depthwise_bias,
        pointwise_bias=spec.pointwise_bias,
        kernel_init=how.kernel_init,
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: ConvTranspose, how: How) -> nnx.Module:
    return layers.ConvTranspose(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        output_padding=spec.output_padding,
        kernel_dilation=spec.dilation,
        feature_group_count=spec.groups,
        use_bias=spec.bias,
        kernel_init=how.kernel_init,
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: MaxPool, how: How) -> nnx.Module:
    return layers.MaxPool(spec.kernel_size, spec.stride, _padding(spec.padding))


@make.register
def _(spec: AvgPool, how: How) -> nnx.Module:
    return layers.AvgPool(
        spec.kernel_size, spec.stride, _padding(spec.padding), spec.count_include_pad
    )


@make.register
def _(spec: GlobalAvgPool, how: How) -> nnx.Module:
    return layers.GlobalAvgPool()


@make.register
def _(spec: BatchNorm, how: How) -> nnx.Module:
    return layers.BatchNorm(
        spec.num_features,
        rank=spec.rank,
        momentum=1 - spec.momentum,  # the weight of the old statistics here, of the new in a spec
        epsilon=spec.eps,
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: LayerNorm, how: How) -> nnx.Module:
    return nnx.LayerNorm(
        spec.num_features,
        epsilon=spec.eps,
        use_fast_variance=False,  # see layers.BatchNorm
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: GroupNorm, how: How) -> nnx.Module:
    return nnx.GroupNorm(
        spec.num_features,
        spec.num_groups,
        epsilon=spec.eps,
        use_fast_variance=False,  # see layers.BatchNorm
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: Scale, how: How) -> nnx.Module:
    return layers.Scale(spec.num_features, param_dtype=how.dtype)


@make.register
def _(spec: Activation, how: How) -> nnx.Module:
    function, parameters = FUNCTIONS[spec.function]
    return layers.Activation(
        function, *(parameters if spec.alpha is None else (*parameters, spec.alpha))
    )


@make.register
def _(spec: Flatten, how: How) -> nnx.Module:
    return layers.Flatten()


@make.register
def _(spec: Dropout, how: How) -> nnx.Module:
    return nnx.Dropout(spec.p, rngs=how.rngs)


@make.register
def _(spec: Dense, how: How) -> nnx.Module:
    return nnx.Linear(
        spec.in_features,
        spec.out_features,
        use_bias=spec.bias,
        kernel_init=how.kernel_init,
        param_dtype=how.dtype,
        rngs=how.rngs,
    )


@make.register
def _(spec: Composite, how: How) -> nnx.Module:
    return compose(spec, lambda child: make(child, how))
