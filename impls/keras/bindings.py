"""Keras's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where Keras's own class says less than
ours in ``layers.py``, it has a row of its own behind ours, by which it is read and never made.
"""

from dataclasses import replace
from typing import Any

from convparity.impls.bindings import Table
from convparity.impls.keras.rows import (
    activation,
    arithmetic,
    convolution,
    einsum,
    head,
    join,
    movement,
    normalisation,
    pooling,
    reduction,
    resize,
    source,
)
from convparity.impls.keras.rows.common import said

FAMILIES = (
    convolution,
    pooling,
    normalisation,
    activation,
    head,
    resize,
    join,
    movement,
    arithmetic,
    einsum,
    reduction,
    source,
)
ROWS = [row for family in FAMILIES for row in family.ROWS]

TABLE = Table("keras", (replace(row, takes=("name", "dtype")) for row in ROWS), said)


def initializers(module: Any) -> dict[str, str]:
    """The attribute of each weight's initialiser, by the weight's name."""
    (row, *_) = TABLE.rows_of(module)
    return {
        name: each.initializer or f"{each.attribute}_initializer"
        for name, each in row.weights.items()
    }
