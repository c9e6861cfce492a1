"""The chapters of the bench, and what they were measured on."""

import os
import platform
from collections.abc import Callable, Iterable
from typing import Any

from convparity.analysis.bench import record
from convparity.analysis.bench.conversion import WIDTHS, conversion
from convparity.analysis.bench.growth import growth
from convparity.analysis.bench.layers import layers, mobilenet
from convparity.analysis.bench.limits import limits
from convparity.analysis.bench.startup import startup
from convparity.analysis.bench.workers import workers
from convparity.analysis.report.quiet import import_frameworks
from convparity.impls import registry

Data = dict[str, Any]
Step = Callable[[str], None]

BY_WORKERS = ("layers", "mobilenet", "growth")
CHAPTERS = (*BY_WORKERS, "conversion", "startup")
ALGORITHMS = ("auto", "native")


def run(chapters: Iterable[str], frameworks: tuple[str, ...], step: Step) -> Data:
    """Measure the chapters, one after the other; what is kept of it is plain data.

    "failures" says which converted weights were not the same bits.
    """
    chosen = list(chapters)
    data: Data = {
        "machine": {
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "versions": {name: registry.versions(name) for name in frameworks},
    }
    if any(each in BY_WORKERS for each in chosen):
        with workers(frameworks, ALGORITHMS) as found:
            step("the machine's limits")
            before = limits(found)
            if "layers" in chosen:
                data["layers"] = record.grouped(layers(found, step))
            if "mobilenet" in chosen:
                data["mobilenet"] = record.grouped(mobilenet(found, step))
            if "growth" in chosen:
                data["growth"] = record.grouped(record.medians(growth(found, step)))
            step("the machine's limits, once more")
            after = limits(found)
            data["limits"] = {name: max(before[name], after[name]) for name in before}
    if "conversion" in chosen:
        import_frameworks(frameworks)
        networks = [conversion(frameworks, step, width=width) for width in WIDTHS]
        data["conversion"] = record.conversions(networks)
        data["failures"] = [each for network in networks for each in network["failures"]]
    if "startup" in chosen:
        data["startup"] = record.starts(startup(step))
    return dict(record.rounded(data))
