"""Keras's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where Keras's own class says less than
ours in ``layers.py``, it has a row of its own behind ours, by which it is read and never made.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from convparity.impls.bindings import OF_THE_OLD, Field, Fields, Row, Table, Weight, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import layers, movement, pooling, resize
from convparity.impls.keras.windows import extent_of
from convparity.impls.spec import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Multiply,
    Pad,
    Rearrange,
    Resize,
    Scale,
    SeparableConv,
    Slice,
    Subtract,
)

SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D, layers.SeparableConv3D)
CHANNELS_LAST = {"data_format": "channels_last"}


def said(module: Any) -> str:
    """How an error names a layer: its class, and its name."""
    return f"{type(module).__name__} {quoted(module.name)}"


def _check_built(module: Any) -> None:
    if not module.built:
        raise UnsupportedError(f"keras: {said(module)} is not built: call it on an input first")


def _check_linear(module: Any) -> None:
    if getattr(module, "activation", None) not in (None, keras.activations.linear):
        raise TABLE.refused(module, "it has an activation inside: give it a layer of its own")
    _check_built(module)


# ---------------------------------------------------------------- convolutions


def _padding(module: Any) -> Any:
    """As it was asked for: Keras's own layers pad by nothing else."""
    return getattr(module, "requested_padding", module.padding)


def _of_depthwise(each: Field) -> Field:
    """A field of a separable convolution that its first step has."""
    return Field(each.argument, lambda module: each.read(module.depthwise))


def _check_transpose(module: Any) -> None:
    _check_linear(module)
    if module.padding == "same" and module.output_padding is not None:
        raise TABLE.refused(module, 'it needs padding="valid" where it has an output_padding')


def _output_padding(module: Any) -> Any:
    """Of Keras's own transpose, for which None is what a kernel below its stride leaves."""
    if module.padding == "valid" and module.output_padding is None:
        extent = extent_of(module.kernel_size, module.dilation_rate)
        return [max(s - k, 0) for s, k in zip(module.strides, extent, strict=True)]
    return module.output_padding or 0


WINDOW = {
    "in_channels": Field(None, lambda module: module.input_spec.axes[-1]),
    "kernel_size": Field("kernel_size"),
    "stride": Field("strides", lambda module: getattr(module, "requested_strides", module.strides)),
    "padding": Field("padding", _padding),
    "dilation": Field("dilation_rate"),
}
PADDED = {
    **WINDOW,
    "padding_mode": Field("padding_mode", lambda module: getattr(module, "padding_mode", "zeros")),
}
DEPTHWISE: Fields = {**PADDED, "depth_multiplier": "depth_multiplier", "bias": "use_bias"}
TRANSPOSED: Fields = {**WINDOW, "out_channels": "filters", "bias": "use_bias"}
KERNEL = {"kernel": Weight("kernel"), "bias": Weight("bias", when="bias")}

CONVOLUTIONS = [
    Row(
        Conv,
        (layers.Conv1D, layers.Conv2D, layers.Conv3D),
        {**PADDED, "out_channels": "filters", "groups": "groups", "bias": "use_bias"},
        KERNEL,
        needs=CHANNELS_LAST,
        check=_check_linear,
        also=((keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),),
    ),
    Row(
        DepthwiseConv,
        layers.DepthwiseConv3D,
        DEPTHWISE,
        KERNEL,
        says={"rank": 3},
        needs=CHANNELS_LAST,
        check=_check_linear,
    ),
    Row(
        DepthwiseConv,
        (layers.DepthwiseConv1D, layers.DepthwiseConv2D),
        DEPTHWISE,
        {**KERNEL, "kernel": Weight("kernel", initializer="depthwise_initializer")},
        needs=CHANNELS_LAST,
        check=_check_linear,
        also=((keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),),
    ),
    Row(
        SeparableConv,
        SEPARABLE,
        {
            **{name: _of_depthwise(each) for name, each in PADDED.items()},
            "out_channels": Field("filters", "pointwise.filters"),
            "depth_multiplier": Field("depth_multiplier", "depthwise.depth_multiplier"),
            "depthwise_bias": Field("depthwise_bias", "depthwise.use_bias"),
            "pointwise_bias": Field("pointwise_bias", "pointwise.use_bias"),
        },
    ),
    Row(
        SeparableConv,
        (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
        {
            **WINDOW,
            "out_channels": "filters",
            "depth_multiplier": "depth_multiplier",
            "pointwise_bias": "use_bias",
        },
        {
            "depthwise.kernel": Weight("depthwise_kernel"),
            "pointwise.kernel": Weight("pointwise_kernel"),
            "pointwise.bias": Weight("bias", when="pointwise_bias"),
        },
        says={"depthwise_bias": False},
        needs=CHANNELS_LAST,
        check=_check_linear,
    ),
    Row(
        ConvTranspose,
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose),
        {**TRANSPOSED, "output_padding": "output_padding", "groups": "groups"},
        KERNEL,
        check=_check_built,
    ),
    Row(
        ConvTranspose,
        (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
        {**TRANSPOSED, "output_padding": Field("output_padding", _output_padding)},
        KERNEL,
        needs=CHANNELS_LAST,
        check=_check_transpose,
    ),
]

# ---------------------------------------------------------------- pooling, norms


def _count_include_pad(module: Any) -> bool:
    """Keras's own never count it; without padding there is nothing to count, and so it is True."""
    return getattr(module, "count_include_pad", module.padding == "valid")


def _axes(module: Any) -> int:
    """How many axes the input has; ours, which takes (N, C) too, does not say: as (N, W, C)."""
    return module.input_spec.ndim or 3


def _check_batch_norm(module: Any) -> None:
    _check_built(module)
    if module.axis not in (-1, _axes(module) - 1):
        raise TABLE.refused(module, f"it normalises axis {quoted(module.axis)}, not the last")


def _check_layer_norm(module: Any) -> None:
    _check_built(module)
    if module.axis not in (-1, [-1]):
        raise TABLE.refused(
            module, f"it normalises axis {quoted(module.axis)}: write axis=-1, the channels"
        )


ADAPTIVE: Fields = {
    "output_size": "output_size",
    "rank": Field(None, lambda module: len(module.output_size)),
}


def by_rank(name: str) -> tuple[tuple[type, ...], ...]:
    """Keras's own layers of a name, one a rank; nothing where the release has none yet."""
    found: list[Any] = [getattr(keras.layers, f"{name}{rank}D", None) for rank in (1, 2, 3)]
    return () if None in found else (tuple(found),)


GLOBAL_MAX = (
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)


def _or_else(name: str, default: Any) -> Field:
    """A field of ours, which Keras's own layers do not have: there it is the default."""
    return Field(name, lambda module: getattr(module, name, default))


POOL: Fields = {
    "kernel_size": "pool_size",
    "stride": "strides",
    "padding": Field("padding", _padding),
    "ceil_mode": _or_else("ceil_mode", False),
}
FEATURES: Fields = {"num_features": Field(None, lambda module: module.gamma.shape[0])}
NORM: Fields = {**FEATURES, "eps": "epsilon"}
BATCH_NORM: Fields = {**NORM, "momentum": OF_THE_OLD}
AFFINE = {"center": True, "scale": True}
SCALED = {"scale": Weight("gamma"), "offset": Weight("beta")}
STATISTICS = {"mean": Weight("moving_mean"), "variance": Weight("moving_variance")}

POOLS_AND_NORMS = [
    Row(
        MaxPool,
        (pooling.MaxPooling1D, pooling.MaxPooling2D, pooling.MaxPooling3D),
        {**POOL, "dilation": _or_else("dilation", 1)},
        needs=CHANNELS_LAST,
        also=((keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D),),
    ),
    Row(
        AvgPool,
        (pooling.AveragePooling1D, pooling.AveragePooling2D, pooling.AveragePooling3D),
        {
            **POOL,
            "count_include_pad": Field("count_include_pad", _count_include_pad),
            "divisor_override": _or_else("divisor_override", None),
        },
        needs=CHANNELS_LAST,
        also=by_rank("AveragePooling"),
    ),
    Row(
        GlobalAvgPool,
        pooling.GlobalAveragePooling,
        needs={**CHANNELS_LAST, "keepdims": False},
        also=(
            keras.layers.GlobalAveragePooling1D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.GlobalAveragePooling3D,
        ),
    ),
    Row(  # of (N, C), too
        BatchNorm,
        layers.BatchNormalization,
        BATCH_NORM,
        {**SCALED, **STATISTICS},
        says={"rank": 1},
        needs=AFFINE,
        check=_check_batch_norm,
    ),
    Row(
        BatchNorm,
        keras.layers.BatchNormalization,
        {**BATCH_NORM, "rank": Field(None, lambda module: max(_axes(module) - 2, 1))},
        {**SCALED, **STATISTICS},
        needs=AFFINE,
        check=_check_batch_norm,
    ),
    Row(
        LayerNorm,
        keras.layers.LayerNormalization,
        NORM,
        SCALED,
        needs={**AFFINE, "rms_scaling": False},
        check=_check_layer_norm,
    ),
    Row(
        GroupNorm,
        layers.GroupNormalization,
        {**NORM, "num_groups": "groups"},
        SCALED,
        needs={**AFFINE, "axis": -1},
        check=_check_built,
        also=(keras.layers.GroupNormalization,),
    ),
    Row(Scale, layers.Scale, FEATURES, {"scale": Weight("gamma")}, check=_check_built),
    Row(
        AdaptiveAvgPool,
        pooling.AdaptiveAveragePooling,
        ADAPTIVE,
        needs=CHANNELS_LAST,
        also=by_rank("AdaptiveAveragePooling"),
    ),
    Row(  # read and never made
        AdaptiveAvgPool,
        (
            keras.layers.GlobalAveragePooling1D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.GlobalAveragePooling3D,
        ),
        {"output_size": Field(None, lambda module: 1)},
        needs={**CHANNELS_LAST, "keepdims": True},
    ),
    Row(
        AdaptiveMaxPool,
        pooling.AdaptiveMaxPooling,
        ADAPTIVE,
        needs=CHANNELS_LAST,
        also=by_rank("AdaptiveMaxPooling"),
    ),
    Row(
        GlobalMaxPool,
        pooling.GlobalMaxPooling,
        needs={**CHANNELS_LAST, "keepdims": False},
        also=GLOBAL_MAX,
    ),
    Row(  # read and never made
        AdaptiveMaxPool,
        GLOBAL_MAX,
        {"output_size": Field(None, lambda module: 1)},
        needs={**CHANNELS_LAST, "keepdims": True},
    ),
]

# ---------------------------------------------------------------- activations, other layers


def activation(function: str, native: type, **how: Any) -> Row:
    """The row of an activation that has a class."""
    return Row(Activation, native, says={"function": function}, **how)


def by_function(function: str, native: Callable[..., Any], **says: Any) -> Row:
    """The row of an activation that ``keras.layers.Activation`` is given."""
    given = {"activation": native}
    says = {"function": function, **says}
    return Row(Activation, keras.layers.Activation, says=says, gives=given, needs=given)


SLOPE = {"alpha": Field("negative_slope", to_spec=float)}
RELU = {"threshold": 0.0, "negative_slope": 0.0, "max_value": None}
RELU6 = {"max_value": 6.0}

ACTIVATIONS = [
    activation("relu", keras.layers.ReLU, needs=RELU),
    activation("relu6", keras.layers.ReLU, gives=RELU6, needs={**RELU, **RELU6}),
    activation("leaky_relu", layers.LeakyReLU, fields=SLOPE, also=(keras.layers.LeakyReLU,)),
    activation(
        "leaky_relu",
        keras.layers.ReLU,
        fields=SLOPE,
        needs={"threshold": 0.0, "max_value": None},
    ),
    activation("elu", keras.layers.ELU, fields={"alpha": Field("alpha", to_spec=float)}),
    activation("softmax", keras.layers.Softmax, needs={"axis": -1}),
    by_function("silu", keras.activations.silu),
    by_function("gelu", keras.activations.gelu),
    by_function("gelu_tanh", layers.gelu_tanh),
    by_function("sigmoid", keras.activations.sigmoid),
    by_function("hard_sigmoid", keras.activations.hard_sigmoid),
    by_function("hard_swish", keras.activations.hard_silu),
    by_function("softplus", keras.activations.softplus),
    by_function("tanh", keras.activations.tanh),
    # these are made by their classes
    by_function("relu", keras.activations.relu),
    by_function("relu6", keras.activations.relu6),
    by_function("leaky_relu", keras.activations.leaky_relu, alpha=0.2),  # Keras's default
    by_function("elu", keras.activations.elu, alpha=1.0),
    by_function("softmax", keras.activations.softmax),
]
RESIZINGS = {"nearest": "nearest-exact", "bilinear": "linear", "bicubic": "cubic"}


def _check_resizing(module: Any) -> None:
    if module.interpolation not in RESIZINGS:
        raise TABLE.refused(module, f"no spec says interpolation={quoted(module.interpolation)}")
    if module.interpolation == "bicubic" and not module.antialias:
        why = "Keras's is Keys' with a = -0.5, a spec's has a = -0.75 and repeats the border: "
        raise TABLE.refused(module, f"{why}only with antialias=True are both the same")


OTHERS = [
    Row(Flatten, keras.layers.Flatten, gives=CHANNELS_LAST, needs=CHANNELS_LAST),
    Row(Dropout, keras.layers.Dropout, {"p": "rate"}),
    Row(
        Dense,
        keras.layers.Dense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field("units", lambda module: module.kernel.shape[1]),
            "bias": "use_bias",
        },
        KERNEL,
        check=_check_linear,
    ),
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(  # read and never made, as the next one
        Resize,
        (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D),
        {"scale": "size"},
        needs={**CHANNELS_LAST, "interpolation": "nearest"},
    ),
    Row(
        Resize,
        keras.layers.UpSampling2D,
        {"scale": "size"},
        says={"method": "linear"},
        needs={**CHANNELS_LAST, "interpolation": "bilinear"},
    ),
    Row(
        Resize,
        keras.layers.Resizing,
        {
            "size": Field(None, lambda module: (module.height, module.width)),
            "method": Field(None, lambda module: RESIZINGS[module.interpolation]),
            # no backend makes a mean of the nearest
            "antialias": Field(None, lambda m: m.antialias and m.interpolation != "nearest"),
        },
        needs={**CHANNELS_LAST, "crop_to_aspect_ratio": False, "pad_to_aspect_ratio": False},
        check=_check_resizing,
    ),
]

JOINS = [
    Row(Add, keras.layers.Add),
    Row(Multiply, keras.layers.Multiply),
    Row(Subtract, keras.layers.Subtract),
    Row(Concat, keras.layers.Concatenate, {"axis": "axis"}),
]


def _pairs(pairs: Any) -> list[tuple[int, int]]:
    """Those of each axis; of one axis Keras has the pair alone."""
    return [pairs] if isinstance(pairs[0], int) else list(pairs)


MOVEMENT = [
    Row(Pad, movement.Pad, same("pads", "mode", "value", "channels")),
    Row(  # read and never made, as the next one
        Pad,
        keras.layers.ZeroPadding1D,
        {"pads": Field(None, lambda module: _pairs(module.padding))},
        needs=CHANNELS_LAST,
        also=(keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D),
    ),
    Row(
        Pad,
        keras.layers.Cropping1D,
        {"pads": Field(None, lambda module: [(-a, -b) for a, b in _pairs(module.cropping)])},
        needs=CHANNELS_LAST,
        also=(keras.layers.Cropping2D, keras.layers.Cropping3D),
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]

ROWS = (*CONVOLUTIONS, *POOLS_AND_NORMS, *ACTIVATIONS, *OTHERS, *JOINS, *MOVEMENT)
TABLE = Table("keras", (replace(row, takes=("name", "dtype")) for row in ROWS), said)


def initializers(module: Any) -> dict[str, str]:
    """The attribute of each weight's initialiser, by the weight's name."""
    (row, *_) = TABLE.rows_of(module)
    return {
        name: each.initializer or f"{each.attribute}_initializer"
        for name, each in row.weights.items()
    }
