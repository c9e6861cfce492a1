"""The plain calls of images of another size."""

from convparity.impls.pytorch.calls.common import write_layer
from convparity.impls.script_resize import resizes
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Resize, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Resize, weights: Arrays, shape: Shape, out: Writer) -> None:
    for axis, (made, lines) in enumerate(resizes(spec, shape), 2):
        out.say(*lines)
        if made == "at":
            out.say(f"y = y.index_select({axis}, torch.from_numpy(at))")
        else:
            out.say(f"y = torch.tensordot(torch.from_numpy(shares), y, ([1], [{axis}]))")
            out.say(f"y = y.movedim(0, {axis})")
