"""Trials with seeded faults.

    python -m parity_tests.trials.trials first-divergence --trials 100

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
    from parity_tests.trials.divergence_trials import run

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


@trials.command()
@click.option("--each", default=10, help="Specs for each fault, drawn at random.")
@click.option("--seed", default=0)
@click.option("--data", type=click.Choice(["ints", "reals"]), default="ints")
@click.option("--framework", help="Put the faults into this one; by default, into the reference.")
@click.option("--two", is_flag=True, help="Each fault with another one at once.")
@click.option("--misses", is_flag=True, help="Print every fault that was not named.")
def diagnosis(
    each: int, seed: int, data: str, framework: str | None, two: bool, misses: bool
) -> None:
    """Every fault in random layers and chains: is it named, in which line?"""
    from parity_tests.trials.diagnosis_trials import run

    result = run(each, seed, data, framework, two)
    for line in result.misses if misses else ():
        click.echo(line)
    alone = result.alike[1] / max(1, sum(result.alike.values()))
    click.echo(
        f"{result.pairs} pairs of {len(result.faults)} faults and random specs: "
        f"named first in {100 * result.within(1):.1f} %, "
        f"in the first three lines in {100 * result.within(3):.1f} %; "
        f"alone in its line in {100 * alone:.1f} %; "
        f"{result.unseen} more change the output by rounding alone, and are rightly not seen"
    )
    if not two and result.within(1) < 0.95:
        sys.exit(1)


@trials.command()
@click.option("--trials", "count", default=200)
@click.option("--seed", default=0)
@click.option("--seconds", default=10.0, help="For two faults at once, in each trial.")
@click.option("--wrong", "told", is_flag=True, help="Print every wrong name.")
def unknown(count: int, seed: int, seconds: float, told: bool) -> None:
    """Faults that are in no registry, in every family of layers: is a name given to them?"""
    from parity_tests.trials.unknown_trials import run

    result = run(count, seed, seconds)
    for line in result.wrong if told else ():
        click.echo(line)
    click.echo(
        f"{result.trials} unknown faults of {len(result.kinds)} kinds: {len(result.wrong)} wrong "
        f"names, {result.unnamed} without a name, {result.alike} that are a known one here; "
        f"in {result.incomplete} the time was up"
    )
    if len(result.wrong) > count / 100:
        sys.exit(1)


@trials.command()
@click.option("--cases", "count", default=400, help="Random layers and chains.")
@click.option("--each", default=3, help="Times that two faults are tried, at most.")
@click.option("--seed", default=0)
def pairs(count: int, each: int, seed: int) -> None:
    """Every two faults, one after the other, in random layers and chains: does any error escape?"""
    from parity_tests.trials.pair_trials import run

    result = run(count, each, seed)
    for line in result.errors:
        click.echo(line)
    click.echo(
        f"{result.pairs} pairs of faults in {result.tried} trials: {result.refused} refused, "
        f"{len(result.errors)} with an error that nobody foresaw"
    )
    if result.errors:
        sys.exit(1)


if __name__ == "__main__":
    trials()
