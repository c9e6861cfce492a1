"""The plain calls of reductions over axes."""

from convparity.impls.pytorch.calls.common import write_layer
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Reduce, Shape, output_shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Reduce, weights: Arrays, shape: Shape, out: Writer) -> None:
    keep = f", keepdim={spec.keepdims}" if spec.keepdims else ""
    spatial = {at: at + 1 for at in range(1, len(shape) - 1)}
    dims = tuple(spatial.get(at, 1) for at in spec.places(shape))
    more = f", correction={spec.correction}" if spec.function in ("var", "std") else ""
    if spec.function.startswith("norm"):
        order = 2 if spec.function == "norm" else 1
        out.say(f"y = torch.linalg.vector_norm(y, {order}, dim={dims}{keep})")
    else:
        name = {"max": "amax", "min": "amin"}.get(spec.function, spec.function)
        out.say(f"y = y.{name}(dim={dims}{keep}{more})")
    if 1 in dims and len(shape) > 2 and not spec.keepdims and len(output_shape(spec, shape)) > 2:
        out.say("y = y.movedim(-1, 1)  # the last axis that is left lies where channels do")
