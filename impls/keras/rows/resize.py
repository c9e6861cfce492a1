"""Keras's rows of images of another size."""

from typing import Any

import keras

from convparity.impls.bindings import Field, Row, same
from convparity.impls.errors import quoted
from convparity.impls.keras import resize
from convparity.impls.keras.rows.common import CHANNELS_LAST, refused
from convparity.impls.spec import Resize

RESIZINGS = {"nearest": "nearest-exact", "bilinear": "linear", "bicubic": "cubic"}


def _check_resizing(module: Any) -> None:
    if module.interpolation not in RESIZINGS:
        raise refused(module, f"no spec says interpolation={quoted(module.interpolation)}")
    if module.interpolation == "bicubic" and not module.antialias:
        why = "Keras's is Keys' with a = -0.5, a spec's has a = -0.75 and repeats the border: "
        raise refused(module, f"{why}only with antialias=True are both the same")


ROWS = [
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(  # read and never made, as the next one
        Resize,
        (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D),
        {"scale": "size"},
        needs={**CHANNELS_LAST, "interpolation": "nearest"},
    ),
    Row(
        Resize,
        keras.layers.UpSampling2D,
        {"scale": "size"},
        says={"method": "linear"},
        needs={**CHANNELS_LAST, "interpolation": "bilinear"},
    ),
    Row(
        Resize,
        keras.layers.Resizing,
        {
            "size": Field(None, lambda module: (module.height, module.width)),
            "method": Field(None, lambda module: RESIZINGS[module.interpolation]),
            # no backend makes a mean of the nearest
            "antialias": Field(None, lambda m: m.antialias and m.interpolation != "nearest"),
        },
        needs={**CHANNELS_LAST, "crop_to_aspect_ratio": False, "pad_to_aspect_ratio": False},
        check=_check_resizing,
    ),
]
