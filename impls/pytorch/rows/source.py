"""PyTorch's rows of values that a network holds by itself."""

import numpy as np

from convparity.impls.bindings import Row, Weight, same
from convparity.impls.layouts import Layout
from convparity.impls.pytorch import source
from convparity.impls.spec import Constant, Parameter

CHANNELS_FIRST = Layout(
    lambda array: np.moveaxis(array, -1, 0), lambda array: np.moveaxis(array, 0, -1)
)

ROWS = [
    Row(Parameter, source.Parameter, same("shape"), {"value": Weight("value", CHANNELS_FIRST)}),
    Row(Constant, source.Constant, same("values", "shape")),
]
