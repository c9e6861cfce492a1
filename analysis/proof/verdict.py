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
    """One number of an output: where it is, what it should be, and what it is.

    Attributes:
        index: Its place in the output, channels last.
        expected: The right value.
        got: The value that was given.
        bound: How far rounding may take it.
    """

    index: tuple[int, ...]
    expected: float
    got: float
    bound: float = 0.0  # what rounding may make of it

    def __str__(self) -> str:
        got, expected = _digits(self.got, self.expected)
        return f"y{list(self.index)} = {got}, not {expected}"

    @property
    def detail(self) -> str:
        """The text, with the error and the bound at this place."""
        return f"{self}: off by {abs(self.got - self.expected):.1e}, bound {self.bound:.1e}"


@dataclass(frozen=True)
class Structure:
    """Whether an output on integers is the reference's; ``str`` says it.

    Attributes:
        wrong: How many numbers differ by more than rounding.
        size: How many numbers the output has.
        slack: The largest bound of what rounding may do; 0 where nothing is rounded.
        problem: A wrong shape or dtype, or an error, for which no number was compared; else None.
        worst: The number that is furthest off.
        basis: What the bound rests on: "exact" (bit equality), "proved" or "measured".
        untested: How many numbers were not tested, because rounding may hide a fault there.
        reason: Why they were not tested.
        layer: Of a network, the path of the first layer that is wrong, or not tested.
        output: Of several outputs, the name of the first that is wrong, or not tested.
    """

    wrong: int  # entries that differ by more than rounding
    size: int
    slack: float  # 0 where nothing is rounded; else the largest bound of what rounding may do
    problem: str | None = None  # a wrong shape or dtype, before any entry was compared
    worst: Place | None = None
    basis: str = "exact"  # what the bound rests on: "exact" (bit equality), "proved", "measured"
    untested: int = 0  # entries whose bound is no longer below half a unit of the data, or all
    reason: str = "rounding alone may hide a fault"  # that they are not tested
    layer: str = ""  # of a network: the path of the first layer that is wrong, or not tested
    output: str = ""  # of several outputs: the name of the first that is wrong, or not tested

    @property
    def status(self) -> str:
        """Either "ok", "wrong", or "not tested", where rounding alone could hide a fault."""
        if self.wrong or self.problem is not None:
            return "wrong"
        return "not tested" if self.untested else "ok"

    @property
    def ok(self) -> bool:
        """Whether every number was tested, and none differs."""
        return self.status == "ok"

    def __str__(self) -> str:
        layer = f"{self.layer}: " if self.layer else ""
        layer += f"output {self.output}: " if self.output else ""
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
    """How far an output on real numbers is from float64, against what rounding can explain.

    Attributes:
        error: The largest absolute difference from the float64 reference.
        bound: The rounding bound there; None where it is larger than the outputs.
        share: The largest error / bound of all numbers: above 1, rounding cannot explain it.
        rho: The rms of the error, over the rms of independent roundings.
        effective_bits: About 23 is float32, 11 TF32, 8 bfloat16.
        problem: A wrong shape or dtype, or values that are not finite; else None.
        worst: The number with the largest error / bound.
        untested: Why the data cannot tell right from wrong; None where they can.
        output: Of several outputs, the name of the one that is furthest off, of which all else is.
    """

    error: float  # the largest absolute difference from the float64 reference
    bound: float | None  # the rounding bound there; None where it is larger than the outputs
    share: float  # the largest error / bound over all entries: over 1, rounding cannot explain it
    rho: float  # rms error over the rms of independent roundings
    effective_bits: float
    problem: str | None = None
    worst: Place | None = None  # where error / bound is largest
    untested: str | None = None  # why the data cannot tell; None where they can
    output: str = ""  # of several: the name of the one that is furthest off

    @property
    def status(self) -> str:
        """Either "ok", "wrong", or "not tested", where the data could not show a fault."""
        if self.problem is not None or not (self.share <= 1 and self.rho <= SCALE_LIMIT):
            return "wrong"
        return "ok" if self.untested is None else "not tested"

    @property
    def ok(self) -> bool:
        """Whether it was tested, and correct arithmetic of this dtype has such an error."""
        return self.status == "ok"

    def __str__(self) -> str:
        return f"output {self.output}: {self._text}" if self.output else self._text

    @property
    def _text(self) -> str:
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
    """What was found out about one framework, or one candidate; ``str`` says it on one line.

    Read ``status`` first: "ok", "wrong", or "not tested", where the data could not have told a
    wrong implementation. Then ``structure`` says whether it computes the right thing, and
    ``precision`` how precisely.

    Attributes:
        framework: Its name, or that of the candidate.
        device: Where it ran: "cpu" or "gpu:0".
        dtype: In which it was asked to compute.
        structure: The verdict on integers.
        precision: The verdict on real numbers.
        probes: What each probe of its arithmetic found; none of a network.
        wiring: Of a network, the precision on other images, which shows how its layers are
            connected.
        trust: What the data can tell; None where the right answer is unknown.

    Example:
        >>> import convparity as cp
        >>> port = lambda spec, weights, x: cp.reference(spec, weights, x).astype("float32")
        >>> verdict = cp.judge(port, cp.Conv(3, 8, 3), input_shape=(1, 7, 9, 3), name="mine")
        >>> verdict.ok, verdict.framework, str(verdict.structure), verdict.arithmetic
        (True, 'mine', 'exact', 'float32')
    """

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
        """The worst of "ok", "not tested" and "wrong" that any part of the verdict has.

        Data that cannot tell right from wrong are "not tested".
        """
        probes = ("ok" if probe.ok else "wrong" for probe in self.probes)
        wiring = "ok" if self.wiring is None else self.wiring.status
        trust = "ok" if self.trust is None or self.trust.ok else "not tested"
        found = (self.structure.status, self.precision.status, wiring, trust, *probes)
        return max(found, key=STATUSES.index)

    @property
    def ok(self) -> bool:
        """Whether everything was tested, and nothing is wrong."""
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
        """Everything, as JSON takes it.

        Returns:
            The fields and the properties by name, and ``text``, the verdict on one line.
        """
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
