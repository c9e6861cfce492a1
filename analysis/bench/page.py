"""The figures as a page of the documentation, with its pictures beside it."""

from collections.abc import Iterator
from pathlib import Path

from convparity.analysis.bench.findings import Data
from convparity.analysis.bench.grids import Grid, grids, summary
from convparity.analysis.bench.plots import PICTURES, draw
from convparity.impls.errors import InputError
from convparity.impls.storing import said, write_whole

INTRODUCTION = """\
# Speed and memory, measured

Written by `convparity bench --json {name}.json --page {name}.md`; `--from {name}.json` draws it
anew. Every figure comes from one run in which the calls took turns; a ratio is taken round by
round and given as its median, with the quartiles in brackets. Each framework and each algorithm
has a process of its own. "native" is the framework's own layers; "auto" is what `convparity.build`
gives unless it is told otherwise; where that is the same code, it is measured and drawn once, and
the column says "=". "Both ways" is the forward pass and all gradients. A goal is met where the
median reaches it.

The roofline: no layer can be faster than its arithmetic at the rate of the fastest matrix product,
or than its input, weights and output moved once at the speed of the fastest elementwise pass, both
measured in the same run.
"""


def write_page(data: Data, path: Path) -> None:
    """Write the page, and its pictures into a folder of the page's name."""
    folder = path.with_suffix("")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {said(str(path))}: {error.strerror}") from None
    draw(data, folder)
    write_whole(path, page(data, path.stem).encode())


def page(data: Data, name: str) -> str:
    """The Markdown text."""
    parts = [INTRODUCTION.format(name=name), _machine(data)]
    parts += [
        f"![{picture.caption}]({name}/{each}.svg)\n\n{picture.caption}.\n"
        for each, picture in PICTURES.items()
        if picture.chapter in data
    ]
    parts += ["\n".join(markdown(grid)) + "\n" for grid in grids(data)]
    return "\n".join(parts)


def markdown(grid: Grid) -> Iterator[str]:
    """The lines of a table under its heading."""
    yield f"## {grid.title}"
    yield ""
    yield f"| {' | '.join(column.replace(chr(10), ' ') for column in grid.columns)} |"
    yield "|---" + "|---:" * (len(grid.columns) - 1) + "|"
    for row in grid.rows:
        yield f"| {' | '.join(row)} |"


def _machine(data: Data) -> str:
    machine = data["machine"]
    versions = ", ".join(
        f"{each} {version}" for row in data["versions"].values() for each, version in row.items()
    )
    lines = [
        f"Measured on {machine['processor']} with {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}; {versions}; float32."
    ]
    if "limits" in data:
        limits = summary(data)
        lines.append(f"Its limits: {limits['arithmetic']}, {limits['memory']}.")
    return "\n".join(lines) + "\n"
