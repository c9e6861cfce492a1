"""Tables for the terminal, as wide as it is; a pipe or a file gets ``COLUMNS`` columns, or 80.

No number and no name is cut or broken: first headings and prose are broken over lines, then a table
is printed in parts. What the tables show is computed elsewhere.
"""

import copy
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from convparity.analysis.cost.counting import CONVENTIONS, Cost, reduction, tensors
from convparity.impls.spec import Shape

WIDTH = 80  # of a pipe or a file
ANY_WIDTH = 1_000_000

Part = Table | Text | str  # of what a command prints

# ---------------------------------------------------------------- printing


def console(stderr: bool = False) -> Console:
    """Standard output, or standard error, with the width that it has or is given."""
    if (sys.stderr if stderr else sys.stdout).isatty():
        return Console(stderr=stderr)
    columns = os.environ.get("COLUMNS", "")
    return Console(width=(int(columns) if columns.isdecimal() else 0) or WIDTH, stderr=stderr)


def show(console: Console, *parts: Part) -> None:
    """Print tables and sentences so that everything is seen whole."""
    for part in parts:
        if isinstance(part, Table):
            _show_table(console, part)
        else:
            _show_text(console, part)


def _show_text(console: Console, text: Text | str) -> None:
    """Break lines at spaces only: a word that is longer than the line stays whole."""
    if isinstance(text, str):
        console.print(_broken(text, console.width), markup=False, soft_wrap=True)
    elif text.no_wrap:
        console.print(text, soft_wrap=True)
    else:
        console.print(Text(_broken(text.plain, console.width), text.style), soft_wrap=True)


def _broken(text: str, width: int) -> str:
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )


def _show_table(console: Console, shown: Table) -> None:
    """The title, then the columns: all side by side, or in parts that each begin with the first."""
    if shown.title:
        _show_text(console, Text(str(shown.title), style="bold"))
    room = console.width
    limits = [_limits(console, column) for column in shown.columns]
    for part in _parts(shown, [least for least, *_ in limits], room):
        widths = _widths([limits[index] for index in part], room - _lines(shown, len(part)))
        narrowed = copy.copy(shown)
        narrowed.title = None
        narrowed.columns = [
            replace(
                shown.columns[index],
                _index=place,
                width=width,
                header=_broken(str(shown.columns[index].header), width),
            )
            for place, (index, width) in enumerate(zip(part, widths, strict=True))
        ]
        console.width = max(room, sum(widths) + _lines(shown, len(part)))
        console.print(narrowed)
        console.width = room


def _limits(console: Console, column: Column) -> tuple[int, int, int]:
    """Three widths: that breaks no word and no number, no line below the heading, no line."""
    options = console.options.update(width=ANY_WIDTH)
    sizes = [console.measure(cell, options=options) for cell in column.cells]
    heading = console.measure(Text(str(column.header)), options=options)
    whole = max(1, heading.minimum, *(size.maximum for size in sizes))
    words = max(1, heading.minimum, *(size.minimum for size in sizes))
    return whole if column.no_wrap else words, whole, max(whole, heading.maximum)


def _lines(shown: Table, columns: int) -> int:
    """What the lines and the spaces between columns take."""
    return 3 * columns + 1 if shown.box else 2 * (columns - 1)


def _parts(shown: Table, least: Sequence[int], room: int) -> list[list[int]]:
    """Which columns are printed side by side: all, if they can be made to fit."""
    parts = [[0]]
    for index in range(1, len(least)):
        wider = [*parts[-1], index]
        taken = sum(least[each] for each in wider) + _lines(shown, len(wider))
        if taken > room and len(parts[-1]) > 1:
            wider = [0, index]
            parts.append(wider)
        parts[-1] = wider
    return parts


def _widths(limits: Sequence[tuple[int, int, int]], room: int) -> list[int]:
    """The widest column gives way first: all headings before any prose."""
    words, whole, widths = (list(each) for each in zip(*limits, strict=True))
    for floor in (whole, words):
        while sum(widths) > room:
            wider = [i for i, width in enumerate(widths) if width > floor[i]]
            if not wider:
                break
            widths[max(wider, key=lambda i: widths[i])] -= 1
    return widths


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done, for as long as it takes; gone afterwards."""
    if not sys.stderr.isatty():
        yield lambda description: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("starting", total=None)
        yield lambda description: bar.update(task, description=description)


# ---------------------------------------------------------------- tables


def shape_text(shape: Shape) -> str:
    """A shape as people write it: ``1x112x112x64``."""
    return "x".join(map(str, shape))


def table(title: str, *columns: str, text: Sequence[str] = ()) -> Table:
    """A table for ``show``: columns in ``text`` may be broken over lines, at spaces, others never.

    The first column and those in ``text`` are words, the others numbers.
    """
    shown = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        left = index == 0 or column in text
        shown.add_column(column, justify="left" if left else "right", no_wrap=column not in text)
    return shown


def learnables_table(costs: Mapping[str, Cost]) -> Table:
    """Every weight of each spec, and their sum."""
    shown = table("Learnables", "layer", "weight", "shape", "count", text=("weight",))
    for title, cost in costs.items():
        for tensor in tensors(cost.spec):
            note = "" if tensor.trainable else " (statistic)"
            shown.add_row(title, tensor.name + note, shape_text(tensor.shape), f"{tensor.size:,}")
        total = cost.parameters + cost.statistics
        shown.add_row(title, "total", "", f"{total:,}", style="bold", end_section=True)
    return shown


def costs_table(costs: Mapping[str, Cost]) -> Table:
    """The main figures side by side; of two, also what the second saves."""
    all_costs = list(costs.values())
    pair = len(all_costs) == 2
    shown = table("Cost", "", *costs, *(["saved"] if pair else []), text=("",))
    rows = {
        "learnables": [cost.parameters for cost in all_costs],
        "BatchNorm statistics": [cost.statistics for cost in all_costs],
        "multiply-accumulates (MACs)": [cost.macs for cost in all_costs],
        "bytes moved (float32, unfused)": [cost.bytes_moved() for cost in all_costs],
    }
    shown.add_row("input", *(shape_text(cost.input_shape) for cost in all_costs))
    shown.add_row("output", *(shape_text(cost.output_shape) for cost in all_costs))
    for title, values in rows.items():
        if any(values):
            saved = [f"{reduction(*values):.2f} %"] if pair else []
            shown.add_row(title, *(f"{value:,}" for value in values), *saved)
    intensities = (f"{cost.intensity():.2f}" for cost in all_costs)
    shown.add_row("FLOPs for each byte moved", *intensities)
    return shown


def conventions_table(costs: Mapping[str, Cost]) -> Table:
    """The "FLOPs" of each spec as each tool counts them."""
    shown = table('"FLOPs", by convention', "convention", *costs, "used by", text=("used by",))
    for name, convention in CONVENTIONS.items():
        counts = [cost.flops(name) for cost in costs.values()]
        if any(count is not None for count in counts):
            cells = ("-" if count is None else f"{count:,}" for count in counts)
            shown.add_row(convention.title, *cells, convention.used_by)
    return shown


def blocks_table(blocks: Sequence[Cost], total: Cost) -> Table:
    """A network block by block, with each block's share of the MACs, and the sum."""
    shown = table("Blocks", "block", "output", "learnables", "MACs", "% of MACs", "MB moved")
    for cost in (*blocks, total):
        last = cost is total
        shown.add_row(
            "total" if last else cost.path or type(cost.spec).__name__,
            shape_text(cost.output_shape),
            f"{cost.parameters:,}",
            f"{cost.macs:,}",
            f"{100 * cost.macs / total.macs:.1f}" if total.macs else "",
            f"{cost.bytes_moved() / 1e6:.2f}",
            style="bold" if last else None,
            end_section=cost is blocks[-1],
        )
    return shown


def verdicts_table(title: str, verdicts: Iterable[Mapping[str, Any]]) -> Table:
    """Both verdicts of each framework. Where the worst error is, is said below the table."""
    columns = ("framework", "on integers", "error", "of its bound", "bits", "arithmetic", "verdict")
    shown = table(title, *columns, text=("on integers", "arithmetic"))
    for verdict in verdicts:
        structure, precision = verdict["structure"], verdict["precision"]
        tested = precision.get("untested") is None
        shown.add_row(
            verdict["framework"],
            structure["text"].partition(", worst ")[0],
            f"{precision['error']:.1e}" if tested else "-",
            _share(precision["share"]),
            f"{precision['effective_bits']:.1f}" if tested else "-",
            verdict["arithmetic"],
            mark(verdict["status"]),
        )
    return shown


def _share(share: float) -> str:
    """The error over its proved bound, which means nothing behind many layers."""
    return f"{100 * share:.2g} %" if share > 1e-6 else "-"


def mark(status: str) -> str:
    """A verdict, in its colour."""
    return {"ok": "[green]ok[/]", "wrong": "[red]WRONG[/]"}.get(status, f"[yellow]{status}[/]")
