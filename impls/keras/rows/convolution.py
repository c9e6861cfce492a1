"""Keras's rows of convolutions."""

from typing import Any

import keras

from convparity.impls.bindings import Field, Fields, Row, Weight
from convparity.impls.keras import layers
from convparity.impls.keras.rows.common import (
    CHANNELS_LAST,
    KERNEL,
    check_built,
    check_linear,
    padding_of,
    refused,
)
from convparity.impls.keras.windows import extent_of
from convparity.impls.spec import Conv, ConvTranspose, DepthwiseConv, SeparableConv

SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D, layers.SeparableConv3D)


def _of_depthwise(each: Field) -> Field:
    """A field of a separable convolution that its first step has."""
    return Field(each.argument, lambda module: each.read(module.depthwise))


def _check_transpose(module: Any) -> None:
    check_linear(module)
    if module.padding == "same" and module.output_padding is not None:
        raise refused(module, 'it needs padding="valid" where it has an output_padding')


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
    "padding": Field("padding", padding_of),
    "dilation": Field("dilation_rate"),
}
PADDED = {
    **WINDOW,
    "padding_mode": Field("padding_mode", lambda module: getattr(module, "padding_mode", "zeros")),
}
DEPTHWISE: Fields = {**PADDED, "depth_multiplier": "depth_multiplier", "bias": "use_bias"}
TRANSPOSED: Fields = {**WINDOW, "out_channels": "filters", "bias": "use_bias"}

ROWS = [
    Row(
        Conv,
        (layers.Conv1D, layers.Conv2D, layers.Conv3D),
        {**PADDED, "out_channels": "filters", "groups": "groups", "bias": "use_bias"},
        KERNEL,
        needs=CHANNELS_LAST,
        check=check_linear,
        also=((keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),),
    ),
    Row(
        DepthwiseConv,
        layers.DepthwiseConv3D,
        DEPTHWISE,
        KERNEL,
        says={"rank": 3},
        needs=CHANNELS_LAST,
        check=check_linear,
    ),
    Row(
        DepthwiseConv,
        (layers.DepthwiseConv1D, layers.DepthwiseConv2D),
        DEPTHWISE,
        {**KERNEL, "kernel": Weight("kernel", initializer="depthwise_initializer")},
        needs=CHANNELS_LAST,
        check=check_linear,
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
        check=check_linear,
    ),
    Row(
        ConvTranspose,
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose),
        {**TRANSPOSED, "output_padding": "output_padding", "groups": "groups"},
        KERNEL,
        check=check_built,
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
