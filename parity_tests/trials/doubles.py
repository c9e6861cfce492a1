"""Doubles: every layer right, and off as another library or processor might be.

    python -m parity_tests.trials.doubles --cases 100000 --seed 0 --processes 2

No machine shows all that libraries may do, and no verdict may call it wrong. The command counts:
a case is one spec with one set of data, computed by one double and judged once.
"""

import argparse
import dataclasses
import itertools
import math
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from convparity.analysis.proof.compare import Precision, Structure, precision, structure
from convparity.analysis.proof.data import exact_shape, integer_case, real_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.notation import to_line
from convparity.impls.reference import run
from convparity.impls.spec import (
    PADDING_MODES,
    AdaptiveAvgPool,
    Average,
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    InputNorm,
    MaxPoolIndices,
    Power,
    Reduce,
    Rescale,
    Resize,
    Scale,
    Spec,
    dotted,
    walk,
)
from convparity.impls.weights import Weights
from parity_tests.support import transforms
from parity_tests.support.cells import FAMILIES
from parity_tests.support.executor import MARGIN, Arithmetic
from parity_tests.support.operations import COUNTS, LEANS, NORMS, ORDERS, ROOTS
from parity_tests.support.strategies import Case, cases

# name -> what it does in another way; it differs from the plain one in this alone
DOUBLES = {
    "plain": Arithmetic(),
    **{f"{order} sums": Arithmetic(order=order) for order in ORDERS[1:]},
    "bias first": Arithmetic(bias_first=True),
    "fused": Arithmetic(fused=True),
    "flushed": Arithmetic(flushed=True),
    **{
        f"{root} {lean}": Arithmetic(root=root, root_lean=lean)
        for root, lean in itertools.product(("rsqrt", "1/sqrt"), LEANS[1:])
    },
    "rsqrt by Newton": Arithmetic(root="newton"),
    **{f"by the root, {lean}": Arithmetic(norm="divided", root_lean=lean) for lean in LEANS},
    "folded": Arithmetic(norm="folded"),
    **{
        f"count's reciprocal {lean}": Arithmetic(count="reciprocal", count_lean=lean)
        for lean in LEANS
    },
    **{f"library {lean}": Arithmetic(library_lean=lean) for lean in LEANS[1:]},
    "Winograd": Arithmetic(algorithm="winograd"),
    "FFT": Arithmetic(algorithm="fft"),
}

_LINEAR = (Conv, ConvTranspose, DepthwiseConv, Dense)
_MEANS = (AvgPool, GlobalAvgPool, AdaptiveAvgPool, InputNorm, Average)
_NORMS = (BatchNorm, InputNorm)


def draw_double(rng: np.random.Generator) -> Arithmetic:
    """A choice of each: orders of sums, roots, and what the others are."""
    return Arithmetic(
        order=str(rng.choice(ORDERS)),
        fused=bool(rng.integers(2)),
        bias_first=bool(rng.integers(2)),
        flushed=bool(rng.integers(2)),
        root=str(rng.choice(ROOTS)),
        root_lean=str(rng.choice(LEANS)),
        library_lean=str(rng.choice(LEANS)),
        norm=str(rng.choice(NORMS)),
        count=str(rng.choice(COUNTS)),
        count_lean=str(rng.choice(LEANS)),
        seed=int(rng.integers(2**31)),
    )


def choices_of(spec: Spec) -> set[str]:
    """Which of the choices of an arithmetic make a difference to a spec."""
    found = list(operations(spec))
    reduced = {each.function for each in found if isinstance(each, Reduce)}
    powers = [each.exponent for each in found if isinstance(each, Power)]

    def has(*kinds: type[Spec]) -> bool:
        return any(isinstance(each, kinds) for each in found)

    sums = has(*_LINEAR, *_MEANS, Resize, Einsum) or bool(reduced - {"max", "min"})
    means = has(*_MEANS) or bool(reduced & {"mean", "var", "std"})
    norms = has(*_NORMS)
    quotients = has(Divide) or any(each < 0 and each.is_integer() for each in powers)
    chosen = {
        "order": sums,
        "fused": sums or norms or has(Rescale),
        "bias_first": any(isinstance(each, _LINEAR) and each.bias for each in found),
        "flushed": not all(isinstance(each, Flatten | Dropout) for each in found),
        "root": norms,
        "root_lean": norms or quotients or bool(reduced & {"std", "norm"}),
        "library_lean": any(getattr(each, "function", None) in MARGIN for each in found)
        or not all(each.is_integer() for each in powers),
        "norm": norms,
        "count": means,
        "count_lean": means,
    }
    return {name for name, matters in chosen.items() if matters}


def operations(spec: Spec) -> Iterator[Spec]:
    """Every layer and join, depth first."""
    if isinstance(spec, Composite):
        for _, child in spec.children:
            yield from operations(child)
    else:
        yield spec


def chosen_by(double: Arithmetic) -> set[str]:
    """What is not as it would be by default; the seed is no choice."""
    fields = [field for field in dataclasses.fields(double) if field.name != "seed"]
    return {field.name for field in fields if getattr(double, field.name) != field.default}


def concerns(double: Arithmetic, spec: Spec) -> bool:
    """Whether each of the double's choices makes a difference to the spec."""
    has = {"winograd": transforms.has_winograd, "fft": transforms.has_fft}.get(double.algorithm)
    if has is not None and not any(has(layer) for _, layer in walk(spec)):
        return False
    return chosen_by(double) - {"algorithm"} <= choices_of(spec)


def narrowed(double: Arithmetic, spec: Spec) -> Arithmetic:
    """The double without those of its choices that make no difference."""
    kept = chosen_by(double) & choices_of(spec)
    return Arithmetic(**{name: getattr(double, name) for name in kept}, seed=double.seed)


# ---------------------------------------------------------------- cases


@st.composite
def winograd_layers(draw: Any) -> tuple[Spec, tuple[int, ...]]:
    """3x3 convolutions without stride or dilation: the families draw few of them."""
    groups, each = draw(st.integers(1, 2)), draw(st.integers(1, 5))
    pads = st.tuples(*[st.integers(0, 2)] * 2)
    padding = draw(st.sampled_from(["valid", "same"]) | st.tuples(pads, pads))
    window: dict[str, Any] = {"padding": padding, "bias": draw(st.booleans())}
    window["padding_mode"] = draw(st.sampled_from(PADDING_MODES))
    shape = (draw(st.integers(1, 2)), *draw(st.tuples(*[st.integers(3, 7)] * 2)), groups * each)
    if draw(st.booleans()):
        return DepthwiseConv(shape[-1], 3, depth_multiplier=groups, **window), shape
    return Conv(shape[-1], groups * draw(st.integers(1, 4)), 3, groups=groups, **window), shape


SPECS = {
    **{name: family.cases for name, family in FAMILIES.items()},
    "3x3 convolutions": cases(winograd_layers()),
}


class Data(NamedTuple):
    """A set of data of a case: its words, which verdict judges it, how small its numbers are."""

    words: str
    exact: bool  # integers, whose structure is judged; else reals, whose precision is
    seed: int
    x: float = 1.0
    kernel: float = 1.0  # of the bias too, which else would be all there is; and of a scale


# products that vanish, operands that are subnormal, and neither
TINY = {"x 1e-41": (1e-41, 1.0), "kernels 1e-38": (1.0, 1e-38), "both 1e-20": (1e-20, 1e-20)}


def data_of(case: Case) -> list[Data]:
    """Integers twice, reals, and reals in the subnormal range, in one of the ways to get there."""
    words = sorted(TINY)[case.seed % len(TINY)]
    return [
        Data("ints", True, case.seed),
        Data("ints", True, case.seed + 1),
        Data("reals", False, case.seed),
        Data(f"reals, {words}", False, case.seed, *TINY[words]),
    ]


def draw_data(case: Case, data: Data, number: int) -> tuple[Weights, np.ndarray]:
    """Weights and an input."""
    if data.exact:
        return integer_case(case.spec, exact_shape(case.spec, case.input_shape), number)
    weights, x = real_case(case.spec, case.input_shape, number)
    for path, layer in walk(case.spec):
        for own in layer.parameters():
            if own in ("kernel", "bias") or isinstance(layer, Scale):
                name = dotted(path, own)
                weights[name] = (weights[name] * data.kernel).astype(np.float32)
    return weights, (x * data.x).astype(np.float32)


ROWS, DRAWN = 4, 2  # doubles of each set of data: rows of the table, and combinations


def doubles_of(spec: Spec, rng: np.random.Generator) -> dict[str, Arithmetic]:
    """Some rows of the table that concern the spec, and random combinations that differ."""
    names = [name for name, double in DOUBLES.items() if concerns(double, spec)]
    first = [name for name in names if DOUBLES[name].algorithm != "direct"]  # of few specs
    rest = [name for name in names if name not in first]
    some = first + [rest[i] for i in rng.permutation(len(rest))[:ROWS]]
    number = int(rng.integers(2**31))
    chosen = {name: dataclasses.replace(DOUBLES[name], seed=number) for name in some}
    for i in range(DRAWN):
        double = dataclasses.replace(narrowed(draw_double(rng), spec), seed=number)
        if double not in chosen.values():
            chosen[f"combination {i}"] = double
    return chosen


class Outcome(NamedTuple):
    """One case, judged."""

    double: str
    arithmetic: Arithmetic
    data: Data
    verdict: Structure | Precision
    entries: int  # that depend on the input
    jumps: bool = False  # whether its numbers may all count as zeros, where the output jumps

    @property
    def status(self) -> str:
        """One of "ok", "wrong" and "not tested"."""
        return self.verdict.status

    def right(self, family: str) -> bool:
        """Whether the verdict is as it must be."""
        return self.status == "ok" or (self.status == "not tested" and self.may_be_open(family))

    def may_be_open(self, family: str) -> bool:
        """Whether "not tested" is an answer: of chains, and where the output jumps."""
        return family == CHAINS or self.jumps


def outcomes(case: Case, data: Data, doubles: dict[str, Arithmetic]) -> Iterator[Outcome]:
    """The verdict on each double, of one set of data."""
    spec = case.spec
    weights, x = draw_data(case, data, data.seed)
    _, other = draw_data(case, data, data.seed + 2)
    direct, transformed = (
        trace(spec, weights, exact_input(x, direct=how)) for how in (True, False)
    )
    told = int(np.count_nonzero(run(spec, weights, other.astype(np.float64)) != direct.value))
    judge = structure if data.exact else precision
    for name, double in doubles.items():
        target = direct if double.algorithm == "direct" else transformed
        verdict = judge(double(spec, weights, x), target)
        yield Outcome(name, double, data, verdict, told, jumps_at_zero(spec) and data.x < 1)


def jumps_at_zero(spec: Spec) -> bool:
    """Whether numbers that count as zeros give anything: another largest one, or an infinity."""
    return any(
        isinstance(each, MaxPoolIndices | Divide) or (isinstance(each, Power) and each.exponent < 0)
        for each in operations(spec)
    )


# ---------------------------------------------------------------- the count

CHAINS = "chains"  # the family of more than one layer, of which "not tested" is an answer
BATCH = 25  # specs that are drawn at once


class Part(NamedTuple):
    """So many cases of one family, or a few more, drawn from seeds of their own."""

    family: str
    cases: int
    seed: int


class Count(NamedTuple):
    """What a part has counted."""

    family: str
    by_family: Counter[str]  # "cases", "wrong", "not tested", of which "may be", "entries"
    by_double: Counter[tuple[str, str]]
    told: list[str]  # every case that is not as it must be


def drawn_cases(family: str, number: int) -> list[Case]:
    """Specs of the family's strategy, as a test would draw them."""
    found: list[Case] = []

    @settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(SPECS[family])
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def count(part: Part) -> Count:
    """Judge the cases of a part."""
    rng = np.random.default_rng([part.seed, *part.family.encode()])
    counted = Count(part.family, Counter(), Counter(), [])
    for number in itertools.count(part.seed):
        for case in drawn_cases(part.family, number):
            for data in data_of(case):
                for outcome in outcomes(case, data, doubles_of(case.spec, rng)):
                    _note(counted, case, outcome)
            if counted.by_family["cases"] >= part.cases:
                return counted
    raise AssertionError("unreachable")


def _note(counted: Count, case: Case, outcome: Outcome) -> None:
    status, data = outcome.status, outcome.data
    name = "combination" if outcome.double not in DOUBLES else outcome.double
    counted.by_family.update({"cases": 1, status: 1, "entries": outcome.entries})
    if status == "not tested":
        counted.by_family["may be"] += outcome.may_be_open(counted.family)
    counted.by_double.update([(name, "cases"), (name, status)])
    if not outcome.right(counted.family):
        line = to_line(case.spec, case.input_shape)
        counted.told.append(
            f"{status}: {counted.family}: {line} {data.words}:{data.seed}; "
            f"{outcome.double} ({outcome.arithmetic}); {outcome.verdict}"
        )


def parts(wanted: int, first_seed: int) -> list[Part]:
    """Every family as often, in pieces that keep the processes busy."""
    each = math.ceil(wanted / len(SPECS))
    pieces = math.ceil(each / 1000)
    size = math.ceil(each / pieces)
    return [
        Part(family, size, 1000 * (first_seed + 1000 * piece))
        for piece in range(pieces)
        for family in SPECS
    ]


COLUMNS = ("cases", "wrong", "not tested")


def report(counts: Iterable[Count]) -> bool:
    """Print every case that is not as it must be, and the tables; whether there was none."""
    families: dict[str, Counter[str]] = {name: Counter() for name in SPECS}
    doubles: Counter[tuple[str, str]] = Counter()
    for counted in counts:
        families[counted.family].update(counted.by_family)
        doubles.update(counted.by_double)
        for line in counted.told:
            print(line, flush=True)
    total: Counter[str] = sum(families.values(), Counter())
    print(f"{'family':24}" + "".join(f"{name:>12}" for name in (*COLUMNS, "entries")))
    for name, found in {**families, "all": total}.items():
        print(f"{name:24}" + "".join(f"{found[each]:12}" for each in (*COLUMNS, "entries")))
    print(f"{'double':24}" + "".join(f"{name:>12}" for name in COLUMNS))
    for name in (*DOUBLES, "combination"):
        print(f"{name:24}" + "".join(f"{doubles[name, each]:12}" for each in COLUMNS))
    alone = (
        found["not tested"] - found["may be"] for name, found in families.items() if name != CHAINS
    )
    return total["wrong"] == 0 and not any(alone)


def main() -> None:
    """Count, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="at least so many")
    parser.add_argument("--seed", type=int, default=0, help="of the first specs")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        right = report(pool.imap_unordered(count, parts(asked.cases, asked.seed)))
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
