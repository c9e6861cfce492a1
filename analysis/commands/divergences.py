"""``convparity divergences``."""

from typing import Any

import click

from convparity.analysis.commands.shared import finish, json_option, open_console, write_json
from convparity.impls import registry
from convparity.impls.errors import FrameworkUnavailable, InputError


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--code", is_flag=True, help="Print the code that shows each of them, too.")
@click.option("--run", is_flag=True, help="Run that code here, and compare the answers.")
@json_option
def divergences(words: tuple[str, ...], code: bool, run: bool, path: str | None) -> None:
    """Known differences between the frameworks, and what a right port does.

    Without a word: the list of all. With words: the entries that mention them all, in full.

    With --run, the demonstrations of these entries run with the frameworks that are installed,
    and tables show what is measured beside what is stated. One that needs a framework that is
    missing is left out, and says so. Exit status 1 if anything measured is not what is stated. All
    of them take some minutes.

    \b
    convparity divergences
    convparity divergences momentum
    convparity divergences same padding --code
    convparity divergences transposed-flip --json
    convparity divergences momentum --run
    """
    from convparity.analysis.catalogue import search
    from convparity.analysis.report import catalogue_tables, tables

    entries = search.find(words)
    console = open_console(path)
    if run:
        if code:
            raise InputError("--run prints answers, no code: give --run or --code, not both")
        data, failures = _measure(entries, console)
        finish(data, failures, path)
        return
    if words:
        for entry in entries:
            tables.show(console, *catalogue_tables.details(entry, code))
    else:
        tables.show(console, catalogue_tables.overview(entries))
    if path is not None:
        write_json(path, [entry.data() for entry in entries])


def _measure(entries: list[Any], console: Any) -> tuple[Any, list[str]]:
    """Run the demonstrations, print what came, and give it as data, with what is not as stated."""
    from convparity.analysis.catalogue import run
    from convparity.analysis.report import catalogue_tables, tables

    problems = {name: registry.problem(name) for name in registry.FRAMEWORKS}

    def lacks(demonstration: Any) -> str:
        return next((found for name in demonstration.frameworks if (found := problems[name])), "")

    with tables.progress() as say:
        found = run.measure(run.pairs(entries), lacks, say)
    reasons = dict.fromkeys(each.left_out for each in found if each.left_out)
    if all(each.outcome is None for each in found):
        raise FrameworkUnavailable(f"nothing of this can run here: {'; '.join(reasons)}")
    for reason in reasons:
        click.echo(f"left out: {reason}", err=True)
    tables.show(console, *catalogue_tables.measured(found))
    data = [
        {**entry.data(), "measured": [each.data() for each in found if each.entry is entry]}
        for entry in entries
    ]
    return data, [each.complaint for each in found if each.complaint]
