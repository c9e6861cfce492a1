"""A Flax NNX layer of sums of products along named axes. A page to copy from."""

import re

import jax
import jax.numpy as jnp
from flax import nnx


def letters(pattern: str) -> str:
    """The pattern in letters."""
    first, second, result = (side.split() for side in re.split(",|->", pattern))
    letter = {name: chr(ord("a") + i) for i, name in enumerate(dict.fromkeys([*first, *second]))}
    sides = ["".join(letter[name] for name in side) for side in (first, second, result)]
    return f"{sides[0]},{sides[1]}->{sides[2]}"


class Einsum(nnx.Module):
    """Products of two values, summed over the axes that the result does not have.

    Args:
        pattern: The axes: "n q c, n k c -> n q k".
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __call__(self, first: jax.Array, second: jax.Array) -> jax.Array:
        return jnp.einsum(letters(self.pattern), first, second)
