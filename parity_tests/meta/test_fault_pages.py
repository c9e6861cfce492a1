"""The page of faults is what the last run found, of all faults; and all were seen."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convparity.analysis.faults import CONTROL, FAULTS
from parity_tests.meta import fault_pages

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "parity_tests.meta.kill_matrix", "--quick"]
KILLED = {"killer": "outputs: chains", "examples": 3, "message": "pytorch wrong"}
SURVIVED = {"killer": None, "examples": 0, "message": ""}


def written() -> dict[str, Any]:
    return json.loads((ROOT / "docs/faults.json").read_text())


# ---------------------------------------------------------------- the last run


def test_the_page_shows_the_data() -> None:
    assert (ROOT / "docs/faults.md").read_text() == fault_pages.page(written())


def test_the_data_are_of_the_faults_that_there_are() -> None:
    """A new fault, or another title: `tox run -e faults`."""
    faults = written()["faults"]
    for name in ("id", "title", "hides", "reference", "operation"):
        expected = [getattr(fault, name) for fault in FAULTS.values()]
        assert [fault[name] for fault in faults] == expected


def test_every_fault_was_tried_wherever_it_can_exist() -> None:
    for fault in written()["faults"]:
        assert set(fault["kills"]) == set(FAULTS[fault["id"]].frameworks), fault["id"]
        for levels in fault["kills"].values():
            assert tuple(levels) == fault_pages.levels(FAULTS[fault["id"]])


def test_none_survived_but_the_control() -> None:
    data = written()
    assert fault_pages.survivors(data) == [CONTROL]
    (control,) = (fault for fault in data["faults"] if fault["id"] == CONTROL)
    levels = [level for found in control["kills"].values() for level in found.values()]
    assert all(level["killer"] is None for level in levels)
    assert not any(control["groups"].values())


def test_every_group_of_properties_sees_something() -> None:
    data = written()
    for group in fault_pages.columns(data):
        assert any(fault["groups"].get(group) for fault in data["faults"]), group


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
        data = fault_pages.report(found(flax=outcomes[:2], keras=outcomes[2:]), ["padding-03"])
        assert fault_pages.survivors(data) == ["padding-03"]
        assert "survives" in fault_pages.page(data)
    data = fault_pages.report(found(flax=[KILLED] * 2, keras=[KILLED] * 2), ["padding-03"])
    assert fault_pages.survivors(data) == []
    assert "survives" not in fault_pages.page(data)


def test_a_line_names_the_examples_and_the_property() -> None:
    data = fault_pages.report(found(flax=[KILLED] * 2, keras=[KILLED, SURVIVED]), ["padding-03"])
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
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "2 faults, 4 trials" in run.stdout
    assert "survivors: none" in run.stdout
