"""How fast this machine could be: the roofline (Williams et al. 2009), measured in the same run."""

import math
from typing import Any

from convparity.analysis.bench.workers import Job, Worker, measure
from convparity.analysis.cost.counting import total_cost
from convparity.impls.spec import Activation, Dense, Shape, Spec

PRODUCTS = (1024, 2048)  # sizes of square matrices
COPY = (64, 512, 512)  # 67 MB in, 67 MB out: beyond the caches


def limits(workers: list[Worker]) -> dict[str, Any]:
    """FLOPs and bytes a second: the most that any framework reached in any round."""
    products = [Job(Dense(n, n, bias=False), (n, n), "forward") for n in PRODUCTS]
    return {
        "flops_per_second": max(
            2 * total_cost(job.spec, job.input_shape).macs / _fastest(workers, job)
            for job in products
        ),
        "bytes_per_second": 2
        * 4
        * math.prod(COPY)
        / _fastest(workers, Job(Activation("relu"), COPY, "forward")),
    }


def _fastest(workers: list[Worker], job: Job) -> float:
    return min(min(series.seconds) for series in measure(workers, job))


def least_work(spec: Spec, input_shape: Shape, direction: str) -> dict[str, int]:
    """FLOPs and bytes that no algorithm is spared: input, weights and output are moved once.

    A gradient takes the forward's arithmetic three times, and moves each of these and its gradient.
    """
    cost = total_cost(spec, input_shape)
    products, copies = (3, 2) if direction == "gradient" else (1, 1)
    values = math.prod(cost.input_shape) + math.prod(cost.output_shape)
    values += cost.parameters + cost.statistics
    return {"flops": products * 2 * cost.macs, "bytes": copies * 4 * values}


def least_seconds(work: dict[str, Any], limits: dict[str, float]) -> float:
    """The least time for such work on this machine: of its arithmetic, or of what it moves."""
    return max(
        work["flops"] / limits["flops_per_second"], work["bytes"] / limits["bytes_per_second"]
    )
