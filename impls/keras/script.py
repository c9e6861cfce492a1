"""The plain ``keras.layers`` calls of layers, channels last.

Those of each family are a file in ``calls/``.
"""

import numpy as np

from convparity.impls.keras.calls import (
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

PACKAGE = "keras"
IMPORTS = """import keras
import numpy as np

backend = keras.config.backend()
version = __import__(backend).__version__
print("numpy", np.__version__, "keras", keras.__version__, "on", backend, version)
keras.config.set_image_data_format("channels_last")
"""
TENSOR = "keras.ops.convert_to_tensor({})"
NUMPY = "keras.ops.convert_to_numpy({})"

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
    return f"keras.ops.concatenate([{', '.join(values)}], axis={axis})"
