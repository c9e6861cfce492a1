"""Assertions whose messages name the framework that is wrong, the spec, and how to run it again."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from hypothesis import event

from analysis.cases import exact_shape, integer_case, real_case
from analysis.parity import precision, structure
from analysis.replay import Replay
from analysis.rounding import exact_input, trace
from impls.adapter import Adapter
from parity_tests.cells import cells
from parity_tests.strategies import Case


def replay(case: Case, data: str = "ints") -> str:
    """The command that judges the case again, on the same data ("ints" or "reals")."""
    return f"  replay: convparity replay '{Replay(case.spec, case.input_shape, data, case.seed)}'"


def assert_structure(case: Case, adapters: Iterable[Adapter]) -> None:
    """Every framework, on every device it sees, gives the reference's bits on integers."""
    shape = exact_shape(case.spec, case.input_shape)
    weights, x = integer_case(case.spec, shape, case.seed)
    target = trace(case.spec, weights, exact_input(x))
    outputs = {}
    for adapter in adapters:
        for device in adapter.devices():
            module = adapter.build(case.spec, weights, device=device)
            outputs[f"{adapter.name} on {device}"] = adapter.apply(module, case.spec, x)
    verdicts = {name: structure(output, target) for name, output in outputs.items()}
    wrong = {name: verdict for name, verdict in verdicts.items() if not verdict.ok}
    assert not wrong, "\n".join(
        [
            _who(outputs, wrong),
            *(f"  {name}: {verdict}" for name, verdict in wrong.items()),
            replay(case),
        ]
    )


def _who(outputs: dict[str, np.ndarray], wrong: Iterable[str]) -> str:
    right = [name for name in outputs if name not in wrong]
    if right:
        return f"{' and '.join(wrong)} wrong: {' and '.join(right)} and the reference agree"
    first, *rest = outputs.values()
    if rest and all(np.array_equal(first, other) for other in rest):
        return f"the reference is suspect: {', '.join(outputs)} agree with each other against it"
    return f"{', '.join(outputs)} all differ from the reference, and not in the same way"


def assert_precision(case: Case, adapters: Iterable[Adapter]) -> None:
    """Every framework errs on real numbers as float32 must, and no more."""
    weights, x = real_case(case.spec, case.input_shape, case.seed)
    target = trace(case.spec, weights, exact_input(x))
    for adapter in adapters:
        for device in adapter.devices():
            module = adapter.build(case.spec, weights, device=device)
            verdict = precision(adapter.apply(module, case.spec, x), target)
            assert verdict.ok, f"{adapter.name} on {device}: {verdict}\n{replay(case, 'reals')}"


@contextmanager
def coverage(wanted: Iterable[str]) -> Iterator[Counter[str]]:
    """Count the hard cells that a property draws; one that it never drew is a failure."""
    seen: Counter[str] = Counter()
    yield seen
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
