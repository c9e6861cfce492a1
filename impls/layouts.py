"""How a canonical array is laid out elsewhere: pure NumPy permutations, bit for bit reversible."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _channels_first(kernel: np.ndarray) -> np.ndarray:
    return np.moveaxis(kernel, (-1, -2), (0, 1))  # (*k, I, O) -> (O, I, *k)


def _channels_last(kernel: np.ndarray) -> np.ndarray:
    return np.moveaxis(kernel, (0, 1), (-1, -2))  # (O, I, *k) -> (*k, I, O)


@dataclass(frozen=True)
class Layout:
    """A pair of inverse functions between the canonical layout and a framework's own."""

    to_native: Callable[[np.ndarray], np.ndarray]
    to_canonical: Callable[[np.ndarray], np.ndarray]

    def native_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in the framework's layout of an array of the canonical ``shape``."""
        return self.to_native(np.broadcast_to(0, shape)).shape

    def after(self, other: "Layout") -> "Layout":
        """The layout that applies ``other`` to the canonical array first, then this one."""
        return Layout(
            lambda array: self.to_native(other.to_native(array)),
            lambda array: other.to_canonical(self.to_canonical(array)),
        )


SAME = Layout(_same, _same)
CHANNELS_FIRST = Layout(_channels_first, _channels_last)


def depthwise_as_grouped(multiplier: int) -> Layout:
    """``(*k, C, M)`` as the kernel of the grouped convolution, ``(*k, 1, C * M)``."""
    return Layout(
        lambda kernel: kernel.reshape(*kernel.shape[:-2], 1, -1),
        lambda kernel: kernel.reshape(*kernel.shape[:-2], -1, multiplier),
    )


BLOCK = 1 << 18  # bytes: a block of either array fits the cache of a core


def copy_into(target: np.ndarray, source: np.ndarray) -> None:
    """Copy an array of any strides and dtype, block by block along the last axis but one.

    For a permuted kernel NumPy alone would fetch each line of the source's memory for every tap.
    """
    rows = target.shape[-2] if target.ndim > 1 else 1
    step = max(1, rows * BLOCK // max(1, target.nbytes))
    if step >= rows or source.flags.c_contiguous:
        np.copyto(target, source, casting="unsafe")
        return
    for start in range(0, rows, step):
        block = (..., slice(start, start + step), slice(None))
        np.copyto(target[block], source[block], casting="unsafe")
