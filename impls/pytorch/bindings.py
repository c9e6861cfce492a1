"""PyTorch's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. Where torch's own class takes less than
ours in ``layers.py`` says, it has a row of its own behind ours, by which it is read and never made.
"""

import torch
from torch import nn

from convparity.impls.bindings import Table
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch.rows import (
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
from convparity.impls.pytorch.rows.common import said


def held(module: nn.Module, name: str) -> torch.Tensor | None:
    """A parameter or a buffer of the module; what it computes anew each time is no place to be."""
    for mine in (module._parameters, module._buffers):
        if name in mine:
            return mine[name]
    raise UnsupportedError(
        f"pytorch: {type(module).__name__} holds no {name} of its own: it is computed from other "
        "parameters, or was set as a plain attribute: make it a parameter (weight norm, spectral "
        "norm, pruning and parametrizations each have a function that removes them)"
    )


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

TABLE = Table("pytorch", ROWS, said, held)
