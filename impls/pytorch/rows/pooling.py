"""PyTorch's rows of pools."""

from typing import Any

import numpy as np
from torch import nn

from convparity.impls.bindings import Field, Fields, Row, same
from convparity.impls.pytorch import pooling
from convparity.impls.pytorch.rows.common import padding_of, refuse_unless
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

MAX_POOL = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVG_POOL = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE_AVG_POOL = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
ADAPTIVE_MAX_POOL = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
MAX_UNPOOL = (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)


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


POOL: Fields = {
    **same("kernel_size", "stride", "ceil_mode"),
    "padding": Field("padding", padding_of),
}

ROWS = [
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
        MaxUnpool,
        (pooling.MaxUnpool1d, pooling.MaxUnpool2d, pooling.MaxUnpool3d),
        {
            **same("kernel_size", "stride", "padding"),
            "output_size": Field("output_size", lambda m: getattr(m, "output_size", None)),
        },  # which torch's own are called with
        also=(MAX_UNPOOL,),
    ),
]
