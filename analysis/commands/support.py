"""``convparity support``."""

import click


@click.command()
def support() -> None:
    """What each framework supports, found out by running it: the README's table, in Markdown."""
    from analysis import support

    for line in support.table():
        click.echo(line)
