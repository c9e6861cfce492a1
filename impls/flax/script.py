"""The plain ``flax.nnx`` or ``jax`` call of each layer, channels last."""

import math
from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import as_grouped
from convparity.impls.script_writer import (
    Writer,
    affine_of,
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
    InputNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Pad,
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
    adaptive_windows,
    asked_pairs,
    effective_kernel,
    padding_pairs,
    parameter_axes,
    transposed_crop,
)
from convparity.impls.weights import Arrays

PACKAGE = "flax"
IMPORTS = """import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

print("numpy", np.__version__, "jax", jax.__version__, "flax", flax.__version__)
jax.config.update("jax_default_matmul_precision", "highest")  # float32 on a GPU too, no TF32
"""
TENSOR = "jnp.asarray({})"
NUMPY = "np.asarray({})"

_FUNCTIONS = {
    "relu": "nnx.relu(y)",
    "relu6": "nnx.relu6(y)",
    "silu": "nnx.silu(y)",
    "sigmoid": "nnx.sigmoid(y)",
    "hard_sigmoid": "nnx.hard_sigmoid(y)",
    "hard_swish": "nnx.hard_swish(y)",
    "softplus": "nnx.softplus({alpha} * y) / {alpha}",
    "softmax": "nnx.softmax(y, axis={axis})",
    "log_softmax": "nnx.log_softmax(y, axis={axis})",
    "mish": "jax.nn.mish(y)",
    "selu": "nnx.selu(y)",
    "celu": "nnx.celu(y, {alpha})",
    "log_sigmoid": "nnx.log_sigmoid(y)",
    "softsign": "nnx.soft_sign(y)",
    "tanhshrink": "y - jnp.tanh(y)",
    "soft_shrink": "y - jnp.clip(y, -{alpha}, {alpha})",
    "hard_shrink": "jnp.where(abs(y) <= {alpha}, 0.0, y)",
    "quick_gelu": "y * nnx.sigmoid(1.702 * y)",
    "relu_squared": "jnp.square(nnx.relu(y))",
    "abs": "abs(y)",
    "tanh": "nnx.tanh(y)",
    "leaky_relu": "nnx.leaky_relu(y, {alpha})",
    "elu": "nnx.elu(y, {alpha})",
    "gelu": "nnx.gelu(y, approximate=False)",
    "gelu_tanh": "nnx.gelu(y, approximate=True)",
}


class _Name:
    """Source text as a value."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


RNGS = (_Name("nnx.Rngs(0)"), None)


def native(array: np.ndarray) -> np.ndarray:
    """The array as it is: channels last."""
    return array


def axes(ndim: int) -> str:
    """The axes of an input, for a comment."""
    return ", ".join(("N", *"DHW"[5 - ndim :], "C"))


def start(out: Writer) -> list[str]:
    """No lines: the layers take the weights as arrays."""
    return []


def concat(values: list[str], axis: int, ndim: int) -> str:
    """Values one after another along a canonical axis."""
    return f"jnp.concatenate([{', '.join(values)}], axis={axis})"


def _set(out: Writer, **variables: str) -> None:
    for name, array in variables.items():
        out.say(f"layer.{name}.set_value(jnp.asarray({array}))")
    out.say("y = layer(y)")


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


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
    _set(out, **variables)


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
    _set(out, **variables)


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


def _pool(
    spec: MaxPool | AvgPool, shape: Shape, name: str, out: Writer, **options: tuple[Any, Any]
) -> None:
    padding: Any = spec.padding.upper() if isinstance(spec.padding, str) else spec.padding
    if spec.ceil_mode:
        padding = padding_pairs(spec, shape[1:-1])
    out.call(
        f"y = nnx.{name}",
        "y",
        str(spec.kernel_size),
        strides=(spec.stride, (1,) * spec.rank),
        padding=(padding, "VALID"),
        **options,
    )


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    if max(spec.dilation) == 1:
        _pool(spec, shape, "max_pool", out)
        return
    out.say("# nnx.max_pool has no dilation")
    out.call(
        "y = jax.lax.reduce_window",
        "y",
        "-jnp.inf",
        "jax.lax.max",
        str((1, *spec.kernel_size, 1)),
        str((1, *spec.stride, 1)),
        str([(0, 0), *padding_pairs(spec, shape[1:-1]), (0, 0)]),
        window_dilation=((1, *spec.dilation, 1), None),
    )


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    size, by = math.prod(spec.kernel_size), spec.divisor_override
    if by is not None:
        _pool(spec, shape, "avg_pool", out)
        out.say(f"y = y * {size} / {by}")
    elif spec.ceil_mode and spec.count_include_pad:
        own, whole = (f(spec, shape[1:-1]) for f in (asked_pairs, padding_pairs))
        rest = [(0, a - b) for (_, a), (_, b) in zip(whole, own, strict=True)]
        out.say("# what ceil_mode adds does not count, where the padding does")
        out.say(f"inside = jnp.ones({(1, *shape[1:-1], 1)})")
        for pairs, fill in ((own, ", constant_values=1"), (rest, "")):
            out.say(f"inside = jnp.pad(inside, {[(0, 0), *pairs, (0, 0)]}{fill})")
        window = f"{spec.kernel_size}, {spec.stride}"
        out.say(f"counts = {size} * nnx.avg_pool(inside, {window})")
        _pool(spec, shape, "avg_pool", out)
        out.say(f"y = y * ({size} / counts.round())")
    else:
        _pool(spec, shape, "avg_pool", out, count_include_pad=(spec.count_include_pad, True))


@write_layer.register
def _(spec: BatchNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    names = {"mean": "mean", "variance": "var"}
    variables = {native: out.array(name, weights[name], "C") for name, native in names.items()}
    out.call(
        "layer = nnx.BatchNorm",
        str(spec.num_features),
        "use_running_average=True",
        epsilon=(spec.eps, 1e-5),
        use_scale=(spec.scale, True),
        use_bias=(spec.offset, True),
        rngs=RNGS,
    )
    _set(out, **_affine(weights, out), **variables)


def _affine(weights: Arrays, out: Writer, axes: str = "C") -> dict[str, str]:
    """The parameters of a norm by their names in nnx."""
    names = {"scale": "scale", "offset": "bias"}
    return {names[name]: array for name, array in affine_of(weights, out, axes).items()}


def _norm(spec: InputNorm, weights: Arrays, name: str, out: Writer, *more: str) -> None:
    axes, sizes = parameter_axes(spec)
    if axes != (-1,):
        more = (f"reduction_axes={axes}", f"feature_axes={axes}")
        weights = {name: array.ravel() for name, array in weights.items()}
    out.call(
        f"layer = nnx.{name}",
        str(math.prod(sizes)),
        *more,
        f"epsilon={spec.eps}",
        "use_fast_variance=False",
        use_scale=(spec.scale, True),
        use_bias=(getattr(spec, "offset", True), True),
        rngs=RNGS,
    )
    _set(out, **_affine(weights, out, "C" if axes == (-1,) else "flat"))


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "LayerNorm", out)


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNorm", out, f"num_groups={spec.num_groups}")


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "InstanceNorm", out)


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "RMSNorm", out)


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y * {out.array('scale', weights['scale'], 'C')}")


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {function_call(_FUNCTIONS, spec, spec.axis)}")


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.mean(y, axis={tuple(range(1, len(shape) - 1))})")


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = y.reshape(y.shape[0], -1)")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = nnx.Dropout({spec.p}, deterministic=True)(y)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    variables = {"kernel": out.array("kernel", weights["kernel"], "in, out")}
    if spec.bias:
        variables["bias"] = out.array("bias", weights["bias"], "out")
    sizes = (str(spec.in_features), str(spec.out_features))
    out.call("layer = nnx.Linear", *sizes, use_bias=(spec.bias, True), rngs=RNGS)
    _set(out, **variables)


def _adaptive(
    spec: AdaptiveAvgPool | AdaptiveMaxPool, shape: Shape, out: Writer, together: str
) -> None:
    """Each window by itself, along one axis after another: flax and jax have no such pool."""
    out.say("# each window by itself, along one axis after another")
    for axis, places in enumerate(spec.output_size, 1):
        windows = list(adaptive_windows(shape[axis], places))
        whole = ":, " * axis
        part = f"{together}(y[{whole}start:stop], axis={axis}, keepdims=True)"
        out.say(f"parts = [{part} for start, stop in {windows}]")
        out.say(f"y = jnp.concatenate(parts, axis={axis})")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "jnp.mean")


@write_layer.register
def _(spec: Slice, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y[{':, ' * (spec.axis % len(shape))}{slice_of(spec)}]")


@write_layer.register
def _(spec: Rearrange, weights: Arrays, shape: Shape, out: Writer) -> None:
    split, order, merged = spec.moves(shape)
    out.say(f"# {spec.pattern}")
    out.say(f"y = y.reshape({split}).transpose({order}).reshape({merged})")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "jnp.max")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.max(y, axis={tuple(range(1, len(shape) - 1))})")


@write_layer.register
def _(spec: Resize, weights: Arrays, shape: Shape, out: Writer) -> None:
    for axis, (made, lines) in enumerate(resizes(spec, shape), 1):
        out.say(*lines)
        if made == "at":
            out.say(f"y = jnp.take(y, at, axis={axis})")
        else:
            out.say(f"y = jnp.moveaxis(jnp.tensordot(shares, y, (1, {axis})), 0, {axis})")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if any(map(any, spec.crops)):
        sizes = zip(shape[1:], spec.crops, strict=True)
        out.say(f"y = y[:, {', '.join(f'{low}:{n - high}' for n, (low, high) in sizes)}]")
    fill = f", constant_values={spec.value}" if spec.value else ""
    options = fill if spec.mode == "zeros" else f', mode="{NUMPY_MODES[spec.mode]}"'
    out.say(f"y = jnp.pad(y, {[(0, 0), *spec.fills]}{options})")


@write_layer.register
def _(spec: Rescale, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale, offset = (
        out.array(name, np.array(each), "C") if isinstance(each, tuple) else str(each)
        for name, each in (("scale", spec.scale), ("offset", spec.offset))
    )
    out.say(f"y = y * {scale} + {offset}")


@write_layer.register
def _(spec: Power, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {power_of(spec.exponent)}")


@write_layer.register
def _(spec: Reduce, weights: Arrays, shape: Shape, out: Writer) -> None:
    how = f"axis={spec.places(shape)}" + (", keepdims=True" if spec.keepdims else "")
    count = spec.count(shape) - spec.correction
    text = {
        "norm": f"@sqrt(@sum(y * y, {how}))",
        "norm1": f"@sum(@abs(y), {how})",
        "var": f"@sum(off * off, {how}) / {count}",
        "std": f"@sqrt(@sum(off * off, {how}) / {count})",
    }.get(spec.function, f"@{spec.function}(y, {how})")
    if spec.function in ("var", "std"):
        out.say(f"off = y - jnp.mean(y, axis={spec.places(shape)}, keepdims=True)")
    out.say(f"y = {text}".replace("@", "jnp."))


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.clip(y, {spec.low}, {spec.high})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = jnp.where(y >= 0, y, {slope} * y)")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# flax and jax have no such pool: NumPy counts the pixels")
    places_of_largest(spec, shape, out, y="np.asarray(y)", first=1)
    out.say("y = jnp.asarray(places, y.dtype)")
