"""Flax's rows of what moves values."""

from convparity.impls.bindings import Field, Row, same
from convparity.impls.flax import movement
from convparity.impls.flax.rows.common import MODES
from convparity.impls.spec import NUMPY_MODES, Pad, Rearrange, Slice

ROWS = [
    Row(
        Pad,
        movement.Pad,
        {
            **same("pads", "value", "channels"),
            "mode": Field("mode", None, NUMPY_MODES.__getitem__, MODES.__getitem__),
        },
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]
