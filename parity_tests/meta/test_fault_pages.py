"""The page of faults is what the last run found, of all faults; and all were seen."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.faults import CONTROL, FAULTS
from parity_tests.trials import fault_pages

COMMAND = [sys.executable, "-m", "parity_tests.trials.kill_matrix", "--quick"]
KILLED = {"killer": "outputs: chains", "examples": 3, "message": "pytorch wrong"}
SURVIVED = {"killer": None, "examples": 0, "message": ""}


def written() -> dict[str, Any]:
    return json.loads(fault_pages.DATA.read_text())


# ---------------------------------------------------------------- the last run


def test_the_page_shows_the_data() -> None:
    """Of a fault with another title, `python -m parity_tests.trials.fault_pages`."""
    assert fault_pages.PAGE.read_text() == fault_pages.page(written())


def test_the_data_are_of_the_faults_that_there_are() -> None:
    """A new fault: `tox run -e faults`."""
    data = written()
    assert fault_pages.faults(data) == list(FAULTS.values())
    tables = [*data["examples"]["layer"].values(), *data["examples"]["network"].values()]
    assert {id for table in (*tables, *data["groups"].values()) for id in table} == set(FAULTS)


def test_the_data_repeat_nothing() -> None:
    """Each number has four digits at most, and each property is named once in each table."""
    assert fault_pages.DATA.read_text() == fault_pages.text(written())
    assert not re.search(r"\d{5}|\d\.\d", fault_pages.DATA.read_text())
    assert fault_pages.DATA.stat().st_size < 200 * len(FAULTS)


def test_every_fault_was_tried_wherever_it_can_exist() -> None:
    data = written()
    assert data["frameworks"] == sorted(FRAMEWORKS)
    for fault in FAULTS.values():
        possible = fault.frameworks or tuple(FRAMEWORKS)
        tried = dict(zip(fault_pages.LEVELS, fault_pages.numbers(data, fault.id), strict=True))
        assert tuple(level for level in tried if tried[level]) == fault_pages.levels(fault)
        for found in filter(None, tried.values()):
            named = zip(data["frameworks"], found, strict=True)
            assert {name for name, number in named if number is not None} == {*possible}, fault.id


def test_none_survived_but_the_control() -> None:
    data = written()
    assert fault_pages.survivors(data) == [CONTROL]
    assert fault_pages.numbers(data, CONTROL) == [[0] * len(FRAMEWORKS)] * 2
    assert not any(row.get(CONTROL) for row in data["groups"].values())


def test_every_group_of_properties_sees_something() -> None:
    for group, row in written()["groups"].items():
        assert any(row.values()), group


# ---------------------------------------------------------------- what is told of a run


def found(**by_framework: Any) -> dict[str, Any]:
    kills = [
        {"fault": "padding-03", "framework": name, "level": level, **outcome, "seconds": 1}
        for name, outcomes in by_framework.items()
        for level, outcome in zip(fault_pages.LEVELS, outcomes, strict=True)
    ]
    return {"kills": kills, "groups": [], "sensitivity": []}


def test_a_survivor_of_one_level_of_one_framework_is_told() -> None:
    for place in range(4):
        outcomes = [SURVIVED if place == n else KILLED for n in range(4)]
        data = fault_pages.report(found(flax=outcomes[:2], keras=outcomes[2:]))
        assert fault_pages.survivors(data) == ["padding-03"]
        assert "survives" in fault_pages.page(data)
    data = fault_pages.report(found(flax=[KILLED] * 2, keras=[KILLED] * 2))
    assert fault_pages.survivors(data) == []
    assert "survives" not in fault_pages.page(data)


def test_a_line_names_the_examples_and_the_property() -> None:
    data = fault_pages.report(found(flax=[KILLED] * 2, keras=[KILLED, SURVIVED]))
    title = FAULTS["padding-03"].title
    assert list(fault_pages.rows(data)) == [
        ["padding-03", title, "3 / 3", "outputs: chains", "3 / survives", "outputs: chains"]
    ]


@pytest.mark.frameworks
def test_the_command() -> None:
    """In a process of its own, since it changes Hypothesis's profile."""
    run = subprocess.run(
        [
            *COMMAND,
            "--framework",
            "pytorch",
            "--fault",
            "padding-03",
            "--fault",
            "gradient-02",
            "--workers",
            "1",
        ],
        cwd=fault_pages.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "2 faults, 4 trials" in run.stdout
    assert "survivors: none" in run.stdout
