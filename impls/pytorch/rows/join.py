"""PyTorch's rows of joins of several values."""

from convparity.impls.bindings import Row, same
from convparity.impls.pytorch import layers
from convparity.impls.spec import Add, Concat, Multiply, Subtract

ROWS = [
    Row(Add, layers.Add),
    Row(Multiply, layers.Multiply),
    Row(Subtract, layers.Subtract),
    Row(Concat, layers.Concat, same("axis")),
]
