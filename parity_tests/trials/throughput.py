"""How many examples a second are judged in all frameworks: the gate's way, and a naive one.

    python -m parity_tests.trials.throughput --blocks 5 --json throughput.json

An example is one spec with one set of weights and one input, judged in every framework. The naive
harness judges one of each spec; the gate judges three (``asserts.assert_parity``). Each way has
processes of its own, which stay; a block is some specs, the same for all ways, which take turns.
Drawing is included. A way that is *warm* finds JAX's programs compiled by the one before it, as a
second run of the gate does; every other way compiles each spec for the first time.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from convparity import Conv
from convparity.impls import registry
from parity_tests.support.asserts import assert_parity
from parity_tests.support.cells import FAMILIES
from parity_tests.support.naive import naive, plain_cases
from parity_tests.support.strategies import Case

# each family as often as the gate judges it
GATE_CASES = st.sampled_from(
    [family for family in FAMILIES.values() for _ in range(round(10 * family.share))]
).flatmap(lambda family: family.cases)
DRAWN = {"plain": plain_cases(), "gate": GATE_CASES}


class Way(NamedTuple):
    """One row: what judges which cases, in how many processes, and where JAX keeps programs."""

    name: str
    cases: str
    examples: int  # of each spec
    processes: int = 1
    cache: str | None = None
    warm: bool = False


WAYS = (
    Way("naive, plain cases", "plain", 1),
    Way("gate, plain cases, cold", "plain", 3, 1, "plain"),
    Way("gate, plain cases, warm", "plain", 3, 1, "plain", warm=True),
    Way("gate, its own cases, cold", "gate", 3, 1, "one"),
    Way("gate, its own cases, warm", "gate", 3, 1, "one", warm=True),
    Way("gate, its own cases, cold, two processes", "gate", 3, 2, "two"),
    Way("gate, its own cases, warm, two processes", "gate", 3, 2, "two", warm=True),
)


# ---------------------------------------------------------------- a process that judges


def judge_all(way: Way, count: int, block: int, part: int) -> int:
    """Draw a block and judge every ``processes``-th of its specs; how many there were in all."""
    adapters = [registry.get(name) for name in registry.FRAMEWORKS]
    drawn = 0

    @seed(block)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(DRAWN[way.cases])
    def judged(case: Case) -> None:
        nonlocal drawn
        drawn += 1
        if drawn % way.processes == part:
            naive(case) if way.examples == 1 else assert_parity(case, adapters)

    judged()
    return drawn


def serve(link: Connection, environment: dict[str, str]) -> None:
    """Answer until there are no more questions; ready when the frameworks are."""
    os.environ.update(environment)
    try:
        # on what no block draws: the first call of a framework sets itself up
        case = Case(Conv(5, 7, 6), (1, 9, 9, 5), 0)
        naive(case)
        assert_parity(case, [registry.get(name) for name in registry.FRAMEWORKS])
        link.send(None)
        while (question := link.recv()) is not None:
            function, arguments = question
            link.send(function(*arguments))
    except EOFError:  # the parent ended
        return


def environment_of(cache: str | None) -> dict[str, str]:
    """As in tox.ini: one thread a process; JAX keeps every program, or none."""
    common = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"}
    if cache is None:
        return common
    return common | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@contextmanager
def process(cache: str | None) -> Iterator[Connection]:
    """A process that serves, ready."""
    context = multiprocessing.get_context("spawn")
    link, far_end = context.Pipe()
    worker = context.Process(target=serve, args=(far_end, environment_of(cache)), daemon=True)
    worker.start()
    far_end.close()
    link.recv()
    yield link
    link.send(None)
    worker.join()


def ask(links: list[Connection], function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """The answer of each process to a question, with its own number as the last argument."""
    for part, link in enumerate(links):
        link.send((function, (*arguments, part)))
    return [link.recv() for link in links]


# ---------------------------------------------------------------- examples a second


def rates(specs: int, blocks: int) -> dict[str, list[float]]:
    """Specs a second of each way in each block."""
    found: dict[str, list[float]] = {way.name: [] for way in WAYS}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        links = {
            way.name: [
                stack.enter_context(process(way.cache and os.path.join(folder, way.cache)))
                for _ in range(way.processes)
            ]
            for way in WAYS
        }
        for block in range(-1, blocks):  # the first, of what Python does once, is not counted
            for way in WAYS:
                start = time.perf_counter()
                drawn, *_ = ask(links[way.name], judge_all, way, specs, block)
                found[way.name].append(drawn / (time.perf_counter() - start))
    return found


# ---------------------------------------------------------------- how it grows

# a convolution by its kernel size, channels and resolution
GROWTH: dict[str, tuple[Callable[[int], tuple[int, int, int]], tuple[int, ...]]] = {
    "kernel size": (lambda n: (n, 8, 24), (1, 3, 5, 7, 11)),
    "channels": (lambda n: (3, n, 20), (4, 8, 16, 32, 64)),
    "resolution": (lambda n: (3, 8, n), (8, 16, 32, 64, 128)),
}


def seconds_of(kernel_size: int, channels: int, resolution: int, number: int, _part: int) -> float:
    """How long the gate judges a spec that no process has seen: ``number`` is in its shape."""
    adapters = [registry.get(name) for name in registry.FRAMEWORKS]
    spec = Conv(channels, channels, kernel_size, padding="same")
    case = Case(spec, (1 + number, resolution, resolution, channels), number)
    start = time.perf_counter()
    assert_parity(case, adapters)
    return time.perf_counter() - start


def growth(repeats: int) -> dict[str, dict[int, float]]:
    """Median seconds of a spec by size, all compiled for the first time."""
    with process(None) as link:
        return {
            what: {
                n: statistics.median(
                    ask([link], seconds_of, *sizes(n), number)[0] for number in range(repeats)
                )
                for n in ns
            }
            for what, (sizes, ns) in GROWTH.items()
        }


# ---------------------------------------------------------------- the table


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5, help="turns of each way")
    parser.add_argument("--specs", type=int, default=24, help="specs of a block")
    parser.add_argument("--json", metavar="PATH", help="write the figures there")
    asked = parser.parse_args()
    found = rates(asked.specs, asked.blocks)
    first = statistics.median(found[WAYS[0].name]) * WAYS[0].examples
    print("examples a second: median (least to most of the blocks), specs a second, to the naive's")
    for way in WAYS:
        each = [way.examples * rate for rate in found[way.name]]
        middle = statistics.median(each)
        print(
            f"  {way.name:42} {middle:6.1f} ({min(each):.1f} to {max(each):.1f})"
            f" {middle / way.examples:6.1f} {middle / first:6.1f}"
        )
    grown = growth(repeats=3)
    print("milliseconds of a spec, cold")
    for what, seconds in grown.items():
        print(f"  by {what}:", ", ".join(f"{n}: {1000 * s:.0f}" for n, s in seconds.items()))
    if asked.json:
        data = {
            "cores": os.cpu_count(),
            "specs_of_a_block": asked.specs,
            "ways": [{**way._asdict(), "specs_a_second": found[way.name]} for way in WAYS],
            "growth_seconds": grown,
        }
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)


if __name__ == "__main__":
    main()
