"""PyTorch's rows of convolutions."""

from typing import Any

from torch import nn

from convparity.impls.bindings import Field, Fields, Row, Weight, same
from convparity.impls.errors import quoted
from convparity.impls.layouts import CHANNELS_FIRST, Layout, depthwise_as_grouped
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.rows.common import HAS_BIAS, KERNEL, padding_of, refuse_unless
from convparity.impls.spec import Conv, ConvTranspose, DepthwiseConv, SeparableConv

CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSE = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


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


WINDOW: Fields = {
    **same("in_channels", "kernel_size", "stride"),
    "padding": Field("padding", padding_of),
}
CONVOLUTION: Fields = {**WINDOW, **same("dilation", "padding_mode"), "bias": HAS_BIAS}
TRANSPOSED: Fields = {
    **same("in_channels", "out_channels", "kernel_size", "stride", "groups", "dilation"),
    "bias": HAS_BIAS,
}
DEPTHWISE = (layers.DepthwiseConv1d, layers.DepthwiseConv2d, layers.DepthwiseConv3d)

ROWS = [
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
            "padding": Field("padding", lambda module: padding_of(module.depthwise)),
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
