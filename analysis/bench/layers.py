"""Layers and two MobileNets in every framework: by its own algorithms and by ours.

These are called "native" and "auto". Where "auto" is the same code as "native", it is measured
once, as "native". Regular and separable, forward and both ways; a depthwise layer's gradient by
itself.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from convparity.analysis.bench.limits import least_work
from convparity.analysis.bench.timing import spread
from convparity.analysis.bench.workers import Job, Series, Worker, measure
from convparity.analysis.cost.counting import total_cost
from convparity.impls import networks
from convparity.impls.notation import from_line
from convparity.impls.spec import Shape, Spec, each_shape

Data = dict[str, Any]
Step = Callable[[str], None]

# the tutorial's, then what networks are made of: (window, channels, batch and size)
SHAPES = (
    ("c3>64", "k5 s2", "n1 hw228"),
    ("c32>64", "k3 same", "n8 hw112"),
    ("c128>128", "k3 same", "n8 hw56"),
    ("c256>256", "k3 same", "n8 hw28"),
    ("c512>512", "k3 same", "n8 hw14"),
    ("c256>256", "k5 s2 same", "n8 hw28"),
)
NETWORKS = ("mobilenet_v1", "mobilenet_v2")
BATCHES = (1, 8)  # of each
DIRECTIONS = ("forward", "gradient")


def layers(workers: list[Worker], step: Step) -> list[Data]:
    """The six shapes: a regular convolution, its separable twin, and the depthwise step alone."""
    rows: list[Data] = []
    for channels, window, size in SHAPES:
        depthwise = f"depthwise2d {channels.partition('>')[0]} {window} {size}"
        lines = {
            "regular": f"conv2d {channels} {window} {size}",
            "separable": f"separable2d {channels} {window} {size}",
            "depthwise": depthwise,
        }
        for kind, line in lines.items():
            spec, input_shape = from_line(line)
            assert input_shape is not None
            (shape,) = each_shape(input_shape)
            for direction in DIRECTIONS:
                step(f"{line}, {direction}")
                subject = {"kind": kind, "title": f"{channels} {window} {size}"}
                rows += _rows(subject, spec, shape, direction, workers)
    return rows


def mobilenet(workers: list[Worker], step: Step) -> list[Data]:
    """MobileNetV1 and MobileNetV2 at 224 pixels, in batches of one and of eight."""
    rows: list[Data] = []
    for name, batch, direction in product(NETWORKS, BATCHES, DIRECTIONS):
        step(f"{name}, batch {batch}, {direction}")
        network = networks.get(name, batch=batch)
        subject = {"kind": "network", "title": f"{name} n{batch}"}
        rows += _rows(subject, network.spec, network.input_shape, direction, workers)
    return rows


def _rows(
    subject: Data,
    spec: Spec,
    input_shape: Shape,
    direction: str,
    workers: list[Worker],
) -> Iterable[Data]:
    work, macs = least_work(spec, input_shape, direction), total_cost(spec, input_shape).macs
    for series in measure(workers, Job(spec, input_shape, direction)):
        common = {**subject, "direction": direction, "macs": macs, "work": work}
        yield common | as_dict(series)


def as_dict(series: Series) -> Data:
    """A series as a row of a table."""
    return {
        "framework": series.framework,
        "algorithm": series.algorithm,
        "memory_format": series.ready.memory_format,
        "peak_bytes": series.ready.peak_bytes,
        "time": spread(series.seconds).as_dict(),
        "seconds": series.seconds,
    }
