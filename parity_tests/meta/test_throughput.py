"""What ``trials.throughput`` measures is what it says."""

import pytest
from hypothesis import given, settings

from convparity.impls.adapter import Adapter
from parity_tests.support.asserts import assert_parity
from parity_tests.support.naive import naive, plain_cases
from parity_tests.support.strategies import Case
from parity_tests.trials import throughput

pytestmark = pytest.mark.frameworks


@settings(max_examples=5)
@given(plain_cases())
def test_both_ways_judge_the_plain_cases(adapters: list[Adapter], case: Case) -> None:
    naive(case)
    assert_parity(case, adapters)


def test_two_processes_share_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Case] = []
    monkeypatch.setattr(throughput, "assert_parity", lambda case, _: judged.append(case))
    alone, *_, shared = throughput.WAYS
    counts = [throughput.judge_all(shared, 20, 1, part) for part in (0, 1)]
    halves = judged.copy()
    judged.clear()
    counts.append(throughput.judge_all(shared._replace(processes=1), 20, 1, 0))
    assert len(set(counts)) == 1
    assert len(halves) == len(judged) == counts[0]
    assert set(map(str, halves)) == set(map(str, judged))
    assert alone.examples == 1
