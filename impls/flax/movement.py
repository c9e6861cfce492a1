"""Flax NNX layers that move values and compute nothing, channels-last. A page to copy from."""

from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from convparity.impls.axis_patterns import axes, moves


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


class Rearrange(nnx.Module):
    """A reshape and permute in the language of einops.

    Args:
        pattern: The axes before and after: "n h w (g c) -> n h w (c g)".
        sizes: The sizes of factors that cannot be inferred: {"g": 4}.
    """

    def __init__(
        self, pattern: str, sizes: Mapping[str, int] | Iterable[tuple[str, int]] = ()
    ) -> None:
        self.pattern, self.sizes = pattern, tuple(sorted(dict(sizes).items()))

    def __call__(self, x: jax.Array) -> jax.Array:
        split, order, merged = moves(*axes(self.pattern, x.ndim), x.shape, self.sizes)
        return jnp.transpose(x.reshape(split), order).reshape(merged)


class Pad(nnx.Module):
    """Pixels around the spatial axes, by any amount; a negative number crops first.

    Args:
        pads: One (low, high) pair a spatial axis.
        mode: A mode of ``jnp.pad``: "constant", "reflect", "edge" or "wrap".
        value: What "constant" fills with.
        channels: The (low, high) pair of the channels, for "constant" alone.
    """

    def __init__(
        self,
        pads: tuple[tuple[int, int], ...],
        mode: str = "constant",
        value: float = 0.0,
        channels: tuple[int, int] = (0, 0),
    ) -> None:
        self.pads = tuple((low, high) for low, high in pads)
        self.mode, self.value, self.channels = mode, value, tuple(channels)

    def __call__(self, x_NSC: jax.Array) -> jax.Array:
        if self.mode == "constant":  # lax crops, too
            pairs = (*self.pads, self.channels)
            widths = [(0, 0, 0), *((low, high, 0) for low, high in pairs)]
            return lax.pad(x_NSC, jnp.asarray(self.value, x_NSC.dtype), widths)
        for axis, (low, high) in enumerate(self.pads, 1):
            end = x_NSC.shape[axis] - max(-high, 0)
            x_NSC = lax.slice_in_dim(x_NSC, max(-low, 0), end, axis=axis)
        fills = [(max(low, 0), max(high, 0)) for low, high in self.pads]
        return jnp.pad(x_NSC, [(0, 0), *fills, (0, 0)], mode=self.mode)
