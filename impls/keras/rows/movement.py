"""Keras's rows of what moves values."""

from typing import Any

import keras

from convparity.impls.bindings import Field, Row, same
from convparity.impls.keras import movement
from convparity.impls.keras.rows.common import CHANNELS_LAST
from convparity.impls.spec import Pad, Rearrange, Slice


def _pairs(pairs: Any) -> list[tuple[int, int]]:
    """Those of each axis; of one axis Keras has the pair alone."""
    return [pairs] if isinstance(pairs[0], int) else list(pairs)


ROWS = [
    Row(Pad, movement.Pad, same("pads", "mode", "value", "channels")),
    Row(  # read and never made, as the next one
        Pad,
        keras.layers.ZeroPadding1D,
        {"pads": Field(None, lambda module: _pairs(module.padding))},
        needs=CHANNELS_LAST,
        also=(keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D),
    ),
    Row(
        Pad,
        keras.layers.Cropping1D,
        {"pads": Field(None, lambda module: [(-a, -b) for a, b in _pairs(module.cropping)])},
        needs=CHANNELS_LAST,
        also=(keras.layers.Cropping2D, keras.layers.Cropping3D),
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]
