"""Flax NNX layers that move values and compute nothing, channels-last. A page to copy from."""

import jax
from flax import nnx


class Slice(nnx.Module):
    """Every ``step``-th entry of a range of an axis.

    Args:
        axis: The axis: -1 is that of the channels, 1 the first spatial one.
        start: The first entry; a negative one counts from the end.
        stop: The entry behind the last; a negative one counts from the end, None is the end.
        step: From one entry to the next.
    """

    def __init__(self, axis: int, start: int = 0, stop: int | None = None, step: int = 1) -> None:
        self.axis, self.start, self.stop, self.step = axis, start, stop, step

    def __call__(self, x: jax.Array) -> jax.Array:
        before = (slice(None),) * (self.axis % x.ndim)
        return x[(*before, slice(self.start, self.stop, self.step))]
