"""The plain calls of values that a network holds by itself."""

from convparity.impls.keras.calls.common import write_layer
from convparity.impls.script_writer import Writer, own_value
from convparity.impls.spec import Shape, Source
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Source, weights: Arrays, shape: Shape, out: Writer) -> None:
    value = out.array("value", own_value(spec, weights), "..., C")
    out.say(f"y = keras.ops.broadcast_to({value}, (len(y), *{value}.shape))")
