"""The known differences between the frameworks: reading and searching their catalogue.

The entries are ``divergences.json``, which is made of ``parity_tests/divergences``, where each is
executed.
"""

import difflib
import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from convparity.impls.errors import InputError

Entry = dict[str, Any]
TEXTS = ("id", "title", "chapter", "kind", "pytorch", "flax", "keras", "port")


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every entry, by chapter."""
    text = resources.files(__package__).joinpath("divergences.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))


def find(words: Iterable[str]) -> list[Entry]:
    """The entries that mention every word, in their id, title or text; those in the title first.

    An id finds its entry alone. ``InputError`` if there are none.
    """
    wanted = [word for each in words for word in each.lower().split()]
    entries = catalogue()
    if exact := [entry for entry in entries if [entry["id"]] == wanted]:
        return exact
    found = [entry for entry in entries if all(word in _text(entry) for word in wanted)]
    if not found:
        raise InputError(_nothing(wanted))
    return sorted(found, key=lambda entry: not _in_title(entry, wanted))


def _text(entry: Entry) -> str:
    return " ".join(entry[name] for name in TEXTS).lower()


def _in_title(entry: Entry, words: list[str]) -> bool:
    title = f"{entry['id']} {entry['title']}".lower()
    return all(word in title for word in words)


def _nothing(words: list[str]) -> str:
    """What to say when no entry mentions all of the words."""
    texts = [_text(entry) for entry in catalogue()]
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
