"""The plain calls of activations."""

from convparity.impls.pytorch.calls.common import dim_of, write_layer
from convparity.impls.script_writer import Writer, function_call
from convparity.impls.spec import Activation, Clamp, PReLU, Shape
from convparity.impls.weights import Arrays

FUNCTIONS = {
    "relu": "F.relu(y)",
    "relu6": "F.relu6(y)",
    "leaky_relu": "F.leaky_relu(y, {alpha})",
    "elu": "F.elu(y, {alpha})",
    "silu": "F.silu(y)",
    "gelu": "F.gelu(y)",
    "gelu_tanh": 'F.gelu(y, approximate="tanh")',
    "sigmoid": "torch.sigmoid(y)",
    "hard_sigmoid": "F.hardsigmoid(y)",
    "hard_swish": "F.hardswish(y)",
    "softplus": "F.softplus(y, {alpha}, threshold=40)",
    "softmax": "F.softmax(y, dim={axis})",
    "log_softmax": "F.log_softmax(y, dim={axis})",
    "mish": "F.mish(y)",
    "selu": "F.selu(y)",
    "celu": "F.celu(y, {alpha})",
    "log_sigmoid": "F.logsigmoid(y)",
    "softsign": "F.softsign(y)",
    "tanhshrink": "F.tanhshrink(y)",
    "soft_shrink": "F.softshrink(y, {alpha})",
    "hard_shrink": "F.hardshrink(y, {alpha})",
    "quick_gelu": "y * torch.sigmoid(1.702 * y)",
    "relu_squared": "F.relu(y).square()",
    "abs": "y.abs()",
    "tanh": "torch.tanh(y)",
}


@write_layer.register
def _(spec: Activation, weights: Arrays, shape: Shape, out: Writer) -> None:
    axis = None if spec.axis is None else dim_of(spec.axis, len(shape))
    out.say(f"y = {function_call(FUNCTIONS, spec, axis)}")


@write_layer.register
def _(spec: Clamp, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.clamp({spec.low}, {spec.high})")


@write_layer.register
def _(spec: PReLU, weights: Arrays, shape: Shape, out: Writer) -> None:
    slope = out.array("slope", weights["slope"], "C, or 1")
    out.say(f"y = F.prelu(y, {slope})")
