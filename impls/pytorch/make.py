"""Specs to ``torch.nn`` modules."""

from collections import OrderedDict
from functools import singledispatch
from typing import Any

from torch import nn

from convparity.impls.adapter import check_names
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch import layers
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
    wires,
)


@singledispatch
def make(spec: Spec) -> nn.Module:
    """The native module of a spec, as PyTorch initialises it."""
    raise UnsupportedError(f"pytorch: {type(spec).__name__} is not built yet")


def _of_rank(home: Any, name: str, spec: Any) -> Any:
    return getattr(home, f"{name}{spec.rank}d")  # Conv1d, Conv2d, Conv3d, ...


@make.register
def _(spec: Conv) -> nn.Module:
    return _of_rank(layers, "Conv", spec)(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.groups,
        spec.bias,
        spec.padding_mode,
    )


@make.register
def _(spec: DepthwiseConv) -> nn.Module:
    return _of_rank(layers, "DepthwiseConv", spec)(
        spec.in_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.depth_multiplier,
        spec.bias,
        spec.padding_mode,
    )


@make.register
def _(spec: SeparableConv) -> nn.Module:
    return _of_rank(layers, "SeparableConv", spec)(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.depth_multiplier,
        spec.depthwise_bias,
        spec.pointwise_bias,
        spec.padding_mode,
    )


@make.register
def _(spec: ConvTranspose) -> nn.Module:
    return _of_rank(layers, "ConvTranspose", spec)(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.output_padding,
        spec.groups,
        spec.bias,
        spec.dilation,
    )


@make.register
def _(spec: MaxPool) -> nn.Module:
    return _of_rank(layers, "MaxPool", spec)(spec.kernel_size, spec.stride, spec.padding)


@make.register
def _(spec: AvgPool) -> nn.Module:
    return _of_rank(layers, "AvgPool", spec)(
        spec.kernel_size, spec.stride, spec.padding, spec.count_include_pad
    )


@make.register
def _(spec: BatchNorm) -> nn.Module:
    return _of_rank(nn, "BatchNorm", spec)(spec.num_features, spec.eps, spec.momentum)


@make.register
def _(spec: LayerNorm) -> nn.Module:
    return layers.LayerNorm(spec.num_features, spec.eps)


@make.register
def _(spec: GroupNorm) -> nn.Module:
    return layers.GroupNorm(spec.num_groups, spec.num_features, spec.eps)


@make.register
def _(spec: Scale) -> nn.Module:
    return layers.Scale(spec.num_features)


@make.register
def _(spec: Activation) -> nn.Module:
    match spec.function:
        case "relu":
            return nn.ReLU()
        case "relu6":
            return nn.ReLU6()
        case "leaky_relu":
            return nn.LeakyReLU(spec.alpha)
        case "elu":
            return nn.ELU(spec.alpha)
        case "silu":
            return nn.SiLU()
        case "gelu":
            return nn.GELU()
        case "gelu_tanh":
            return nn.GELU("tanh")
        case "sigmoid":
            return nn.Sigmoid()
        case "hard_sigmoid":
            return nn.Hardsigmoid()
        case "hard_swish":
            return nn.Hardswish()
        case "softplus":  # beyond the threshold it is x: 20, the default, is too low for float64
            return nn.Softplus(threshold=40)
        case "softmax":
            return nn.Softmax(dim=1)
        case "tanh":
            return nn.Tanh()
    raise UnsupportedError(f"pytorch: the activation {spec.function!r} is not built yet")


@make.register
def _(spec: GlobalAvgPool) -> nn.Module:
    return layers.GlobalAvgPool()


@make.register
def _(spec: Flatten) -> nn.Module:
    return layers.Flatten()


@make.register
def _(spec: Dropout) -> nn.Module:
    return nn.Dropout(spec.p)


@make.register
def _(spec: Dense) -> nn.Module:
    return nn.Linear(spec.in_features, spec.out_features, spec.bias)


@make.register
def _(spec: Sequential) -> nn.Module:
    check_names("pytorch", spec, nn.Sequential)
    return nn.Sequential(OrderedDict((name, make(child)) for name, child in spec.children))


@make.register
def _(spec: Composite) -> nn.Module:
    check_names("pytorch", spec, layers.Graph)
    return layers.Graph({name: make(child) for name, child in spec.children}, wires(spec))
