"""Keras's rows of values that a network holds by itself."""

from convparity.impls.bindings import Row, Weight, same
from convparity.impls.keras import source
from convparity.impls.keras.rows.common import check_built
from convparity.impls.spec import Constant, Parameter

ROWS = [
    Row(
        Parameter,
        source.Parameter,
        same("shape"),
        {"value": Weight("value")},
        check=check_built,
    ),
    Row(Constant, source.Constant, same("values", "shape")),
]
