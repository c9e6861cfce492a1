"""Flax NNX layers that give values of their own, whatever they are called with.

A page to copy from.

Shapes: x_NSC any input, y_NSC the output, S any number of spatial axes.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class Parameter(nnx.Module):
    """An ``nnx.Param`` as a layer, the same for every example; it starts as zeros.

    Args:
        shape: Of one example.
        param_dtype: Of the value.

    Shapes:
        x_NSC: any; N alone counts
        y_NSC: S, C are the shape
        value: (*S, C)
    """

    def __init__(self, shape: Iterable[int], *, param_dtype: jnp.dtype = jnp.float32) -> None:
        self.shape = tuple(shape)
        self.value = nnx.Param(jnp.zeros(self.shape, param_dtype))

    def __call__(self, x_NSC: jax.Array) -> jax.Array:
        return jnp.broadcast_to(self.value[...], (len(x_NSC), *self.shape))


class Constant(nnx.Module):
    """Numbers as a layer, the same for every example, in the dtype of what it is called with.

    Args:
        values: The numbers in C order.
        shape: Of one example.

    Shapes:
        x_NSC: any; N alone counts
        y_NSC: S, C are the shape
    """

    def __init__(self, values: Iterable[float], shape: Iterable[int]) -> None:
        self.values, self.shape = tuple(values), tuple(shape)

    def __call__(self, x_NSC: jax.Array) -> jax.Array:
        value_SC = jnp.asarray(np.reshape(self.values, self.shape), x_NSC.dtype)
        return jnp.broadcast_to(value_SC, (len(x_NSC), *self.shape))
