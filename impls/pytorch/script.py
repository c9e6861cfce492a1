"""The plain ``torch.nn.functional`` call of each layer, channels first."""

from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.axis_patterns import Axes, moves
from convparity.impls.errors import UnsupportedError
from convparity.impls.layouts import CHANNELS_FIRST
from convparity.impls.reference import as_grouped
from convparity.impls.script_writer import Writer, crop, function_call, power_of, slice_of
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
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
    Pad,
    PaddingMode,
    Pairs,
    Power,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    Scale,
    Shape,
    Slice,
    Spec,
    output_shape,
    padding_pairs,
    transposed_crop,
)
from convparity.impls.weights import Arrays

PACKAGE = "torch"
IMPORTS = """import numpy as np
import torch
import torch.nn.functional as F

print("numpy", np.__version__, "torch", torch.__version__)
"""
END = "got = y.numpy()"

_FUNCTIONS = {
    "relu": "F.relu(y)",
    "relu6": "F.relu6(y)",
    "leaky_relu": "F.leaky_relu(y, {alpha})",
    "elu": "F.elu(y, {alpha})",
    "silu": "F.silu(y)",
    "gelu": "F.gelu(y)",
    "gelu_tanh": 'F.gelu(y, approximate="tanh")',
    "sigmoid": "torch.sigmoid(y)",
    "hard_sigmoid": "F.hardsigmoid(y)",
    "hard_swish": "F.hardswish(y)",
    "softplus": "F.softplus(y)",
    "softmax": "F.softmax(y, dim=1)",
    "tanh": "torch.tanh(y)",
}


def native(array: np.ndarray) -> np.ndarray:
    """``(N, *spatial, C)`` as ``(N, C, *spatial)``."""
    return np.moveaxis(array, -1, 1)


def axes(ndim: int) -> str:
    """The axes of an input, for a comment."""
    return ", ".join(("N", "C", *"DHW"[5 - ndim :]))


def start(out: Writer) -> list[str]:
    """The lines that make tensors of the arrays."""
    return [f"{name} = torch.from_numpy({name})" for name in out.arrays] + [
        "y = torch.from_numpy(x)"
    ]


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


def _symmetric(pairs: Pairs) -> tuple[int, ...] | None:
    lows = tuple(low for low, _ in pairs)
    return lows if all(low == high for low, high in pairs) else None


def _pad(pairs: Pairs, out: Writer, *options: str) -> None:
    flat = [each for pair in reversed(pairs) for each in pair]  # the last axis first
    out.call("y = F.pad", "y", str(flat), *options)


@write_layer.register
def _(spec: Conv, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", CHANNELS_FIRST.to_native(weights["kernel"]), "out, in/groups, *k")
    bias = [out.array("bias", weights["bias"], "out")] if spec.bias else []
    pairs = padding_pairs(spec, shape[1:-1])
    padding: Any = _symmetric(pairs)
    if spec.padding_mode != "zeros" and any(map(any, pairs)):
        _pad_mode(spec.padding_mode, pairs, shape[1:-1], out)
        padding = 0
    elif spec.padding == "same" and max(spec.stride) == 1:
        padding = "same"
    elif padding is None:
        out.say('# padding= is symmetric, and "same" needs stride 1: pad first')
        _pad(pairs, out)
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


def _pad_mode(mode: PaddingMode, pairs: Pairs, sizes: Shape, out: Writer) -> None:
    room = 0 if mode == "circular" else -1
    fits = all(max(pair) <= n + room for n, pair in zip(sizes, pairs, strict=True))
    if fits or mode == "replicate":
        _pad(pairs, out, f'mode="{mode}"')
        return
    out.say(f"# F.pad refuses so much {mode} padding: NumPy repeats it")
    widths = [(0, 0), (0, 0), *pairs]
    out.say(f'y = torch.from_numpy(np.pad(y.numpy(), {widths}, mode="{NUMPY_MODES[mode]}"))')


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
    padding, none = _symmetric(pairs), (0,) * spec.rank
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


def _pool_padding(spec: MaxPool | AvgPool, shape: Shape) -> tuple[Pairs, tuple[int, ...] | None]:
    """The pairs, and what ``padding=`` takes: symmetric, at most half of the kernel."""
    pairs = padding_pairs(spec, shape[1:-1])
    padding = _symmetric(pairs)
    if padding and any(2 * p > k for p, k in zip(padding, spec.kernel_size, strict=True)):
        padding = None
    return pairs, padding


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, padding = _pool_padding(spec, shape)
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: pad first")
        _pad(pairs, out, 'value=float("-inf")')
    none = (0,) * spec.rank
    out.call(
        f"y = F.max_pool{spec.rank}d",
        "y",
        f"{spec.kernel_size}",
        stride=(spec.stride, spec.kernel_size),
        padding=(padding or none, none),
    )


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, padding = _pool_padding(spec, shape)
    none, name = (0,) * spec.rank, f"F.avg_pool{spec.rank}d"
    stride = (spec.stride, spec.kernel_size)
    if padding is None and not spec.count_include_pad:
        out.say("# padding= is symmetric, at most half of the kernel: sums over counts instead")
        _pad(pairs, out)
        out.say(f"inside = torch.ones(1, 1, *{shape[1:-1]})")
        flat = [each for pair in reversed(pairs) for each in pair]
        out.say(f"inside = F.pad(inside, {flat})")
        size = int(np.prod(spec.kernel_size))
        out.call(f"counts = {size} * {name}", "inside", f"{spec.kernel_size}", stride=stride)
        out.call(f"y = {name}", "y", f"{spec.kernel_size}", stride=stride)
        out.say(f"y = y * ({size} / counts.round())")
        return
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: pad first")
        _pad(pairs, out)
    out.call(
        f"y = {name}",
        "y",
        f"{spec.kernel_size}",
        stride=stride,
        padding=(padding or none, none),
        count_include_pad=(spec.count_include_pad or not any(padding or none), True),
    )


@write_layer.register
def _(spec: BatchNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    mean, variance, scale, offset = (
        out.array(name, weights[name], "C") for name in ("mean", "variance", "scale", "offset")
    )
    out.call("y = F.batch_norm", "y", mean, variance, scale, offset, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale, offset = (out.array(name, weights[name], "C") for name in ("scale", "offset"))
    channels = f"({spec.num_features},)"
    eps = (spec.eps, 1e-5)
    out.call("y = F.layer_norm", "y.movedim(1, -1)", channels, scale, offset, eps=eps)
    out.say("y = y.movedim(-1, 1)")


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale, offset = (out.array(name, weights[name], "C") for name in ("scale", "offset"))
    out.call("y = F.group_norm", "y", str(spec.num_groups), scale, offset, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale = out.array("scale", weights["scale"], "C")
    ones = ", 1" * (len(shape) - 2)
    out.say(f"y = y * {scale}.reshape(-1{ones})")


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {function_call(_FUNCTIONS, spec)}")


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.mean(dim={tuple(range(2, len(shape)))})")


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = y.movedim(1, -1).flatten(1)  # in channels-last order")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.dropout(y, {spec.p}, training=False)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"].T, "out, in")
    bias = [out.array("bias", weights["bias"], "out")] if spec.bias else []
    image = len(shape) > 2
    out.call("y = F.linear", "y.movedim(1, -1)" if image else "y", kernel, *bias)
    if image:
        out.say("y = y.movedim(-1, 1)")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.adaptive_avg_pool{spec.rank}d(y, {spec.output_size})")


@write_layer.register
def _(spec: Slice, weights: Arrays, shape: Shape, out: Writer) -> None:
    at = spec.axis % len(shape)
    if len(shape) > 2:  # the channels lie at 1, the spatial axes behind them
        at = 1 if at == len(shape) - 1 else at + 1
    out.say(f"y = y[{':, ' * at}{slice_of(spec)}]")


@write_layer.register
def _(spec: Rearrange, weights: Arrays, shape: Shape, out: Writer) -> None:
    def first(axes: Axes) -> Axes:
        return axes if len(axes) < 3 else (axes[0], axes[-1], *axes[1:-1])

    before, after = spec.axes(len(shape))
    sizes = native(np.empty(shape)).shape if len(shape) > 2 else shape
    split, order, merged = moves(first(before), first(after), sizes, spec.sizes)
    out.say(f"# channels last: {spec.pattern}")
    out.say(f"y = y.reshape({split}).permute({order}).reshape({merged})")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.adaptive_max_pool{spec.rank}d(y, {spec.output_size})")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.amax(dim={tuple(range(2, len(shape)))})")


@write_layer.register
def _(spec: Resize, weights: Arrays, shape: Shape, out: Writer) -> None:
    sizes = zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True)
    for axis, (n, m) in enumerate(sizes, 2):
        if spec.method == "nearest":
            out.say(f"at = np.arange({m}) * {n} // {m}")
            out.say(f"y = y.index_select({axis}, torch.from_numpy(at))")
            continue
        if spec.align_corners:
            out.say(f"at, parts = np.arange({m}) * {n - 1}, {max(m - 1, 1)}")
        else:
            out.say(f"at, parts = (2 * np.arange({m}) + 1) * {n} - {m}, {2 * m}")
            out.say(f"at = at.clip(0, {n - 1} * parts)  # a position is at / parts")
        out.say(f"low, high = at // parts, np.minimum(at // parts + 1, {n - 1})")
        form = [-1 if each == axis else 1 for each in range(len(shape))]
        out.say(f"share = (at % parts / parts).astype(np.float32).reshape({form})")
        out.say("low, high, share = map(torch.from_numpy, (low, high, share))")
        out.say(f"before = y.index_select({axis}, low) * (1 - share)")
        out.say(f"y = before + y.index_select({axis}, high) * share")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if spec.mode == "zeros":
        _pad(spec.pads, out, *([f"value={spec.value}"] if spec.value else []))
        return
    kept = [slice(low, n - high) for n, (low, high) in zip(shape[1:-1], spec.crops, strict=True)]
    if any(map(any, spec.crops)):
        out.say(f"y = y[:, :, {', '.join(f'{each.start}:{each.stop}' for each in kept)}]")
    _pad_mode(spec.mode, spec.fills, tuple(each.stop - each.start for each in kept), out)


@write_layer.register
def _(spec: Rescale, weights: Arrays, shape: Shape, out: Writer) -> None:
    ones = ", 1" * (len(shape) - 2)
    names = []
    for name, numbers in (("scale", spec.scale), ("offset", spec.offset)):
        if isinstance(numbers, tuple):
            names.append(f"{out.array(name, np.array(numbers), 'C')}.reshape(-1{ones})")
        else:
            names.append(str(numbers))
    out.say(f"y = y * {names[0]} + {names[1]}")


@write_layer.register
def _(spec: Power, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {power_of(spec.exponent)}")


@write_layer.register
def _(spec: Reduce, weights: Arrays, shape: Shape, out: Writer) -> None:
    keep = f", keepdim={spec.keepdims}" if spec.keepdims else ""
    spatial = {at: at + 1 for at in range(1, len(shape) - 1)}
    dims = tuple(spatial.get(at, 1) for at in spec.places(shape))
    more = f", correction={spec.correction}" if spec.function in ("var", "std") else ""
    if spec.function.startswith("norm"):
        order = 2 if spec.function == "norm" else 1
        out.say(f"y = torch.linalg.vector_norm(y, {order}, dim={dims}{keep})")
    else:
        name = {"max": "amax", "min": "amin"}.get(spec.function, spec.function)
        out.say(f"y = y.{name}(dim={dims}{keep}{more})")
    if 1 in dims and len(shape) > 2 and not spec.keepdims and len(output_shape(spec, shape)) > 2:
        out.say("y = y.movedim(-1, 1)  # the last axis that is left lies where channels do")
