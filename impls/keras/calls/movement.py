"""The plain calls of what moves values."""

from convparity.impls.keras.calls.common import pad, write_layer
from convparity.impls.script_writer import Writer, slice_of
from convparity.impls.spec import NUMPY_MODES, Pad, Rearrange, Shape, Slice
from convparity.impls.weights import Arrays


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
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if any(map(any, spec.crops)):
        sizes = zip(shape[1:], spec.crops, strict=True)
        out.say(f"y = y[:, {', '.join(f'{low}:{n - high}' for n, (low, high) in sizes)}]")
    fill = f", constant_values={spec.value}" if spec.value else ""
    if spec.mode == "zeros":
        out.say(f"y = keras.ops.pad(y, {[(0, 0), *spec.fills]}{fill})")
    else:
        why = "keras.ops.pad has not every mode on every backend"
        pad(spec.fills[:-1], out, why, f', mode="{NUMPY_MODES[spec.mode]}"')
