"""How Keras's variables get their values: in one copy, and before any initialiser has run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

LARGE = 1 << 16  # bytes from which TensorFlow's transposition is worth its call


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
def born_with(layer: Any, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Let ``layer`` be built with ``arrays`` in place of its initialisers, which it then keeps.

    Each array bears the name of the attribute in which the layer has the initialiser.
    """
    kept = {attribute: getattr(layer, attribute) for attribute in arrays}
    for attribute, array in arrays.items():
        setattr(layer, attribute, lambda shape, dtype=None, array=array: given(array, dtype))
    yield
    for attribute, initializer in kept.items():
        setattr(layer, attribute, initializer)
