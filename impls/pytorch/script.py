"""The plain ``torch.nn.functional`` calls of layers, channels first.

Those of each family are a file in ``calls/``.
"""

import numpy as np

from convparity.impls.pytorch.calls import (
    activation,
    arithmetic,
    common,
    convolution,
    head,
    movement,
    normalisation,
    pooling,
    reduction,
    resize,
    source,
)
from convparity.impls.script_writer import Writer

PACKAGE = "torch"
IMPORTS = """import numpy as np
import torch
import torch.nn.functional as F

print("numpy", np.__version__, "torch", torch.__version__)
"""
TENSOR = "torch.from_numpy({})"
NUMPY = "{}.numpy()"

# each adds its layers as it is imported
FAMILIES = (
    convolution,
    pooling,
    normalisation,
    activation,
    head,
    resize,
    movement,
    arithmetic,
    reduction,
    source,
)
write_layer = common.write_layer


def native(array: np.ndarray) -> np.ndarray:
    """``(N, *spatial, C)`` as ``(N, C, *spatial)``."""
    return np.moveaxis(array, -1, 1)


def axes(ndim: int) -> str:
    """The axes of an input, for a comment."""
    return ", ".join(("N", "C", *"DHW"[5 - ndim :]))


def start(out: Writer) -> list[str]:
    """The lines that make tensors of the weights."""
    return [f"{name} = {TENSOR.format(name)}" for name in out.arrays]


def concat(values: list[str], axis: int, ndim: int) -> str:
    """Values one after another along a canonical axis."""
    return f"torch.cat([{', '.join(values)}], {common.dim_of(axis, ndim)})"
