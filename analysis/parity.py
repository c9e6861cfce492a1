"""Is a port right? Two verdicts: its structure is proved exact, its precision is measured.

- **Structure**: on small integers no order of summation rounds, so every framework must give the
  reference's bits. A wrong axis, pad, group, stride or flip shows at full size.
- **Precision**: on real numbers the error must stay under a proved rounding bound, and its size is
  reported as effective bits (about 23 for float32, 11 for TF32, 8 for bfloat16).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analysis.cases import exact_shape, integer_case, real_case
from analysis.rounding import Rounded, exact_input, round_to, trace
from impls import registry
from impls.errors import InputError
from impls.shapes import Shape, output_shape
from impls.spec import Spec
from impls.weights import check_weights

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

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return self.wrong == 0 and self.problem is None

    def __str__(self) -> str:
        if self.ok:
            return "exact" if self.slack == 0 else f"exact up to rounding ({self.slack:.1e})"
        return self.problem or f"{self.wrong} of {self.size} wrong, worst {self.worst}"


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

    @property
    def ok(self) -> bool:
        """Both verdicts hold."""
        return self.structure.ok and self.precision.ok

    def __str__(self) -> str:
        state = "ok" if self.ok else "WRONG"
        where = f"{self.framework} on {self.device}, {self.dtype}"
        return f"{where}: {state}; structure {self.structure}; precision {self.precision}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **asdict(self),
            "structure": {**asdict(self.structure), "text": str(self.structure)},
            "ok": self.ok,
            "text": str(self),
        }


def compare(
    spec: Spec,
    weights: Mapping[str, np.ndarray] | None = None,
    frameworks: Iterable[str] | None = None,
    x: np.ndarray | None = None,
    *,
    input_shape: Shape | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: str = "float32",
) -> list[Verdict]:
    """Judge each framework's build of ``spec`` against the float64 reference, both verdicts.

    Structure is judged on integers drawn from ``seed``; precision on ``x`` with ``weights`` (drawn
    from ``seed`` where not given). One of ``x`` and ``input_shape`` (N, *spatial, C) is needed.
    Without ``frameworks``, every installed one is judged; a missing one by name is an error.
    """
    if x is None and input_shape is None:
        raise InputError("compare needs an input x, or an input_shape to draw one for")
    shape = tuple(input_shape) if x is None else np.shape(x)  # type: ignore[arg-type]
    output_shape(spec, shape)
    names = registry.available() if frameworks is None else tuple(frameworks)
    if not names:
        raise InputError("no framework is installed: pip install 'convparity[pytorch]', for one")
    adapters = [registry.get(name) for name in names]  # a missing one fails before any work

    exact = integer_case(spec, exact_shape(spec, shape), seed, dtype)
    drawn_weights, drawn_x = real_case(spec, shape, seed)
    given = drawn_weights if weights is None else weights
    check_weights(spec, given)
    real = (  # in the dtype's own values: the error of getting there is not the framework's
        {name: round_to(np.asarray(array), dtype) for name, array in given.items()},
        round_to(drawn_x if x is None else np.asarray(x), dtype),
    )
    targets = [trace(spec, w, exact_input(each, dtype)) for w, each in (exact, real)]
    verdicts = []
    for adapter in adapters:
        outputs = []
        for case_weights, case_x in (exact, real):
            module = adapter.build(spec, case_weights, device=device, dtype=dtype)
            outputs.append(adapter.apply(module, spec, case_x))
        verdicts.append(
            Verdict(
                adapter.name,
                device,
                dtype,
                structure(outputs[0], targets[0]),
                precision(outputs[1], targets[1]),
            )
        )
    return verdicts


# ---------------------------------------------------------------- the two verdicts


def structure(output: np.ndarray, target: Rounded) -> Structure:
    """Judge an output on integer data: every entry must be the reference's."""
    slack = float(target.bound.max(initial=0))
    problem = _form_problem(output, target)
    if problem is not None:
        return Structure(0, target.value.size, slack, problem)
    error = _error(output, target.value)
    wrong = error > target.bound
    count = int(np.count_nonzero(wrong))
    worst = _place(np.where(wrong, error, -1), output, target.value) if count else None
    return Structure(count, target.value.size, slack, None, worst)


def precision(output: np.ndarray, target: Rounded) -> Precision:
    """Judge an output on real data: under the proved bound, and of the size rounding makes."""
    problem = _form_problem(output, target)
    if problem is not None:
        return Precision(math.inf, 0, math.inf, math.inf, 0, problem)
    error = _error(output, target.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(error == 0, 0, error / target.bound)
    shares = np.where(np.isnan(shares), np.inf, shares)
    at = np.unravel_index(int(shares.argmax()), shares.shape)
    finite = np.isfinite(target.value)
    rms_error, rms_scale = (
        math.sqrt(np.mean(each**2, where=finite)) if finite.any() else 0.0
        for each in (error, target.scale)
    )
    rho = rms_error / rms_scale if rms_error else 0.0
    mantissa = -math.log2(target.u)
    bits = mantissa - math.log2(rho) if rho else mantissa
    return Precision(
        float(error.max()),
        float(target.bound[at]),
        float(shares[at]),
        rho,
        max(0.0, min(mantissa, bits)),
        None,
        _place(shares, output, target.value),
    )


def _form_problem(output: np.ndarray, target: Rounded) -> str | None:
    if output.shape != target.value.shape:
        return f"shape {output.shape}, not {target.value.shape}"
    wanted = "float32" if target.dtype == "bfloat16" else target.dtype
    if output.dtype != wanted:
        return f"dtype {output.dtype}, not {wanted}"
    return None


def _error(output: np.ndarray, value: np.ndarray) -> np.ndarray:
    """|output - value|; infinite where only one of them is NaN, or an infinity is missed."""
    with np.errstate(invalid="ignore"):
        error = abs(output.astype(np.float64) - value)
    same = (output == value) | (np.isnan(output) & np.isnan(value))
    error = np.where(same, 0, error)
    return np.where(np.isnan(error), np.inf, error)


def _place(badness: np.ndarray, output: np.ndarray, value: np.ndarray) -> Place:
    at = np.unravel_index(int(badness.argmax()), badness.shape)
    return Place(tuple(map(int, at)), float(value[at]), float(output[at]))
