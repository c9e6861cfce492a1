"""Assertions whose messages name the framework that is wrong, the spec, and how to run it again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from hypothesis import event, settings

from convparity.analysis.proof.compare import precision, structure
from convparity.analysis.proof.data import exact_shape, traced
from convparity.analysis.replay.replay import Replay
from convparity.impls.adapter import Adapter
from convparity.impls.values import parts
from parity_tests.support.cells import cells
from parity_tests.support.strategies import Case


class NotRight(AssertionError):
    """A verdict that is not ok; ``statuses`` are those of all that are not: wrong, not tested."""

    def __init__(self, message: str, statuses: set[str]) -> None:
        super().__init__(message)
        self.statuses = statuses


def replay(case: Case, data: str = "ints") -> str:
    """The command that judges the case again, on the same data ("ints" or "reals")."""
    return f"  replay: convparity replay '{Replay(case.spec, case.input_shape, data, case.seed)}'"


def assert_structure(case: Case, adapters: Iterable[Adapter]) -> None:
    """Every framework, on every device it sees, gives the reference's bits on integers."""
    _assert_right([Replay(*case[:2], "ints", case.seed)], adapters)


def assert_precision(case: Case, adapters: Iterable[Adapter]) -> None:
    """Every framework errs on real numbers as float32 must, and no more."""
    _assert_right([Replay(*case[:2], "reals", case.seed)], adapters)


def assert_parity(case: Case, adapters: Iterable[Adapter]) -> None:
    """Structure on two draws of integers, and precision: three examples of one built module.

    Each has weights of its own, loaded into the module that was built with the first: to trace and
    compile a module takes tens of times as long as to run it.
    """
    spec, seed = case.spec, case.seed
    shape = exact_shape(spec, case.input_shape)  # for the reals too: another compiles anew
    _assert_right(
        [Replay(spec, shape, data, n) for data, n in (("ints", seed), ("ints", seed + 1))]
        + [Replay(spec, shape, "reals", seed)],
        adapters,
    )


def _assert_right(examples: Sequence[Replay], adapters: Iterable[Adapter]) -> None:
    """Judge the examples, which have one spec and one shape."""
    cases, spec = [example.case() for example in examples], examples[0].spec
    found: list[dict[str, Any]] = [{} for _ in examples]
    for adapter in adapters:
        for device in adapter.devices():
            module = adapter.build(spec, cases[0][0], device=device)
            for i, (weights, x) in enumerate(cases):
                if i:
                    adapter.load(module, weights)
                found[i][f"{adapter.name} on {device}"] = adapter.apply(module, spec, x)
    for example, (weights, x), outputs in zip(examples, cases, found, strict=True):
        judge = structure if example.data == "ints" else precision
        target = traced(spec, weights, x)
        verdicts = {name: judge(output, target) for name, output in outputs.items()}
        wrong = {name: verdict for name, verdict in verdicts.items() if not verdict.ok}
        if wrong:
            message = [
                _who(outputs, wrong),
                *(f"  {name}: {verdict}" for name, verdict in wrong.items()),
                f"  replay: convparity replay '{example}'",
                f"  diagnose: convparity diagnose '{example}' --frameworks {_frameworks(wrong)}",
            ]
            raise NotRight("\n".join(message), {each.status for each in wrong.values()})


def _frameworks(wrong: Iterable[str]) -> str:
    """Those of "pytorch on cpu" and the like, as the commands take them."""
    return ",".join(dict.fromkeys(name.partition(" on ")[0] for name in wrong))


def _who(outputs: dict[str, Any], wrong: Iterable[str]) -> str:
    right = [name for name in outputs if name not in wrong]
    if right:
        return f"{' and '.join(wrong)} wrong: {' and '.join(right)} and the reference agree"
    first, *rest = map(parts, outputs.values())
    if rest and all(all(map(np.array_equal, first, other)) for other in rest):
        return f"the reference is suspect: {', '.join(outputs)} agree with each other against it"
    return f"{', '.join(outputs)} all differ from the reference, and not in the same way"


@contextmanager
def coverage(wanted: Iterable[str]) -> Iterator[Counter[str]]:
    """Count the hard cells that a property draws; one that it never drew is a failure.

    The profile "reduced" draws too little to meet them all, and is not asked.
    """
    seen: Counter[str] = Counter()
    yield seen
    if settings.get_current_profile_name() == "reduced":
        return
    never = sorted(set(wanted) - set(seen))
    assert not never, f"never drawn: {', '.join(never)}"


def note_cells(case: Case, seen: Counter[str]) -> None:
    """Put a case's hard cells on the count and into Hypothesis's statistics."""
    for cell in set(cells(case)):
        seen[cell] += 1
        event(cell)


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """An input where only the output's shape matters."""
    return np.zeros(shape, dtype=np.float32)
