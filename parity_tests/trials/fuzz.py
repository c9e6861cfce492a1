"""Mutants of all that comes in: files, lines, calls, commands. Only clear errors may come of them.

    python -m parity_tests.trials.fuzz --mutants 20000 --seed 0 --processes 2

A mutant passes if it ends in an error of ours of at most ``LONGEST`` letters, or in a right result:
a file of weights is read as it was saved, or not at all; a line that is read says itself again. It
fails if it raises anything else, takes more than ``SECONDS``, or more than ``MEMORY``. What is
printed of one that fails (its number) makes it again: ``--only 1234``.
"""

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convparity.impls import registry
from convparity.impls.errors import ConvparityError
from parity_tests.trials.mutants import (
    call_mutant,
    command_mutant,
    file_mutant,
    line_mutant,
    module_mutant,
)

SECONDS = 10  # of processor time
WAITING = 60  # seconds of any kind: for a pipe, for example
MEMORY = 2**30  # bytes, on top of what the process had
LONGEST = 1000  # letters of a message


class Failure(NamedTuple):
    """A mutant that came to something else than a clear error or a right result."""

    number: int
    kind: str
    what: str


KINDS: dict[str, Callable[[np.random.Generator], tuple[str, Callable[[], None]]]] = {
    "file": file_mutant,
    "line": line_mutant,
    "call": call_mutant,
    "command": command_mutant,
}
if registry.available():
    KINDS["module"] = module_mutant


class Slow(BaseException):
    """The time is up; no ``except Exception`` stops it."""


def _ring(signum: int, frame: Any) -> None:
    raise Slow


def outcome(number: int, seed: int) -> tuple[str, Failure | None]:
    """What came of one mutant: "error", "right", or a failure."""
    kind = list(KINDS)[number % len(KINDS)]
    what, run = KINDS[kind](np.random.default_rng([seed, number]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _ring)
    signal.signal(signal.SIGPROF, _ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAITING)
    why, came = "", "right"
    try:
        run()
    except ConvparityError as error:
        came = "error"
        if len(str(error)) > LONGEST:
            why = f"a message of {len(str(error))} letters: {str(error)[:200]}"
        elif not str(error).isprintable() and not str(error).replace("\n", "").isprintable():
            why = f"a message that is not printable: {ascii(str(error))[:200]}"
    except Slow:
        why = f"more than {SECONDS} s"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        why = f"{type(error).__name__}: {str(error)[:200]} ({place})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    took = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if not why and took > MEMORY:
        why = f"{took / 2**30:.1f} GiB"
    if not why:
        return f"{kind}: {came}", None
    return f"{kind}: FAILED", Failure(number, kind, f"{why}\n    {ascii(what)[:400]}")


def run(numbers: Iterable[int], seed: int, processes: int) -> tuple[Counter[str], list[Failure]]:
    """The outcomes of these mutants, counted, and the failures."""
    counts: Counter[str] = Counter()
    failures = []
    if processes == 1:
        found: Any = (outcome(number, seed) for number in numbers)
        for name, failure in found:
            counts[name] += 1
            failures += [failure] if failure else []
        return counts, failures
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=8) as pool:
        jobs = [(number, seed) for number in numbers]
        for name, failure in pool.starmap(outcome, jobs, chunksize=200):
            counts[name] += 1
            failures += [failure] if failure else []
    return counts, failures


def main() -> None:
    """Count, print the failures; exit status 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="one mutant, by its number")
    asked = parser.parse_args()
    numbers = range(asked.mutants) if asked.only is None else range(asked.only, asked.only + 1)
    counts, failures = run(numbers, asked.seed, asked.processes if asked.only is None else 1)
    for failure in failures:
        print(f"{failure.number}: {failure.kind}: {failure.what}")
    print(json.dumps(dict(sorted(counts.items())), indent=1))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
