"""How time grows with channels, resolution, batch and kernel size: measured exponents."""

from typing import Any

import numpy as np

from convparity.analysis.bench.layers import Data, Step, as_dict
from convparity.analysis.bench.workers import Job, Worker, measure
from convparity.analysis.cost.counting import total_cost
from convparity.impls.spec import Conv, SeparableConv

NAMES = ("grows", "kind", "framework", "algorithm", "memory_format")
MIDDLE = {"channels": 64, "resolution": 56, "batch": 2, "kernel": 3}
SIZES = {
    "channels": (16, 32, 64, 128, 256),
    "resolution": (14, 28, 56, 112),
    "batch": (1, 2, 4, 8, 16),
    "kernel": (1, 3, 5, 7),
}


def growth(workers: list[Worker], step: Step) -> list[Data]:
    """One size at a time grows, the others stay in the middle; both layers, forward."""
    rows = []
    for grows, sizes in SIZES.items():
        for size in sizes:
            at = {**MIDDLE, grows: size}
            n, hw, c, k = (at[name] for name in ("batch", "resolution", "channels", "kernel"))
            for kind in (Conv, SeparableConv):
                step(f"{kind.__name__}, {grows} {size}")
                spec, shape = kind(c, c, k, padding="same"), (n, hw, hw, c)
                macs = total_cost(spec, shape).macs
                common = {"kind": kind.__name__, "grows": grows, "size": size, "macs": macs}
                found = measure(workers, Job(spec, shape, "forward"))
                rows += [common | as_dict(series) for series in found]
    return rows


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """The slope of log time against log size, by least squares: 1 is linear, 2 is quadratic."""
    slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope)


def exponents(rows: list[Data]) -> list[dict[str, Any]]:
    """The exponent of each framework, algorithm and layer for each size that grows, and of MACs."""
    found: dict[tuple[str, ...], list[Data]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in NAMES), []).append(row)
    for key, group in found.items():
        if "auto" in key:  # the same code is measured once, as "native"
            sizes = {row["size"] for row in group}
            native = found.get(tuple("native" if word == "auto" else word for word in key), [])
            group += [row for row in native if row["size"] not in sizes]
            group.sort(key=lambda row: row["size"])
    return [
        {
            **dict(zip(NAMES, key, strict=True)),
            "exponent": exponent([r["size"] for r in group], [r["time"]["median"] for r in group]),
            "exponent_of_macs": exponent([r["size"] for r in group], [r["macs"] for r in group]),
        }
        for key, group in found.items()
    ]
