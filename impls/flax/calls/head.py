"""The plain calls of what stands between the last pixels and the scores."""

from convparity.impls.flax.calls.common import RNGS, set_weights, write_layer
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Dense, Dropout, Flatten, Identity, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = y.reshape(y.shape[0], -1)")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = nnx.Dropout({spec.p}, deterministic=True)(y)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    variables = {"kernel": out.array("kernel", weights["kernel"], "in, out")}
    if spec.bias:
        variables["bias"] = out.array("bias", weights["bias"], "out")
    sizes = (str(spec.in_features), str(spec.out_features))
    out.call("layer = nnx.Linear", *sizes, use_bias=(spec.bias, True), rngs=RNGS)
    last = spec.axis % len(shape) == len(shape) - 1
    if not last:
        out.say(f"y = jnp.moveaxis(y, {spec.axis}, -1)")
    set_weights(out, **variables)
    if not last:
        out.say(f"y = jnp.moveaxis(y, -1, {spec.axis})")


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")
