"""The plain calls of what moves values."""

from convparity.impls.axis_patterns import Axes, moves
from convparity.impls.pytorch.calls.common import dim_of, pad, pad_mode, write_layer
from convparity.impls.script_writer import Writer, slice_of
from convparity.impls.spec import Pad, Rearrange, Shape, Slice
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Slice, weights: Arrays, shape: Shape, out: Writer) -> None:
    at = dim_of(spec.axis, len(shape))
    out.say(f"y = y[{':, ' * at}{slice_of(spec)}]")


@write_layer.register
def _(spec: Rearrange, weights: Arrays, shape: Shape, out: Writer) -> None:
    def first(axes: Axes) -> Axes:
        return axes if len(axes) < 3 else (axes[0], axes[-1], *axes[1:-1])

    before, after = spec.axes(len(shape))
    sizes = (shape[0], shape[-1], *shape[1:-1]) if len(shape) > 2 else shape
    split, order, merged = moves(first(before), first(after), sizes, spec.sizes)
    out.say(f"# channels last: {spec.pattern}")
    out.say(f"y = y.reshape({split}).permute({order}).reshape({merged})")


@write_layer.register
def _(spec: Pad, weights: Arrays, shape: Shape, out: Writer) -> None:
    if spec.mode == "zeros":
        pairs = (spec.channels, *spec.pads) if any(spec.channels) else spec.pads
        pad(pairs, out, *([f"value={spec.value}"] if spec.value else []))
        return
    spatial = zip(shape[1:-1], spec.crops[:-1], strict=True)
    kept = [slice(low, n - high) for n, (low, high) in spatial]
    if any(map(any, spec.crops)):
        out.say(f"y = y[:, :, {', '.join(f'{each.start}:{each.stop}' for each in kept)}]")
    pad_mode(spec.mode, spec.fills[:-1], tuple(each.stop - each.start for each in kept), out)
