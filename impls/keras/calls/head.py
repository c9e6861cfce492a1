"""The plain calls of what stands between the last pixels and the scores."""

from convparity.impls.keras.calls.common import biases, set_weights, write_layer
from convparity.impls.script_writer import Writer
from convparity.impls.spec import Dense, Dropout, Flatten, Identity, Shape
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: Flatten, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("y = keras.layers.Flatten()(y)")


@write_layer.register
def _(spec: Dropout, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.Dropout({spec.p})(y, training=False)")


@write_layer.register
def _(spec: Dense, weights: Arrays, shape: Shape, out: Writer) -> None:
    kernel = out.array("kernel", weights["kernel"], "in, out")
    bias = biases(spec, weights, out)
    out.call("layer = keras.layers.Dense", str(spec.out_features), use_bias=(spec.bias, True))
    last = spec.axis % len(shape) == len(shape) - 1
    if not last:
        out.say(f"y = keras.ops.moveaxis(y, {spec.axis}, -1)")
    set_weights(out, kernel, *bias)
    if not last:
        out.say(f"y = keras.ops.moveaxis(y, -1, {spec.axis})")


@write_layer.register
def _(spec: Identity, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# the identity")
