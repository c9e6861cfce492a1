"""Every standard network, whole, in every framework: the verdicts, and the seconds that they take.

    python -m parity_tests.trials.standard_networks --size 64

The gate compares short ones, with each kind of block (``SHORTENED`` of ``support/networks.py``).
"""

import sys
import time

import click

from convparity.analysis.cost.counting import total_cost
from convparity.analysis.proof.compare import compare
from convparity.impls import networks, registry


@click.command()
@click.option("--size", default=64, help="Pixels a side; a multiple of 16 of at least 64.")
@click.option("--network", "names", multiple=True, type=click.Choice(networks.names()))
def main(size: int, names: tuple[str, ...]) -> None:
    failures = 0
    for name in names or networks.names():
        _, spec, input_shape = networks.get(name)
        cost = total_cost(spec, input_shape)
        print(f"{name}: {cost.parameters:,} learnables, {cost.macs:,} MACs at {input_shape[1]} px")
        for framework in registry.FRAMEWORKS:
            start = time.perf_counter()
            (verdict,) = compare(spec, None, framework, input_shape=(1, size, size, 3), seed=6)
            print(f"  {time.perf_counter() - start:5.1f} s  {verdict}", flush=True)
            failures += not verdict.ok
    if failures:
        sys.exit(f"{failures} verdicts are not ok")


if __name__ == "__main__":
    main()
