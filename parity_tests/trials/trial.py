"""One fault in one framework: which property sees it, and after how many examples."""

import time
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.statistics import collector

from convparity.impls import registry
from parity_tests import conftest  # noqa: F401 (registers the profile that this one changes)
from parity_tests.support.faults import FAULTS, Misbehaviour
from parity_tests.support.seeded_adapter import Outputs, SeededAdapter, installed

# The gate's examples, and no shrinking: one failure is all that is asked for.
settings.register_profile(
    "faults",
    settings.get_profile("gate"),
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("faults")  # before the properties are imported, which then keep it


class Outcome(NamedTuple):
    """What became of a fault at one level of one framework."""

    fault: str
    framework: str
    level: str
    killer: str | None  # the property; None: it survived
    examples: int  # of that property, until then
    message: str  # of the failure, its first line
    seconds: float


class Row(NamedTuple):
    """The examples that each group of properties needed; None where it saw nothing."""

    fault: str
    framework: str
    groups: dict[str, int | None]
    seconds: float


@cache
def outputs(framework: str) -> Outputs:
    """The right outputs of one framework, kept as long as the process."""
    return Outputs(registry.get(framework))


def run(prop: Any, adapter: SeededAdapter) -> tuple[int, str] | None:
    """Run one property: the examples it took and the message, or None where it stays green."""
    seen: list[Any] = []
    adapter.seeded = 0
    try:
        with collector.with_value(seen.append):
            prop.run(adapter)
    except (AssertionError, pytest.fail.Exception) as error:  # no other error is a verdict
        message = str(error).strip() or type(error).__name__
        if message.startswith("never drawn"):  # a count of cells, which no adapter can change
            return None
        if not adapter.seeded:  # the property is red without a fault
            raise
        phases = [each.get("generate-phase", {}) for each in seen]
        examples = sum(len(phase.get("test-cases", ())) for phase in phases)
        return max(examples, 1), message.splitlines()[0]
    return None


def first_kill(fault: str, framework: str, level: str) -> Outcome:
    """Try the properties of a level, the likeliest first, until one of them sees the fault."""
    from parity_tests.support.properties import ordered

    start, message = time.perf_counter(), ""
    adapter = SeededAdapter(outputs(framework), FAULTS[fault], level)
    with installed(adapter):
        for prop in ordered(FAULTS[fault], level):
            try:
                found = run(prop, adapter)
            except Exception as error:  # told, and no kill
                message = f"{prop.name}: {type(error).__name__}: {error}"
                continue
            if found is not None:
                seconds = time.perf_counter() - start
                return Outcome(fault, framework, level, prop.name, *found, seconds)
    return Outcome(fault, framework, level, None, 0, message, time.perf_counter() - start)


def every_group(fault: str, framework: str) -> Row:
    """Which groups of properties see the fault, of those that judge the operation it is in."""
    from parity_tests.support.properties import BOTH, PROPERTIES, ordered

    start, groups = time.perf_counter(), dict[str, int | None]()
    adapter = SeededAdapter(outputs(framework), FAULTS[fault])
    judged = "forward" if FAULTS[fault].operation == "device" else FAULTS[fault].operation
    names = dict.fromkeys(p.name for level in BOTH for p in ordered(FAULTS[fault], level))
    with installed(adapter):
        for prop in (PROPERTIES[name] for name in names):
            if prop.operation == judged and groups.get(prop.group) is None:
                if prop.group == "outputs, layers" and not _concerns(prop.name, FAULTS[fault]):
                    continue
                try:
                    found = run(prop, adapter)
                except Exception:  # no verdict on it
                    found = None
                if adapter.seeded:  # else none of its examples can hold the fault
                    groups[prop.group] = None if found is None else found[0]
    return Row(fault, framework, groups, time.perf_counter() - start)


def _concerns(name: str, fault: Misbehaviour) -> bool:
    """Whether a family of layers holds layers that the fault can exist in."""
    from parity_tests.support.properties import KINDS

    return any(name in KINDS.get(kind, ()) for kind in fault.on)
