"""Keras's rows of what stands between the last pixels and the scores."""

from typing import Any

import keras
import numpy as np

from convparity.impls.axis_patterns import dense_axis
from convparity.impls.bindings import Field, Row, Weight
from convparity.impls.errors import quoted
from convparity.impls.keras import layers
from convparity.impls.keras.rows.common import CHANNELS_LAST, KERNEL, check_linear, refused
from convparity.impls.layouts import Layout
from convparity.impls.spec import Dense, Dropout, Flatten, Identity


def _check_einsum(module: Any) -> None:
    check_linear(module)
    axis, made = dense_axis(module.equation), module.equation.partition("->")[0].strip()[-1:]
    if axis is None or module.bias_axes not in (None, made):
        raise refused(
            module,
            f"{quoted(module.equation)} with bias_axes={quoted(module.bias_axes)} is no dense "
            "layer, which puts another axis in the place of one that is not the batch, and adds a "
            'number to each of its entries, as "...c,cd->...d" and "btc,ts->bsc" do',
        )


def _in_ones(module: Any) -> Layout:
    """A bias with an axis of 1 for each that is behind its own."""
    return Layout(lambda bias: bias.reshape(module.bias.shape), np.ravel)


ROWS = [
    Row(Flatten, keras.layers.Flatten, gives=CHANNELS_LAST, needs=CHANNELS_LAST),
    Row(Dropout, keras.layers.Dropout, {"p": "rate"}, says={"kind": "element"}),
    Row(
        Dropout,
        layers.Dropout,
        {"p": "rate", "kind": "kind"},
    ),
    Row(  # read and never made, as what is noise in training
        Dropout,
        keras.layers.SpatialDropout1D,
        {"p": "rate"},
        says={"kind": "channel"},
        also=(keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D),
    ),
    Row(Identity, keras.layers.Identity),
    Row(
        Identity,
        keras.layers.AlphaDropout,
        also=(keras.layers.GaussianDropout, keras.layers.GaussianNoise),
    ),
    # read and never made
    Row(Identity, keras.layers.Activation, needs={"activation": keras.activations.linear}),
    Row(
        Dense,
        keras.layers.Dense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field("units", lambda module: module.kernel.shape[1]),
            "bias": "use_bias",
        },
        KERNEL,
        says={"axis": -1},
        check=check_linear,
    ),
    Row(
        Dense,
        layers.Dense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field("units", lambda module: module.kernel.shape[1]),
            "bias": "use_bias",
            "axis": "axis",
        },
        KERNEL,
        check=check_linear,
    ),
    Row(  # read and never made
        Dense,
        keras.layers.EinsumDense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field(None, lambda module: module.kernel.shape[1]),
            "bias": Field(None, lambda module: module.bias is not None),
            "axis": Field(None, lambda module: dense_axis(module.equation)),
        },
        {"kernel": KERNEL["kernel"], "bias": Weight("bias", _in_ones, when="bias")},
        check=_check_einsum,
    ),
]
