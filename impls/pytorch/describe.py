"""``torch.nn`` modules to specs: PyTorch's own layers are understood as well as those of impls."""

import dataclasses
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import UnsupportedError, quoted
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
    if isinstance(module, nn.Module):
        _check_no_hooks(module)
    reader = find_reader(module, READERS, "forward")
    with fields_of(module):
        spec: Spec = reader(module)
    return spec


def _check_no_hooks(module: nn.Module) -> None:
    """Raise where something else than the module's own code runs in its forward pass."""
    kind = type(module).__name__
    if parametrize.is_parametrized(module):
        (name, *_) = module.parametrizations
        raise _computed(
            kind, name, f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            raise _computed(kind, hook.name, "torch.nn.utils.remove_weight_norm(module)")
        if isinstance(hook, SpectralNorm):
            raise _computed(kind, hook.name, "torch.nn.utils.remove_spectral_norm(module)")
        if isinstance(hook, prune.BasePruningMethod):
            name = hook._tensor_name
            raise _computed(kind, name, f"torch.nn.utils.prune.remove(module, {name!r})")
    hooks = {
        "a forward hook": module._forward_hooks,
        "a forward pre-hook": module._forward_pre_hooks,
        "a global forward hook": torch_module._global_forward_hooks,
        "a global forward pre-hook": torch_module._global_forward_pre_hooks,
    }
    for what, registered in hooks.items():
        for hook in registered.values():
            name = getattr(hook, "__qualname__", type(hook).__qualname__)
            raise UnsupportedError(
                f"pytorch: {kind} cannot be read as a spec: {what}, {name}, runs with it and may "
                "change what it computes: remove it (the handle that registering it gave has "
                "remove()), or write the spec and load its weights"
            )
    if getattr(module, "_compiled_call_impl", None) is not None:
        raise UnsupportedError(
            f"pytorch: {kind} cannot be read as a spec: _compiled_call_impl runs in the place of "
            "its forward pass: read it before compile(), or set _compiled_call_impl to None"
        )


def _computed(kind: str, name: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(
        f"pytorch: {kind} cannot be read as a spec: its {name} is computed from other parameters "
        f"whenever it runs: make it a plain parameter by {remedy}, on a copy if it is to train on"
    )


def _refuse_unless(fits: bool, module: nn.Module, needs: str) -> None:
    if not fits:
        raise UnsupportedError(f"pytorch: {module} cannot be read as a spec: it needs {needs}")


def _padding(module: Any) -> Any:
    first = getattr(module, "pad_first", None)  # torch's own layers have none
    return module.padding if first is None else first


def _check_pads_once(module: Any) -> None:
    first = getattr(module, "pad_first", None)
    _refuse_unless(
        first is None or not any(np.ravel(module.padding)), module, "padding=0 beside a pad_first"
    )


# ---------------------------------------------------------------- convolutions


def _check_padding(module: Any) -> None:
    """In another mode than zeros torch pads by a list that it made when the layer was made."""
    if module.padding_mode == "zeros" or getattr(module, "pad_first", None) is not None:
        return
    rank, padding = len(module.kernel_size), module.padding
    each = (padding,) * rank if isinstance(padding, int) else padding
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        pairs = [(total // 2, total - total // 2) for total in totals]
    else:
        pairs = [(0, 0)] * rank if padding == "valid" else [(n, n) for n in each]
    used = list(module._reversed_padding_repeated_twice)
    _refuse_unless(
        used == [n for pair in reversed(pairs) for n in pair],
        module,
        f"the padding that it was made with: padding={quoted(padding)} was set later, and what it "
        f"pads is still {used}, from the last axis: make it anew",
    )


def _conv(module: Any) -> Any:
    _check_padding(module)
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
    _children(module)  # neither step has a hook or code beside its own
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
    _check_pads_once(module)
    _refuse_unless(
        module.dilation in (1, (1,) * rank) and not (module.ceil_mode or module.return_indices),
        module,
        "dilation=1, ceil_mode=False and return_indices=False",
    )
    return MaxPool(module.kernel_size, module.stride, _padding(module), rank)


def _avg_pool(module: Any) -> Spec:
    _check_pads_once(module)
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
        f"pytorch: {module} normalises the last axes, which are spatial in (N, C, H, W); a "
        "spec's LayerNorm is over the channels: use convparity.impls.pytorch.layers.LayerNorm, "
        "with the same weights"
    )


# ---------------------------------------------------------------- other layers


def _relu6(module: nn.ReLU6) -> Spec:
    _refuse_unless((module.min_val, module.max_val) == (0, 6), module, "min_val=0 and max_val=6")
    return Activation("relu6")


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
    return read_children(module._modules, describe)


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
    nn.ReLU6: _relu6,
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
