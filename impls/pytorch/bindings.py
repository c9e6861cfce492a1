"""PyTorch's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where torch's own class takes less than
ours in ``layers.py`` says, it has a row of its own behind ours, by which it is read and never made.
"""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from convparity.impls.bindings import Field, Fields, Row, Table, Weight, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.layouts import CHANNELS_FIRST, SAME, Layout, depthwise_as_grouped
from convparity.impls.pytorch import activation as activations
from convparity.impls.pytorch import (
    arithmetic,
    einsum,
    layers,
    movement,
    normalisation,
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
    Clamp,
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
    Identity,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
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
INSTANCE_NORM = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


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
    refuse_unless(
        not module.return_indices,
        module,
        "return_indices=False, as a layer gives one value: the two are a Graph of MaxPool and "
        "MaxPoolIndices",
    )
    _check_pads_once(module)


def _check_output_size(module: Any) -> None:
    sizes = np.atleast_1d(np.array(module.output_size, dtype=object))
    refuse_unless(
        not any(each is None for each in sizes),
        module,
        "the size of each axis, where None is that of the input: a spec does not depend on it",
    )


def _check_running(module: Any) -> None:
    refuse_unless(
        module.track_running_stats or module.running_mean is not None,
        module,
        "running statistics: without them (track_running_stats=False) it normalises by those of "
        "each batch, at inference too, so that an output depends on the other examples",
    )
    refuse_unless(module.momentum is not None, module, "a momentum, not None")


# How many axes the value has that reaches a layer, where what comes before it in its chain says it.
AXES: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
MOST_AXES = 5  # of a volume


def _last_dims(module: Any) -> range:
    """The dims that a norm of torch is over: the last ones."""
    sizes = module.normalized_shape
    n = AXES.get(module, MOST_AXES if len(sizes) == MOST_AXES - 1 else None)
    if n is None:
        raise UnsupportedError(
            f"pytorch: {said(module)} normalises the last axes, which are spatial in (N, C, H, W), "
            "and no layer before it says how many axes its input has: use the "
            f"{type(module).__name__} of convparity.impls.pytorch.normalisation, with the same "
            "weights, which is over the channels unless it is given axes"
        )
    refuse_unless(len(sizes) < n, module, f"fewer sizes than the {n} axes of what reaches it")
    return range(n - len(sizes), n)


def _over(module: Any) -> list[int]:
    """The axes of these dims: spatial ones, then that of the channels, which torch has at 1."""
    dims = _last_dims(module)
    return [dim - 1 for dim in dims if dim > 1] + [-1] * (1 in dims)


def _sizes(module: Any) -> tuple[int, ...]:
    sizes = tuple(module.normalized_shape)
    return sizes[1:] + sizes[:1] if 1 in _last_dims(module) else sizes


def _channels_to_the_end(module: Any) -> Layout:
    """The layout of a parameter over these dims."""
    if 1 not in _last_dims(module):
        return SAME
    return Layout(lambda array: np.moveaxis(array, -1, 0), lambda array: np.moveaxis(array, 0, -1))


def _rms_eps(module: Any) -> float:
    """None is the machine epsilon of what torch computes in."""
    if module.eps is not None:
        return float(module.eps)
    refuse_unless(
        module.weight is not None,
        module,
        "an eps: None depends on the dtype of the input, which no weight tells",
    )
    wide = module.weight.dtype == torch.float64
    return torch.finfo(torch.float64 if wide else torch.float32).eps


POOL: Fields = {**same("kernel_size", "stride", "ceil_mode"), "padding": Field("padding", _padding)}
AFFINE: Fields = {
    "scale": Field("scale", lambda module: module.weight is not None),
    "offset": Field("offset", lambda module: module.bias is not None),
}
BOTH: Fields = {  # which a class of torch has by default
    "scale": Field(None, lambda module: module.weight is not None),
    "offset": Field(None, lambda module: module.bias is not None),
}
SCALED = {"scale": Weight("weight", when="scale"), "offset": Weight("bias", when="offset")}
LAST_AXES: Fields = {"num_features": Field(None, _sizes), "axes": Field(None, _over)}
LAST_SCALED = {
    "scale": Weight("weight", _channels_to_the_end, when="scale"),
    "offset": Weight("bias", _channels_to_the_end, when="offset"),
}
STATISTICS = {"mean": Weight("running_mean"), "variance": Weight("running_var")}
RUNNING: Fields = same("num_features", "eps", "momentum")
OVER_AXES: Fields = {
    "num_features": Field("num_features", "normalized_shape"),
    **same("eps", "axes"),
}

POOLS_AND_NORMS = [
    Row(
        MaxPool,
        (pooling.MaxPool1d, pooling.MaxPool2d, pooling.MaxPool3d),
        {**POOL, "dilation": "dilation"},
        check=_check_max_pool,
        also=(MAX_POOL,),
    ),
    Row(
        AvgPool,
        (pooling.AvgPool1d, pooling.AvgPool2d, pooling.AvgPool3d),
        {
            **POOL,
            "count_include_pad": "count_include_pad",
            "divisor_override": Field(
                "divisor_override", lambda m: getattr(m, "divisor_override", None)
            ),  # which nn.AvgPool1d lacks
        },
        check=_check_pads_once,
        also=(AVG_POOL,),
    ),
    Row(GlobalAvgPool, pooling.GlobalAvgPool),
    Row(
        BatchNorm,
        BATCH_NORM,
        {**RUNNING, **BOTH},
        {**SCALED, **STATISTICS},
        says={"scale": True, "offset": True},
        check=_check_running,
    ),
    Row(
        BatchNorm,
        (normalisation.BatchNorm1d, normalisation.BatchNorm2d, normalisation.BatchNorm3d),
        {**RUNNING, **AFFINE},
        {**SCALED, **STATISTICS},
        check=_check_running,
    ),
    Row(LayerNorm, normalisation.LayerNorm, {**OVER_AXES, **AFFINE}, SCALED),
    Row(LayerNorm, nn.LayerNorm, {**LAST_AXES, "eps": "eps", **BOTH}, LAST_SCALED),
    Row(
        GroupNorm,
        normalisation.GroupNorm,
        {"num_groups": "num_groups", "num_features": "num_channels", "eps": "eps", **AFFINE},
        SCALED,
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
    Row(
        MaxPoolIndices,
        (pooling.MaxPoolIndices1d, pooling.MaxPoolIndices2d, pooling.MaxPoolIndices3d),
        {**POOL, "dilation": "dilation"},
        needs={"return_indices": True},
        check=_check_pads_once,
    ),
    Row(
        InstanceNorm,
        normalisation.InstanceNorm,
        {**same("num_features", "eps"), **AFFINE},
        SCALED,
        needs={"track_running_stats": False},
        also=INSTANCE_NORM,
    ),
    Row(  # read and never made: at inference it has the running statistics
        BatchNorm,
        INSTANCE_NORM,
        {**RUNNING, **BOTH},
        {**SCALED, **STATISTICS},
        needs={"track_running_stats": True},
        check=_check_running,
    ),
    Row(
        RMSNorm,
        normalisation.RMSNorm,
        {**OVER_AXES, "scale": AFFINE["scale"]},
        {"scale": SCALED["scale"]},
    ),
    Row(
        RMSNorm,
        nn.RMSNorm,
        {**LAST_AXES, "eps": Field(None, _rms_eps), "scale": BOTH["scale"]},
        {"scale": LAST_SCALED["scale"]},
    ),
]

# ---------------------------------------------------------------- activations, other layers


def activation(function: str, native: type, **how: Any) -> Row:
    """The row of an activation without an alpha."""
    return Row(Activation, native, says={"function": function}, **how)


def _axis(module: Any) -> int:
    """The axis of a dim, as of channels-last arrays: the channels', or a spatial one."""
    dim = module.dim
    if isinstance(dim, int) and dim < 0:
        dim += AXES.get(module, 0)
    refuse_unless(
        isinstance(dim, int) and dim > 0,
        module,
        f"a positive dim, not {quoted(module.dim)}: 1 is that of the channels, 2 the first spatial "
        "one. One from the end depends on how many axes the input has, which no layer before it "
        "says, and 0 is the batch",
    )
    return -1 if dim == 1 else dim - 1


def _negates(module: nn.Module) -> None:
    raise UnsupportedError(
        f"pytorch: {said(module)} is the softmax of -x, and no spec negates: write nn.Softmax, "
        "with the weights of the layer before it negated"
    )


def over_an_axis(function: str, native: type, ours: type) -> list[Row]:
    """The rows of an activation along an axis: torch's own over the channels, ours over others."""
    said = {"function": function}
    own = {"axis": Field(None, _axis)}
    return [
        Row(Activation, native, own, says={**said, "axis": -1}, gives={"dim": 1}),
        Row(Activation, ours, same("axis"), says=said),
    ]


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
    activation(
        "softplus", nn.Softplus, fields={"alpha": "beta"}, gives={"threshold": 40}, check=_steep
    ),
    *over_an_axis("softmax", nn.Softmax, activations.Softmax),
    activation("softmax", nn.Softmax2d),
    activation("softmax", nn.Softmin, check=_negates),
    *over_an_axis("log_softmax", nn.LogSoftmax, activations.LogSoftmax),
    activation("tanh", nn.Tanh),
    activation("mish", nn.Mish),
    activation("selu", nn.SELU),
    activation("celu", nn.CELU, fields={"alpha": "alpha"}),
    activation("log_sigmoid", nn.LogSigmoid),
    activation("softsign", nn.Softsign),
    activation("tanhshrink", nn.Tanhshrink),
    activation("soft_shrink", nn.Softshrink, fields={"alpha": "lambd"}),
    activation("hard_shrink", nn.Hardshrink, fields={"alpha": "lambd"}),
    activation("quick_gelu", activations.QuickGELU),
    activation("relu_squared", activations.ReLUSquared),
    activation("abs", activations.Abs),
    Row(Flatten, layers.Flatten),
    Row(Flatten, nn.Flatten, check=_flatten),
    Row(Dropout, nn.Dropout, same("p"), says={"kind": "element"}),
    Row(
        Dropout,
        layers.Dropout,
        same("p", "kind"),
    ),
    Row(  # read and never made, as those of alpha dropout
        Dropout,
        nn.Dropout1d,
        same("p"),
        says={"kind": "channel"},
        also=(nn.Dropout2d, nn.Dropout3d),
    ),
    Row(Identity, nn.Identity),
    Row(Identity, nn.AlphaDropout, also=(nn.FeatureAlphaDropout,)),
    Row(Clamp, activations.Clamp, same("low", "high")),
    Row(Clamp, nn.Hardtanh, {"low": Field("min_val"), "high": Field("max_val")}),
    Row(PReLU, nn.PReLU, same("num_parameters"), {"slope": Weight("weight")}),
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

NATIVE_PADS: dict[str, tuple[type, ...]] = {
    "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
}


def _pads(module: Any) -> list[tuple[int, int]]:
    """Torch counts the axes from the last one."""
    flat = tuple(module.padding)
    return list(zip(flat[::2], flat[1::2], strict=True))[::-1]


def _check_fills(module: Any) -> None:
    refuse_unless(
        min(module.padding) >= 0,
        module,
        "no negative padding: torch fills from the pixels that it crops, where a spec crops first. "
        "Crop by a slice, or a ConstantPad",
    )


MOVEMENT = [
    Row(Pad, movement.Pad, same("pads", "mode", "value", "channels")),
    # these are read and never made
    *(
        Row(
            Pad,
            kinds[0],
            {"pads": Field(None, _pads)},
            says={"mode": mode},
            check=_check_fills,
            also=kinds[1:],
        )
        for mode, kinds in NATIVE_PADS.items()
    ),
    Row(
        Pad,
        nn.ConstantPad1d,
        {"pads": Field(None, _pads), "value": Field(None, "value")},
        also=(nn.ConstantPad2d, nn.ConstantPad3d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]


# and the rank that each says
MODES = {
    **{"nearest": 0, "nearest-exact": 0, "area": 0},
    **{"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2},
}


def _check_upsample(module: Any) -> None:
    needs = f"mode={' or '.join(map(repr, MODES))}"
    refuse_unless(module.mode in MODES, module, f"{needs}: no spec says another")
    whole = module.scale_factor is None or all(
        float(each).is_integer() for each in np.ravel(module.scale_factor)
    )
    refuse_unless(
        whole or not module.recompute_scale_factor or module.mode == "area",
        module,
        "recompute_scale_factor=None: a fraction scales a spec's positions itself, not the "
        "quotient of the sizes. Give the size",
    )


def _upsample_rank(module: Any) -> int:
    """The mode says it, or how many sizes there are; an image's where neither does."""
    given = module.scale_factor if module.size is None else module.size
    return MODES[module.mode] or (len(given) if isinstance(given, tuple | list) else 2)


OTHERS += [
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(
        Resize,
        nn.Upsample,
        {
            "size": "size",
            "scale": "scale_factor",
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
