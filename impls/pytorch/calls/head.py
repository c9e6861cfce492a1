"""The plain calls of what stands between the last pixels and the scores."""

from convparity.impls.pytorch.calls.common import dim_of, write_layer
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Dense, Dropout, Flatten, Identity, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = y.movedim(1, -1).flatten(1)  # in channels-last order")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.dropout(y, {spec.p}, training=False)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"].T, "out, in")
    bias = [out.array("bias", weights["bias"], "out")] if spec.bias else []
    dim = dim_of(spec.axis, len(shape))
    last = dim == len(shape) - 1
    out.call("y = F.linear", "y" if last else f"y.movedim({dim}, -1)", kernel, *bias)
    if not last:
        out.say(f"y = y.movedim(-1, {dim})")


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")
