"""The plain calls of values that a network holds by itself."""

import numpy as np

from convparity.impls.pytorch.calls.common import write_layer
from convparity.impls.script_writer import Writer, own_value
from convparity.impls.spec import Shape, Source
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Source, weights: Arrays, shape: Shape, out: Writer) -> None:
    value = out.array("value", np.moveaxis(own_value(spec, weights), -1, 0), "C, ...")
    out.say(f"y = {value}.expand(len(y), *{value}.shape)")
