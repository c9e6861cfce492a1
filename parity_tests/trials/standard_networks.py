"""Every standard network, whole, in every framework: the verdicts, and the seconds that they take.

    python -m parity_tests.trials.standard_networks --size 64 [--backward] [--framework flax ...]

With ``--backward``, the gradients by the input and each weight, too, against the float64 backward
pass.

The gate compares short ones, with each kind of block (``SHORTENED`` of ``support/networks.py``).
"""

import sys
import time
from collections.abc import Iterable

import click
import numpy as np

from convparity.analysis.cost.counting import total_cost
from convparity.analysis.proof.compare import compare
from convparity.analysis.proof.node_by_node import calibrated
from convparity.impls import networks, registry
from convparity.impls.spec import Shape, Spec
from convparity.impls.weights import init_weights
from parity_tests.support.gradients import cotangent_for, gradient_gap


@click.command()
@click.option("--size", default=64, help="Pixels a side; a multiple of 16 of at least 64.")
@click.option("--network", "names", multiple=True, type=click.Choice(networks.names()))
@click.option(
    "--framework", "frameworks", multiple=True, type=click.Choice(list(registry.FRAMEWORKS))
)
@click.option("--backward", is_flag=True, help="Judge the gradients, too.")
def main(size: int, names: tuple[str, ...], frameworks: tuple[str, ...], backward: bool) -> None:
    failures = 0
    frameworks = frameworks or tuple(registry.FRAMEWORKS)
    for name in names or networks.names():
        _, spec, input_shape = networks.get(name)
        cost = total_cost(spec, input_shape)
        print(f"{name}: {cost.parameters:,} learnables, {cost.macs:,} MACs at {input_shape[1]} px")
        for framework in frameworks:
            start = time.perf_counter()
            (verdict,) = compare(spec, None, framework, input_shape=(1, size, size, 3), seed=6)
            print(f"  {time.perf_counter() - start:5.1f} s  {verdict}", flush=True)
            failures += not verdict.ok
        if backward:
            failures += _backward(spec, (1, size, size, 3), frameworks)
    if failures:
        sys.exit(f"{failures} verdicts are not ok")


def _backward(spec: Spec, shape: Shape, frameworks: Iterable[str]) -> int:
    """In how many frameworks a gradient is wrong."""
    x = np.random.default_rng(6).standard_normal(shape).astype(np.float32)
    weights = calibrated(spec, init_weights(spec, 6), x)
    cotangent, failures = cotangent_for(spec, weights, x, 6), 0
    for framework in frameworks:
        start = time.perf_counter()
        gap = gradient_gap(registry.get(framework), spec, weights, x, cotangent)
        took = f"{time.perf_counter() - start:5.1f} s"
        print(f"  {took}  backward: {gap or f'{framework}: ok'}", flush=True)
        failures += gap is not None
    return failures


if __name__ == "__main__":
    main()
