"""The plain calls of what moves values."""

from convparity.impls.flax.calls.common import write_layer
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
    out.say(f"y = y.reshape({split}).transpose({order}).reshape({merged})")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if any(map(any, spec.crops)):
        sizes = zip(shape[1:], spec.crops, strict=True)
        out.say(f"y = y[:, {', '.join(f'{low}:{n - high}' for n, (low, high) in sizes)}]")
    fill = f", constant_values={spec.value}" if spec.value else ""
    options = fill if spec.mode == "zeros" else f', mode="{NUMPY_MODES[spec.mode]}"'
    out.say(f"y = jnp.pad(y, {[(0, 0), *spec.fills]}{options})")
