"""Trials with seeded faults: ``python -m parity_tests.meta.trials first-divergence --trials 100``.

Each prints what it counted and exits with status 1 if the count is too low.
"""

import sys

import click


@click.group()
def trials() -> None:
    """Seed faults at random, and count how often they are found."""


@trials.command("first-divergence")
@click.option("--trials", "count", default=100)
@click.option("--seed", default=0)
@click.option("--width", default=0.25, help="Of MobileNetV1.")
@click.option("--size", default=32, help="Of its input, in pixels.")
@click.option("--frameworks", default="pytorch,flax,keras")
def first_divergence(count: int, seed: int, width: float, size: int, frameworks: str) -> None:
    """One fault in one random layer of a MobileNetV1: is that layer named, and no other?"""
    from parity_tests.meta.divergence_trials import run

    result = run(count, seed, width, size, tuple(frameworks.split(",")))
    for line in result.misses:
        click.echo(line)
    click.echo(
        f"first divergence named the layer in {result.named} of {result.trials} trials "
        f"({result.faults} different faults, {result.layers} different layers); "
        f"{result.alarms} alarms in {result.trials} trials without a fault"
    )
    if result.named < result.trials or result.alarms:
        sys.exit(1)


if __name__ == "__main__":
    trials()
