"""Run demonstrations: here, or in a process with another environment.

    python -m parity_tests.divergences.run SETTING [ID LABEL]

prints one line of JSON for each demonstration of a setting, or for that one.
"""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity_tests.divergences import CATALOGUE
from parity_tests.divergences.entry import (
    SETTINGS,
    Demonstration,
    Dies,
    Divergence,
    Raises,
    plain,
    text_of,
)

ROOT = Path(__file__).parent.parent.parent
Pair = tuple[Divergence, Demonstration]


def pairs() -> Iterator[Pair]:
    """Every demonstration with its entry."""
    for entry in CATALOGUE:
        for demonstration in entry.demonstrations:
            yield entry, demonstration


def outcome(demonstration: Demonstration) -> dict[str, Any]:
    """What came, in this process: ``value``, or ``error`` and its ``text``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = demonstration.run()
        except Exception as error:  # an answer, too
            text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # Keras prints in bold
            return {"error": type(error).__name__, "text": " ".join(text.split())}
    return {"value": plain(value)}


def fits(expected: Any, came: dict[str, Any]) -> bool:
    """Whether the outcome is the expected answer."""
    match expected:
        case Raises(error, text):
            return came.get("error") == error and text in came["text"]
        case Dies(name):
            return came.get("signal") == name
    return "value" in came and text_of(came["value"]) == text_of(expected)


def shown(came: dict[str, Any]) -> str:
    """An outcome in words, as ``text_of`` says an expectation."""
    if "error" in came:
        return text_of(Raises(came["error"], came["text"][:300]))
    return text_of(Dies(came["signal"]) if "signal" in came else came["value"])


def complaint(entry: Divergence, demonstration: Demonstration, came: dict[str, Any]) -> str:
    """What to do about an answer that is no longer the expected one; "" if it still is."""
    expected = demonstration.expected_here
    if fits(expected, came):
        return ""
    others = [each.expected_here for each in entry.demonstrations if each is not demonstration]
    if "value" in came and came["value"] == plain(demonstration.right):
        verdict = "it is right now: remove"
    elif all(fits(each, came) for each in others):
        verdict = "the frameworks agree now: remove"
    else:
        verdict = "changed: update or remove"
    seen = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
    return (
        f"{verdict} entry {entry.id} ({entry.title})\n"
        f"  {demonstration.label} gave: {text_of(expected)}\n"
        f"  now it gives: {shown(came)}\n"
        f"  seen on {entry.date} with {seen}"
    )


def process(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    """The outcomes in a process of its own, with its return code. A setting comes first."""
    run = subprocess.run(
        [sys.executable, "-m", "parity_tests.divergences.run", *arguments],
        cwd=ROOT,
        env={**os.environ, **SETTINGS[arguments[0]]},
        capture_output=True,
        text=True,
    )
    if run.returncode > 0:
        raise RuntimeError(f"the demonstrations of {arguments} did not run:\n{run.stderr}")
    lines = [line for line in run.stdout.splitlines() if line.startswith('{"id"')]
    return [json.loads(line) for line in lines], run.returncode


def batch(setting: str) -> list[dict[str, Any]]:
    """The outcomes under another setting, in one process."""
    outcomes, code = process(setting)
    if code:
        name = signal.Signals(-code).name
        raise RuntimeError(
            f"{name} after {outcomes[-1:]} under {setting!r}: an entry is to expect it"
        )
    return outcomes


def alone(entry: Divergence, demonstration: Demonstration) -> dict[str, Any]:
    """The outcome of one demonstration in a process of its own, which may die of it."""
    outcomes, code = process(demonstration.setting, entry.id, demonstration.label)
    return {"signal": signal.Signals(-code).name} if code else outcomes[0]


def main(setting: str, entry_id: str = "", label: str = "") -> None:
    for entry, demonstration in pairs():
        if demonstration.setting != setting:
            continue
        asked = (entry.id, demonstration.label) == (entry_id, label)
        if asked or (not entry_id and not demonstration.deadly):
            line = {"id": entry.id, "label": demonstration.label, **outcome(demonstration)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
