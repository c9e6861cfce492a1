"""Flax's rows of pools."""

from convparity.impls.bindings import Field, Fields, Row, same
from convparity.impls.flax import pooling
from convparity.impls.flax.rows.common import PADDING, given
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
)

ADAPTIVE: Fields = {
    "output_size": "output_size",
    "rank": Field(None, lambda module: len(module.output_size)),
}
POOL: Fields = {
    "kernel_size": "window_shape",
    "stride": Field("strides", None, None, given),
    "padding": PADDING,
    "ceil_mode": "ceil_mode",
    "rank": Field(None, lambda module: len(module.window_shape)),
}

ROWS = [
    Row(MaxPool, pooling.MaxPool, {**POOL, "dilation": Field("dilation", None, None, given)}),
    Row(AvgPool, pooling.AvgPool, {**POOL, **same("count_include_pad", "divisor_override")}),
    Row(GlobalAvgPool, pooling.GlobalAvgPool),
    Row(AdaptiveAvgPool, pooling.AdaptiveAvgPool, ADAPTIVE),
    Row(AdaptiveMaxPool, pooling.AdaptiveMaxPool, ADAPTIVE),
    Row(GlobalMaxPool, pooling.GlobalMaxPool),
    Row(
        MaxPoolIndices,
        pooling.MaxPoolIndices,
        {**POOL, "dilation": Field("dilation", None, None, given)},
    ),
    Row(
        MaxUnpool,
        pooling.MaxUnpool,
        {
            "kernel_size": "window_shape",
            "stride": "strides",
            **same("padding", "output_size"),
            "rank": POOL["rank"],
        },
    ),
]
