"""``convparity support``."""

import click

from convparity.analysis.commands.shared import load_frameworks


@click.command()
def support() -> None:
    """What each framework supports, found out by running it: the README's table, in Markdown."""
    from convparity.analysis.report import support

    for line in support.table(load_frameworks(None)):
        click.echo(line)
