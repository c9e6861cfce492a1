"""Right candidates, each off as another library might be: how many does ``judge`` call what?

    python -m parity_tests.trials.right_trials --trials 2000 [--write]

Single layers and chains of every family, and networks of every kind. None may be called wrong;
``--write`` says in docs/not-tested.md of which the data could not tell, and why.
"""

import argparse
import itertools
import multiprocessing
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from convparity.analysis.proof.black_box import LitStructure
from convparity.analysis.proof.compare import judge
from convparity.analysis.proof.verdict import Verdict
from parity_tests.support.executor import Arithmetic
from parity_tests.support.root import ROOT
from parity_tests.support.strategies import Case
from parity_tests.trials.doubles import SPECS, doubles_of, drawn_cases
from parity_tests.trials.trial_networks import LARGE, zoo

PAGE = ROOT / "docs/not-tested.md"
STATUSES = ("ok", "not tested", "wrong")
NETWORKS = tuple(name for name in zoo() if name not in LARGE)


class Found(NamedTuple):
    """What became of one family's candidates, or of one network's."""

    name: str
    counted: Counter[str]
    reasons: Counter[str]  # why the data could not tell
    wrong: list[str]


KINDS = {
    "places of the window": "places of a pool's window",
    "places that meet": "places at a border",
    "sides of the bends": "a side of an activation's bend",
}
DARK = re.compile(r"(?:([\d,]+) of ([\d,]+) )?(.+)")


def dark(why: str) -> set[str]:
    """What of a layer was not lit, in kinds."""
    if not why.startswith("not lit: "):
        return {why}
    found = set()
    for part in why.removeprefix("not lit: ").split(", "):
        some, every, what = DARK.fullmatch(part).groups()  # type: ignore[union-attr]
        kind = next((words for known, words in KINDS.items() if known in what), None)
        share = "some" if some != every else "all"
        found.add(kind or f"{share} of its weights")
    return found - {"some of its weights"} if "all of its weights" in found else found


def reasons(verdict: Verdict, at_paths: bool) -> Iterator[str]:
    """Each part of a verdict that is "not tested", in a few words."""
    found = verdict.structure
    if isinstance(found, LitStructure):
        for path, why in found.unlit:
            yield from (f"`{path}`: {kind}" if at_paths else kind for kind in dark(why))
    elif found.status == "not tested":
        yield found.reason or "rounding hides the lattice of its integers"
    for name, part in (("reals", verdict.precision), ("wiring", verdict.wiring)):
        if part is not None and part.status == "not tested":
            yield f"{name}: {part.untested}"
    if verdict.trust is not None and not verdict.trust.ok:
        yield "no draw of its data tells"


def candidates(name: str, number: int) -> Iterator[tuple[Case, Arithmetic]]:
    """Right candidates without end: a spec with an input shape, a seed, and a double."""
    rng = np.random.default_rng([number, *name.encode()])
    for batch in itertools.count(number):
        some = drawn_cases(name, batch) if name in SPECS else [Case(*zoo()[name], batch)]
        for case in some:
            doubles = list(doubles_of(case.spec, rng).values())
            yield case, doubles[rng.integers(len(doubles))]


def count(asked: tuple[str, int, int]) -> Found:
    """Judge so many of one name."""
    name, wanted, number = asked
    found = Found(name, Counter(), Counter(), [])
    for case, double in itertools.islice(candidates(name, number), wanted):
        spec, shape, seed = case
        direct = double.algorithm == "direct"
        verdict = judge(double, spec, input_shape=shape, seed=seed, direct=direct)
        found.counted[verdict.status] += 1
        found.reasons.update(set(reasons(verdict, at_paths=name not in SPECS)))
        if verdict.status == "wrong":
            found.wrong.append(f"{case}, {double}: {verdict}")
    return found


def table(found: list[Found], title: str) -> Iterator[str]:
    """Rows of a Markdown table."""
    yield f"| {title} | candidates | wrong | not tested | why |"
    yield "|---|--:|--:|--:|---|"
    for each in found:
        total = each.counted.total()
        share = each.counted["not tested"] / total
        why = "; ".join(f"{reason} ({n})" for reason, n in each.reasons.most_common(3))
        yield f"| {each.name} | {total} | {each.counted['wrong']} | {share:.0%} | {why} |"


def page(found: list[Found]) -> str:
    """docs/not-tested.md."""
    by_name = {each.name: each for each in found}
    families = [by_name[name] for name in SPECS]
    nets = [by_name[name] for name in NETWORKS]
    return "\n".join(
        [
            "# What `judge` cannot tell",
            "",
            "Right candidates, each of which rounds as another library might: sums in another "
            "order, roots and library functions off by what they may be, Winograd, FFT. A verdict "
            'is "not tested" where the data could not have told a wrong one; the number behind a '
            "reason is how many candidates it was given for. Written by "
            "`python -m parity_tests.trials.right_trials --write`.",
            "",
            *table(families, "family"),
            "",
            "Networks and chains are lit one layer at a time, through the others: of some, part "
            "of a layer changes the output by no more than rounding, or not at all (a channel that "
            "an activation closes, a border that a later layer leaves out). Of a network, a reason "
            "names the layer. `compare`, which can ask the layers inside a framework's module, has "
            "none of these gaps.",
            "",
            *table(nets, "network"),
            "",
        ]
    )


def main() -> None:
    """Count in processes of their own; exit with status 1 if a right one is called wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="the page in docs")
    asked = parser.parse_args()
    names = (*NETWORKS, *SPECS)  # the long ones first
    each = -(-asked.trials // len(names))
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        tasks = [(name, each, asked.seed) for name in names]
        found = list(pool.imap_unordered(count, tasks, chunksize=1))
    text = page(found)
    print(text)
    total: Counter[str] = sum((each.counted for each in found), Counter())
    print(*(line for each in found for line in each.wrong), dict(total), sep="\n")
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    sys.exit(total["wrong"] > 0)


if __name__ == "__main__":
    main()
