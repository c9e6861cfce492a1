"""``convparity divergences``."""

import json
from pathlib import Path

import click

from convparity.analysis.commands.shared import write_json


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--code", is_flag=True, help="With the code that shows each of them.")
@click.option(
    "--json",
    "path",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value="-",
    help="Write the entries here; without a path, print them.",
)
def divergences(words: tuple[str, ...], code: bool, path: Path | None) -> None:
    """Known differences between PyTorch, Flax and Keras, and what a right port does.

    Without a word: the list of all. With words: the entries that mention them all, in full.

    \b
    convparity divergences
    convparity divergences momentum
    convparity divergences same padding --code
    convparity divergences transposed-flip --json
    """
    from convparity.analysis.catalogue import entries as known
    from convparity.analysis.report import catalogue_tables, tables

    entries = known.find(words)
    if path == Path("-"):
        click.echo(json.dumps(entries, indent=2))
        return
    console = tables.console()
    if words:
        for entry in entries:
            tables.show(console, *catalogue_tables.details(entry, code))
    else:
        tables.show(console, catalogue_tables.overview(entries))
    if path:
        write_json(path, entries)
