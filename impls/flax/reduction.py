"""Flax NNX layers that make one number of many, channels-last. A page to copy from."""

import jax
import jax.numpy as jnp
from flax import nnx


class Reduce(nnx.Module):
    """One number of all that lie along some axes.

    Args:
        function: "mean", "sum", "max", "min", "var", "std", "norm" or "norm1".
        axes: The axes: -1 is that of the channels, 1 the first spatial one.
        keepdims: Whether each remains as an axis of size 1.
        correction: What a variance divides by is their number less this.
    """

    def __init__(
        self, function: str, axes: tuple[int, ...], keepdims: bool = False, correction: int = 0
    ) -> None:
        self.function, self.axes = function, tuple(axes)
        self.keepdims, self.correction = keepdims, correction

    def __call__(self, x: jax.Array) -> jax.Array:
        axes, keep = self.axes, self.keepdims
        match self.function:
            case "var":
                return jnp.var(x, axes, ddof=self.correction, keepdims=keep)
            case "std":
                return jnp.sqrt(jnp.var(x, axes, ddof=self.correction, keepdims=keep))
            case "norm":
                return jnp.sqrt(jnp.sum(x * x, axes, keepdims=keep))
            case "norm1":
                return jnp.sum(jnp.abs(x), axes, keepdims=keep)
        plain = {"mean": jnp.mean, "sum": jnp.sum, "max": jnp.max, "min": jnp.min}
        return plain[self.function](x, axes, keepdims=keep)
