"""The plain calls of convolutions."""

from typing import Any

import numpy as np

from convparity.impls.layouts import CHANNELS_FIRST
from convparity.impls.pytorch.calls.common import pad, pad_mode, symmetric, write_layer
from convparity.impls.reference_convolution import as_grouped
from convparity.impls.script_writer import Writer, crop
from convparity.impls.spec import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Shape,
    padding_pairs,
    transposed_crop,
)
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Conv, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", CHANNELS_FIRST.to_native(weights["kernel"]), "out, in/groups, *k")
    bias = [out.array("bias", weights["bias"], "out")] if spec.bias else []
    pairs = padding_pairs(spec, shape[1:-1])
    padding: Any = symmetric(pairs)
    if spec.padding_mode != "zeros" and any(map(any, pairs)):
        pad_mode(spec.padding_mode, pairs, shape[1:-1], out)
        padding = 0
    elif spec.padding == "same" and max(spec.stride) == 1:
        padding = "same"
    elif padding is None:
        out.say('# padding= is symmetric, and "same" needs stride 1: pad first')
        pad(pairs, out)
        padding = 0
    out.call(
        f"y = F.conv{spec.rank}d",
        "y",
        kernel,
        *bias,
        stride=(spec.stride, (1,) * spec.rank),
        padding=(padding if padding != (0,) * spec.rank else 0, 0),
        dilation=(spec.dilation, (1,) * spec.rank),
        groups=(spec.groups, 1),
    )


@write_layer.register
def _(spec: DepthwiseConv, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = weights["kernel"].reshape(*spec.kernel_size, 1, spec.out_channels)
    write_layer(as_grouped(spec), {**weights, "kernel": kernel}, shape, out)


@write_layer.register
def _(spec: ConvTranspose, weights: Arrays, shape: Shape, out: Writer) -> None:
    moved = np.moveaxis(weights["kernel"], (-1, -2), (0, 1))
    kernel = out.array("kernel", moved, "in, out/groups, *k")
    bias = [out.array("bias", weights["bias"], "out")] if spec.bias else []
    pairs, extra = transposed_crop(spec)
    padding, none = symmetric(pairs), (0,) * spec.rank
    if padding is None:
        out.say("# padding= is symmetric: crop the whole output instead")
    out.call(
        f"y = F.conv_transpose{spec.rank}d",
        "y",
        kernel,
        *bias,
        stride=(spec.stride, (1,) * spec.rank),
        padding=(padding or none, none),
        output_padding=(extra, none),
        groups=(spec.groups, 1),
        dilation=(spec.dilation, (1,) * spec.rank),
    )
    if padding is None:
        out.say(f"y = y[:, :, {crop(spec, shape)}]")
