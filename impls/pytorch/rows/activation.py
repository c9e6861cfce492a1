"""PyTorch's rows of activations, one by one and along an axis."""

from typing import Any

from torch import nn

from convparity.impls.bindings import Field, Row, Weight, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.pytorch import activation as activations
from convparity.impls.pytorch.rows.common import AXES, refuse_unless, said
from convparity.impls.spec import Activation, Clamp, PReLU


def activation(function: str, native: type, **how: Any) -> Row:
    """The row of an activation without an alpha."""
    return Row(Activation, native, says={"function": function}, **how)


def _axis(module: Any) -> int:
    """The axis of a dim, as of channels-last arrays: the channels', or a spatial one."""
    dim = module.dim
    if isinstance(dim, int) and dim < 0:
        dim += AXES.get(module, 0)
    refuse_unless(
        isinstance(dim, int) and dim > 0,
        module,
        f"a positive dim, not {quoted(module.dim)}: 1 is that of the channels, 2 the first spatial "
        "one. One from the end depends on how many axes the input has, which no layer before it "
        "says, and 0 is the batch",
    )
    return -1 if dim == 1 else dim - 1


def _negates(module: nn.Module) -> None:
    raise UnsupportedError(
        f"pytorch: {said(module)} is the softmax of -x, and no spec negates: write nn.Softmax, "
        "with the weights of the layer before it negated"
    )


def over_an_axis(function: str, native: type, ours: type) -> list[Row]:
    """The rows of an activation along an axis: torch's own over the channels, ours over others."""
    said = {"function": function}
    own = {"axis": Field(None, _axis)}
    return [
        Row(Activation, native, own, says={**said, "axis": -1}, gives={"dim": 1}),
        Row(Activation, ours, same("axis"), says=said),
    ]


def _steep(module: nn.Softplus) -> None:
    refuse_unless(module.threshold >= 20, module, "a threshold of at least 20")


ROWS = [
    activation("relu", nn.ReLU),
    activation("relu6", nn.ReLU6, needs={"min_val": 0, "max_val": 6}),
    activation("leaky_relu", nn.LeakyReLU, fields={"alpha": "negative_slope"}),
    activation("elu", nn.ELU, fields={"alpha": "alpha"}),
    activation("silu", nn.SiLU),
    activation("gelu", nn.GELU, needs={"approximate": "none"}),
    activation("gelu_tanh", nn.GELU, gives={"approximate": "tanh"}, needs={"approximate": "tanh"}),
    activation("sigmoid", nn.Sigmoid),
    activation("hard_sigmoid", nn.Hardsigmoid),
    activation("hard_swish", nn.Hardswish),
    # beyond the threshold it is x: 20, the default, is too low for float64
    activation(
        "softplus", nn.Softplus, fields={"alpha": "beta"}, gives={"threshold": 40}, check=_steep
    ),
    *over_an_axis("softmax", nn.Softmax, activations.Softmax),
    activation("softmax", nn.Softmax2d),
    activation("softmax", nn.Softmin, check=_negates),
    *over_an_axis("log_softmax", nn.LogSoftmax, activations.LogSoftmax),
    activation("tanh", nn.Tanh),
    activation("mish", nn.Mish),
    activation("selu", nn.SELU),
    activation("celu", nn.CELU, fields={"alpha": "alpha"}),
    activation("log_sigmoid", nn.LogSigmoid),
    activation("softsign", nn.Softsign),
    activation("tanhshrink", nn.Tanhshrink),
    activation("soft_shrink", nn.Softshrink, fields={"alpha": "lambd"}),
    activation("hard_shrink", nn.Hardshrink, fields={"alpha": "lambd"}),
    activation("quick_gelu", activations.QuickGELU),
    activation("relu_squared", activations.ReLUSquared),
    activation("abs", activations.Abs),
    Row(Clamp, activations.Clamp, same("low", "high")),
    Row(Clamp, nn.Hardtanh, {"low": Field("min_val"), "high": Field("max_val")}),
    Row(PReLU, nn.PReLU, same("num_parameters"), {"slope": Weight("weight")}),
]
