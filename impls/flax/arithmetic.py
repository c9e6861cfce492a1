"""Flax NNX layers that compute number by number, channels-last. A page to copy from."""

from functools import reduce

import jax
import jax.numpy as jnp
from flax import nnx

from convparity.impls.flax.layers import add


class Divide(nnx.Module):
    """The first value by the second, as a layer."""

    def __call__(self, first: jax.Array, second: jax.Array) -> jax.Array:
        return first / second


class Maximum(nnx.Module):
    """The largest of values, place by place, as a layer."""

    def __call__(self, *values: jax.Array) -> jax.Array:
        return reduce(jnp.maximum, values)


class Minimum(nnx.Module):
    """The smallest of values, place by place, as a layer."""

    def __call__(self, *values: jax.Array) -> jax.Array:
        return reduce(jnp.minimum, values)


class Average(nnx.Module):
    """The mean of values, place by place, as a layer."""

    def __call__(self, *values: jax.Array) -> jax.Array:
        return add(*values) / len(values)


Numbers = float | tuple[float, ...]


class Rescale(nnx.Module):
    """x * scale + offset, by numbers that no training changes.

    Args:
        scale: A number, or one a channel.
        offset: The same.
    """

    def __init__(self, scale: Numbers = 1.0, offset: Numbers = 0.0) -> None:
        self.scale, self.offset = scale, offset

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * jnp.asarray(self.scale, x.dtype) + jnp.asarray(self.offset, x.dtype)


class Power(nnx.Module):
    """x ** exponent: of a whole exponent by products, since jnp.power may err on integers.

    Args:
        exponent: Any number.
    """

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def __call__(self, x: jax.Array) -> jax.Array:
        if not float(self.exponent).is_integer():
            return x**self.exponent
        y, square, left = jnp.ones_like(x), x, abs(int(self.exponent))
        while left:
            if left % 2:
                y = y * square
            left //= 2
            if left:
                square = square * square
        return 1 / y if self.exponent < 0 else y
