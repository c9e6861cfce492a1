"""The plain calls of reductions over axes."""

from convparity.impls.keras.calls.common import write_layer
from convparity.impls.script_writer import Writer, reduces
from convparity.impls.spec import Reduce, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Reduce, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(*reduces(spec, shape, "keras.ops"))
