"""Keras's rows of activations, one by one and along an axis."""

from collections.abc import Callable
from typing import Any

import keras

from convparity.impls.bindings import Field, Row, Weight, same
from convparity.impls.errors import quoted
from convparity.impls.keras import activation as activations
from convparity.impls.keras import layers
from convparity.impls.keras.rows.common import check_built, refused
from convparity.impls.layouts import Layout
from convparity.impls.spec import Activation, Clamp, PReLU


def activation(function: str, native: type, **how: Any) -> Row:
    """The row of an activation that has a class."""
    return Row(Activation, native, says={"function": function}, **how)


def by_function(function: str, native: Callable[..., Any], **says: Any) -> Row:
    """The row of an activation that ``keras.layers.Activation`` is given."""
    given = {"activation": native}
    says = {"function": function, **says}
    return Row(Activation, keras.layers.Activation, says=says, gives=given, needs=given)


def _one_axis(module: Any) -> int:
    if not isinstance(module.axis, int) or not module.axis:
        raise refused(
            module, f"it is along axis {quoted(module.axis)}: a spec's is one axis, not the batch"
        )
    return module.axis


def _slopes(module: Any) -> Layout:
    """The slopes that Keras keeps with a size of 1 for each axis that shares them."""
    shape = tuple(module.alpha.shape)
    return Layout(lambda array: array.reshape(shape), lambda array: array.reshape(-1))


def _check_shared(module: Any) -> None:
    check_built(module)
    if max(module.alpha.shape[:-1], default=1) > 1:
        raise refused(
            module,
            f"it has slopes of shape {quoted(tuple(module.alpha.shape))}, where a spec's are one "
            "for each channel or one for all: give shared_axes, all of the spatial ones",
        )


SLOPE = {"alpha": Field("negative_slope", to_spec=float)}
RELU = {"threshold": 0.0, "negative_slope": 0.0, "max_value": None}
RELU6 = {"max_value": 6.0}

ROWS = [
    activation("relu", keras.layers.ReLU, needs=RELU),
    activation("relu6", keras.layers.ReLU, gives=RELU6, needs={**RELU, **RELU6}),
    activation("leaky_relu", layers.LeakyReLU, fields=SLOPE, also=(keras.layers.LeakyReLU,)),
    activation(
        "leaky_relu",
        keras.layers.ReLU,
        fields=SLOPE,
        needs={"threshold": 0.0, "max_value": None},
    ),
    activation("elu", keras.layers.ELU, fields={"alpha": Field("alpha", to_spec=float)}),
    activation("softmax", keras.layers.Softmax, fields={"axis": Field("axis", _one_axis)}),
    by_function("silu", keras.activations.silu),
    by_function("gelu", keras.activations.gelu),
    by_function("gelu_tanh", layers.gelu_tanh),
    by_function("sigmoid", keras.activations.sigmoid),
    by_function("hard_sigmoid", keras.activations.hard_sigmoid),
    by_function("hard_swish", keras.activations.hard_silu),
    by_function("softplus", keras.activations.softplus, alpha=1.0),
    by_function("tanh", keras.activations.tanh),
    by_function("log_softmax", keras.activations.log_softmax, axis=-1),
    activation("log_softmax", activations.LogSoftmax, fields={"axis": "axis"}),
    by_function("mish", keras.activations.mish),
    by_function("selu", keras.activations.selu),
    by_function("celu", keras.activations.celu, alpha=1.0),
    by_function("log_sigmoid", keras.activations.log_sigmoid),
    by_function("softsign", keras.activations.softsign),
    by_function("tanhshrink", keras.activations.tanh_shrink),
    by_function("quick_gelu", activations.quick_gelu),
    by_function("relu_squared", activations.relu_squared),
    by_function("abs", activations.absolute),
    *(
        activation(
            name,
            activations.WithAlpha,
            fields={"alpha": "alpha"},
            gives={"function": name},
            needs={"function": name},
        )
        for name in activations.FUNCTIONS
    ),
    # read and never made
    by_function("soft_shrink", keras.activations.soft_shrink, alpha=0.5),
    by_function("hard_shrink", keras.activations.hard_shrink, alpha=0.5),
    # these are made by their classes
    by_function("relu", keras.activations.relu),
    by_function("relu6", keras.activations.relu6),
    by_function("leaky_relu", keras.activations.leaky_relu, alpha=0.2),  # Keras's default
    by_function("elu", keras.activations.elu, alpha=1.0),
    by_function("softmax", keras.activations.softmax),
    Row(Clamp, activations.Clamp, same("low", "high")),
    Row(
        PReLU,
        activations.PReLU,
        same("num_parameters"),
        {"slope": Weight("alpha")},
        check=check_built,
    ),
    Row(  # read and never made, as the next ones
        PReLU,
        keras.layers.PReLU,
        {"num_parameters": Field(None, lambda module: module.alpha.shape[-1])},
        {"slope": Weight("alpha", _slopes)},
        check=_check_shared,
    ),
    Row(
        Clamp,
        keras.layers.ReLU,
        {"high": "max_value"},
        says={"low": 0.0},
        needs={"threshold": 0.0, "negative_slope": 0.0},
    ),
    Row(
        Clamp,
        keras.layers.Activation,
        says={"low": -1.0, "high": 1.0},
        needs={"activation": keras.activations.hard_tanh},
    ),
]
