"""A value and how far rounding may lie from it: what a bound is made of, step by step."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
SMALLEST_NORMAL = {
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "float16": 2.0**-14,
    "bfloat16": 2.0**-126,
}
# What Winograd and FFT may add to a direct sum's error, as a multiple of u M
TRANSFORM = 64


# What a bound rests on. "proved" is said of sums, products, means and norms; "measured" where a
# library's elementary function, or a transform, has a margin that was measured; "none" where no
# bound is known of some numbers, as of what is divided by what rounding may take to 0.
BASES = ("exact", "proved", "measured", "none")


@dataclasses.dataclass(frozen=True)
class Rounded:
    """An exact value, and what arithmetic of a given dtype may make of it."""

    value: np.ndarray
    bound: np.ndarray  # |computed - value| is at most this, for any order of summation
    noise: np.ndarray  # a sample of the error that independent roundings of earlier layers give
    own: np.ndarray  # the standard deviation of the last layer's roundings
    unit: float | None  # every exact value is a multiple of it; None: of no power of two
    basis: str  # one of BASES; "exact" where nothing was rounded so far
    dtype: str
    direct: bool  # sums are taken as they stand, without a transform such as Winograd's
    rng: np.random.Generator

    @property
    def scale(self) -> np.ndarray:
        """The size of the error at each entry, if roundings were independent."""
        return np.hypot(self.noise, self.own)

    @property
    def disturbed(self) -> np.ndarray:
        """``value`` with a sample of all its error so far."""
        return self.value + self.noise + self.own * self.rng.standard_normal(self.own.shape)

    @property
    def exact(self) -> bool:
        """Nothing was rounded so far."""
        return self.basis == "exact"

    @property
    def untested(self) -> np.ndarray:
        """Where the bound is not below half a unit, so that rounding could hide a fault.

        Where no unit is known, an integer, or the size of the values, stands for it.
        """
        unit = max(1.0, rms(self.value)) if self.unit is None else self.unit
        return ~(self.bound < unit / 2)

    @property
    def small(self) -> np.ndarray:
        """What is lost where subnormal numbers are read as zeros."""
        size = abs(self.value)
        return np.where(size < self.tiny, size, 0)

    def rests_on(self, basis: str) -> str:
        """The weaker of the bases of this value and of its next layer."""
        return max(self.basis, basis, key=BASES.index)

    def then(
        self,
        value: np.ndarray,
        magnitude: np.ndarray,
        *,
        inherited: np.ndarray,
        noise: Callable[[np.ndarray], np.ndarray],
        variance: Callable[[], np.ndarray],
        roundings: int | np.ndarray,
        unit: float | None,
        margin: np.ndarray | float = 0.0,
        flushed: np.ndarray | float = 0.0,
        rounds: bool = False,
    ) -> "Rounded":
        """The output of a layer that sums terms of ``magnitude`` in all, rounding each so often.

        ``noise`` is the layer as a function of its input; ``variance`` is the sum of the squares
        of its terms. Neither is asked where sums of multiples of ``unit`` are never rounded.
        ``margin`` is what a transform may add to the error, and ``flushed`` what is lost where
        subnormal numbers count as zeros. A layer with a root or a quotient ``rounds`` always.
        """
        zeros = np.zeros(value.shape)
        transformed = bool(np.any(margin))
        fits = unit is not None and bool(np.max(magnitude, initial=0) * self.u <= unit)
        if self.exact and fits and not rounds:
            return dataclasses.replace(
                self,
                value=value,
                bound=zeros + margin,
                noise=zeros,
                own=zeros + margin / TRANSFORM,
                unit=unit,
                basis="measured" if transformed else "exact",
            )
        lost = roundings * self.tiny + flushed
        return dataclasses.replace(
            self,
            value=value,
            bound=inherited + self.gamma(roundings) * magnitude + lost + margin,
            noise=zeros if self.exact else noise(self.disturbed) - value,
            own=self.u * np.sqrt(variance()) + lost + margin / TRANSFORM,
            unit=unit,
            basis=self.rests_on("measured" if transformed else "proved"),
        )

    def gamma(self, roundings: int | np.ndarray) -> np.ndarray:
        """The relative error of so many roundings in a row, at most (Higham, lemma 3.1)."""
        slip = np.asarray(roundings) * self.u
        return np.where(slip < 1, slip / np.where(slip < 1, 1 - slip, 1), np.inf)

    @property
    def u(self) -> float:
        """The unit roundoff: half the distance from 1 to the next number."""
        return UNIT_ROUNDOFF[self.dtype]

    @property
    def tiny(self) -> float:
        """The smallest normal number: what a result below it may lose."""
        return SMALLEST_NORMAL[self.dtype]


def round_to(array: np.ndarray, dtype: str) -> np.ndarray:
    """The nearest values of ``dtype``, ties to even; bfloat16, which NumPy lacks, as float32."""
    if dtype != "bfloat16":
        return array.astype(dtype)
    bits = np.asarray(array, dtype=np.float32).view(np.uint32)
    even = (bits >> 16) & 1
    return ((bits + 0x7FFF + even) & np.uint32(0xFFFF0000)).view(np.float32)


def rms(array: np.ndarray) -> float:
    """The root mean square of the finite entries; 0 of none."""
    finite = np.isfinite(array)
    return math.sqrt(np.mean(array**2, where=finite)) if finite.any() else 0.0


def exact_input(x: np.ndarray, dtype: str = "float32", direct: bool = True) -> Rounded:
    """An input that is what it is: no error yet."""
    value = np.asarray(x, dtype=np.float64)
    none = np.zeros(value.shape)
    rng = np.random.default_rng(0)  # the same sample every time
    return Rounded(
        value,
        none,
        noise=none,
        own=none,
        unit=common_unit(value),
        basis="exact",
        dtype=dtype,
        direct=direct,
        rng=rng,
    )


def common_unit(*arrays: np.ndarray) -> float | None:
    """The largest power of two, at most 1, that divides every entry; None below 2**-30."""

    def divides(exponent: int) -> bool:
        scaled = (np.asarray(array, dtype=np.float64) * 2.0**exponent for array in arrays)
        return all(bool((each == np.rint(each)).all()) for each in scaled)

    if not divides(30):  # real numbers, at once
        return None
    return 2.0 ** -next(exponent for exponent in range(31) if divides(exponent))
