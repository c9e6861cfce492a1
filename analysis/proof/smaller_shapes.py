"""Small input shapes on which a network pads, strides and pools as it does on a large one."""

import math
from typing import NamedTuple

from convparity.analysis.proof.shapes import size_along, spatial_axes, with_size
from convparity.impls.errors import SpecError
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Conv,
    DepthwiseConv,
    GlobalAvgPool,
    MaxPool,
    MaxPoolIndices,
    Resize,
    Shapes,
    Spec,
    each_shape,
    padding_pairs,
    together,
    walk_shapes,
    window_dilation,
)


class _Along(NamedTuple):
    """What a network does along one axis."""

    pads: tuple[tuple[int, int, int], ...]  # of each window, and the pixels its stride leaves over
    taps: tuple[frozenset[int], ...]  # of each window, those that meet a pixel somewhere
    pooled: tuple[int, ...]  # the sizes that a global pooling sees

    @property
    def exact(self) -> bool:
        """Means over these sizes are not rounded."""
        return all(n & (n - 1) == 0 for n in self.pooled)


def near_shapes(spec: Spec, input_shape: Shapes) -> list[Shapes]:
    """Two shapes, small ones if possible, to light a network on.

    On the first, every window is padded as on ``input_shape``, leaves as many pixels over, and each
    of its taps meets a pixel somewhere if it does so there. On the second, some are padded
    otherwise, if there is such a shape: rules of padding that are alike at even sizes are told
    apart at odd ones.
    """
    first = second = together(each_shape(input_shape))
    for axis in spatial_axes(input_shape):
        n = size_along(input_shape, axis)
        asked = _along(spec, input_shape, axis)
        assert asked is not None  # the shape fits
        found: list[tuple[int, _Along]] = []
        for size in range(1, n + 16):
            along = _along(spec, with_size(input_shape, axis, size), axis)
            if along is not None and along.exact:
                found.append((size, along))
        alike = [size for size, a in found if a.pads == asked.pads and a.taps == asked.taps]
        other = [size for size, a in found if a.pads != asked.pads and a.taps == asked.taps]
        padded = [size for size, a in found if a.pads == asked.pads]
        nearest = min(alike or padded or [size for size, _ in found] or [n])
        first = with_size(first, axis, nearest)
        second = with_size(second, axis, min(other or [nearest]))
    return [first, second]


def _along(spec: Spec, shape: Shapes, axis: int) -> _Along | None:
    try:
        steps = walk_shapes(spec, *each_shape(shape))
    except SpecError:  # too small for a kernel
        return None
    pads, taps, pooled = [], [], []
    for _, step, shapes in steps:
        spatial = shapes[0][1:-1]
        if axis > len(spatial):  # a pattern has made fewer axes of it
            continue
        if isinstance(step, GlobalAvgPool):
            pooled.append(spatial[axis - 1])
        if isinstance(step, AdaptiveAvgPool | AdaptiveMaxPool):
            n, places = spatial[axis - 1], step.output_size[axis - 1]
            if places == 1 and isinstance(step, AdaptiveAvgPool):
                pooled.append(n)
            taps.append(frozenset(range(min(n, places))))  # as many windows that differ
        if isinstance(step, Resize) and step.size is not None:
            taps.append(frozenset(range(min(spatial[axis - 1], step.size[axis - 1]))))
        if not isinstance(step, Conv | DepthwiseConv | MaxPool | MaxPoolIndices | AvgPool):
            continue
        low, high = padding_pairs(step, spatial)[axis - 1]
        n, k, s = spatial[axis - 1], step.kernel_size[axis - 1], step.stride[axis - 1]
        d = window_dilation(step)[axis - 1]
        out = (n + low + high - (k - 1) * d - 1) // s + 1
        pads.append((low, high, (n + low + high - (k - 1) * d - 1) % s))
        met = {t for t in range(k) if _meets(t * d - low, s, n, out)}
        taps.append(frozenset(met))
    return _Along(tuple(pads), tuple(taps), tuple(pooled))


def _meets(start: int, stride: int, n: int, out: int) -> bool:
    """Whether one of ``out`` places, a stride apart from ``start``, lies in [0, n)."""
    first = max(0, math.ceil(-start / stride))
    return first < out and start + first * stride < n
