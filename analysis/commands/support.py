"""``convparity support``."""

import click

from convparity.analysis.commands.shared import PRINTED, json_option, load_frameworks, write_json


@click.command()
@json_option
def support(path: str | None) -> None:
    """What each framework supports, found out by running it: the README's table, in Markdown."""
    from convparity.analysis.report import support

    names = load_frameworks(None)
    rows = list(support.rows(names))
    for line in support.table(names, rows):
        click.echo(line, err=path == PRINTED)
    if path is not None:
        write_json(path, [row._asdict() for row in rows])
