"""The plain ``flax.nnx`` or ``jax`` calls of layers, channels last.

Those of each family are a file in ``calls/``.
"""

import numpy as np

from convparity.impls.flax.calls import (
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

PACKAGE = "flax"
IMPORTS = """import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

print("numpy", np.__version__, "jax", jax.__version__, "flax", flax.__version__)
jax.config.update("jax_default_matmul_precision", "highest")  # float32 on a GPU too, no TF32
"""
TENSOR = "jnp.asarray({})"
NUMPY = "np.asarray({})"

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
    """The array as it is: channels last."""
    return array


def axes(ndim: int) -> str:
    """The axes of an input, for a comment."""
    return ", ".join(("N", *"DHW"[5 - ndim :], "C"))


def start(out: Writer) -> list[str]:
    """No lines: the layers take the weights as arrays."""
    return []


def concat(values: list[str], axis: int, ndim: int) -> str:
    """Values one after another along a canonical axis."""
    return f"jnp.concatenate([{', '.join(values)}], axis={axis})"
