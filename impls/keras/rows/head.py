"""Keras's rows of what stands between the last pixels and the scores."""

from typing import Any

import keras

from convparity.impls.axis_patterns import is_dense
from convparity.impls.bindings import Field, Row
from convparity.impls.errors import quoted
from convparity.impls.keras import layers
from convparity.impls.keras.rows.common import CHANNELS_LAST, KERNEL, check_linear, refused
from convparity.impls.spec import Dense, Dropout, Flatten, Identity


def _check_einsum(module: Any) -> None:
    check_linear(module)
    if not is_dense(module.equation) or module.bias_axes not in (None, module.equation[-1]):
        raise refused(
            module,
            f"{quoted(module.equation)} with bias_axes={quoted(module.bias_axes)} is no dense "
            'layer, which takes the last axis for another one, as "...c,cd->...d" does',
        )


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
        check=check_linear,
    ),
    Row(  # read and never made
        Dense,
        keras.layers.EinsumDense,
        {
            "in_features": Field(None, lambda module: module.kernel.shape[0]),
            "out_features": Field(None, lambda module: module.kernel.shape[1]),
            "bias": Field(None, lambda module: module.bias is not None),
        },
        KERNEL,
        check=_check_einsum,
    ),
]
