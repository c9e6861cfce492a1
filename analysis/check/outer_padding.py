"""Zeros that the code around a layer pads its input with, as if the layer did it."""

import dataclasses

import numpy as np

from convparity.analysis.check.leaves import Leaf
from convparity.impls.spec import Conv, DepthwiseConv, padding_pairs

Pads = tuple[tuple[int, int], ...]


def pads_between(inner: np.ndarray, outer: np.ndarray) -> Pads | None:
    """The zeros around ``inner`` that make ``outer`` of it; None where they do not."""
    if inner.ndim != outer.ndim or inner.ndim < 3 or inner.shape == outer.shape:
        return None
    if (inner.shape[0], inner.shape[-1]) != (outer.shape[0], outer.shape[-1]):
        return None
    pads = []
    for axis in range(1, inner.ndim - 1):
        n, more = inner.shape[axis], outer.shape[axis] - inner.shape[axis]
        if more < 0:
            return None
        others = tuple(each for each in range(outer.ndim) if each != axis)
        filled = np.flatnonzero((outer != 0).any(axis=others))
        inside = np.flatnonzero((inner != 0).any(axis=others))
        if not filled.size or not inside.size:
            return None
        low = int(filled[0] - inside[0])
        if not 0 <= low <= more or outer.shape[axis] < low + n:
            return None
        pads.append((low, more - low))
    middle = tuple(slice(low, low + n) for (low, _), n in zip(pads, inner.shape[1:-1], strict=True))
    rest = outer.copy()
    rest[(slice(None), *middle)] = 0
    return tuple(pads) if not rest.any() else None


def padded(x: np.ndarray, pads: Pads) -> np.ndarray:
    """``x`` with zeros around it."""
    return np.pad(x, ((0, 0), *pads, (0, 0)))


def with_pads(leaf: Leaf, pads: Pads, inner: np.ndarray) -> Leaf | None:
    """The layer as one that pads its input itself; None where no such layer can be said."""
    spec = leaf.spec
    if not isinstance(spec, Conv | DepthwiseConv) or spec.padding_mode != "zeros":
        return None
    assert leaf.x is not None
    own = padding_pairs(spec, leaf.x.shape[1:-1])
    if isinstance(spec.padding, str) and any(map(any, own)):
        return None  # "same" of a padded image depends on its size
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(own, pads, strict=True))
    return dataclasses.replace(leaf, spec=dataclasses.replace(spec, padding=both), inputs=(inner,))
