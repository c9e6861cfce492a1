"""Single operations and sums in float32, as some library or processor might compute them.

Each intermediate result is a float32; only a fused multiply-add is computed wider, which is what
it is.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import numpy as np

from convparity.analysis.proof.rounded import SMALLEST_NORMAL

Terms = Callable[[int], tuple[np.ndarray, np.ndarray | None]]  # a number; a factor of it or None
NORMAL = np.float32(SMALLEST_NORMAL["float32"])
ROOT_UNITS = 4  # units in the last place that a reciprocal root may be off
ORDERS = ("given", "reversed", "random", "pairwise", "blocked", "threads")
ROOTS = ("rsqrt", "1/sqrt", "newton")
LEANS = ("exact", "up", "down", "random")
NORMS = ("mean first", "divided", "folded")
COUNTS = ("divided", "reciprocal")
ALGORITHMS = ("direct", "winograd", "fft")


@dataclasses.dataclass(frozen=True)
class Choices:
    """How float32 numbers are summed, multiplied and fed to a library's functions.

    A "lean" says on which side of the exact value a function errs, by all that it may: always
    "up", always "down", or at "random".
    """

    order: str = "given"  # of a sum's terms
    fused: bool = False  # products are added before they are rounded
    bias_first: bool = False  # a sum starts from the bias; else it is added at the end
    flushed: bool = False  # subnormal inputs, weights and results are zero
    root: str = "rsqrt"  # one function; "1/sqrt", two; "newton", one step from a guess
    root_lean: str = "exact"
    library_lean: str = "exact"  # of exp, tanh, erf, ...: within twice the margin
    norm: str = "mean first"  # "divided" by the root; "folded" into one product and one sum
    count: str = "divided"  # of a mean; "reciprocal", a product with it
    count_lean: str = "exact"  # of that reciprocal, by one unit
    algorithm: str = "direct"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, values in (
            ("order", ORDERS),
            ("root", ROOTS),
            ("root_lean", LEANS),
            ("library_lean", LEANS),
            ("norm", NORMS),
            ("count", COUNTS),
            ("count_lean", LEANS),
            ("algorithm", ALGORITHMS),
        ):
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is one of {values}, not {getattr(self, name)!r}")

    def __str__(self) -> str:
        """What is not as it would be by default."""
        fields = dataclasses.fields(self)
        chosen = {f.name: getattr(self, f.name) for f in fields}
        told = [f"{f.name}={chosen[f.name]}" for f in fields if chosen[f.name] != f.default]
        return " ".join(told) or "as given"


def erring(exact: np.ndarray, size: np.ndarray, lean: str, rng: np.random.Generator) -> np.ndarray:
    """A float32 within ``size`` of an exact value: on the side, and as far, as ``lean`` says.

    ``size`` is at least one unit in the last place, so that there is one; or 0 of what is exact.
    """
    if lean == "exact":
        return exact.astype(np.float32)
    share = {"up": 1.0, "down": -1.0}.get(lean)
    if share is None:
        share = rng.uniform(-1, 1, exact.shape)
    y = (exact + share * size).astype(np.float32)
    # where it was rounded beyond the size, the neighbour on the exact value's side is within it
    return np.where(abs(y - exact) > size, np.nextafter(y, exact.astype(np.float32)), y)


def unit_in_last_place(exact: np.ndarray) -> np.ndarray:
    """The distance between float32 numbers of this size; 0 of 0, which nothing need round."""
    return np.where(exact == 0, 0, 2.0 ** (np.maximum(np.frexp(exact)[1], -125) - 24))


class Operations:
    """What a way computes with: its choices and the random numbers that it draws."""

    def __init__(self, how: Choices) -> None:
        self.how = how
        self.rng = np.random.default_rng(how.seed)

    # ------------------------------------------------------------ single operations

    def kept(self, result: np.ndarray) -> np.ndarray:
        """A result as the processor keeps it."""
        assert result.dtype == np.float32
        if self.how.flushed:
            return np.where(abs(result) < NORMAL, np.float32(0), result)
        return result

    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.kept(a + b)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.kept(a * b)

    def multiply_add(self, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """``a * b + c``; float64 holds the product of two float32 numbers."""
        if not self.how.fused:
            return self.add(self.multiply(a, b), c)
        wide = np.multiply(a, b, dtype=np.float64) + c
        return self.kept(wide.astype(np.float32))

    def reciprocal_root(self, a: np.ndarray) -> np.ndarray:
        """``1 / sqrt(a)``, off by up to ``ROOT_UNITS`` in the last place."""
        how, rng = self.how, self.rng
        if how.root == "newton":
            return self.kept(newton_root(a))
        if how.root == "rsqrt":
            exact = 1 / np.sqrt(a.astype(np.float64))
            size = ROOT_UNITS * unit_in_last_place(exact)
            return self.kept(erring(exact, size, how.root_lean, rng))
        return self.by_root(np.ones_like(a), a)

    def by_root(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """``a / sqrt(b)``: the root off by up to one unit, the division by two.

        One unit of the root may be two of the quotient: so that it is ``ROOT_UNITS`` in all.
        """
        lean = self.how.root_lean
        exact = np.sqrt(b.astype(np.float64))
        root = self.kept(erring(exact, unit_in_last_place(exact), opposite(lean), self.rng))
        quotient = a.astype(np.float64) / root
        return self.kept(erring(quotient, 2 * unit_in_last_place(quotient), lean, self.rng))

    def divided(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """``a / b``, off by up to two units in the last place."""
        with np.errstate(divide="ignore"):
            exact = np.divide(self.kept(a), self.kept(b), dtype=np.float64)
        size = np.where(np.isfinite(exact), 2 * unit_in_last_place(exact), 0)
        return self.kept(erring(exact, size, self.how.root_lean, self.rng))

    def mean_of(self, total: np.ndarray, count: np.ndarray | int) -> np.ndarray:
        """A sum by its count."""
        counts = np.asarray(count, dtype=np.float32)
        if self.how.count == "divided":
            return self.kept(total / counts)
        exact = 1 / counts.astype(np.float64)
        size = unit_in_last_place(exact)
        return self.multiply(total, erring(exact, size, self.how.count_lean, self.rng))

    # ------------------------------------------------------------ sums

    def total(self, count: int, terms: Terms) -> np.ndarray:
        """The sum of ``terms(0)``, ..., in the order of this arithmetic."""
        order: Sequence[int] = range(count)
        match self.how.order:
            case "reversed":
                order = range(count)[::-1]
            case "random":
                order = self.rng.permutation(count).tolist()
            case "pairwise":
                return self._in_pairs(0, count, terms)
            case "blocked":  # as eight lanes of a vector do it
                return self._in_parts([range(i, count, 8) for i in range(min(8, count))], terms)
            case "threads":  # whichever is ready first
                parts = [part for part in np.array_split(np.arange(count), 4) if len(part)]
                chosen = self.rng.permutation(len(parts))
                return self._in_parts([parts[i].tolist() for i in chosen], terms)
        return self._in_turn(order, terms)

    def _in_turn(self, order: Iterable[int], terms: Terms) -> np.ndarray:
        total: np.ndarray | None = None
        for i in order:
            term, factor = terms(i)
            if total is None:
                total = term if factor is None else self.multiply(term, factor)
            elif factor is None:
                total = self.add(term, total)
            else:
                total = self.multiply_add(term, factor, total)
        assert total is not None
        return total

    def _in_parts(self, parts: Iterable[Iterable[int]], terms: Terms) -> np.ndarray:
        return reduce(self.add, (self._in_turn(part, terms) for part in parts))

    def _in_pairs(self, low: int, high: int, terms: Terms) -> np.ndarray:
        if high - low <= 2:
            return self._in_turn(range(low, high), terms)
        middle = (low + high) // 2
        return self.add(self._in_pairs(low, middle, terms), self._in_pairs(middle, high, terms))

    def mean(self, terms: np.ndarray, squared: bool = False) -> np.ndarray:
        """Over the first axis, of the numbers or of their squares."""
        total = self.total(len(terms), lambda i: (terms[i], terms[i] if squared else None))
        return self.mean_of(total, len(terms))

    def moments(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean over the first axis, and the mean square of what is left without it.

        Never the mean square less the squared mean, which cancels where the mean is large.
        """
        mean = self.mean(terms)
        return mean, self.mean(self.add(terms, -mean), squared=True)


def opposite(lean: str) -> str:
    """The other side."""
    return {"up": "down", "down": "up"}.get(lean, lean)


def newton_root(a: np.ndarray) -> np.ndarray:
    """``1 / sqrt(a)`` by one Newton step from a guess that is a 4096th too small.

    So vectorised code of TensorFlow does it on an Intel Xeon, where 1 gives 0.99999988.
    """
    guess = ((1 - 2.0**-12) / np.sqrt(a.astype(np.float64))).astype(np.float32)
    half = np.float32(0.5)
    rest = half - (a * guess) * (guess * half)
    return guess + guess * rest
