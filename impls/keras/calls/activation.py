"""The plain calls of activations."""

from convparity.impls.keras.calls.common import write_layer
from convparity.impls.script_writer import Writer, function_call
from convparity.impls.spec import Activation, Clamp, PReLU, Shape
from convparity.impls.weights import Arrays

FUNCTIONS = {
    "relu": "keras.activations.relu(y)",
    "relu6": "keras.activations.relu6(y)",
    "silu": "keras.activations.silu(y)",
    "sigmoid": "keras.activations.sigmoid(y)",
    "hard_sigmoid": "keras.activations.hard_sigmoid(y)",
    "softplus": "keras.activations.softplus({alpha} * y) / {alpha}",
    "softmax": "keras.activations.softmax(y, axis={axis})",
    "log_softmax": "keras.activations.log_softmax(y, axis={axis})",
    "mish": "keras.activations.mish(y)",
    "selu": "keras.activations.selu(y)",
    "celu": "keras.activations.celu(y, {alpha})",
    "log_sigmoid": "keras.activations.log_sigmoid(y)",
    "softsign": "keras.activations.softsign(y)",
    "tanhshrink": "keras.activations.tanh_shrink(y)",
    "soft_shrink": "y - keras.ops.clip(y, -{alpha}, {alpha})",
    "hard_shrink": "keras.ops.where(keras.ops.abs(y) <= {alpha}, 0.0, y)",
    "quick_gelu": "y * keras.ops.sigmoid(1.702 * y)",
    "relu_squared": "keras.ops.square(keras.ops.relu(y))",
    "abs": "keras.ops.abs(y)",
    "tanh": "keras.activations.tanh(y)",
    "leaky_relu": "keras.activations.leaky_relu(y, negative_slope={alpha})",
    "elu": "keras.activations.elu(y, alpha={alpha})",
    "gelu": "keras.activations.gelu(y, approximate=False)",
    "gelu_tanh": "keras.activations.gelu(y, approximate=True)",
    "hard_swish": "keras.activations.hard_silu(y)",
}


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {function_call(FUNCTIONS, spec, spec.axis)}")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    for name, limit in (("maximum", spec.low), ("minimum", spec.high)):
        if limit is not None:
            out.say(f"y = keras.ops.{name}(y, {limit})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = keras.ops.where(y >= 0, y, {slope} * y)")
