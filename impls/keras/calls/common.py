"""What the calls of several families have in common: ``write_layer``, which each adds to."""

from functools import singledispatch
from typing import Any

from convparity.impls.errors import UnsupportedError
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Pairs, Shape, Spec
from convparity.impls.weights import Arrays


def set_weights(out: Writer, *arrays: str, layer: str = "layer", y: str = "y") -> None:
    """Give the layer its weights, and call it."""
    out.say(f"{layer}.build({y}.shape)", f"{layer}.set_weights([{', '.join(arrays)}])")
    out.say(f"{y} = {layer}({y})")


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


def pad(pairs: Pairs, out: Writer, why: str, option: str = "") -> None:
    """Pad by NumPy."""
    out.say(f"# {why}: pad first")
    out.say("y = keras.ops.convert_to_numpy(y)")
    out.say(f"y = np.pad(y, {[(0, 0), *pairs, (0, 0)]}{option})")


def biases(spec: Any, weights: Arrays, out: Writer) -> list[str]:
    """The bias, if there is one, as the last of some weights."""
    return [out.array("bias", weights["bias"], "out")] if spec.bias else []
