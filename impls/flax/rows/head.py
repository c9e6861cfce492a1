"""Flax's rows of what stands between the last pixels and the scores."""

from typing import Any

from flax import nnx

from convparity.impls.axis_patterns import dense_axis
from convparity.impls.bindings import Field, Row, same
from convparity.impls.errors import quoted
from convparity.impls.flax import layers
from convparity.impls.flax.rows.common import KERNEL, WEIGHTED, Function, refused, said
from convparity.impls.spec import Dense, Dropout, Flatten, Identity


def _kind(module: Any) -> str:
    """What a dropout sets to zero at once."""
    dims = tuple(module.broadcast_dims)
    if dims != tuple(range(1, len(dims) + 1)):
        raise refused(
            said(module),
            f"it broadcasts axes {quoted(dims)}, where a spec's is of values, or of whole channels "
            "over all spatial axes, (1, ...)",
        )
    return "channel" if dims else "element"


def _check_general(module: Any) -> None:
    one = len(module.in_features) == len(module.out_features) == 1
    if not one or module.axis != (-1,) or module.batch_axis:
        raise refused(
            said(module),
            "a dense layer puts another axis in the place of the one that it takes, where this one "
            "has it last: it must take the last one, without a batch_axis",
        )


def _check_einsum(module: Any) -> None:
    if dense_axis(module.einsum_str or "") is None:
        raise refused(
            said(module),
            f"{quoted(module.einsum_str)} is no dense layer, which puts another axis in the place "
            'of one that is not the batch, as "...c,cd->...d" and "btc,ts->bsc" do',
        )


ROWS = [
    Row(Flatten, layers.Flatten),
    Row(
        Dropout,
        nnx.Dropout,
        {"p": "rate", "kind": Field(None, _kind)},
        says={"kind": "element"},
        takes=("rngs",),
    ),
    Row(
        Dropout,
        layers.Dropout,
        {"p": "rate", "kind": "kind"},
        takes=("rngs",),
    ),
    Row(
        Dense,
        nnx.Linear,
        {**same("in_features", "out_features"), "bias": "use_bias"},
        KERNEL,
        says={"axis": -1},
        takes=WEIGHTED,
    ),
    Row(
        Dense,
        layers.Linear,
        {**same("in_features", "out_features", "axis"), "bias": "use_bias"},
        KERNEL,
        takes=WEIGHTED,
    ),
    Row(  # read and never made, as the next one
        Dense,
        nnx.LinearGeneral,
        {
            "in_features": Field(None, lambda module: module.in_features[0]),
            "out_features": Field(None, lambda module: module.out_features[0]),
            "bias": "use_bias",
        },
        KERNEL,
        check=_check_general,
    ),
    Row(
        Dense,
        nnx.Einsum,
        {
            "in_features": Field(None, lambda module: module.kernel_shape[0]),
            "out_features": Field(None, lambda module: module.kernel_shape[1]),
            "bias": Field(None, lambda module: module.bias_shape is not None),
            "axis": Field(None, lambda module: dense_axis(module.einsum_str)),
        },
        KERNEL,
        check=_check_einsum,
    ),
    Function(Identity, layers.Activation, gives={"function": nnx.identity}),
]
