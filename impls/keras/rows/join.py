"""Keras's rows of joins of several values."""

import keras

from convparity.impls.bindings import Row
from convparity.impls.spec import Add, Concat, Multiply, Subtract

ROWS = [
    Row(Add, keras.layers.Add),
    Row(Multiply, keras.layers.Multiply),
    Row(Subtract, keras.layers.Subtract),
    Row(Concat, keras.layers.Concatenate, {"axis": "axis"}),
]
