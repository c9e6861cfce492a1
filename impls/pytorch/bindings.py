"""PyTorch's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where torch's own class takes less than
ours in ``layers.py`` says, it has a row of its own behind ours, by which it is read and never made.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from convparity.impls.bindings import Field, Fields, Row, Table, Weight, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.layouts import CHANNELS_FIRST, Layout, depthwise_as_grouped
from convparity.impls.pytorch import (
    arithmetic,
    einsum,
    layers,
    movement,
    pooling,
    reduction,
    resize,
)
from convparity.impls.spec import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Pad,
    Power,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    Scale,
    SeparableConv,
    Slice,
    Subtract,
)

CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSE = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MAX_POOL = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVG_POOL = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE_AVG_POOL = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
ADAPTIVE_MAX_POOL = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def said(module: nn.Module) -> str:
    """How an error names a layer: as torch prints it."""
    return str(module)


def refuse_unless(fits: bool, module: nn.Module, needs: str) -> None:
    """Raise ``UnsupportedError`` for a layer that no spec says."""
    if not fits:
        raise UnsupportedError(
            f"pytorch: {said(module)} cannot be read as a spec: it needs {needs}"
        )


# ---------------------------------------------------------------- convolutions


def _padding(module: Any) -> Any:
    first = getattr(module, "pad_first", None)  # torch's own layers have none
    return module.padding if first is None else first


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
    refuse_unless(
        used == [n for pair in reversed(pairs) for n in pair],
        module,
        f"the padding that it was made with: padding={quoted(padding)} was set later, and what it "
        f"pads is still {used}, from the last axis: make it anew",
    )


def _depthwise_layout(module: Any) -> Layout:
    return CHANNELS_FIRST.after(depthwise_as_grouped(module.depth_multiplier))


def _crops(module: Any) -> Any:
    """The padding of a transposed convolution of ours: what torch crops, and what we do."""
    if module.same:
        return "same"
    both = zip(module.padding, module.crop_after, strict=True)
    return tuple((n + low, n + high) for n, (low, high) in both)


def _output_padding(module: Any) -> Any:
    return 0 if module.same else module.output_padding


HAS_BIAS = Field("bias", lambda module: module.bias is not None)
WINDOW: Fields = {
    **same("in_channels", "kernel_size", "stride"),
    "padding": Field("padding", _padding),
}
CONVOLUTION: Fields = {**WINDOW, **same("dilation", "padding_mode"), "bias": HAS_BIAS}
KERNEL = {
    "kernel": Weight("weight", CHANNELS_FIRST),  # of a transpose, too: torch's (I, O/g, *k)
    "bias": Weight("bias", when="bias"),
}
TRANSPOSED: Fields = {
    **same("in_channels", "out_channels", "kernel_size", "stride", "groups", "dilation"),
    "bias": HAS_BIAS,
}
DEPTHWISE = (layers.DepthwiseConv1d, layers.DepthwiseConv2d, layers.DepthwiseConv3d)

CONVOLUTIONS = [
    Row(
        DepthwiseConv,
        DEPTHWISE,
        {**CONVOLUTION, "depth_multiplier": "depth_multiplier"},
        {**KERNEL, "kernel": Weight("weight", _depthwise_layout)},
        check=_check_padding,
    ),
    Row(
        Conv,
        (layers.Conv1d, layers.Conv2d, layers.Conv3d),
        {**CONVOLUTION, **same("out_channels", "groups")},
        KERNEL,
        check=_check_padding,
        also=(CONV,),
    ),
    Row(
        SeparableConv,
        (layers.SeparableConv1d, layers.SeparableConv2d, layers.SeparableConv3d),
        {
            **{name: Field(name, f"depthwise.{name}") for name in CONVOLUTION if name != "bias"},
            "padding": Field("padding", lambda module: _padding(module.depthwise)),
            "out_channels": Field("out_channels", "pointwise.out_channels"),
            "depth_multiplier": Field("depth_multiplier", "depthwise.depth_multiplier"),
            "depthwise_bias": Field("depthwise_bias", lambda m: m.depthwise.bias is not None),
            "pointwise_bias": Field("pointwise_bias", lambda m: m.pointwise.bias is not None),
        },
    ),
    Row(
        ConvTranspose,
        (layers.ConvTranspose1d, layers.ConvTranspose2d, layers.ConvTranspose3d),
        {
            **TRANSPOSED,
            "padding": Field("padding", _crops),
            "output_padding": Field("output_padding", _output_padding),
        },
        KERNEL,
    ),
    Row(ConvTranspose, TRANSPOSE, {**TRANSPOSED, **same("padding", "output_padding")}, KERNEL),
]

# ---------------------------------------------------------------- pooling, norms


def _check_pads_once(module: Any) -> None:
    first = getattr(module, "pad_first", None)
    refuse_unless(
        first is None or not any(np.ravel(module.padding)), module, "padding=0 beside a pad_first"
    )


def _check_max_pool(module: Any) -> None:
    _check_pads_once(module)
    refuse_unless(not np.any(np.not_equal(module.dilation, 1)), module, "dilation=1")


def _check_output_size(module: Any) -> None:
    sizes = np.atleast_1d(np.array(module.output_size, dtype=object))
    refuse_unless(
        not any(each is None for each in sizes),
        module,
        "the size of each axis, where None is that of the input: a spec does not depend on it",
    )


def _last_axes(module: nn.Module) -> None:
    raise UnsupportedError(
        f"pytorch: {said(module)} normalises the last axes, which are spatial in (N, C, H, W); a "
        "spec's LayerNorm is over the channels: use convparity.impls.pytorch.layers.LayerNorm, "
        "with the same weights"
    )


POOL: Fields = {**same("kernel_size", "stride"), "padding": Field("padding", _padding)}
SCALED = {"scale": Weight("weight"), "offset": Weight("bias")}
STATISTICS = {"mean": Weight("running_mean"), "variance": Weight("running_var")}
LAYER_NORM: Fields = {
    "num_features": Field("num_features", lambda m: m.normalized_shape[0]),
    "eps": "eps",
}

POOLS_AND_NORMS = [
    Row(
        MaxPool,
        (pooling.MaxPool1d, pooling.MaxPool2d, pooling.MaxPool3d),
        POOL,
        needs={"ceil_mode": False, "return_indices": False},
        check=_check_max_pool,
        also=(MAX_POOL,),
    ),
    Row(
        AvgPool,
        (pooling.AvgPool1d, pooling.AvgPool2d, pooling.AvgPool3d),
        {**POOL, "count_include_pad": "count_include_pad"},
        needs={"ceil_mode": False, "divisor_override": None},
        check=_check_pads_once,
        also=(AVG_POOL,),
    ),
    Row(GlobalAvgPool, pooling.GlobalAvgPool),
    Row(
        BatchNorm,
        BATCH_NORM,
        same("num_features", "eps", "momentum"),
        {**SCALED, **STATISTICS},
        needs={"affine": True, "track_running_stats": True},
        check=lambda m: refuse_unless(m.momentum is not None, m, "a momentum, not None"),
    ),
    Row(LayerNorm, layers.LayerNorm, LAYER_NORM, SCALED, needs={"elementwise_affine": True}),
    Row(LayerNorm, nn.LayerNorm, check=_last_axes),
    Row(
        GroupNorm,
        layers.GroupNorm,
        {"num_groups": "num_groups", "num_features": "num_channels", "eps": "eps"},
        SCALED,
        needs={"affine": True},
        also=(nn.GroupNorm,),
    ),
    Row(Scale, layers.Scale, same("num_features"), {"scale": Weight("weight")}),
    Row(AdaptiveAvgPool, ADAPTIVE_AVG_POOL, same("output_size"), check=_check_output_size),
    Row(
        AdaptiveMaxPool,
        ADAPTIVE_MAX_POOL,
        same("output_size"),
        needs={"return_indices": False},
        check=_check_output_size,
    ),
    Row(GlobalMaxPool, pooling.GlobalMaxPool),
]

# ---------------------------------------------------------------- activations, other layers


def activation(function: str, native: type, **how: Any) -> Row:
    """The row of an activation without an alpha."""
    return Row(Activation, native, says={"function": function}, **how)


def _steep(module: nn.Softplus) -> None:
    refuse_unless(module.threshold >= 20, module, "a threshold of at least 20")


def _flatten(module: nn.Module) -> None:
    raise UnsupportedError(
        "pytorch: nn.Flatten orders the features C, H, W; use "
        "convparity.impls.pytorch.layers.Flatten, and permute the weights of the layer behind it"
    )


OTHERS = [
    activation("relu", nn.ReLU),
    activation("relu6", nn.ReLU6, needs={"min_val": 0, "max_val": 6}),
    activation("leaky_relu", nn.LeakyReLU, fields={"alpha": "negative_slope"}),
    activation("elu", nn.ELU, fields={"alpha": "alpha"}),
    activation("silu", nn.SiLU),
    activation("gelu", nn.GELU, needs={"approximate": "none"}),
    activation("gelu_tanh", nn.GELU, gives={"approximate": "tanh"}, needs={"approximate": "tanh"}),
    activation("sigmoid", nn.Sigmoid),
    activation("hard_sigmoid", nn.Hardsigmoid),
    activation("hard_swish", nn.Hardswish),
    # beyond the threshold it is x: 20, the default, is too low for float64
    activation("softplus", nn.Softplus, gives={"threshold": 40}, needs={"beta": 1}, check=_steep),
    activation("softmax", nn.Softmax, gives={"dim": 1}, needs={"dim": 1}),  # of the channels
    activation("softmax", nn.Softmax2d),
    activation("tanh", nn.Tanh),
    Row(Flatten, layers.Flatten),
    Row(Flatten, nn.Flatten, check=_flatten),
    Row(Dropout, nn.Dropout, same("p")),
    Row(
        Dense,
        layers.Linear,
        {**same("in_features", "out_features"), "bias": HAS_BIAS},
        KERNEL,
        also=(nn.Linear,),  # the same on (N, C); what it does to an image, its run shows
    ),
]


JOINS = [
    Row(Add, layers.Add),
    Row(Multiply, layers.Multiply),
    Row(Subtract, layers.Subtract),
    Row(Concat, layers.Concat, same("axis")),
]

MOVEMENT = [
    Row(Pad, movement.Pad, same("pads", "mode", "value")),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]


MODES = {"nearest": 0, "linear": 1, "bilinear": 2, "trilinear": 3}  # and the rank that each says


def _check_upsample(module: Any) -> None:
    needs = f"mode={' or '.join(map(repr, MODES))}"
    refuse_unless(module.mode in MODES, module, f"{needs}: no spec says another")
    whole = module.scale_factor is None or all(
        float(each).is_integer() for each in np.ravel(module.scale_factor)
    )
    refuse_unless(
        whole,
        module,
        "a whole scale_factor: torch scales positions by a fraction itself, where other frameworks "
        "scale by the quotient of the sizes. Give the size",
    )


def _upsample_rank(module: Any) -> int:
    """The mode says it, or how many sizes there are; an image's where neither does."""
    given = module.scale_factor if module.size is None else module.size
    return MODES[module.mode] or (len(given) if isinstance(given, tuple | list) else 2)


def _whole(scale: Any) -> Any:
    if scale is None:
        return None
    return tuple(map(int, scale)) if isinstance(scale, tuple) else int(scale)


OTHERS += [
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(
        Resize,
        nn.Upsample,
        {
            "size": "size",
            "scale": Field("scale_factor", to_spec=_whole),
            "method": Field("mode"),
            "align_corners": Field("align_corners", to_spec=bool),
            "rank": Field(None, _upsample_rank),
        },
        check=_check_upsample,
    ),
]


def held(module: nn.Module, name: str) -> torch.Tensor | None:
    """A parameter or a buffer of the module; what it computes anew each time is no place to be."""
    for mine in (module._parameters, module._buffers):
        if name in mine:
            return mine[name]
    raise UnsupportedError(
        f"pytorch: {type(module).__name__} holds no {name} of its own: it is computed from other "
        "parameters, or was set as a plain attribute: make it a parameter (weight norm, spectral "
        "norm, pruning and parametrizations each have a function that removes them)"
    )


ARITHMETIC = [
    Row(Divide, arithmetic.Divide),
    Row(Maximum, arithmetic.Maximum),
    Row(Minimum, arithmetic.Minimum),
    Row(Average, arithmetic.Average),
    Row(Rescale, arithmetic.Rescale, same("scale", "offset")),
    Row(Power, arithmetic.Power, same("exponent")),
    Row(Einsum, einsum.Einsum, same("pattern")),
    Row(Reduce, reduction.Reduce, same("function", "axes", "keepdims", "correction")),
]

ROWS = (*CONVOLUTIONS, *POOLS_AND_NORMS, *OTHERS, *JOINS, *MOVEMENT, *ARITHMETIC)
TABLE = Table("pytorch", ROWS, said, held)
