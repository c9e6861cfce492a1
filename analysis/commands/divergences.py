"""``convparity divergences``."""

import click

from convparity.analysis.commands.shared import json_option, open_console, write_json


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--code", is_flag=True, help="With the code that shows each of them.")
@json_option
def divergences(words: tuple[str, ...], code: bool, path: str | None) -> None:
    """Known differences between the frameworks, and what a right port does.

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
    console = open_console(path)
    if words:
        for entry in entries:
            tables.show(console, *catalogue_tables.details(entry, code))
    else:
        tables.show(console, catalogue_tables.overview(entries))
    if path is not None:
        write_json(path, entries)
