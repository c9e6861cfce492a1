"""What a verdict says, how it prints, and how it is written to JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from convparity.analysis.proof import arithmetic
from convparity.analysis.proof.probes import Probe
from convparity.analysis.proof.trust import Trust

# Correct algorithms were seen to reach 96 times the independent-rounding scale (Winograd F(6x6)),
# TF32 operands never less than 4,500: the limit between them is not a tolerance on the result.
SCALE_LIMIT = 512


STATUSES = ("ok", "not tested", "wrong")  # the worst of several decides


def _digits(got: float, expected: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to tell them from each other."""
    for digits in range(6, 18):
        texts = f"{got:.{digits}g}", f"{expected:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


@dataclass(frozen=True)
class Place:
    """One entry of an output: where it is, what it had to be, what it was."""

    index: tuple[int, ...]
    expected: float
    got: float
    bound: float = 0.0  # what rounding may make of it

    def __str__(self) -> str:
        got, expected = _digits(self.got, self.expected)
        return f"y{list(self.index)} = {got}, not {expected}"

    @property
    def detail(self) -> str:
        """``str``, with the error and the bound at this place."""
        return f"{self}: off by {abs(self.got - self.expected):.1e}, bound {self.bound:.1e}"


@dataclass(frozen=True)
class Structure:
    """Whether an output on integers is the reference's."""

    wrong: int  # entries that differ by more than rounding
    size: int
    slack: float  # 0 where nothing is rounded; else the largest bound of what rounding may do
    problem: str | None = None  # a wrong shape or dtype, before any entry was compared
    worst: Place | None = None
    basis: str = "exact"  # what the bound rests on: "exact" (bit equality), "proved", "measured"
    untested: int = 0  # entries whose bound is no longer below half a unit of the data, or all
    reason: str = "rounding alone may hide a fault"  # that they are not tested
    layer: str = ""  # of a network: the path of the first layer that is wrong, or not tested

    @property
    def status(self) -> str:
        """One of STATUSES; "not tested" where rounding alone could make another integer."""
        if self.wrong or self.problem is not None:
            return "wrong"
        return "not tested" if self.untested else "ok"

    @property
    def ok(self) -> bool:
        """Every entry was tested, and none differs."""
        return self.status == "ok"

    def __str__(self) -> str:
        layer = f"{self.layer}: " if self.layer else ""
        if self.problem is not None:
            return f"{layer}{self.problem}"
        if self.wrong:
            assert self.worst is not None  # what was counted was seen
            worst = self.worst if self.basis == "exact" else self.worst.detail
            return f"{layer}{self.wrong} of {self.size} wrong, worst {worst}"
        if self.untested:
            return f"{layer}{self.untested} of {self.size} not tested: {self.reason}"
        if self.basis == "exact":
            return "exact"
        name = {"proved": "proved bound", "measured": "measured margin"}[self.basis]
        return f"within the {name} ({self.slack:.1e})"


@dataclass(frozen=True)
class Precision:
    """How far an output on real numbers is from float64, against what rounding can explain."""

    error: float  # the largest absolute difference from the float64 reference
    bound: float | None  # the rounding bound there; None where it is larger than the outputs
    share: float  # the largest error / bound over all entries: over 1, rounding cannot explain it
    rho: float  # rms error over the rms of independent roundings
    effective_bits: float
    problem: str | None = None
    worst: Place | None = None  # where error / bound is largest
    untested: str | None = None  # why the data cannot tell; None where they can

    @property
    def status(self) -> str:
        """One of STATUSES; "not tested" where nothing is wrong and the data could not show it."""
        if self.problem is not None or not (self.share <= 1 and self.rho <= SCALE_LIMIT):
            return "wrong"
        return "ok" if self.untested is None else "not tested"

    @property
    def ok(self) -> bool:
        """It was tested, and the error is one that correct arithmetic of this dtype makes."""
        return self.status == "ok"

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        if self.share > 1:  # then the other figures, of the whole output, say nothing
            assert self.worst is not None
            return f"worst {self.worst.detail}"
        if self.status == "not tested":
            return f"not tested: {self.untested}"
        bound = "" if self.bound is None else f", bound {self.bound:.1e}"
        text = f"error {self.error:.1e}{bound}, {self.effective_bits:.1f} bits"
        return text if self.status == "ok" else f"{text}: too few, worst {self.worst}"


@dataclass(frozen=True)
class Verdict:
    """What ``compare`` found out about one framework on one device."""

    framework: str
    device: str
    dtype: str
    structure: Structure
    precision: Precision
    probes: tuple[Probe, ...] = ()  # none of a network: its precision meter decides alone
    wiring: Precision | None = None  # of a network: on other images, with calibrated norms
    trust: Trust | None = None  # what the data can tell; None where the right answer is unknown

    @property
    def status(self) -> str:
        """The worst of STATUSES that all verdicts and every probe have.

        Data that cannot tell right from wrong are "not tested".
        """
        probes = ("ok" if probe.ok else "wrong" for probe in self.probes)
        wiring = "ok" if self.wiring is None else self.wiring.status
        trust = "ok" if self.trust is None or self.trust.ok else "not tested"
        found = (self.structure.status, self.precision.status, wiring, trust, *probes)
        return max(found, key=STATUSES.index)

    @property
    def ok(self) -> bool:
        """Everything was tested, and nothing is wrong."""
        return self.status == "ok"

    @property
    def arithmetic(self) -> str:
        """The arithmetic that the errors are consistent with, or "unknown".

        Of a spec with probes, their finding ("float32", "tf32", "bfloat16", "float16", "... bias",
        "... accumulation", "... output", or several); of a network, what its effective bits say,
        which cannot tell "tf32 or float16" apart.
        """
        found = arithmetic.from_probes(self.probes, self.dtype)
        if found != self.dtype or self.precision.status != "wrong":
            return found
        if self.probes:  # the arithmetic is right, and something else is wrong
            return "unknown"
        return arithmetic.from_bits(self.precision.effective_bits, self.dtype)

    def __str__(self) -> str:
        state = self.status.replace("wrong", "WRONG")
        where = f"{self.framework} on {self.device}, {self.dtype}"
        text = f"{where}: {state}; structure {self.structure}; precision {self.precision}"
        if self.wiring is not None and not self.wiring.ok:
            text += f"; wiring {self.wiring}"
        if self.trust is not None and not self.trust.ok:
            text += f"; {self.trust}"
        if failed := [str(probe) for probe in self.probes if not probe.ok]:
            text += f"; probes: {', '.join(failed)}"
        if self.status == "wrong" and self.arithmetic not in (self.dtype, "unknown"):
            text += f"; consistent with {self.arithmetic} arithmetic"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **asdict(self),
            "structure": {
                **asdict(self.structure),
                "status": self.structure.status,
                "text": str(self.structure),
            },
            "trust": None if self.trust is None else {**asdict(self.trust), "ok": self.trust.ok},
            "arithmetic": self.arithmetic,
            "status": self.status,
            "ok": self.ok,
            "text": str(self),
        }
