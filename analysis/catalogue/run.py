"""Run demonstrations, and hold what is measured against what is stated.

``measure`` runs them in processes of their own: one a setting, and one for each demonstration that
kills its process. There, ``python -m convparity.analysis.catalogue.run`` reads a setting and pairs
of an entry's id and a label, and prints one line of JSON for each outcome.
"""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from convparity.analysis.catalogue.answers import Dies, Raises, plain, text_of
from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.analysis.catalogue.entries.environments import SETTINGS
from convparity.analysis.catalogue.entry import Demonstration, Divergence
from convparity.impls import import_order
from convparity.impls.errors import ConvparityError

Pair = tuple[Divergence, Demonstration]
Outcome = dict[str, Any]  # ``value``; or ``error`` and its ``text``; or ``signal``


@dataclass(frozen=True)
class Measured:
    """What became of one demonstration."""

    entry: Divergence
    demonstration: Demonstration
    outcome: Outcome | None  # None where it could not run
    left_out: str = ""  # the reason

    @property
    def stated(self) -> str:
        """The answer that the entry states for this processor and the installed version."""
        return text_of(self.demonstration.expected_here)

    @property
    def measured(self) -> str:
        """The answer that came."""
        return "" if self.outcome is None else shown(self.outcome)

    @property
    def complaint(self) -> str:
        """What to do about the entry; "" where it is as stated, or could not run."""
        if self.outcome is None:
            return ""
        return complaint(self.entry, self.demonstration, self.outcome)

    def data(self) -> dict[str, Any]:
        """Itself as plain data."""
        ran = self.outcome is not None
        return {
            "label": self.demonstration.label,
            "stated": self.stated,
            "measured": self.measured if ran else None,
            "as_stated": not self.complaint if ran else None,
            "left_out": self.left_out or None,
        }


def pairs(entries: Iterable[Divergence] = CATALOGUE) -> Iterator[Pair]:
    """Every demonstration with its entry."""
    for entry in entries:
        for demonstration in entry.demonstrations:
            yield entry, demonstration


# ---------------------------------------------------------------- outcomes


def outcome(demonstration: Demonstration) -> Outcome:
    """What comes of it in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = demonstration.run()
        except Exception as error:  # an answer, too
            text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # some print in bold
            return {"error": type(error).__name__, "text": " ".join(text.split())}
    return {"value": plain(value)}


def fits(expected: Any, came: Outcome) -> bool:
    """Whether the outcome is the expected answer."""
    match expected:
        case Raises(error, text):
            return came.get("error") == error and text in came["text"]
        case Dies(name):
            return came.get("signal") == name
    return "value" in came and text_of(came["value"]) == text_of(expected)


def shown(came: Outcome) -> str:
    """An outcome in words, as ``text_of`` says an expectation."""
    if "error" in came:
        return text_of(Raises(came["error"], came["text"][:300]))
    return text_of(Dies(came["signal"]) if "signal" in came else came["value"])


def complaint(entry: Divergence, demonstration: Demonstration, came: Outcome) -> str:
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
    return (
        f"{verdict} entry {entry.id} ({entry.title})\n"
        f"  {demonstration.label} gave: {text_of(expected)}\n"
        f"  now it gives: {shown(came)}\n"
        f"  {entry.seen_with}"
    )


# ---------------------------------------------------------------- in other processes


def measure(
    asked: Iterable[Pair],
    missing: Callable[[Demonstration], str] = lambda demonstration: "",
    say: Callable[[str], None] = lambda text: None,
) -> list[Measured]:
    """Run demonstrations, in the order in which they are given.

    Args:
        asked: the demonstrations, with their entries.
        missing: why a demonstration cannot run here; "" if it can.
        say: is told what is being done.
    """
    everything = list(asked)
    left_out = {_key(*pair): pair[0].unmet or missing(pair[1]) for pair in everything}
    able = [pair for pair in everything if not left_out[_key(*pair)]]
    came: dict[tuple[str, str], Outcome] = {}
    for number, group in enumerate(groups := _groups(able), 1):
        say(f"process {number} of {len(groups)}: {len(group)} demonstrations")
        came |= _outcomes(group)
    return [Measured(*pair, came.get(_key(*pair)), left_out[_key(*pair)]) for pair in everything]


def _key(entry: Divergence, demonstration: Demonstration) -> tuple[str, str]:
    return entry.id, demonstration.label


def _groups(asked: list[Pair]) -> list[list[Pair]]:
    """Those that share a process: of one setting, but for those that kill it."""
    together = [pair for pair in asked if not pair[1].deadly]
    together.sort(key=lambda pair: pair[1].setting)
    groups = [list(group) for _, group in groupby(together, lambda pair: pair[1].setting)]
    return groups + [[pair] for pair in asked if pair[1].deadly]


def _outcomes(group: list[Pair]) -> dict[tuple[str, str], Outcome]:
    """What comes of demonstrations of one setting; where one kills the process, the rest go on."""
    waiting, found = [_key(*pair) for pair in group], dict[tuple[str, str], Outcome]()
    while waiting:
        lines, code = process(group[0][1].setting, waiting)
        found |= {(line.pop("id"), line.pop("label")): line for line in lines}
        waiting = [key for key in waiting if key not in found]
        if code < 0 and waiting:
            found[waiting.pop(0)] = {"signal": signal.Signals(-code).name}
    return found


def process(setting: str, keys: list[tuple[str, str]]) -> tuple[list[Outcome], int]:
    """The outcomes in a process of its own, with its return code.

    ``ConvparityError`` if the process ends in an error of its own.
    """
    run = subprocess.run(
        [sys.executable, "-P", "-m", "convparity.analysis.catalogue.run"],
        env={**os.environ, **SETTINGS[setting].environment},
        input=json.dumps(keys),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith('{"id"')]
    if run.returncode > 0 or (run.returncode == 0 and len(lines) < len(keys)):
        raise ConvparityError(f"the demonstrations did not run: {run.stderr.strip()[-500:]}")
    return [json.loads(line) for line in lines], run.returncode


def main() -> None:
    """Run those that standard input names, one after the other."""
    known = {_key(*pair): pair[1] for pair in pairs()}
    for id, label in json.load(sys.stdin):
        demonstration = known[id, label]
        if demonstration.deadly and import_order.WATCHER in sys.meta_path:
            sys.meta_path.remove(import_order.WATCHER)  # it would save the process
        print(json.dumps({"id": id, "label": label, **outcome(demonstration)}), flush=True)


if __name__ == "__main__":
    main()
