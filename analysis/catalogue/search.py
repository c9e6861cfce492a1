"""Searching the catalogue."""

import difflib
import re
from collections.abc import Iterable

from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.analysis.catalogue.entry import Divergence
from convparity.impls.errors import InputError


def find(words: Iterable[str]) -> list[Divergence]:
    """The entries that mention every word, in their id, title or text; those in the title first.

    An id finds its entry alone. ``InputError`` if there are none.
    """
    wanted = [word for each in words for word in each.lower().split()]
    if exact := [entry for entry in CATALOGUE if [entry.id] == wanted]:
        return exact
    found = [entry for entry in CATALOGUE if all(word in _text(entry) for word in wanted)]
    if not found:
        raise InputError(_nothing(wanted))
    return sorted(found, key=lambda entry: not _in_title(entry, wanted))


def _text(entry: Divergence) -> str:
    said = (entry.id, entry.title, entry.chapter, entry.kind, *entry.frameworks.values())
    return " ".join((*said, entry.port)).lower()


def _in_title(entry: Divergence, words: list[str]) -> bool:
    title = f"{entry.id} {entry.title}".lower()
    return all(word in title for word in words)


def _nothing(words: list[str]) -> str:
    """What to say when no entry mentions all of the words."""
    texts = [_text(entry) for entry in CATALOGUE]
    known = {word for text in texts for word in re.findall(r"[a-z]\w+(?:\.\w+)*", text)}
    hints = []
    for word in words:
        if not any(word in text for text in texts):
            hints += difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.7)
    hint = f" Did you mean {' or '.join(map(repr, hints))}?" if hints else ""
    return (
        f"no difference mentions {' and '.join(map(repr, words))}.{hint} "
        "`convparity divergences` lists them all"
    )
