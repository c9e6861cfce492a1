"""Specs to Keras layers and models, born with their weights."""

from functools import singledispatch
from typing import Any, TypeGuard

import keras

from convparity.impls.errors import UnsupportedError
from convparity.impls.keras import layers, pooling
from convparity.impls.keras.variables import born_with
from convparity.impls.spec import (
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
    dotted,
    parameter_shapes,
    walk,
    wires,
)
from convparity.impls.weights import Weights


@singledispatch
def make(spec: Spec, **common: Any) -> Any:
    """The native layer or model of a spec, not built yet; ``common`` is its name and its dtype."""
    raise UnsupportedError(f"keras: {type(spec).__name__} is not built yet")


# ---------------------------------------------------------------- windows: one class a rank


def _window(spec: Any) -> dict[str, Any]:
    return {
        "kernel_size": spec.kernel_size,
        "strides": spec.stride,
        "padding": spec.padding,
        "dilation_rate": spec.dilation,
    }


@make.register
def _(spec: Conv, **common: Any) -> Any:
    kind = (layers.Conv1D, layers.Conv2D, layers.Conv3D)[spec.rank - 1]
    return kind(
        spec.out_channels,
        groups=spec.groups,
        use_bias=spec.bias,
        padding_mode=spec.padding_mode,
        **_window(spec),
        **common,
    )


@make.register
def _(spec: DepthwiseConv, **common: Any) -> Any:
    kinds = (layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.DepthwiseConv3D)
    return kinds[spec.rank - 1](
        depth_multiplier=spec.depth_multiplier,
        use_bias=spec.bias,
        padding_mode=spec.padding_mode,
        **_window(spec),
        **common,
    )


@make.register
def _(spec: SeparableConv, **common: Any) -> Any:
    kinds = (layers.SeparableConv1D, layers.SeparableConv2D, layers.SeparableConv3D)
    return kinds[spec.rank - 1](
        spec.out_channels,
        depth_multiplier=spec.depth_multiplier,
        depthwise_bias=spec.depthwise_bias,
        pointwise_bias=spec.pointwise_bias,
        padding_mode=spec.padding_mode,
        **_window(spec),
        **common,
    )


@make.register
def _(spec: ConvTranspose, **common: Any) -> Any:
    kinds = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
    return kinds[spec.rank - 1](
        spec.out_channels,
        output_padding=spec.output_padding,
        groups=spec.groups,
        use_bias=spec.bias,
        **_window(spec),
        **common,
    )


@make.register
def _(spec: MaxPool, **common: Any) -> Any:
    kinds = (pooling.MaxPooling1D, pooling.MaxPooling2D, pooling.MaxPooling3D)
    return kinds[spec.rank - 1](spec.kernel_size, spec.stride, spec.padding, **common)


@make.register
def _(spec: AvgPool, **common: Any) -> Any:
    kinds = (pooling.AveragePooling1D, pooling.AveragePooling2D, pooling.AveragePooling3D)
    return kinds[spec.rank - 1](
        spec.kernel_size,
        spec.stride,
        spec.padding,
        count_include_pad=spec.count_include_pad,
        **common,
    )


# ---------------------------------------------------------------- other layers


@make.register
def _(spec: BatchNorm, **common: Any) -> Any:
    # Keras's momentum is the weight of the old statistics, a spec's of the new
    kind = layers if _may_be_flat(spec) else keras.layers
    return kind.BatchNormalization(momentum=1 - spec.momentum, epsilon=spec.eps, **common)


@make.register
def _(spec: LayerNorm, **common: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=spec.eps, **common)


@make.register
def _(spec: GroupNorm, **common: Any) -> Any:
    return layers.GroupNormalization(spec.num_groups, epsilon=spec.eps, **common)


@make.register
def _(spec: Scale, **common: Any) -> Any:
    return layers.Scale(**common)


@make.register
def _(spec: Activation, **common: Any) -> Any:
    match spec.function:
        case "relu":
            return keras.layers.ReLU(**common)
        case "relu6":
            return keras.layers.ReLU(6.0, **common)
        case "leaky_relu":
            return layers.LeakyReLU(spec.alpha, **common)
        case "elu":
            return keras.layers.ELU(spec.alpha, **common)
        case "softmax":
            return keras.layers.Softmax(**common)
        case "gelu_tanh":
            return keras.layers.Activation(layers.gelu_tanh, **common)
    return keras.layers.Activation(spec.function, **common)


@make.register
def _(spec: GlobalAvgPool, **common: Any) -> Any:
    return pooling.GlobalAveragePooling(**common)


@make.register
def _(spec: Flatten, **common: Any) -> Any:
    return keras.layers.Flatten(data_format="channels_last", **common)


@make.register
def _(spec: Dropout, **common: Any) -> Any:
    return keras.layers.Dropout(spec.p, **common)


@make.register
def _(spec: Dense, **common: Any) -> Any:
    return keras.layers.Dense(spec.out_features, use_bias=spec.bias, **common)


@make.register
def _(spec: Sequential, name: str | None = None, **common: Any) -> Any:
    children = [make(child, name=child_name, **common) for child_name, child in spec.children]
    return keras.Sequential(children, name=name)


@make.register
def _(spec: Composite, name: str | None = None, **common: Any) -> Any:
    children = {each: make(child, name=each, **common) for each, child in spec.children}
    return layers.Graph(children, wires(spec), name=name, **common)


# ---------------------------------------------------------------- building


def input_shape(spec: Spec) -> tuple[int | None, ...] | None:
    """What ``spec`` can be built for: sizes open, channels known; None if it takes any of them."""
    if isinstance(spec, LayerNorm | GroupNorm | Scale) or _may_be_flat(spec):
        return (None, spec.num_features)  # alone; inside another it says nothing of the axes
    for _, layer in walk(spec):
        match layer:
            case Conv() | DepthwiseConv() | ConvTranspose():
                return (None,) * (layer.rank + 1) + (layer.in_channels,)
            case BatchNorm() if not _may_be_flat(layer):
                return (None,) * (layer.rank + 1) + (layer.num_features,)
            case Dense():
                return (None, layer.in_features)
            case Flatten() | GlobalAvgPool():
                return None  # what comes after says nothing about what comes in
    return None


def _may_be_flat(spec: Spec) -> TypeGuard[BatchNorm]:
    """It takes (N, C) and (N, W, C)."""
    return isinstance(spec, BatchNorm) and spec.rank == 1


def build(module: Any, spec: Spec, children: Any, weights: Weights | None, path: str = "") -> None:
    """Build from the leaves up: behind a Flatten, Keras could not tell a Dense's inputs.

    ``children`` finds the native modules inside a native module, by their names in the spec.
    """
    found = children(module)
    for name, child in spec.children if isinstance(spec, Composite) else ():
        build(found[name], child, children, weights, dotted(path, name))
    shape = input_shape(spec)
    if shape is None:  # Keras builds it when it sees its first input
        return
    if weights is None or isinstance(spec, Composite):
        module.build(shape)
    else:
        own = {name: weights[dotted(path, name)] for name in parameter_shapes(spec)}
        with born_with(module, spec, own):
            module.build(shape)
