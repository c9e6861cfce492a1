"""Flax's rows of values that a network holds by itself."""

from convparity.impls.bindings import Row, Weight, same
from convparity.impls.flax import source
from convparity.impls.spec import Constant, Parameter

ROWS = [
    Row(
        Parameter,
        source.Parameter,
        same("shape"),
        {"value": Weight("value")},
        takes=("param_dtype",),
    ),
    Row(Constant, source.Constant, same("values", "shape")),
]
