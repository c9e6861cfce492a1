"""``convparity bench``."""

from pathlib import Path
from typing import Any

import click

from convparity.analysis.commands.shared import (
    command,
    find_frameworks,
    finish,
    frameworks_option,
    json_option,
    open_console,
    read_json,
)
from convparity.impls.errors import InputError, unknown_name


@command
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@frameworks_option
@json_option
@click.option(
    "--page", type=click.Path(path_type=Path), help="Write a page, with pictures beside it."
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Show the figures of an earlier --json.",
)
def bench(
    chapters: tuple[str, ...],
    frameworks: str | None,
    path: str | None,
    page: Path | None,
    source: Path | None,
) -> None:
    """Measure time and memory: what separable convolutions really save here.

    The chapters: layers, mobilenet, growth, conversion, startup; without a name, all of them. Leave
    the machine alone meanwhile: what else runs is measured, too.

    \b
    convparity bench
    convparity bench layers --frameworks {one}
    convparity bench --json speed.json --page speed.md
    convparity bench --from speed.json
    """
    from convparity.analysis.bench import grids
    from convparity.analysis.report import tables

    data = _read(source) if source else _measure(chapters, frameworks)
    console = open_console(path)
    for grid in grids.grids(data):
        shown = tables.table(grid.title, *grid.columns, text=grid.text)
        for row in grid.rows:
            shown.add_row(*row)
        tables.show(console, shown)
    if "limits" in data:
        limits = grids.summary(data)
        text = f"The limits of that machine: {limits['arithmetic']}, {limits['memory']}."
        tables.show(console, text)
    if page:
        from convparity.analysis.bench.page import write_page

        write_page(data, page)
    finish(data, data.get("failures", []), path)


def _measure(chapters: tuple[str, ...], frameworks: str | None) -> Any:
    from convparity.analysis.bench.run import CHAPTERS, run
    from convparity.analysis.report import tables

    for chapter in chapters:
        if chapter not in CHAPTERS:
            raise InputError(unknown_name("chapter", chapter, CHAPTERS))
    names = find_frameworks(frameworks)
    with tables.progress() as step:
        return run(chapters or CHAPTERS, names, step)


def _read(source: Path) -> Any:
    data = read_json(source)
    if not isinstance(data, dict) or not {"machine", "versions"} <= data.keys():
        raise InputError(f"{source} holds no figures of convparity bench: write them with --json")
    return data
