"""Keras's rows of pools."""

from typing import Any

import keras

from convparity.impls.bindings import Field, Fields, Row, same
from convparity.impls.keras import pooling
from convparity.impls.keras.rows.common import CHANNELS_LAST, padding_of
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


def _count_include_pad(module: Any) -> bool:
    """Keras's own never count it; without padding there is nothing to count, and so it is True."""
    return getattr(module, "count_include_pad", module.padding == "valid")


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
    "padding": Field("padding", padding_of),
    "ceil_mode": _or_else("ceil_mode", False),
}

ROWS = [
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
    Row(
        MaxUnpool,
        pooling.MaxUnpool,
        {
            "kernel_size": "pool_size",
            "stride": "strides",
            **same("padding", "output_size"),
            "rank": Field(None, lambda module: len(module.pool_size)),
        },
    ),
    Row(  # read and never made
        AdaptiveMaxPool,
        GLOBAL_MAX,
        {"output_size": Field(None, lambda module: 1)},
        needs={**CHANNELS_LAST, "keepdims": True},
    ),
]
