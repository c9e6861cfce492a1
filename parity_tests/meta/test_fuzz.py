"""Mutants of all that comes in: a sample of what `tox run -e fuzz` tries."""

from typing import Any

import numpy as np
import pytest

from convparity import InputError
from parity_tests.trials import fuzz


def test_mutants_come_to_clear_errors() -> None:
    """A sample of what `tox run -e fuzz` tries."""
    counts, failures = fuzz.run(range(450), seed=7, processes=1)
    assert failures == []
    assert all(counts[f"{kind}: {came}"] for kind in fuzz.KINDS for came in ("error", "right"))


@pytest.mark.frameworks
def test_mutants_of_modules_come_to_clear_errors() -> None:
    kinds = list(fuzz.KINDS)
    numbers = range(kinds.index("module"), 80 * len(kinds), len(kinds))
    counts, failures = fuzz.run(numbers, seed=7, processes=1)
    assert failures == []
    assert counts["module: error"] > 20
    assert counts["module: right"] > 20


def test_a_mutant_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def raw(rng: np.random.Generator) -> Any:
        return "a line", lambda: int("x")

    class Long(InputError):
        def __str__(self) -> str:
            return "too long " * 1000

    def long(rng: np.random.Generator) -> Any:
        def run() -> None:
            raise Long

        return "a call", run

    monkeypatch.setattr(fuzz, "KINDS", {"raw": raw, "long": long})
    _, failures = fuzz.run(range(2), seed=0, processes=1)
    assert "ValueError: invalid literal" in failures[0].what
    assert "a message of 9000 letters" in failures[1].what
