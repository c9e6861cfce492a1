"""The plain calls of images of another size."""

from convparity.impls.flax.calls.common import write_layer
from convparity.impls.script_resize import resizes
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Resize, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Resize, weights: Arrays, shape: Shape, out: Writer) -> None:
    for axis, (made, lines) in enumerate(resizes(spec, shape), 1):
        out.say(*lines)
        if made == "at":
            out.say(f"y = jnp.take(y, at, axis={axis})")
        else:
            out.say(f"y = jnp.moveaxis(jnp.tensordot(shares, y, (1, {axis})), 0, {axis})")
