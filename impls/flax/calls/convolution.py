"""The plain calls of convolutions."""

from typing import Any

import numpy as np

from convparity.impls.flax.calls.common import RNGS, set_weights, write_layer
from convparity.impls.reference_convolution import as_grouped
from convparity.impls.script_writer import Writer
from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Shape,
    effective_kernel,
    padding_pairs,
    transposed_crop,
)
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Conv, weights: Arrays, shape: Shape, out: Writer) -> None:
    variables = {"kernel": out.array("kernel", weights["kernel"], "*k, in/groups, out")}
    if spec.bias:
        variables["bias"] = out.array("bias", weights["bias"], "out")
    pairs = padding_pairs(spec, shape[1:-1])
    padding: Any = spec.padding.upper() if isinstance(spec.padding, str) else spec.padding
    if spec.padding_mode != "zeros" and any(map(any, pairs)):
        mode = NUMPY_MODES[spec.padding_mode]
        out.say("# nnx.Conv pads so by amounts of its own, or not at all: pad first")
        out.say(f'y = jnp.pad(y, {[(0, 0), *pairs, (0, 0)]}, mode="{mode}")')
        padding = "VALID"
    ones = (1,) * spec.rank
    out.call(
        "layer = nnx.Conv",
        str(spec.in_channels),
        str(spec.out_channels),
        str(spec.kernel_size),
        f"padding={padding!r}",
        strides=(spec.stride, ones),
        kernel_dilation=(spec.dilation, ones),
        feature_group_count=(spec.groups, 1),
        use_bias=(spec.bias, True),
        rngs=RNGS,
    )
    set_weights(out, **variables)


@write_layer.register
def _(spec: DepthwiseConv, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = weights["kernel"].reshape(*spec.kernel_size, 1, spec.out_channels)
    write_layer(as_grouped(spec), {**weights, "kernel": kernel}, shape, out)


@write_layer.register
def _(spec: ConvTranspose, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    padding = tuple(  # of the input with stride - 1 zeros between its pixels
        (k - 1 - low, k - 1 - high + more)
        for k, (low, high), more in zip(extent, pairs, extra, strict=True)
    )
    if spec.groups > 1:
        _grouped_transpose(spec, weights, padding, out)
        return
    variables = {"kernel": out.array("kernel", weights["kernel"], "*k, out, in")}
    if spec.bias:
        variables["bias"] = out.array("bias", weights["bias"], "out")
    ones = (1,) * spec.rank
    out.call(
        "layer = nnx.ConvTranspose",
        str(spec.in_channels),
        str(spec.out_channels),
        str(spec.kernel_size),
        "padding='SAME'" if spec.padding == "same" else f"padding={padding!r}",
        "transpose_kernel=True",
        strides=(spec.stride, ones),
        kernel_dilation=(spec.dilation, ones),
        use_bias=(spec.bias, True),
        rngs=RNGS,
    )
    set_weights(out, **variables)


def _grouped_transpose(spec: ConvTranspose, weights: Arrays, padding: Any, out: Writer) -> None:
    """``nnx.ConvTranspose`` has no groups: the convolution of which it is the gradient."""
    *k, each_out, _ = weights["kernel"].shape
    grouped = weights["kernel"].reshape(*k, each_out, spec.groups, -1)
    flipped = np.flip(grouped, tuple(range(spec.rank)))
    moved = np.moveaxis(flipped, -1, -3)  # (*k, in/g, out/g, g)
    forward = moved.swapaxes(-1, -2).reshape(*k, -1, spec.out_channels)
    kernel = out.array("kernel", forward, "*k, in/groups, out; flipped")
    spatial = "DHW"[3 - spec.rank :]
    numbers = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    out.say("# nnx.ConvTranspose has no groups: jax.lax, with the kernel flipped")
    out.call(
        "y = jax.lax.conv_general_dilated",
        "y",
        kernel,
        f"window_strides={(1,) * spec.rank}",
        f"padding={padding}",
        f"lhs_dilation={spec.stride}",
        f"rhs_dilation={spec.dilation}",
        f"dimension_numbers={numbers}",
        f"feature_group_count={spec.groups}",
    )
    if spec.bias:
        out.say(f"y = y + {out.array('bias', weights['bias'], 'out')}")
