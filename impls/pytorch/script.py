"""The plain ``torch.nn.functional`` call of each layer, channels first."""

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.axis_patterns import Axes, moves
from convparity.impls.errors import UnsupportedError
from convparity.impls.layouts import CHANNELS_FIRST
from convparity.impls.reference import as_grouped
from convparity.impls.script_writer import (
    Writer,
    affine_of,
    crop,
    function_call,
    places_of_largest,
    power_of,
    resizes,
    slice_of,
)
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clamp,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Pad,
    PaddingMode,
    Pairs,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Shape,
    Slice,
    Spec,
    asked_pairs,
    output_shape,
    padding_pairs,
    parameter_axes,
    transposed_crop,
)
from convparity.impls.weights import Arrays

PACKAGE = "torch"
IMPORTS = """import numpy as np
import torch
import torch.nn.functional as F

print("numpy", np.__version__, "torch", torch.__version__)
"""
TENSOR = "torch.from_numpy({})"
NUMPY = "{}.numpy()"

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
    "softplus": "F.softplus(y, {alpha}, threshold=40)",
    "softmax": "F.softmax(y, dim={axis})",
    "log_softmax": "F.log_softmax(y, dim={axis})",
    "mish": "F.mish(y)",
    "selu": "F.selu(y)",
    "celu": "F.celu(y, {alpha})",
    "log_sigmoid": "F.logsigmoid(y)",
    "softsign": "F.softsign(y)",
    "tanhshrink": "F.tanhshrink(y)",
    "soft_shrink": "F.softshrink(y, {alpha})",
    "hard_shrink": "F.hardshrink(y, {alpha})",
    "quick_gelu": "y * torch.sigmoid(1.702 * y)",
    "relu_squared": "F.relu(y).square()",
    "abs": "y.abs()",
    "tanh": "torch.tanh(y)",
}


def native(array: np.ndarray) -> np.ndarray:
    """``(N, *spatial, C)`` as ``(N, C, *spatial)``."""
    return np.moveaxis(array, -1, 1)


def axes(ndim: int) -> str:
    """The axes of an input, for a comment."""
    return ", ".join(("N", "C", *"DHW"[5 - ndim :]))


def start(out: Writer) -> list[str]:
    """The lines that make tensors of the weights."""
    return [f"{name} = {TENSOR.format(name)}" for name in out.arrays]


def concat(values: list[str], axis: int, ndim: int) -> str:
    """Values one after another along a canonical axis."""
    return f"torch.cat([{', '.join(values)}], {_dim(axis, ndim)})"


def _dim(axis: int, ndim: int) -> int:
    """Where a canonical axis is: the channels lie at 1, the spatial axes behind them."""
    at = axis % ndim
    if ndim < 3:
        return at
    return 1 if at == ndim - 1 else at + 1


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


def _symmetric(pairs: Pairs) -> tuple[int, ...] | None:
    lows = tuple(low for low, _ in pairs)
    return lows if all(low == high for low, high in pairs) else None


def _pad(pairs: Pairs, out: Writer, *options: str) -> None:
    out.call("y = F.pad", "y", str(_from_last(pairs)), *options)


def _from_last(pairs: Iterable[tuple[int, int]]) -> list[int]:
    return [each for pair in reversed(list(pairs)) for each in pair]


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


def _pool_padding(
    spec: MaxPool | MaxPoolIndices | AvgPool, shape: Shape
) -> tuple[Pairs, tuple[int, ...] | None]:
    """The pairs, and what ``padding=`` takes: symmetric, at most half of the kernel."""
    padding = _symmetric(asked_pairs(spec, shape[1:-1]))
    if padding and any(2 * p > k for p, k in zip(padding, spec.kernel_size, strict=True)):
        padding = None
    if isinstance(spec, AvgPool) and spec.rank == 3 and spec.ceil_mode:
        padding = None  # F.avg_pool3d takes no kernel larger than its image
    return padding_pairs(spec, shape[1:-1]), padding


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
        dilation=(spec.dilation, (1,) * spec.rank),
        ceil_mode=(spec.ceil_mode and padding is not None, False),
    )


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, padding = _pool_padding(spec, shape)
    none, name = (0,) * spec.rank, f"F.avg_pool{spec.rank}d"
    stride = (spec.stride, spec.kernel_size)
    divisor = spec.divisor_override
    uneven = spec.ceil_mode or not spec.count_include_pad
    if (padding is None and uneven) or (divisor is not None and spec.rank == 1):
        why = "padding= is symmetric, at most half of the kernel"
        out.say(f"# {why if padding is None else f'{name} has no divisor'}: sums instead")
        _pad(pairs, out)
        size = int(np.prod(spec.kernel_size))
        out.call(f"y = {name}", "y", f"{spec.kernel_size}", stride=stride)
        if divisor is not None:
            out.say(f"y = y * {size} / {divisor}")
            return
        own = asked_pairs(spec, shape[1:-1])
        rest = [(0, a - b) for (_, a), (_, b) in zip(pairs, own, strict=True)]
        value = f", value={float(spec.count_include_pad)}"
        out.say(f"inside = torch.ones(1, 1, *{shape[1:-1]})")
        for each, fill in ((own, value), (rest, "")):
            if any(map(any, each)):
                out.say(f"inside = F.pad(inside, {_from_last(each)}{fill})")
        out.call(f"counts = {size} * {name}", "inside", f"{spec.kernel_size}", stride=stride)
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
        ceil_mode=(spec.ceil_mode and padding is not None, False),
        count_include_pad=(spec.count_include_pad or not any(padding or none), True),
        divisor_override=(divisor, None),
    )


@write_layer.register
def _(spec: BatchNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    mean, variance = (out.array(name, weights[name], "C") for name in spec.statistics)
    affine = _affine(weights, out)
    out.call("y = F.batch_norm", "y", mean, variance, *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _over_axes(spec, shape, out, "layer_norm", *_affine(weights, out))


def _affine(weights: Arrays, out: Writer) -> list[str]:
    """The scale and the offset of a norm, by position."""
    found = affine_of(weights, out)
    return [found.get(name, "None") for name in ("scale", "offset")]


def _over_axes(
    spec: LayerNorm | RMSNorm, shape: Shape, out: Writer, name: str, *affine: str
) -> None:
    """A norm of the last axes, to which its axes are moved."""
    axes, sizes = parameter_axes(spec)
    moved, last = "y", tuple(range(-len(axes), 0))
    dims = tuple(_dim(axis, len(shape)) for axis in axes)
    if dims != tuple(n + len(shape) for n in last):
        moved = f"y.movedim({dims}, {last})" if len(dims) > 1 else f"y.movedim({dims[0]}, -1)"
    out.call(f"y = F.{name}", moved, str(sizes), *affine, f"eps={spec.eps}")
    if moved != "y":
        out.say(
            f"y = y.movedim({last}, {dims})" if len(dims) > 1 else f"y = y.movedim(-1, {dims[0]})"
        )


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    affine = _affine(weights, out)
    out.call("y = F.group_norm", "y", str(spec.num_groups), *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    affine = _affine(weights, out)
    out.say("# a group a channel: F.instance_norm refuses images of one pixel")
    out.call("y = F.group_norm", "y", str(spec.num_features), *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _over_axes(spec, shape, out, "rms_norm", _affine(weights, out)[0])


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale = out.array("scale", weights["scale"], "C")
    ones = ", 1" * (len(shape) - 2)
    out.say(f"y = y * {scale}.reshape(-1{ones})")


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    axis = None if spec.axis is None else _dim(spec.axis, len(shape))
    out.say(f"y = {function_call(_FUNCTIONS, spec, axis)}")


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
    at = _dim(spec.axis, len(shape))
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
    for axis, (made, lines) in enumerate(resizes(spec, shape), 2):
        out.say(*lines)
        if made == "at":
            out.say(f"y = y.index_select({axis}, torch.from_numpy(at))")
        else:
            out.say(f"y = torch.tensordot(torch.from_numpy(shares), y, ([1], [{axis}]))")
            out.say(f"y = y.movedim(0, {axis})")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if spec.mode == "zeros":
        pairs = (spec.channels, *spec.pads) if any(spec.channels) else spec.pads
        _pad(pairs, out, *([f"value={spec.value}"] if spec.value else []))
        return
    spatial = zip(shape[1:-1], spec.crops[:-1], strict=True)
    kept = [slice(low, n - high) for n, (low, high) in spatial]
    if any(map(any, spec.crops)):
        out.say(f"y = y[:, :, {', '.join(f'{each.start}:{each.stop}' for each in kept)}]")
    _pad_mode(spec.mode, spec.fills[:-1], tuple(each.stop - each.start for each in kept), out)


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


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.clamp({spec.low}, {spec.high})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = F.prelu(y, {slope})")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    _, padding = _pool_padding(spec, shape)
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: NumPy counts the pixels")
        places_of_largest(spec, shape, out, y="y.numpy()", first=2)
        out.say("y = torch.from_numpy(places).to(y.dtype)")
        return
    out.call(
        f"_, places = F.max_pool{spec.rank}d",
        "y",
        f"{spec.kernel_size}",
        stride=(spec.stride, spec.kernel_size),
        padding=(padding, (0,) * spec.rank),
        dilation=(spec.dilation, (1,) * spec.rank),
        ceil_mode=(spec.ceil_mode, False),
        return_indices=(True, False),
    )
    out.say("y = places.to(y.dtype)")
