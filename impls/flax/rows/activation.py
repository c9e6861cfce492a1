"""Flax's rows of activations, one by one and along an axis."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from convparity.impls.bindings import Fields, Row, Weight, same
from convparity.impls.flax import activation as functions
from convparity.impls.flax import layers
from convparity.impls.flax.rows.common import Function
from convparity.impls.layouts import Layout
from convparity.impls.spec import Activation, ActivationName, Clamp, PReLU

SCALAR = Layout(lambda array: array.reshape(()), lambda array: array.reshape(1))


def activation(
    function: ActivationName,
    native: Callable[..., Any],
    alpha: str | None = None,
    axis: str | None = None,
    says: Mapping[str, Any] | None = None,
    **needs: Any,
) -> Function:
    """The row of an activation; ``alpha`` and ``axis`` are nnx's names for the spec's."""
    given = {"alpha": alpha, "axis": axis}
    return Function(
        Activation,
        layers.Activation,
        {name: native_name for name, native_name in given.items() if native_name is not None},
        says={"function": function, **(says or {})},
        gives={"function": native},
        needs=needs,
    )


CLIPS: Fields = {"low": "min", "high": "max"}

ROWS = [
    Row(
        PReLU,
        layers.PReLU,
        same("num_parameters"),
        {"slope": Weight("negative_slope")},
        takes=("param_dtype",),
    ),
    Row(PReLU, nnx.PReLU, weights={"slope": Weight("negative_slope", SCALAR)}),
    activation("relu", nnx.relu),
    activation("relu6", nnx.relu6),
    activation("leaky_relu", nnx.leaky_relu, alpha="negative_slope"),
    activation("elu", nnx.elu, alpha="alpha"),
    activation("silu", nnx.silu),
    activation("gelu", nnx.gelu, approximate=False),
    activation("gelu_tanh", nnx.gelu, approximate=True),
    activation("sigmoid", nnx.sigmoid),
    activation("hard_sigmoid", nnx.hard_sigmoid),
    activation("hard_swish", nnx.hard_swish),
    activation("softplus", nnx.softplus, says={"alpha": 1.0}),
    activation("softmax", nnx.softmax, axis="axis"),
    activation("tanh", nnx.tanh),
    activation("softplus", functions.softplus, alpha="beta"),
    activation("log_softmax", nnx.log_softmax, axis="axis"),
    activation("mish", jax.nn.mish),
    activation("selu", nnx.selu),
    activation("celu", nnx.celu, alpha="alpha"),
    activation("log_sigmoid", nnx.log_sigmoid),
    activation("softsign", nnx.soft_sign),
    activation("tanhshrink", functions.tanhshrink),
    activation("soft_shrink", functions.soft_shrink, alpha="alpha"),
    activation("hard_shrink", functions.hard_shrink, alpha="alpha"),
    activation("quick_gelu", functions.quick_gelu),
    activation("relu_squared", functions.relu_squared),
    activation("abs", jnp.abs),
    Function(Clamp, layers.Activation, CLIPS, gives={"function": jnp.clip}),
    Function(
        Clamp,
        layers.Activation,
        says={"low": -1.0, "high": 1.0},
        gives={"function": nnx.hard_tanh},
    ),
]
