"""The plain ``keras.layers`` call of each layer, channels last."""

from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.errors import UnsupportedError
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
    InputNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Pad,
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
    adaptive_windows,
    asked_pairs,
    padding_pairs,
    parameter_axes,
    transposed_crop,
)
from convparity.impls.weights import Arrays

PACKAGE = "keras"
IMPORTS = """import keras
import numpy as np

backend = keras.config.backend()
version = __import__(backend).__version__
print("numpy", np.__version__, "keras", keras.__version__, "on", backend, version)
keras.config.set_image_data_format("channels_last")
"""
TENSOR = "keras.ops.convert_to_tensor({})"
NUMPY = "keras.ops.convert_to_numpy({})"

_FUNCTIONS = {
    "relu": "keras.activations.relu(y)",
    "relu6": "keras.activations.relu6(y)",
    "silu": "keras.activations.silu(y)",
    "sigmoid": "keras.activations.sigmoid(y)",
    "hard_sigmoid": "keras.activations.hard_sigmoid(y)",
    "softplus": "keras.activations.softplus({alpha} * y) / {alpha}",
    "softmax": "keras.activations.softmax(y, axis={axis})",
    "log_softmax": "keras.activations.log_softmax(y, axis={axis})",
    "mish": "keras.activations.mish(y)",
    "selu": "keras.activations.selu(y)",
    "celu": "keras.activations.celu(y, {alpha})",
    "log_sigmoid": "keras.activations.log_sigmoid(y)",
    "softsign": "keras.activations.softsign(y)",
    "tanhshrink": "keras.activations.tanh_shrink(y)",
    "soft_shrink": "y - keras.ops.clip(y, -{alpha}, {alpha})",
    "hard_shrink": "keras.ops.where(keras.ops.abs(y) <= {alpha}, 0.0, y)",
    "quick_gelu": "y * keras.ops.sigmoid(1.702 * y)",
    "relu_squared": "keras.ops.square(keras.ops.relu(y))",
    "abs": "keras.ops.abs(y)",
    "tanh": "keras.activations.tanh(y)",
    "leaky_relu": "keras.activations.leaky_relu(y, negative_slope={alpha})",
    "elu": "keras.activations.elu(y, alpha={alpha})",
    "gelu": "keras.activations.gelu(y, approximate=False)",
    "gelu_tanh": "keras.activations.gelu(y, approximate=True)",
    "hard_swish": "keras.activations.hard_silu(y)",
}


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
    return f"keras.ops.concatenate([{', '.join(values)}], axis={axis})"


def _set(out: Writer, *arrays: str, layer: str = "layer", y: str = "y") -> None:
    out.say(f"{layer}.build({y}.shape)", f"{layer}.set_weights([{', '.join(arrays)}])")
    out.say(f"{y} = {layer}({y})")


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


def _pad(pairs: Pairs, out: Writer, why: str, option: str = "") -> None:
    out.say(f"# {why}: pad first")
    out.say("y = keras.ops.convert_to_numpy(y)")
    out.say(f"y = np.pad(y, {[(0, 0), *pairs, (0, 0)]}{option})")


def _pad_conv(spec: Conv | DepthwiseConv, subsample: bool, shape: Shape, out: Writer) -> str:
    """Pad where Keras cannot; what is left for ``padding=``."""
    pairs = padding_pairs(spec, shape[1:-1])
    known = ("valid", "same", "causal") if isinstance(spec, Conv) else ("valid", "same")
    if not any(map(any, pairs)):
        return "valid"
    if spec.padding in known and spec.padding_mode == "zeros" and not subsample:
        return str(spec.padding)
    mode = "" if spec.padding_mode == "zeros" else f', mode="{NUMPY_MODES[spec.padding_mode]}"'
    if mode:
        why = "Keras pads with zeros alone"
    elif subsample:
        why = '"same" belongs to the stride'
    else:
        why = f"keras.layers has no such padding for {type(spec).__name__}{spec.rank}D"
    _pad(pairs, out, why, mode)
    return "valid"


def _biases(spec: Any, weights: Arrays, out: Writer) -> list[str]:
    return [out.array("bias", weights["bias"], "out")] if spec.bias else []


@write_layer.register
def _(spec: Conv, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"], "*k, in/groups, out")
    _conv(spec, kernel, spec.out_channels, spec.groups, weights, shape, out)


def _conv(
    spec: Conv | DepthwiseConv,
    kernel: str,
    filters: int,
    groups: int,
    weights: Arrays,
    shape: Shape,
    out: Writer,
) -> None:
    subsample = max(spec.stride) > 1 and max(spec.dilation) > 1
    padding = _pad_conv(spec, subsample, shape, out)
    ones = (1,) * spec.rank
    out.call(
        f"layer = keras.layers.Conv{spec.rank}D",
        str(filters),
        str(spec.kernel_size),
        strides=(ones if subsample else spec.stride, ones),
        padding=(padding, "valid"),
        dilation_rate=(spec.dilation, ones),
        groups=(groups, 1),
        use_bias=(spec.bias, True),
    )
    _set(out, kernel, *_biases(spec, weights, out))
    if subsample:
        out.say("# keras.layers refuses a stride with a dilation: take every s-th pixel")
        out.say(f"y = y[:, {', '.join(f'::{s}' for s in spec.stride)}]")


@write_layer.register
def _(spec: DepthwiseConv, weights: Arrays, shape: Shape, out: Writer) -> None:
    if spec.rank == 3:
        grouped = weights["kernel"].reshape(*spec.kernel_size, 1, spec.out_channels)
        kernel = out.array("kernel", grouped, "*k, 1, out")
        out.say("# keras.layers has no DepthwiseConv3D: one group a channel")
        _conv(spec, kernel, spec.out_channels, spec.in_channels, weights, shape, out)
        return
    kernel = out.array("kernel", weights["kernel"], "*k, in, multiplier")
    # TensorFlow's depthwise kernel errs, or refuses, at these
    subsample = max(spec.stride) > 1 and (max(spec.dilation) > 1 or len(set(spec.stride)) > 1)
    padding = _pad_conv(spec, subsample, shape, out)
    ones = (1,) * spec.rank
    out.call(
        f"layer = keras.layers.DepthwiseConv{spec.rank}D",
        str(spec.kernel_size),
        strides=(ones if subsample else spec.stride, ones),
        padding=(padding, "valid"),
        depth_multiplier=(spec.depth_multiplier, 1),
        dilation_rate=(spec.dilation, ones),
        use_bias=(spec.bias, True),
    )
    _set(out, kernel, *_biases(spec, weights, out))
    if subsample:
        out.say("# TensorFlow restricts these strides: take every s-th pixel")
        out.say(f"y = y[:, {', '.join(f'::{s}' for s in spec.stride)}]")


@write_layer.register
def _(spec: ConvTranspose, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"], "*k, out/groups, in")
    bias = _biases(spec, weights, out)
    pairs, extra = transposed_crop(spec)
    dilation, size = spec.dilation, spec.kernel_size
    if max(spec.stride) > 1 and max(dilation) > 1:
        out.say("# keras.layers refuses a stride with a dilation: a kernel with holes instead")
        size = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
        out.say(
            f"holes = np.zeros(({', '.join(map(str, size))}, *{kernel}.shape[-2:]), np.float32)"
        )
        out.say(f"holes[{', '.join(f'::{d}' for d in dilation)}] = {kernel}")
        kernel, dilation = "holes", (1,) * spec.rank
    ones = (1,) * spec.rank
    cropped = any(map(any, pairs)) and spec.padding != "same"
    options = {
        "strides": (spec.stride, ones),
        "padding": ("same" if spec.padding == "same" else "valid", "valid"),
        "output_padding": (None if spec.padding == "same" else extra, None),
        "dilation_rate": (dilation, ones),
        "use_bias": (spec.bias, True),
    }
    name = f"keras.layers.Conv{spec.rank}DTranspose"
    each_in, each_out = spec.in_channels // spec.groups, spec.out_channels // spec.groups
    if spec.groups == 1:
        out.call(f"layer = {name}", str(spec.out_channels), str(size), **options)
        _set(out, kernel, *bias)
    else:
        out.say(f"# {name} has no groups: one layer a group")
        out.say("parts = []", f"for group in range({spec.groups}):")
        inner = Writer(composite=False)
        inner.call(f"layer = {name}", str(each_out), str(size), **options)
        inner.say(f"ins = slice(group * {each_in}, (group + 1) * {each_in})")
        inner.say(f"outs = slice(group * {each_out}, (group + 1) * {each_out})")
        inner.say("part = y[..., ins]")
        _set(inner, f"{kernel}[..., ins]", *(f"{each}[outs]" for each in bias), y="part")
        inner.say("parts.append(part)")
        out.say(*(f"    {line}" for text in inner.lines for line in text.splitlines()))
        out.say("y = keras.ops.concatenate(parts, axis=-1)")
    if cropped:
        out.say("# keras.layers has no such padding: crop the whole output instead")
        out.say(f"y = y[:, {crop(spec, shape)}]")


def _pool(spec: MaxPool | AvgPool, name: str, padding: Any, out: Writer, y: str = "y") -> None:
    out.call(
        f"pool = keras.layers.{name}Pooling{spec.rank}D",
        str(spec.kernel_size),
        strides=(spec.stride, spec.kernel_size),
        padding=(padding, "valid"),
    )
    out.say(f"{y} = pool({y})")


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    padding = spec.padding
    pairs = padding_pairs(spec, shape[1:-1])
    if not isinstance(padding, str) or spec.ceil_mode or max(spec.dilation) > 1:
        _pad(pairs, out, "keras.layers has no such padding", ", constant_values=-np.inf")
        padding = "valid"
    if max(spec.dilation) > 1:
        out.say("# keras.layers has no dilated pool: the largest of slices")
        for axis, (k, d, s) in enumerate(
            zip(spec.kernel_size, spec.dilation, spec.stride, strict=True), 1
        ):
            whole, reach = ":, " * axis, f"(y.shape[{axis}] - {(k - 1) * d + 1}) // {s} * {s} + 1"
            out.say(f"reach = {reach}")
            out.say(f"parts = [y[{whole}t : t + reach : {s}] for t in {[t * d for t in range(k)]}]")
            out.say("y = np.max(parts, axis=0)")
        return
    _pool(spec, "Max", padding, out)


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, own = (f(spec, shape[1:-1]) for f in (padding_pairs, asked_pairs))
    size, by = int(np.prod(spec.kernel_size)), spec.divisor_override
    even = pairs == own and (spec.count_include_pad or not any(map(any, pairs)))
    if even or by is not None:
        if any(map(any, pairs)):
            _pad(pairs, out, "keras.layers does not count the padding, and has no pairs")
        _pool(spec, "Average", "valid", out)
        if by is not None:
            out.say(f"y = y * {size} / {by}")
    elif spec.padding == "same" and not spec.count_include_pad:
        _pool(spec, "Average", "same", out)
    else:
        _pad(pairs, out, "keras.layers has no such padding")
        widths = [(0, 0), *pairs, (0, 0)]
        inside = f"np.ones({(1, *shape[1:-1], 1)}, np.float32)"
        if spec.count_include_pad:
            ones = [(0, 0), *own, (0, 0)]
            inside = f"np.pad({inside}, {ones}, constant_values=1)"
            rest = [(0, a - b) for (_, a), (_, b) in zip(pairs, own, strict=True)]
            widths = [(0, 0), *rest, (0, 0)]
        out.say(f"inside = np.pad({inside}, {widths})")
        _pool(spec, "Average", "valid", out)
        out.say(f"counts = np.rint({size} * keras.ops.convert_to_numpy(pool(inside)))")
        out.say(f"y = y * ({size} / counts)  # a mean over the pixels, without the padding")


@write_layer.register
def _(spec: BatchNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    statistics = [out.array(name, weights[name], "C") for name in spec.statistics]
    _norm(spec, weights, "BatchNormalization", out, *statistics)


def _norm(
    spec: BatchNorm | InputNorm,
    weights: Arrays,
    name: str,
    out: Writer,
    *statistics: str,
    **options: Any,
) -> None:
    out.call(
        f"layer = keras.layers.{name}",
        *(f"{option}={value}" for option, value in options.items()),
        f"epsilon={spec.eps}",
        scale=(spec.scale, True),
        center=(getattr(spec, "offset", True), True),
    )
    _set(out, *affine_of(weights, out).values(), *statistics)


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    axes = [axis % len(shape) for axis in parameter_axes(spec)[0]]
    options = {} if axes == [len(shape) - 1] else {"axis": axes}
    _norm(spec, weights, "LayerNormalization", out, **options)


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNormalization", out, groups=spec.num_groups)


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNormalization", out, groups=spec.num_features)


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    axes = [axis % len(shape) for axis in parameter_axes(spec)[0]]
    if not spec.scale:
        weights = {"scale": np.ones([shape[axis] for axis in axes])}
        out.say("# keras.layers.RMSNormalization has a scale always: of ones")
    scale = affine_of(weights, out, "sizes of the axes")["scale"]
    out.call("layer = keras.layers.RMSNormalization", f"axis={axes}", f"epsilon={spec.eps}")
    _set(out, scale)


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y * {out.array('scale', weights['scale'], 'C')}")


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {function_call(_FUNCTIONS, spec, spec.axis)}")


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.GlobalAveragePooling{len(shape) - 2}D()(y)")


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = keras.layers.Flatten()(y)")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.Dropout({spec.p})(y, training=False)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"], "in, out")
    out.call("layer = keras.layers.Dense", str(spec.out_features), use_bias=(spec.bias, True))
    _set(out, kernel, *_biases(spec, weights, out))


def _adaptive(
    spec: AdaptiveAvgPool | AdaptiveMaxPool, shape: Shape, out: Writer, together: str
) -> None:
    """Each window by itself, along one axis after another: older releases have no such pool."""
    out.say("# each window by itself, along one axis after another")
    for axis, places in enumerate(spec.output_size, 1):
        windows = list(adaptive_windows(shape[axis], places))
        whole = ":, " * axis
        part = f"keras.ops.{together}(y[{whole}start:stop], axis={axis}, keepdims=True)"
        out.say(f"parts = [{part} for start, stop in {windows}]")
        out.say(f"y = keras.ops.concatenate(parts, axis={axis})")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "mean")


@write_layer.register
def _(spec: Slice, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y[{':, ' * (spec.axis % len(shape))}{slice_of(spec)}]")


@write_layer.register
def _(spec: Rearrange, weights: Arrays, shape: Shape, out: Writer) -> None:
    split, order, merged = spec.moves(shape)
    out.say(f"# {spec.pattern}")
    out.say(f"y = keras.ops.transpose(keras.ops.reshape(y, {split}), {order})")
    out.say(f"y = keras.ops.reshape(y, {merged})")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "max")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.GlobalMaxPooling{len(shape) - 2}D()(y)")


@write_layer.register
def _(spec: Resize, weights: Arrays, shape: Shape, out: Writer) -> None:
    for axis, (made, lines) in enumerate(resizes(spec, shape), 1):
        out.say(*lines)
        if made == "at":
            out.say(f"y = keras.ops.take(y, at, axis={axis})")
        else:
            out.say(f"y = keras.ops.tensordot(shares, y, ([1], [{axis}]))")
            out.say(f"y = keras.ops.moveaxis(y, 0, {axis})")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if any(map(any, spec.crops)):
        sizes = zip(shape[1:], spec.crops, strict=True)
        out.say(f"y = y[:, {', '.join(f'{low}:{n - high}' for n, (low, high) in sizes)}]")
    fill = f", constant_values={spec.value}" if spec.value else ""
    if spec.mode == "zeros":
        out.say(f"y = keras.ops.pad(y, {[(0, 0), *spec.fills]}{fill})")
    else:
        why = "keras.ops.pad has not every mode on every backend"
        _pad(spec.fills[:-1], out, why, f', mode="{NUMPY_MODES[spec.mode]}"')


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
        out.say(f"off = y - keras.ops.mean(y, axis={spec.places(shape)}, keepdims=True)")
    out.say(f"y = {text}".replace("@", "keras.ops."))


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    for name, limit in (("maximum", spec.low), ("minimum", spec.high)):
        if limit is not None:
            out.say(f"y = keras.ops.{name}(y, {limit})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = keras.ops.where(y >= 0, y, {slope} * y)")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# keras has no such pool: NumPy counts the pixels")
    places_of_largest(spec, shape, out, y="keras.ops.convert_to_numpy(y)", first=1)
    out.say("y = keras.ops.convert_to_tensor(places, dtype=y.dtype)")
