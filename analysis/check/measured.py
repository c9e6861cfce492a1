"""How much of a difference is rounding, where no bound is known: measured, not proved.

A network whose code is its own has no proved bound. Run again on an input moved by a rounding, it
rounds everything anew: the change of any value in it is a sample of what rounding makes of it.
"""

import math
from collections.abc import Sequence

import numpy as np

from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, rms
from convparity.analysis.proof.verdict import SCALE_LIMIT

MOVED = 2  # roundings by which an input is moved
RATIO = 100.0  # the signal must be so many times what passes as rounding


def moved(x: np.ndarray, u: float, seed: int) -> np.ndarray:
    """``x`` with each entry moved by a rounding or two; integers as they are."""
    if x.dtype.kind != "f":
        return x
    step = np.random.default_rng(seed).integers(-MOVED, MOVED, x.shape, endpoint=True)
    return (x.astype(np.float64) * (1 + 2 * u * step)).astype(x.dtype)


class Measure:
    """What rounding makes of named values, from runs on inputs that were moved."""

    def __init__(self, u: float) -> None:
        self.u = u
        self.values: dict[str, np.ndarray] = {}
        self.noise: dict[str, list[np.ndarray]] = {}

    def learn(
        self, name: str, value: np.ndarray | None, others: Sequence[np.ndarray | None]
    ) -> None:
        """``others`` are what the runs on moved inputs gave in the place of ``value``."""
        if value is None:
            return
        gaps = [
            abs(other.astype(np.float64) - value)
            for other in others
            if other is not None and other.shape == value.shape
        ]
        self.values[name], self.noise[name] = value, gaps

    def passes(self, name: str, value: np.ndarray) -> tuple[float, float]:
        """The largest rms, and the largest single difference, that pass as rounding."""
        own = self.u * rms(value.astype(np.float64))
        gaps = [np.where(np.isfinite(gap), gap, 0) for gap in self.noise.get(name, [])]
        size = max((rms(gap) for gap in gaps), default=0.0)
        most = max((float(gap.max(initial=0)) for gap in gaps), default=0.0)
        largest = self.u * float(abs(np.where(np.isfinite(value), value, 0)).max(initial=0))
        return SCALE_LIMIT * max(own, size), SCALE_LIMIT * max(largest, most)

    def difference(self, name: str, right: np.ndarray, found: np.ndarray) -> str | None:
        """How ``found`` differs from ``right`` by more than rounding; None where it does not."""
        if right.shape != found.shape:
            return f"shape {found.shape}, not {right.shape}"
        if not right.size:
            return None
        gap = _gap(right, found)
        size, most = self.passes(name, right)
        worst = float(gap.max())
        if worst <= most and rms_of(gap) <= size:
            return None
        at = tuple(map(int, np.unravel_index(int(gap.argmax()), gap.shape)))
        wrong = int(np.count_nonzero(gap > most))
        return (
            f"{max(wrong, 1)} of {gap.size} values differ by more than rounding, "
            f"worst y{list(at)} = {found[at]:.6g}, not {right[at]:.6g}"
        )

    def tells(self, name: str, right: np.ndarray, other: np.ndarray | None) -> bool:
        """Whether ``other`` is far from ``right``, beside what passes as rounding."""
        if other is None or other.shape != right.shape or not right.size:
            return False
        return rms_of(_gap(right, other)) > RATIO * self.passes(name, right)[0]

    def same_value(self, name: str, right: np.ndarray | None, found: np.ndarray | None) -> bool:
        """Whether both are the same up to rounding."""
        if right is None or found is None:
            return right is found
        return self.difference(name, right, found) is None


def _gap(right: np.ndarray, found: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        gap = abs(right.astype(np.float64) - found)
    gap = np.where((right == found) | (np.isnan(right) & np.isnan(found)), 0, gap)
    return np.where(np.isnan(gap), np.inf, gap)


def rms_of(gap: np.ndarray) -> float:
    """The root mean square, infinite where an entry is."""
    return math.inf if np.isinf(gap).any() else rms(gap)


def roundoff(dtypes: list[str]) -> float:
    """The unit roundoff of the coarsest of the dtypes that values have."""
    known = [UNIT_ROUNDOFF[each] for each in dtypes if each in UNIT_ROUNDOFF]
    return max(known, default=UNIT_ROUNDOFF["float32"])
