"""Random graphs, each judged in all frameworks against the float64 reference.

    python -m parity_tests.trials.graph_trials --examples 1000 --seed 0 [--done FILE]

A graph is that of its number: the same wherever and whenever it is drawn. Those that fail are
printed as JSON, to be judged again by ``convparity replay``; so are those whose data could not
tell, which are counted by themselves. With ``--done``, the numbers of those that were judged are
appended to a file, and are not judged again.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from convparity.analysis.replay.replay import Replay
from convparity.impls import registry
from convparity.impls.spec import Shape, Spec
from parity_tests.support.asserts import NotRight, assert_parity
from parity_tests.support.graph_strategies import graphs
from parity_tests.support.strategies import Case

BATCH = 50  # graphs of one seed of Hypothesis, which draws the first few of each small


def drawn(number: int) -> list[tuple[Spec, Shape]]:
    """So many graphs, by the number of their batch."""
    found: list[tuple[Spec, Shape]] = []

    @seed(number)
    @settings(
        max_examples=BATCH,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def draw(pair: tuple[Spec, Shape]) -> None:
        found.append(pair)

    draw()
    return found[:BATCH]


def cases(start: int) -> Iterator[tuple[str, Case]]:
    """Graphs without end, each with its name: the batch, and its place there."""
    batch = start
    while True:
        for place, (spec, shape) in enumerate(drawn(batch)):
            yield f"{batch}:{place}", Case(spec, shape, batch * BATCH + place)
        batch += 1


def judged(case: Case, adapters: list[Any]) -> tuple[str, str]:
    """What became of a graph, and what is wrong with it; no error stops the campaign."""
    try:
        assert_parity(case, adapters)
    except NotRight as error:
        return "untested" if error.statuses == {"not tested"} else "failed", str(error)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "ok", ""


def main() -> None:
    """Judge so many, those of the file included; exit with status 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first batch")
    parser.add_argument("--done", type=Path, help="a file of those that were judged")
    asked = parser.parse_args()
    adapters = [registry.get(name) for name in registry.FRAMEWORKS]
    lines = asked.done.read_text().splitlines() if asked.done and asked.done.exists() else []
    before: dict[str, str] = dict(line.split(maxsplit=1) for line in lines)
    found = Counter(before.values())
    for number, (name, case) in enumerate(cases(asked.seed)):
        if number == asked.examples:
            break
        if name in before:
            continue
        outcome, problem = judged(case, adapters)
        found[outcome] += 1
        if problem:
            line = str(Replay(case.spec, case.input_shape, "ints", case.seed))
            print(json.dumps({"graph": name, "problem": problem, "line": line}), flush=True)
        if asked.done:
            with asked.done.open("a") as file:
                file.write(f"{name} {outcome}\n")
    print(f"{asked.examples} graphs, {found['untested']} not tested, {found['failed']} failed")
    sys.exit(found["failed"] > 0)


if __name__ == "__main__":
    main()
