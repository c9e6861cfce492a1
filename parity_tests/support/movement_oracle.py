"""A second meaning of what moves values, entry by entry; ``oracle`` asks it."""

import re
from itertools import product

import numpy as np

from convparity import Pad, Rearrange, Slice
from parity_tests.support.convolution_oracle import lengthened


def sliced(spec: Slice, x: np.ndarray) -> np.ndarray:
    """Entry by entry, with the places of the ends worked out."""
    axis = spec.axis if spec.axis > 0 else x.ndim + spec.axis
    n = x.shape[axis]
    first = spec.start + n if spec.start < 0 else spec.start
    end = n if spec.stop is None else spec.stop + n if spec.stop < 0 else spec.stop
    kept = [i for i in range(n) if first <= i < end and (i - max(first, 0)) % spec.step == 0]
    return np.stack([x.take(i, axis) for i in kept], axis)


def padded(spec: Pad, x: np.ndarray) -> np.ndarray:
    """Axis by axis: some entries fewer, then others looked up, or all of one value."""
    for axis, (low, high) in enumerate((*spec.pads, spec.channels), 1):
        x = np.stack(
            [x.take(i, axis) for i in range(-min(low, 0), x.shape[axis] + min(high, 0))], axis
        )
        low, high, n = max(low, 0), max(high, 0), x.shape[axis]
        x = lengthened(x, axis, low, high, spec.mode)
        if spec.mode == "zeros":
            np.moveaxis(x, axis, 0)[:low] = np.moveaxis(x, axis, 0)[low + n :] = spec.value
    return x


def rearranged(spec: Rearrange, x: np.ndarray) -> np.ndarray:
    """Value by value: the counters of all factors say where each comes from, and where it goes.

    The place on an axis with the factors a, b, c is ``(a * B + b) * C + c``.
    """
    before, after = (
        [word.strip("()").split() for word in re.findall(r"\(.*?\)|\S+", side)]
        for side in spec.pattern.split("->")
    )
    if ["..."] in before:
        dots = [f"dot{i}" for i in range(x.ndim - len(before) + 1)]
        at = before.index(["..."])
        before[at : at + 1] = [[dot] for dot in dots]
        if ["..."] in after:
            at = after.index(["..."])
            after[at : at + 1] = [[dot] for dot in dots]
        after = [
            [name for each in axis for name in (dots if each == "..." else [each])]
            for axis in after
        ]
    sizes = {"1": 1, **dict(spec.sizes)}
    for axis, whole in zip(before, x.shape, strict=True):
        for name in axis:
            if name not in sizes:
                others = [sizes[other] for other in axis if other != name]
                sizes[name] = whole // int(np.prod(others))

    def place(axes: list[list[str]], counters: dict[str, int]) -> tuple[int, ...]:
        at = []
        for axis in axes:
            found = 0
            for name in axis:
                found = found * sizes[name] + counters[name]
            at.append(found)
        return tuple(at)

    y = np.empty([int(np.prod([sizes[name] for name in axis])) for axis in after], x.dtype)
    for values in product(*(range(size) for size in sizes.values())):
        counters = dict(zip(sizes, values, strict=True))
        y[place(after, counters)] = x[place(before, counters)]
    return y
