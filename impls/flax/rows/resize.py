"""Flax's rows of images of another size."""

from convparity.impls.bindings import Field, Row, same
from convparity.impls.flax import resize
from convparity.impls.spec import Resize

ROWS = [
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
]
