"""The plain calls of activations."""

from convparity.impls.flax.calls.common import write_layer
from convparity.impls.script_writer import Writer, function_call
from convparity.impls.spec import Activation, Clamp, PReLU, Shape
from convparity.impls.weights import Arrays

FUNCTIONS = {
    "relu": "nnx.relu(y)",
    "relu6": "nnx.relu6(y)",
    "silu": "nnx.silu(y)",
    "sigmoid": "nnx.sigmoid(y)",
    "hard_sigmoid": "nnx.hard_sigmoid(y)",
    "hard_swish": "nnx.hard_swish(y)",
    "softplus": "nnx.softplus({alpha} * y) / {alpha}",
    "softmax": "nnx.softmax(y, axis={axis})",
    "log_softmax": "nnx.log_softmax(y, axis={axis})",
    "mish": "jax.nn.mish(y)",
    "selu": "nnx.selu(y)",
    "celu": "nnx.celu(y, {alpha})",
    "log_sigmoid": "nnx.log_sigmoid(y)",
    "softsign": "nnx.soft_sign(y)",
    "tanhshrink": "y - jnp.tanh(y)",
    "soft_shrink": "y - jnp.clip(y, -{alpha}, {alpha})",
    "hard_shrink": "jnp.where(abs(y) <= {alpha}, 0.0, y)",
    "quick_gelu": "y * nnx.sigmoid(1.702 * y)",
    "relu_squared": "jnp.square(nnx.relu(y))",
    "abs": "abs(y)",
    "tanh": "nnx.tanh(y)",
    "leaky_relu": "nnx.leaky_relu(y, {alpha})",
    "elu": "nnx.elu(y, {alpha})",
    "gelu": "nnx.gelu(y, approximate=False)",
    "gelu_tanh": "nnx.gelu(y, approximate=True)",
}


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = {function_call(FUNCTIONS, spec, spec.axis)}")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.clip(y, {spec.low}, {spec.high})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = jnp.where(y >= 0, y, {slope} * y)")
