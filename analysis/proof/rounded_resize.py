"""How far rounding may take the pixels of an image that is resized."""

import dataclasses

import numpy as np

from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, Rounded, common_unit
from convparity.impls.reference_resize import along_axes, resizing
from convparity.impls.spec import Resize


def resized(spec: Resize, x: Rounded, division: int) -> Rounded:
    """The image that is made, and its errors; ``division`` is a quotient's margin, in u."""
    matrices = resizing(spec, x.value.shape)
    if spec.method in ("nearest", "nearest-exact"):
        parts = (x.value, x.bound + x.small, x.noise, x.own + x.small)
        value, bound, noise, own = (along_axes(matrices, part) for part in parts)
        return dataclasses.replace(x, value=value, bound=bound, noise=noise, own=own)
    value = along_axes(matrices, x.value)
    size, shares = abs(x.value) + x.bound, [abs(each) for each in matrices]
    divided = spec.antialias or spec.method == "area"  # each share, by the sum of all
    # of each axis: the shares, their products, the sum
    roundings = sum(2 + np.count_nonzero(each, axis=1).max() for each in matrices)
    return x.then(
        value,
        along_axes(shares, size),
        inherited=along_axes(shares, x.bound) + _slips(spec, matrices, x, size),
        noise=lambda disturbed: along_axes(matrices, disturbed),
        variance=lambda: along_axes([each**2 for each in matrices], x.value**2),
        roundings=int(roundings) + (division * spec.rank if divided else 0),
        unit=None if divided else _unit(x, matrices),
        flushed=along_axes(shares, x.small),
        rounds=divided,
    )


def _slips(
    spec: Resize, matrices: list[np.ndarray], x: Rounded, size: np.ndarray
) -> np.ndarray | float:
    """What becomes of positions in float32, which a framework may have: they are off by 3 u n.

    A share changes by no more than that, times the kernel's steepest slope: 1 of a triangle, below
    1.4 of Keys' kernels, whose polynomials round, too. Where shares are divided by their sum, that
    changes as well. Of 16 bits positions are found in float32, too.
    """
    if spec.method == "area":
        return 0.0
    near = [
        each + np.roll(each, -1, axis=1) + np.roll(each, 1, axis=1) for each in map(abs, matrices)
    ]
    near = [(each > 0).astype(np.float64) for each in near]
    most: float = 3 * sum(x.value.shape[1:-1])
    if spec.method == "cubic":
        most = 1.4 * most + 16 * spec.rank
    if spec.antialias:
        most = 3 * most + 16 * spec.rank
    u = min(x.u, UNIT_ROUNDOFF["float32"])
    return most * u * along_axes(near, size)


def _unit(x: Rounded, matrices: list[np.ndarray]) -> float | None:
    """What divides every product of a pixel and a share along each axis."""
    found = x.unit
    for each in matrices:
        own = common_unit(each)
        found = None if found is None or own is None else found * own
    return found
