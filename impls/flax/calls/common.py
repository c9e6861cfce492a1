"""What the calls of several families have in common: ``write_layer``, which each adds to."""

from functools import singledispatch

from convparity.impls.errors import UnsupportedError
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Shape, Spec
from convparity.impls.weights import Arrays


class Name:
    """Source text as a value."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


RNGS = (Name("nnx.Rngs(0)"), None)


def set_weights(out: Writer, **variables: str) -> None:
    """Give the layer its weights, and call it."""
    for name, array in variables.items():
        out.say(f"layer.{name}.set_value(jnp.asarray({array}))")
    out.say("y = layer(y)")


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")
