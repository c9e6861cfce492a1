"""Is the suite worth its time? Every fault is seeded into every framework, and has to be seen.

    python -m parity_tests.trials.kill_matrix [--framework pytorch] [--fault padding-03] [--quick]

The properties of ``parity_tests`` run as they stand, without shrinking, on a framework that is
right but for one fault. Written to docs/faults.json and docs/faults.md, unless only some were asked
for; the exit status is 1 when a fault other than the control survives.
"""

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from typing import Any

from rich.console import Console

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.faults import CONTROL, FAULTS
from parity_tests.trials import fault_pages

CHUNK = 6  # faults in one task: enough to share right outputs, few enough to share the work
FULL = "pytorch"  # the framework that every group of properties is asked about: the fastest


def worker(kind: str, framework: str, faults: list[str]) -> list[dict[str, Any]]:
    """One task, in a process of its own that imports the frameworks once."""
    from parity_tests.trials import trial

    if kind == "sensitivity":
        from parity_tests.trials.sensitivity import smallest

        return [each._asdict() for each in smallest(framework)]
    if kind == "groups":
        return [trial.every_group(fault, framework)._asdict() for fault in faults]
    return [
        trial.first_kill(fault, framework, level)._asdict()
        for fault in faults
        for level in fault_pages.levels(FAULTS[fault])
    ]


def lanes(
    frameworks: list[str], faults: list[str], quick: bool, workers: int
) -> list[list[tuple[str, str, list[str]]]]:
    """Each worker's tasks: as few frameworks a worker as can be, for it keeps their right outputs.

    The tasks of the fastest framework are dealt out, and level what the others leave uneven.
    """
    found: list[list[tuple[str, str, list[str]]]] = [[] for _ in range(workers)]
    slow = [name for name in frameworks if name != FULL]
    for name in [*slow, *(name for name in frameworks if name == FULL)]:
        chosen = [fault for fault in faults if name in (FAULTS[fault].frameworks or frameworks)]
        # the control first: it draws every example that the others may need
        chunks = [[CONTROL]] if CONTROL in chosen else []
        others = [fault for fault in chosen if fault != CONTROL]
        chunks += [others[start : start + CHUNK] for start in range(0, len(others), CHUNK)]
        mine = [("kills", name, chunk) for chunk in chunks]
        if name == FULL and not quick:
            mine += [("sensitivity", name, []), *(("groups", name, chunk) for chunk in chunks)]
        for place, task in enumerate(mine):
            lane = place if name == FULL else slow.index(name)
            found[lane % workers].append(task)
    return found


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--framework", action="append", choices=list(FRAMEWORKS))
    parser.add_argument("--fault", action="append", help="an id, or a family", default=[])
    parser.add_argument("--quick", action="store_true", help="first kills alone")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    faults = [
        fault.id
        for fault in FAULTS.values()
        if not asked.fault or fault.id in asked.fault or fault.family in asked.fault
    ]
    if not faults:
        parser.error(f"no fault is called {' or '.join(asked.fault)}")
    console, start = Console(stderr=True), time.perf_counter()
    found: dict[str, list[dict[str, Any]]] = {"kills": [], "groups": [], "sensitivity": []}
    context = multiprocessing.get_context("spawn")
    plan = lanes(asked.framework or list(FRAMEWORKS), faults, asked.quick, asked.workers)
    with ExitStack() as stack:
        futures: dict[Future[Any], str] = {}
        for lane in plan:  # a process each
            pool = stack.enter_context(ProcessPoolExecutor(1, mp_context=context))
            futures |= {pool.submit(worker, *task): task[0] for task in lane}
        for done, future in enumerate(as_completed(futures), 1):
            found[futures[future]] += future.result()
            took = time.perf_counter() - start
            console.print(f"{done} of {len(futures)} tasks, {took:.0f} s", end="\r")
    report = fault_pages.report(found)
    width = None if console.is_terminal else 160
    for table in fault_pages.tables(report):
        Console(width=width).print(table)
    survivors = fault_pages.survivors(report)
    took = time.perf_counter() - start
    print(f"{len(faults)} faults, {len(found['kills'])} trials, {took:.0f} s")
    print(f"survivors: {', '.join(survivors) or 'none'}")
    for each in found["kills"]:
        if each["killer"] is None and each["message"]:
            print(f"{each['fault']} in {each['framework']}, {each['level']}: {each['message']}")
    if not (asked.framework or asked.fault or asked.quick):
        fault_pages.DATA.write_text(fault_pages.text(report))
        fault_pages.PAGE.write_text(fault_pages.page(report))
    return 1 if set(survivors) - {CONTROL} else 0


if __name__ == "__main__":
    sys.exit(main())
