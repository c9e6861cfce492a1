"""The plain calls of arithmetic of numbers one by one."""

from convparity.impls.keras.calls.common import write_layer
from convparity.impls.script_writer import Writer, numbers_of, power_of
from convparity.impls.spec import Power, Rescale, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Rescale, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale, offset = numbers_of(spec, out)
    out.say(f"y = y * {scale} + {offset}")


@write_layer.register
def _(spec: Power, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {power_of(spec.exponent)}")
