"""The differences between the frameworks on the terminal: a list of all, and one in full."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from convparity.analysis.catalogue.entries import Entry
from convparity.analysis.report.tables import table

WHO = {"pytorch": "PyTorch", "flax": "Flax", "keras": "Keras", "port": "a right port"}


def overview(entries: Sequence[Entry]) -> Table:
    """One row an entry, by chapter."""
    shown = table(
        f"{len(entries)} differences; `convparity divergences WORD` tells more",
        "entry",
        "difference (and its kind)",
        text=("difference (and its kind)",),
    )
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        ends = following is None or following["chapter"] != entry["chapter"]
        title = Text(f"{entry['title']} ({entry['kind']})")
        shown.add_row(Text(entry["id"]), title, end_section=ends)
    return shown


def details(entry: Entry, code: bool) -> Iterator[Text | Table]:
    """What each framework does, what a right port does, and what the demonstrations answer."""
    yield Text(f"{entry['id']}: {entry['title']}", style="bold")
    yield _pairs((title, Text(entry[name])) for name, title in WHO.items())
    yield Text()
    yield _pairs((each["label"], _answer(each)) for each in entry["demonstrations"])
    yield Text()
    if code:
        for each in entry["demonstrations"]:
            yield Text(f"# {each['label']}", style="dim")
            yield _code(each["code"])
            yield Text()
    seen = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    yield Text(f"seen on {entry['date']} with {seen}", style="dim")
    if entry["upstream"]:
        yield Text(f"a bug of {entry['upstream']}", style="dim")
    for reference in entry["references"]:
        yield Text(reference, style="dim")
    yield Text()


def _code(code: str) -> Text:
    """Coloured, and with the lines that it has, however long: it is there to be copied."""
    indented = textwrap.indent(code.rstrip(), "  ")
    shown = Syntax(indented, "python", background_color="default").highlight(indented)
    shown.rstrip()
    shown.no_wrap = True
    return shown


def _answer(demonstration: Entry) -> Text:
    right = demonstration["right"]
    return Text(demonstration["answer"] + (f"   (right: {right})" if right else ""))


def _pairs(rows: Iterable[tuple[str, Text]]) -> Table:
    """Names and what is said of them, without lines."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True)
    for name, text in rows:
        shown.add_row(Text(name, style="cyan"), text)
    return shown
