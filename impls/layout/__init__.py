"""From a program in a source's own axes to a graph of channels-last specs: ``lay_out``."""

from convparity.impls.layout.lay_out import LaidOut, lay_out
from convparity.impls.layout.moves import transposes
from convparity.impls.layout.program import (
    BATCH,
    Along,
    Contract,
    Expand,
    Input,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    Stack,
    View,
)

__all__ = [
    "BATCH",
    "Along",
    "Contract",
    "Expand",
    "Input",
    "LaidOut",
    "Matmul",
    "Operation",
    "Permute",
    "Program",
    "Select",
    "Stack",
    "View",
    "lay_out",
    "transposes",
]
