"""The plain calls of arithmetic of numbers one by one."""

import numpy as np

from convparity.impls.pytorch.calls.common import write_layer
from convparity.impls.script_writer import Writer, power_of
from convparity.impls.spec import Power, Rescale, Shape
from convparity.impls.weights import Arrays


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
