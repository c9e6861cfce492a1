"""``torch.nn`` modules to specs: PyTorch's own layers are understood as well as those of impls."""

import dataclasses
from typing import Any

from torch import nn

from convparity.impls.adapter import find_reader
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch import layers
from convparity.impls.spec import (
    Activation,
    AvgPool,
    BatchNorm,
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
    wired,
)


def describe(module: nn.Module) -> Spec:
    """The spec of a native module."""
    spec: Spec = find_reader(module, READERS, "forward")(module)
    return spec


def _refuse_unless(fits: bool, module: nn.Module, needs: str) -> None:
    if not fits:
        raise UnsupportedError(f"pytorch: {module} cannot be read as a spec: it needs {needs}")


def _padding(module: Any) -> Any:
    first = getattr(module, "pad_first", None)  # torch's own layers have none
    return module.padding if first is None else first


# ---------------------------------------------------------------- convolutions


def _conv(module: Any) -> Any:
    return Conv(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        _padding(module),
        module.dilation,
        module.groups,
        module.bias is not None,
        module.padding_mode,
        len(module.kernel_size),
    )


def _depthwise(module: layers.DepthwiseConvNd) -> Any:
    conv = _conv(module)
    return DepthwiseConv(
        conv.in_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        module.depth_multiplier,
        conv.bias,
        conv.padding_mode,
        conv.rank,
    )


def _separable(module: layers.SeparableConvNd) -> Spec:
    depthwise = _depthwise(module.depthwise)
    return SeparableConv(
        depthwise.in_channels,
        module.pointwise.out_channels,
        depthwise.kernel_size,
        depthwise.stride,
        depthwise.padding,
        depthwise.dilation,
        depthwise.depth_multiplier,
        depthwise.bias,
        module.pointwise.bias is not None,
        depthwise.padding_mode,
        depthwise.rank,
    )


def _conv_transpose(module: Any) -> ConvTranspose:
    return ConvTranspose(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.output_padding,
        module.groups,
        module.bias is not None,
        module.dilation,
        len(module.kernel_size),
    )


def _cropped(module: layers.ConvTransposeNd) -> ConvTranspose:
    pairs = tuple(
        (both + low, both + high)
        for both, (low, high) in zip(module.padding, module.crop_after, strict=True)
    )
    spec = _conv_transpose(module)
    if module.same:
        return dataclasses.replace(spec, padding="same", output_padding=(0,) * spec.rank)
    return dataclasses.replace(spec, padding=pairs)


# ---------------------------------------------------------------- pooling and normalisation

RANKS = {
    nn.MaxPool1d: 1,
    nn.MaxPool2d: 2,
    nn.MaxPool3d: 3,
    nn.AvgPool1d: 1,
    nn.AvgPool2d: 2,
    nn.AvgPool3d: 3,
    nn.BatchNorm1d: 1,
    nn.BatchNorm2d: 2,
    nn.BatchNorm3d: 3,
}


def _rank(module: nn.Module) -> int:
    return next(rank for kind, rank in RANKS.items() if isinstance(module, kind))


def _max_pool(module: Any) -> Spec:
    rank = _rank(module)
    _refuse_unless(
        module.dilation in (1, (1,) * rank) and not (module.ceil_mode or module.return_indices),
        module,
        "dilation=1, ceil_mode=False and return_indices=False",
    )
    return MaxPool(module.kernel_size, module.stride, _padding(module), rank)


def _avg_pool(module: Any) -> Spec:
    divisor = getattr(module, "divisor_override", None)  # nn.AvgPool1d has none
    _refuse_unless(
        divisor is None and not module.ceil_mode, module, "ceil_mode=False and no divisor_override"
    )
    return AvgPool(
        module.kernel_size,
        module.stride,
        _padding(module),
        module.count_include_pad,
        _rank(module),
    )


def _batch_norm(module: Any) -> Spec:
    _refuse_unless(
        module.affine and module.track_running_stats and module.momentum is not None,
        module,
        "affine=True, track_running_stats=True and a momentum",
    )
    return BatchNorm(module.num_features, module.eps, module.momentum, _rank(module))


def _group_norm(module: nn.GroupNorm) -> Spec:
    _refuse_unless(module.affine, module, "affine=True")
    return GroupNorm(module.num_groups, module.num_channels, module.eps)


def _last_axis_norm(module: nn.LayerNorm) -> Spec:
    raise UnsupportedError(
        f"pytorch: {module} normalises the last axes, which are spatial in (N, C, H, W); a spec's "
        "LayerNorm is over the channels: use convparity.impls.pytorch.layers.LayerNorm, with the "
        "same weights"
    )


# ---------------------------------------------------------------- other layers


def _softplus(module: nn.Softplus) -> Spec:
    _refuse_unless(module.beta == 1 and module.threshold >= 20, module, "beta=1, threshold=20")
    return Activation("softplus")


def _softmax(module: nn.Softmax) -> Spec:
    _refuse_unless(module.dim == 1, module, "dim=1, the channels")
    return Activation("softmax")


def _flatten(module: nn.Flatten) -> Spec:
    raise UnsupportedError(
        "pytorch: nn.Flatten orders the features C, H, W; use "
        "convparity.impls.pytorch.layers.Flatten, and permute the weights of the layer behind it"
    )


def _children(module: nn.Module) -> dict[str, Spec]:
    # not named_children(), which leaves out a layer's second use
    return {name: describe(child) for name, child in module._modules.items()}


READERS: dict[type, Any] = {
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.Conv3d: _conv,
    layers.ConvNd: _conv,
    layers.DepthwiseConvNd: _depthwise,
    layers.SeparableConvNd: _separable,
    nn.ConvTranspose1d: _conv_transpose,
    nn.ConvTranspose2d: _conv_transpose,
    nn.ConvTranspose3d: _conv_transpose,
    layers.ConvTransposeNd: _cropped,
    nn.MaxPool1d: _max_pool,
    nn.MaxPool2d: _max_pool,
    nn.MaxPool3d: _max_pool,
    layers.MaxPoolNd: _max_pool,
    nn.AvgPool1d: _avg_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AvgPool3d: _avg_pool,
    layers.AvgPoolNd: _avg_pool,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.GroupNorm: _group_norm,
    layers.GroupNorm: _group_norm,
    nn.LayerNorm: _last_axis_norm,
    layers.LayerNorm: lambda module: LayerNorm(module.normalized_shape[0], module.eps),
    layers.Scale: lambda module: Scale(module.num_features),
    nn.ReLU: lambda module: Activation("relu"),
    nn.ReLU6: lambda module: Activation("relu6"),
    nn.LeakyReLU: lambda module: Activation("leaky_relu", module.negative_slope),
    nn.ELU: lambda module: Activation("elu", module.alpha),
    nn.SiLU: lambda module: Activation("silu"),
    nn.GELU: lambda module: Activation("gelu_tanh" if module.approximate == "tanh" else "gelu"),
    nn.Sigmoid: lambda module: Activation("sigmoid"),
    nn.Hardsigmoid: lambda module: Activation("hard_sigmoid"),
    nn.Hardswish: lambda module: Activation("hard_swish"),
    nn.Softplus: _softplus,
    nn.Softmax: _softmax,
    nn.Softmax2d: lambda module: Activation("softmax"),
    nn.Tanh: lambda module: Activation("tanh"),
    layers.GlobalAvgPool: lambda module: GlobalAvgPool(),
    layers.Flatten: lambda module: Flatten(),
    nn.Flatten: _flatten,
    nn.Dropout: lambda module: Dropout(module.p),
    nn.Linear: lambda module: Dense(
        module.in_features, module.out_features, module.bias is not None
    ),
    nn.Sequential: lambda module: Sequential(_children(module)),
    layers.Graph: lambda module: wired(_children(module), module.steps),
}
