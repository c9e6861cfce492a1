"""How Keras's variables get their values: in one copy, and before any initialiser has run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from convparity.impls.spec import Spec, parameter_shapes
from convparity.impls.weights import Weights

LARGE = 1 << 16  # bytes from which TensorFlow's transposition is worth its call

# where each layer keeps the initialiser of each canonical weight
INITIALIZERS = {
    "kernel": ("kernel_initializer", "depthwise_initializer"),
    "bias": ("bias_initializer",),
    "scale": ("gamma_initializer",),
    "offset": ("beta_initializer",),
    "mean": ("moving_mean_initializer",),
    "variance": ("moving_variance_initializer",),
}


def given(array: np.ndarray, dtype: Any) -> Any:
    """What a variable can be set from that is to have memory of its own."""
    if keras.backend.backend() != "tensorflow":  # another may keep the array itself
        return np.array(array, dtype, order="C")
    array = array.astype(dtype, copy=False)
    if array.nbytes < LARGE or array.flags.c_contiguous or not array.flags.writeable:
        return array  # TensorFlow copies whatever it is given
    return _transposed(array)


def _transposed(array: np.ndarray) -> Any:
    """A tensor of its own, permuted by TensorFlow: in less than half of NumPy's time."""
    import tensorflow as tf

    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    as_it_lies = array.transpose(order)
    if not as_it_lies.flags.c_contiguous:  # flipped, or a part of another
        return array
    shared = tf.experimental.dlpack.from_dlpack(as_it_lies.__dlpack__())
    return tf.transpose(shared, np.argsort(order))


@contextmanager
def born_with(layer: Any, spec: Spec, weights: Weights) -> Iterator[None]:
    """Let ``layer`` be built with ``weights`` in place of its initialisers, which it then keeps."""
    kept = {}
    for name in parameter_shapes(spec):
        attribute = next(each for each in INITIALIZERS[name] if hasattr(layer, each))
        kept[attribute] = getattr(layer, attribute)
        array = weights[name]
        setattr(layer, attribute, lambda shape, dtype=None, array=array: given(array, dtype))
    yield
    for attribute, initializer in kept.items():
        setattr(layer, attribute, initializer)
