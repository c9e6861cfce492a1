"""Keras's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where Keras's own class says less than
ours in ``layers.py``, it has a row of its own behind ours, by which it is read and never made.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from convparity.impls.axis_patterns import is_dense
from convparity.impls.bindings import OF_THE_OLD, Field, Fields, Row, Table, Weight, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import activation as activations
from convparity.impls.keras import (
    arithmetic,
    einsum,
    layers,
    movement,
    normalisation,
    pooling,
    reduction,
    resize,
)
from convparity.impls.keras.windows import extent_of
from convparity.impls.layouts import Layout
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


def _check_einsum(module: Any) -> None:
    _check_linear(module)
    if not is_dense(module.equation) or module.bias_axes not in (None, module.equation[-1]):
        raise TABLE.refused(
            module,
            f"{quoted(module.equation)} with bias_axes={quoted(module.bias_axes)} is no dense "
            'layer, which takes the last axis for another one, as "...c,cd->...d" does',
        )


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


def _built_for(module: Any) -> Any:
    """The shape of the input that a layer was built for."""
    return module.get_build_config()["input_shape"]


def _over(module: Any) -> list[int]:
    """What a norm of Keras is over: -1 where that is the last axis."""
    axes = module.axis if isinstance(module.axis, list | tuple) else [module.axis]
    n = len(_built_for(module))
    return [-1 if axis % n == n - 1 else axis % n for axis in axes]


def _check_over_axes(module: Any) -> None:
    """Keras sorts the axes as they are written, and its parameters are in that order."""
    _check_built(module)
    axes = _over(module)
    if sorted(axes, key=lambda axis: (axis < 0, axis)) != axes or 0 in axes:
        raise TABLE.refused(
            module,
            f"it normalises axes {quoted(module.axis)}: write them as positive numbers, in "
            "ascending order and without the batch",
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
FEATURES: Fields = {"num_features": Field(None, lambda module: _built_for(module)[-1])}
NORM: Fields = {**FEATURES, "eps": "epsilon", "scale": "scale", "offset": "center"}
BATCH_NORM: Fields = {**NORM, "momentum": OF_THE_OLD}
SCALED = {"scale": Weight("gamma", when="scale"), "offset": Weight("beta", when="offset")}
SIZED: Fields = {"num_features": "sizes", "axes": "axis", "eps": "epsilon", "scale": "scale"}
OVER_AXES: Fields = {
    "num_features": Field(None, lambda m: [_built_for(m)[axis] for axis in _over(m)]),
    "axes": Field(None, _over),
    "eps": "epsilon",
}
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
        normalisation.BatchNormalization,
        BATCH_NORM,
        {**SCALED, **STATISTICS},
        says={"rank": 1},
        check=_check_batch_norm,
    ),
    Row(
        BatchNorm,
        keras.layers.BatchNormalization,
        {**BATCH_NORM, "rank": Field(None, lambda module: max(_axes(module) - 2, 1))},
        {**SCALED, **STATISTICS},
        check=_check_batch_norm,
    ),
    Row(
        LayerNorm,
        keras.layers.LayerNormalization,
        {**OVER_AXES, "scale": "scale", "offset": "center"},
        SCALED,
        says={"axes": -1},
        needs={"rms_scaling": False},
        check=_check_over_axes,
    ),
    Row(
        LayerNorm,
        normalisation.LayerNormalization,
        {**SIZED, "offset": "center"},
        SCALED,
        check=_check_built,
    ),
    Row(
        GroupNorm,
        normalisation.GroupNormalization,
        {**NORM, "num_groups": "groups"},
        SCALED,
        needs={"axis": -1},
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
    Row(
        MaxPoolIndices,
        pooling.MaxPoolIndices,
        {
            **POOL,
            "padding": Field("padding", lambda module: module.requested_padding),
            "dilation": "dilation",
            "rank": Field(None, lambda module: len(module.pool_size)),
        },
    ),
    Row(  # read and never made
        AdaptiveMaxPool,
        GLOBAL_MAX,
        {"output_size": Field(None, lambda module: 1)},
        needs={**CHANNELS_LAST, "keepdims": True},
    ),
    Row(InstanceNorm, normalisation.InstanceNormalization, NORM, SCALED, check=_check_built),
    Row(
        RMSNorm,
        normalisation.RMSNormalization,
        SIZED,
        {"scale": SCALED["scale"]},
        check=_check_built,
    ),
    Row(  # read and never made
        RMSNorm,
        keras.layers.RMSNormalization,
        OVER_AXES,
        {"scale": Weight("scale")},
        check=_check_over_axes,
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


def _one_axis(module: Any) -> int:
    if not isinstance(module.axis, int) or not module.axis:
        raise TABLE.refused(
            module, f"it is along axis {quoted(module.axis)}: a spec's is one axis, not the batch"
        )
    return module.axis


def _slopes(module: Any) -> Layout:
    """The slopes that Keras keeps with a size of 1 for each axis that shares them."""
    shape = tuple(module.alpha.shape)
    return Layout(lambda array: array.reshape(shape), lambda array: array.reshape(-1))


def _check_shared(module: Any) -> None:
    _check_built(module)
    if max(module.alpha.shape[:-1], default=1) > 1:
        raise TABLE.refused(
            module,
            f"it has slopes of shape {quoted(tuple(module.alpha.shape))}, where a spec's are one "
            "for each channel or one for all: give shared_axes, all of the spatial ones",
        )


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
    activation("softmax", keras.layers.Softmax, fields={"axis": Field("axis", _one_axis)}),
    by_function("silu", keras.activations.silu),
    by_function("gelu", keras.activations.gelu),
    by_function("gelu_tanh", layers.gelu_tanh),
    by_function("sigmoid", keras.activations.sigmoid),
    by_function("hard_sigmoid", keras.activations.hard_sigmoid),
    by_function("hard_swish", keras.activations.hard_silu),
    by_function("softplus", keras.activations.softplus, alpha=1.0),
    by_function("tanh", keras.activations.tanh),
    by_function("log_softmax", keras.activations.log_softmax, axis=-1),
    activation("log_softmax", activations.LogSoftmax, fields={"axis": "axis"}),
    by_function("mish", keras.activations.mish),
    by_function("selu", keras.activations.selu),
    by_function("celu", keras.activations.celu, alpha=1.0),
    by_function("log_sigmoid", keras.activations.log_sigmoid),
    by_function("softsign", keras.activations.softsign),
    by_function("tanhshrink", keras.activations.tanh_shrink),
    by_function("quick_gelu", activations.quick_gelu),
    by_function("relu_squared", activations.relu_squared),
    by_function("abs", activations.absolute),
    *(
        activation(
            name,
            activations.WithAlpha,
            fields={"alpha": "alpha"},
            gives={"function": name},
            needs={"function": name},
        )
        for name in activations.FUNCTIONS
    ),
    # read and never made
    by_function("soft_shrink", keras.activations.soft_shrink, alpha=0.5),
    by_function("hard_shrink", keras.activations.hard_shrink, alpha=0.5),
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
    Row(Dropout, keras.layers.Dropout, {"p": "rate"}, says={"kind": "element"}),
    Row(
        Dropout,
        layers.Dropout,
        {"p": "rate", "kind": "kind"},
    ),
    Row(  # read and never made, as what is noise in training
        Dropout,
        keras.layers.SpatialDropout1D,
        {"p": "rate"},
        says={"kind": "channel"},
        also=(keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D),
    ),
    Row(Identity, keras.layers.Identity),
    Row(
        Identity,
        keras.layers.AlphaDropout,
        also=(keras.layers.GaussianDropout, keras.layers.GaussianNoise),
    ),
    Row(Clamp, activations.Clamp, same("low", "high")),
    Row(
        PReLU,
        activations.PReLU,
        same("num_parameters"),
        {"slope": Weight("alpha")},
        check=_check_built,
    ),
    Row(  # read and never made, as the next ones
        PReLU,
        keras.layers.PReLU,
        {"num_parameters": Field(None, lambda module: module.alpha.shape[-1])},
        {"slope": Weight("alpha", _slopes)},
        check=_check_shared,
    ),
    Row(
        Clamp,
        keras.layers.ReLU,
        {"high": "max_value"},
        says={"low": 0.0},
        needs={"threshold": 0.0, "negative_slope": 0.0},
    ),
    Row(
        Clamp,
        keras.layers.Activation,
        says={"low": -1.0, "high": 1.0},
        needs={"activation": keras.activations.hard_tanh},
    ),
    Row(Identity, keras.layers.Activation, needs={"activation": keras.activations.linear}),
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
    Row(  # read and never made
        Dense,
        keras.layers.EinsumDense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field(None, lambda module: module.kernel.shape[1]),
            "bias": Field(None, lambda module: module.bias is not None),
        },
        KERNEL,
        check=_check_einsum,
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


def _numbers(module: Any, value: Any) -> float | tuple[float, ...]:
    """A number, or one a channel: those of an array along its last axis."""
    found = np.asarray(value, dtype=np.float64)
    if found.ndim and found.size != found.shape[-1]:
        raise TABLE.refused(
            module, f"it has numbers of shape {quoted(found.shape)}: a spec has one a channel"
        )
    return tuple(found.ravel().tolist()) if found.size > 1 else float(found.item())


def _rescaling(name: str) -> Field:
    return Field(None, lambda module: _numbers(module, getattr(module, name)))


def _check_rescaling(module: Any) -> None:
    several = np.ndim(module.scale) or np.ndim(module.offset)
    if several and keras.config.image_data_format() != "channels_last":
        raise TABLE.refused(module, 'its channels are where keras.config says: "channels_last"')


def _check_normalization(module: Any) -> None:
    _check_built(module)
    if module.mean is None:
        raise TABLE.refused(module, "its mean is not known: call adapt(), or give mean= and var=")


def _normalization(module: Any) -> tuple[Any, Any]:
    """The factor and the offset of ``(x - mean) / root``, or of its inverse."""
    mean, variance = (
        keras.ops.convert_to_numpy(each).astype(np.float64)
        for each in (module.mean, module.variance)
    )
    root = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return (root, mean) if module.invert else (1 / root, -mean / root)


ARITHMETIC = [
    Row(Divide, arithmetic.Divide),
    Row(Maximum, keras.layers.Maximum),
    Row(Minimum, keras.layers.Minimum),
    Row(Average, keras.layers.Average),
    Row(Rescale, arithmetic.Rescale, same("scale", "offset")),
    Row(  # read and never made, as the next one
        Rescale,
        keras.layers.Rescaling,
        {"scale": _rescaling("scale"), "offset": _rescaling("offset")},
        check=_check_rescaling,
    ),
    Row(
        Rescale,
        keras.layers.Normalization,
        {
            "scale": Field(None, lambda module: _numbers(module, _normalization(module)[0])),
            "offset": Field(None, lambda module: _numbers(module, _normalization(module)[1])),
        },
        check=_check_normalization,
    ),
    Row(Power, arithmetic.Power, same("exponent")),
    Row(Einsum, einsum.Einsum, same("pattern")),
    Row(Reduce, reduction.Reduce, same("function", "axes", "keepdims", "correction")),
]

ROWS = (
    *CONVOLUTIONS,
    *POOLS_AND_NORMS,
    *ACTIVATIONS,
    *OTHERS,
    *JOINS,
    *MOVEMENT,
    *ARITHMETIC,
)
TABLE = Table("keras", (replace(row, takes=("name", "dtype")) for row in ROWS), said)


def initializers(module: Any) -> dict[str, str]:
    """The attribute of each weight's initialiser, by the weight's name."""
    (row, *_) = TABLE.rows_of(module)
    return {
        name: each.initializer or f"{each.attribute}_initializer"
        for name, each in row.weights.items()
    }
