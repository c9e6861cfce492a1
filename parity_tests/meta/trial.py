"""One fault in one framework: which property sees it, and after how many examples."""

import time
import traceback
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.statistics import collector

from analysis.faults import Fault
from parity_tests import conftest  # noqa: F401 (registers the profile that this one changes)

# The gate's examples, and no shrinking: one failure is all that is asked for.
settings.register_profile(
    "faults",
    settings.get_profile("gate"),
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Outcome(NamedTuple):
    """What became of a fault at one level of one framework."""

    fault: str
    framework: str
    level: str
    killer: str | None  # None: it survived
    examples: int  # until then, of that property
    tried: int  # properties, that one included
    seconds: float
    message: str  # the first line of the failure


def examples_in(statistics: list[Any]) -> int:
    """How many examples a property has drawn."""
    phases = [each.get("generate-phase", {}) for each in statistics]
    return sum(len(phase.get("test-cases", ())) for phase in phases) or 1


def kill(prop: Any, adapter: Any) -> tuple[int, str] | None:
    """Run one property; the examples it took, and the message, or None where it stays green."""
    seen: list[Any] = []
    adapter.seeded = 0
    try:
        with collector.with_value(seen.append):
            prop.run(adapter)
    except (Exception, pytest.fail.Exception) as error:
        message = str(error).strip() or type(error).__name__
        if message.startswith("never drawn"):  # of the cells, which the examples draw alone
            return None
        if not adapter.seeded:
            raise
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return examples_in(seen), kind + message.splitlines()[0]
    return None


def attempt(fault: Fault, level: str, adapter: Any) -> Outcome:
    """Try the properties until one of them sees the fault."""
    from parity_tests.meta.properties import ordered
    from parity_tests.meta.seeded_adapter import installed

    start, tried = time.perf_counter(), 0
    with installed(adapter):
        for prop in ordered(fault, level):
            tried += 1
            found = kill(prop, adapter)
            if found is not None:
                seconds = time.perf_counter() - start
                return Outcome(fault.id, adapter.name, level, prop.name, found[0], tried, seconds, found[1])
    seconds = time.perf_counter() - start
    return Outcome(fault.id, adapter.name, level, None, 0, tried, seconds, "")
