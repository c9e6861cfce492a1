"""What a verdict says, how it prints, and how it is written to JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from analysis import arithmetic
from analysis.probes import Probe

# Correct algorithms were seen to reach 96 times the independent-rounding scale (Winograd F(6x6)),
# TF32 operands never less than 4,500: the limit between them is not a tolerance on the result.
SCALE_LIMIT = 512


@dataclass(frozen=True)
class Place:
    """One entry of an output: where it is, what it had to be, what it was."""

    index: tuple[int, ...]
    expected: float
    got: float

    def __str__(self) -> str:
        return f"y{list(self.index)} = {self.got:g}, not {self.expected:g}"


@dataclass(frozen=True)
class Structure:
    """Whether an output on integers is the reference's, bit for bit."""

    wrong: int  # entries that differ
    size: int
    slack: float  # 0 where nothing is rounded; else what dividing by a mean's count may cost
    problem: str | None = None  # a wrong shape or dtype, before any entry was compared
    worst: Place | None = None
    nearest: bool = False  # equal after rounding to integers, as a transform's result may be

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return self.wrong == 0 and self.problem is None

    def __str__(self) -> str:
        if not self.ok:
            return self.problem or f"{self.wrong} of {self.size} wrong, worst {self.worst}"
        if self.nearest:
            return "exact after rounding to integers"
        return "exact" if self.slack == 0 else f"exact up to rounding ({self.slack:.1e})"


@dataclass(frozen=True)
class Precision:
    """How far an output on real numbers is from float64, against what rounding can explain."""

    error: float  # the largest absolute difference from the float64 reference
    bound: float  # the proved rounding bound at the worst place
    share: float  # the largest error / bound over all entries: over 1, rounding cannot explain it
    rho: float  # rms error over the rms of independent roundings
    effective_bits: float
    problem: str | None = None
    worst: Place | None = None

    @property
    def ok(self) -> bool:
        """The error is one that correct arithmetic of this dtype makes."""
        return self.problem is None and self.share <= 1 and self.rho <= SCALE_LIMIT

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        text = f"error {self.error:.1e}, bound {self.bound:.1e}, {self.effective_bits:.1f} bits"
        return text if self.ok else f"{text}, worst {self.worst}"


@dataclass(frozen=True)
class Verdict:
    """What ``compare`` found out about one framework on one device."""

    framework: str
    device: str
    dtype: str
    structure: Structure
    precision: Precision
    probes: tuple[Probe, ...] = ()  # none of a network: its precision meter decides alone

    @property
    def ok(self) -> bool:
        """Both verdicts hold, and every probe."""
        return self.structure.ok and self.precision.ok and all(probe.ok for probe in self.probes)

    @property
    def arithmetic(self) -> str:
        """The arithmetic that the errors are consistent with, or "unknown".

        Of a spec with probes, their finding ("float32", "tf32", "bfloat16", "float16", "... bias",
        "... accumulation", "... output", or several); of a network, what its effective bits say,
        which cannot tell "tf32 or float16" apart.
        """
        found = arithmetic.from_probes(self.probes, self.dtype)
        if found != self.dtype or self.precision.ok:
            return found
        if self.probes:  # the arithmetic is right, and something else is wrong
            return "unknown"
        return arithmetic.from_bits(self.precision.effective_bits, self.dtype)

    def __str__(self) -> str:
        state = "ok" if self.ok else "WRONG"
        where = f"{self.framework} on {self.device}, {self.dtype}"
        text = f"{where}: {state}; structure {self.structure}; precision {self.precision}"
        if failed := [str(probe) for probe in self.probes if not probe.ok]:
            text += f"; probes: {', '.join(failed)}"
        return text if self.ok else f"{text}; consistent with {self.arithmetic} arithmetic"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **asdict(self),
            "structure": {**asdict(self.structure), "text": str(self.structure)},
            "arithmetic": self.arithmetic,
            "ok": self.ok,
            "text": str(self),
        }
