"""The registry of faults holds its word: each changes something, and nothing where it hides."""

import functools
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings

from analysis.cases import exact_shape, integer_case, real_case
from analysis.faults import CONTROL, FAULTS, Fault, implementation, operations, seed
from impls import (
    BatchNorm,
    Conv,
    DepthwiseConv,
    Residual,
    SeparableConv,
    Sequential,
    SpecError,
    reference,
)
from parity_tests.strategies import Case, chain_cases, layer_cases

FORWARD = [fault for fault in FAULTS.values() if fault.forward and fault.id != CONTROL]


@functools.cache
def drawn() -> list[Case]:
    """Layers and chains, the same in every run."""
    found: list[Case] = []

    @settings(max_examples=500, derandomize=True, database=None)
    @given(layer_cases)
    def layers(case: Case) -> None:
        found.append(case)

    @settings(max_examples=300, derandomize=True, database=None)
    @given(chain_cases)
    def chains(case: Case) -> None:
        found.append(case)

    layers()
    chains()
    return found


@functools.cache
def data(index: int):
    """Random reals for a case, and their right output."""
    case = drawn()[index]
    weights, x = real_case(*case)
    return weights, x, reference(case.spec, weights, x)


# ---------------------------------------------------------------- the registry


def test_there_are_enough() -> None:
    assert len(FAULTS) - 1 >= 80
    assert sum(bool(fault.reference) for fault in FAULTS.values()) >= 40


def test_ids_count_up_within_their_families() -> None:
    numbers: Counter[str] = Counter()
    for id, fault in FAULTS.items():
        family, number = re.fullmatch(r"([a-z]+)-(\d\d)", id).groups()
        numbers[family] += 1
        assert int(number) == numbers[family], id
        assert (fault.id, fault.family) == (id, family)


def test_the_control_is_last() -> None:
    assert list(FAULTS)[-1] == CONTROL


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_each_says_what_it_is(fault: Fault) -> None:
    assert fault.title
    assert fault.title[-1] not in ".:"
    assert len(fault.title) <= 80
    assert fault.hides
    assert fault.reference == "" or re.fullmatch(r"[\w.-]+ #\d+", fault.reference)
    assert fault.on


def test_titles_are_unique() -> None:
    assert len({fault.title for fault in FAULTS.values()}) == len(FAULTS)


# ---------------------------------------------------------------- what each one changes


def differs(y: np.ndarray, other: np.ndarray) -> bool:
    return y.shape != other.shape or y.dtype != other.dtype or not np.array_equal(y, other)


@pytest.mark.parametrize("fault", FORWARD, ids=lambda fault: fault.id)
def test_it_changes_an_output(fault: Fault) -> None:
    """Somewhere it can exist; and nowhere that it is known to hide."""
    if "alone in float" in fault.title:
        return
    seen = changed = 0
    for index, case in enumerate(drawn()):
        faulty = seed(case.spec, case.input_shape, fault)
        if faulty is None:
            continue
        weights, x, y = data(index)
        wrong = faulty.output(reference, weights, x)
        seen += 1
        if fault.hides_on(case.spec, case.input_shape) and fault.seed(case.spec, case.input_shape):
            assert not differs(y, wrong), f"{fault.id} does not hide on {case}: {faulty.detail}"
        changed += differs(y, wrong)
    assert seen, "never seeded"
    assert changed, f"seeded {seen} times, and nothing changed"
    print(fault.id, seen, changed)
