"""The differences between the frameworks on the terminal: all, one in full, what was measured."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from convparity.analysis.catalogue.answers import text_of
from convparity.analysis.catalogue.entries.environments import LIBRARIES
from convparity.analysis.catalogue.entry import Demonstration, Divergence
from convparity.analysis.catalogue.run import Measured
from convparity.analysis.report.tables import table


def overview(entries: Sequence[Divergence]) -> Table:
    """One row an entry, by chapter."""
    shown = table(
        f"{len(entries)} differences; `convparity divergences WORD` tells more",
        "entry",
        "difference (and its kind)",
        text=("difference (and its kind)",),
    )
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        ends = following is None or following.chapter != entry.chapter
        title = Text(f"{entry.title} ({entry.kind})")
        shown.add_row(Text(entry.id), title, end_section=ends)
    return shown


def details(entry: Divergence, code: bool) -> Iterator[Text | Table]:
    """What each framework does, what a right port does, and what the demonstrations answer."""
    yield Text(f"{entry.id}: {entry.title}", style="bold")
    does = {LIBRARIES[name].title: text for name, text in entry.frameworks.items()}
    yield _pairs((who, Text(text)) for who, text in {**does, "a right port": entry.port}.items())
    yield Text()
    yield _pairs((each.label, _answer(each)) for each in entry.demonstrations)
    yield Text()
    if code:
        for each in entry.demonstrations:
            yield Text(f"# {each.label}", style="dim")
            yield _code(each.code)
            yield Text()
    yield Text(entry.seen_with, style="dim")
    if entry.upstream:
        yield Text(f"a bug of {entry.upstream}", style="dim")
    for thread in entry.threads:
        yield Text(thread, style="dim")
    yield Text()


def measured(found: Sequence[Measured]) -> Iterator[Table | Text]:
    """What each demonstration gave here, beside what its entry states; and how many agree."""
    columns = ("stated", "measured", "verdict")
    for entry, several in groupby(found, lambda each: each.entry):
        shown = table(entry.id, "demonstration", *columns, text=("demonstration", *columns))
        for each in several:
            cells = (each.demonstration.label, each.stated, each.measured)
            shown.add_row(*map(Text, cells), _verdict(each))
        yield shown
        yield Text()
    ran = [each for each in found if each.outcome is not None]
    right = sum(not each.complaint for each in ran)
    left_out = f"; {len(found) - len(ran)} left out" if len(ran) < len(found) else ""
    yield Text(f"{right} of {len(ran)} demonstrations give what is stated{left_out}")


def _verdict(each: Measured) -> Text:
    if each.outcome is None:
        return Text("left out", style="yellow")
    return Text("NOT as stated", style="red") if each.complaint else Text("as stated", "green")


def _code(code: str) -> Text:
    """Coloured, and with the lines that it has, however long: it is there to be copied."""
    indented = textwrap.indent(code.rstrip(), "  ")
    shown = Syntax(indented, "python", background_color="default").highlight(indented)
    shown.rstrip()
    shown.no_wrap = True
    return shown


def _answer(each: Demonstration) -> Text:
    right = "" if each.right is None else f"   (right: {text_of(each.right)})"
    return Text(text_of(each.expected) + right)


def _pairs(rows: Iterable[tuple[str, Text]]) -> Table:
    """Names and what is said of them, without lines."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True)
    for name, text in rows:
        shown.add_row(Text(name, style="cyan"), text)
    return shown
