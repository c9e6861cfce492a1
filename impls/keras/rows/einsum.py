"""Keras's rows of products of values whose axes have names."""

from convparity.impls.bindings import Row, same
from convparity.impls.keras import einsum
from convparity.impls.spec import Einsum

ROWS = [
    Row(Einsum, einsum.Einsum, same("pattern")),
]
