"""Tables for the terminal, no wider than 100 columns. What they show is computed elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from analysis.cost import CONVENTIONS, Cost, reduction, tensors
from impls.shapes import Shape

WIDTH = 100


def console() -> Console:
    """Standard output; a pipe or a file gets 100 columns."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=WIDTH)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, for as long as it takes; gone afterwards."""
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


def shape_text(shape: Shape) -> str:
    """A shape as people write it: ``1x112x112x64``."""
    return "x".join(map(str, shape))


def table(title: str, *columns: str, text: Sequence[str] = ()) -> Table:
    """A table whose columns are numbers, except the first and those named in ``text``."""
    shown = Table(title=title, title_justify="left", title_style="bold")
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
    shown = table("Cost", "", *costs, *(["saved"] if pair else []))
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
    shown = table("Blocks", "block", "output", "learnables", "MACs", "share", "MB moved")
    for cost in (*blocks, total):
        last = cost is total
        shown.add_row(
            "total" if last else cost.path or type(cost.spec).__name__,
            shape_text(cost.output_shape),
            f"{cost.parameters:,}",
            f"{cost.macs:,}",
            f"{100 * cost.macs / total.macs:.1f} %" if total.macs else "",
            f"{cost.bytes_moved() / 1e6:.2f}",
            style="bold" if last else None,
            end_section=cost is blocks[-1],
        )
    return shown


def verdicts_table(title: str, verdicts: Mapping[str, Iterable[Mapping[str, Any]]]) -> Table:
    """Both verdicts of each framework, for one or several subjects."""
    columns = ("", "framework", "on integers", "error", "of its bound", "bits", "arithmetic")
    shown = table(title, *columns, "verdict", text=("framework", "on integers", "arithmetic"))
    for subject, each in verdicts.items():
        for verdict in each:
            structure, precision = verdict["structure"], verdict["precision"]
            shown.add_row(
                subject,
                verdict["framework"],
                structure["text"],
                f"{precision['error']:.1e}",
                _share(precision["share"]),
                f"{precision['effective_bits']:.1f}",
                verdict["arithmetic"],
                mark(verdict["ok"]),
            )
        shown.add_section()
    return shown


def _share(share: float) -> str:
    """The error over its proved bound, which means nothing behind many layers."""
    return f"{100 * share:.2g} %" if share > 1e-6 else "-"


def mark(ok: bool) -> str:
    """A verdict, in its colour."""
    return "[green]ok[/]" if ok else "[red]WRONG[/]"
