"""The chapters of the bench, and what they were measured on."""

import os
import platform
from collections.abc import Callable, Iterable
from typing import Any

from convparity.analysis.bench.conversion import conversion
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
    """Measure the chapters, one after the other; what they measured is plain data."""
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
                data["layers"] = layers(found, step)
            if "mobilenet" in chosen:
                data["mobilenet"] = mobilenet(found, step)
            if "growth" in chosen:
                data["growth"] = growth(found, step)
            step("the machine's limits, once more")
            after = limits(found)
            data["limits"] = {name: max(before[name], after[name]) for name in before}
    if "conversion" in chosen:
        import_frameworks(frameworks)
        data["conversion"] = conversion(frameworks, step)
    if "startup" in chosen:
        data["startup"] = startup(step)
    return data
