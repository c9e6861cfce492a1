"""A fault in a random layer or chain of layers: does diagnosis name it, and how far up?"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import seed as hypothesis_seed

from convparity.analysis.diagnosis.diagnose import Diagnosis, diagnose
from convparity.analysis.diagnosis.suspects import KNOWN, right, same
from convparity.analysis.faults import Fault, implementation, seed
from convparity.analysis.proof.data import exact_shape, integer_case, real_case
from convparity.impls import registry
from convparity.impls.errors import SpecError
from convparity.impls.reference import Implementation
from convparity.impls.spec import Shape, Spec
from convparity.impls.weights import Weights
from parity_tests.support.strategies import Case, activation_cases, chain_cases, layer_cases


@dataclass
class Result:
    """What the trials counted; ``ranks`` are those of the lines that name the fault."""

    ranks: Counter[int] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)
    unseen: int = 0  # changes that rounding explains, too: no verdict sees them
    alike: Counter[int] = field(default_factory=Counter)  # explanations in the line that names it

    @property
    def pairs(self) -> int:
        """Pairs of a fault and a spec whose output it changes."""
        return sum(self.ranks.values()) + len(self.misses)

    def within(self, rank: int) -> float:
        """The share of pairs whose fault is named in the first ``rank`` lines."""
        return sum(n for at, n in self.ranks.items() if at <= rank) / max(1, self.pairs)


def run(
    each: int, first_seed: int, data: str = "ints", framework: str | None = None, two: bool = False
) -> Result:
    """Diagnose every fault in ``each`` specs that show it; two at once: each with a random other.

    ``data`` is "ints" for a port that is asked for integers, "reals" for one output of real
    numbers. The port is a framework's with the fault, or the reference's.
    """
    result = Result()
    cases = list(_cases(400, first_seed))
    rng = np.random.default_rng(first_seed)
    base = right if framework is None else _native(framework)
    for fault in KNOWN:
        shown = 0
        for index in rng.permutation(len(cases)):
            faults = [fault]
            if two:
                faults.append(KNOWN[rng.integers(len(KNOWN))])
            if shown == each:
                break
            answer = _trial(cases[index], faults, data, base)
            if answer is not None and answer.right:
                result.unseen += 1
            elif answer is not None:
                shown += 1
                _note(result, cases[index], faults, answer)
    return result


def _trial(case: Case, faults: list[Fault], data: str, base: Implementation) -> Diagnosis | None:
    """The diagnosis; None where the port does not differ from a right one."""
    spec, shape, number = case
    shape = exact_shape(spec, shape)
    if any(seed(spec, shape, fault) is None for fault in faults):
        return None
    wrong = implementation(base, *faults)
    inputs = _inputs(spec, shape, number, data)
    with np.errstate(all="ignore"):
        if not _differs(wrong, base, case, inputs):
            return None
        if data == "ints":
            return diagnose(wrong, spec, input_shape=shape, seed=number)
        ((weights, x),) = inputs
        return diagnose(wrong(spec, weights, x), spec, weights, x)


@lru_cache(maxsize=1024)
def _inputs(spec: Spec, shape: Shape, number: int, data: str) -> list[tuple[Weights, np.ndarray]]:
    """Kept, as many faults are tried on one spec."""
    if data == "ints":
        return [integer_case(spec, shape, each) for each in (number, number + 1)]
    return [real_case(spec, shape, number)]


def _differs(
    wrong: Implementation,
    base: Implementation,
    case: Case,
    inputs: list[tuple[Weights, np.ndarray]],
) -> bool:
    try:
        return not all(same(wrong(case.spec, *each), base(case.spec, *each)) for each in inputs)
    except SpecError:  # a second fault that the first one's output does not fit
        return False


def _note(result: Result, case: Case, faults: list[Fault], found: Diagnosis) -> None:
    names = tuple(sorted(fault.id for fault in faults))
    result.faults.update(names)
    for rank, answer in enumerate(found.answers, 1):
        if names in {tuple(sorted(ids)) for ids in answer.ids}:
            result.ranks[rank] += 1
            result.alike[len(answer.ids)] += 1
            return
    result.misses.append(f"{' and '.join(names)}: {str(found)[:300]}: {case}")


def _cases(count: int, first_seed: int) -> Iterator[Case]:
    """Random layers of every kind, and short chains of them."""
    found: list[Case] = []
    for cases, share in ((layer_cases, 0.6), (activation_cases, 0.15), (chain_cases, 0.25)):

        @hypothesis_seed(first_seed)
        @settings(
            max_examples=int(count * share), database=None, phases=[Phase.generate], deadline=None
        )
        @given(cases)
        def draw(case: Case) -> None:
            found.append(case)

        draw()
    return iter(found)


def _native(framework: str) -> Implementation:
    adapter = registry.get(framework)

    def run(spec, weights, x):
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        return adapter.apply(adapter.build(spec, weights), spec, np.asarray(x, np.float32))

    return run
