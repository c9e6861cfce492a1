"""The plain calls of convolutions."""

from convparity.impls.keras.calls.common import biases, pad, set_weights, write_layer
from convparity.impls.script_writer import Writer, crop
from convparity.impls.spec import (
    NUMPY_MODES,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Shape,
    padding_pairs,
    transposed_crop,
)
from convparity.impls.weights import Arrays


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
    pad(pairs, out, why, mode)
    return "valid"


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
    set_weights(out, kernel, *biases(spec, weights, out))
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
    set_weights(out, kernel, *biases(spec, weights, out))
    if subsample:
        out.say("# TensorFlow restricts these strides: take every s-th pixel")
        out.say(f"y = y[:, {', '.join(f'::{s}' for s in spec.stride)}]")


@write_layer.register
def _(spec: ConvTranspose, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"], "*k, out/groups, in")
    bias = biases(spec, weights, out)
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
        set_weights(out, kernel, *bias)
    else:
        out.say(f"# {name} has no groups: one layer a group")
        out.say("parts = []", f"for group in range({spec.groups}):")
        inner = Writer(composite=False)
        inner.call(f"layer = {name}", str(each_out), str(size), **options)
        inner.say(f"ins = slice(group * {each_in}, (group + 1) * {each_in})")
        inner.say(f"outs = slice(group * {each_out}, (group + 1) * {each_out})")
        inner.say("part = y[..., ins]")
        set_weights(inner, f"{kernel}[..., ins]", *(f"{each}[outs]" for each in bias), y="part")
        inner.say("parts.append(part)")
        out.say(*(f"    {line}" for text in inner.lines for line in text.splitlines()))
        out.say("y = keras.ops.concatenate(parts, axis=-1)")
    if cropped:
        out.say("# keras.layers has no such padding: crop the whole output instead")
        out.say(f"y = y[:, {crop(spec, shape)}]")
