"""PyTorch's rows of reductions over axes."""

from convparity.impls.bindings import Row, same
from convparity.impls.pytorch import reduction
from convparity.impls.spec import Reduce

ROWS = [
    Row(Reduce, reduction.Reduce, same("function", "axes", "keepdims", "correction")),
]
