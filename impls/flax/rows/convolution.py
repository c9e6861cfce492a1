"""Flax's rows of convolutions."""

from typing import Any

import numpy as np
from flax import nnx

from convparity.impls.bindings import Field, Fields, Row, Weight
from convparity.impls.errors import quoted
from convparity.impls.flax import layers
from convparity.impls.flax.rows.common import (
    BIASED,
    KERNEL,
    MODES,
    PADDING,
    WEIGHTED,
    given,
    lower,
    refused,
    said,
    upper,
)
from convparity.impls.layouts import SAME, Layout, depthwise_as_grouped
from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
    effective_kernel,
)

PADDINGS = "give 'SAME', 'VALID' or a pair for each axis"


def _check_mask(module: Any) -> None:
    if module.mask is not None:
        raise refused(f"{said(module)} with a mask", "multiply the kernel by it")


def _check_conv(module: Any) -> None:
    _check_mask(module)
    if np.any(np.not_equal(given(module.input_dilation), 1)):
        raise refused(
            f"{said(module)} with an input dilation",
            "write it as nnx.ConvTranspose, whose strides spread the input",
        )


def _mode(module: nnx.Conv) -> str:
    """What ``nnx.Conv`` fills the padding with."""
    padding = module.padding
    return padding.lower() if isinstance(padding, str) and padding in NNX_MODES else "zeros"


def _padding(module: nnx.Conv) -> Any:
    """The padding of ``nnx.Conv``: under a mode half the kernel, whatever the stride."""
    padding = module.padding
    if _mode(module) != "zeros":
        dilation = given(module.kernel_dilation)
        each = (dilation,) * len(module.kernel_size) if isinstance(dilation, int) else dilation
        extent = effective_kernel(module.kernel_size, tuple(each))
        return tuple(((k - 1) // 2, k // 2) for k in extent)
    if isinstance(padding, str) and padding not in ("SAME", "VALID", "CAUSAL"):
        raise refused(f"{said(module)} with padding {quoted(padding)}", PADDINGS)
    return lower(padding)


def _crop(module: nnx.ConvTranspose) -> tuple[Any, Any]:
    """A spec's padding and output padding, from that of ``nnx.ConvTranspose``."""
    padding, rank = module.padding, len(module.kernel_size)
    stride, dilation = (
        (each,) * rank if isinstance(each, int) else tuple(each)
        for each in map(given, (module.strides, module.kernel_dilation))
    )
    extent = effective_kernel(module.kernel_size, dilation)
    if padding == "SAME":
        return "same", 0
    if padding == "VALID":  # never fewer than n * stride places
        return "valid", tuple(max(s - k, 0) for k, s in zip(extent, stride, strict=True))
    if isinstance(padding, str):
        raise refused(f"{said(module)} with padding {quoted(padding)}", PADDINGS)
    pads = [
        (pad, pad) if isinstance(pad, int) else tuple(pad)
        for pad in ((padding,) * rank if isinstance(padding, int) else padding)
    ]
    # it pads the spread input, where the whole result has extent - 1 zeros at either end
    ends = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(extent, pads, strict=True)]
    if any(low < 0 or -high >= s for (low, high), s in zip(ends, stride, strict=True)):
        raise refused(
            f"{said(module)} with padding {quoted(padding)}",
            "a spec adds places at the end alone, and fewer than the stride. Pad less",
        )
    return [(low, max(high, 0)) for low, high in ends], [max(-high, 0) for _, high in ends]


def _flip(kernel: np.ndarray) -> np.ndarray:
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).swapaxes(-1, -2)


# nnx.ConvTranspose slides its kernel, (*k, in, out), over the spread input; the canonical one is
# spread itself: its own inverse
SLIDING = Layout(_flip, _flip)


def _of_step(step: str, each: str | Field) -> Field:
    """The field of a step, as the whole layer has it."""
    own = Field(each) if isinstance(each, str) else each
    return Field(own.argument, lambda module: own.read(getattr(module, step)), own.to_native)


NNX_MODES = ("REFLECT", "CIRCULAR")  # names of nnx.Conv's padding
WINDOW: Fields = {
    "in_channels": "in_features",
    "kernel_size": "kernel_size",
    "stride": Field("strides", None, None, given),
    "dilation": Field("kernel_dilation", None, None, given),
    "rank": Field(None, lambda module: len(module.kernel_size)),
}
PADS: Fields = {
    "padding": Field("padding", "padding_before", upper, lower),
    "padding_mode": Field("padding_mode", None, NUMPY_MODES.__getitem__, MODES.__getitem__),
}
CONV: Fields = {
    **WINDOW,
    "out_channels": "out_features",
    "groups": "feature_group_count",
    "bias": "use_bias",
}
DEPTHWISE: Fields = {**WINDOW, **PADS, "depth_multiplier": "depth_multiplier"}

ROWS = [
    Row(
        Conv,
        nnx.Conv,
        {
            **CONV,
            "padding": Field("padding", _padding, upper),
            "padding_mode": Field(None, _mode),
        },
        KERNEL,
        says={"padding_mode": "zeros"},
        check=_check_conv,
        takes=WEIGHTED,
    ),
    Row(Conv, layers.Conv, {**CONV, **PADS}, KERNEL, check=_check_conv, takes=WEIGHTED),
    Row(
        DepthwiseConv,
        layers.DepthwiseConv,
        {**DEPTHWISE, "bias": "use_bias"},
        {"kernel": Weight("kernel", lambda m: depthwise_as_grouped(m.depth_multiplier)), **BIASED},
        check=_check_conv,
        takes=WEIGHTED,
    ),
    Row(
        SeparableConv,
        layers.SeparableConv,
        {
            **{name: _of_step("depthwise", each) for name, each in DEPTHWISE.items()},
            "out_channels": _of_step("pointwise", "out_features"),
            "depthwise_bias": Field("depthwise_bias", "depthwise.use_bias"),
            "pointwise_bias": Field("pointwise_bias", "pointwise.use_bias"),
        },
        takes=WEIGHTED,
    ),
    Row(
        ConvTranspose,
        layers.ConvTranspose,
        {**CONV, "padding": PADDING, "output_padding": "output_padding"},
        KERNEL,
        takes=WEIGHTED,
    ),
    Row(  # read and never made: it has no groups, and pads where a spec crops
        ConvTranspose,
        nnx.ConvTranspose,
        {
            **{name: each for name, each in CONV.items() if name != "groups"},
            "padding": Field(None, lambda module: _crop(module)[0]),
            "output_padding": Field(None, lambda module: _crop(module)[1]),
        },
        {"kernel": Weight("kernel", lambda m: SAME if m.transpose_kernel else SLIDING), **BIASED},
        check=_check_mask,
    ),
]
