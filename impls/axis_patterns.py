"""Patterns in the language of einops, read into what an array library does: reshape and permute.

``"n h (g c) -> n h (c g)"`` splits the last axis into two factors, exchanges them, and merges them
again. The reference runs einops itself and knows nothing of this file.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Axes = tuple[tuple[str, ...], ...]  # the factors of each axis; an axis of size 1 has none
Sizes = Iterable[tuple[str, int]]
ELLIPSIS = "..."


class Moves(NamedTuple):
    """A reshape into factors, the order that they are brought into, and a reshape that merges."""

    split: tuple[Any, ...]
    order: tuple[int, ...]
    merged: tuple[Any, ...]


def normal_form(pattern: str) -> str:
    """The same pattern with one space between two words, and "1" for "()"."""
    for word in ("(", ")", "->"):
        pattern = pattern.replace(word, f" {word} ")
    return " ".join(pattern.split()).replace("( ", "(").replace(" )", ")").replace("()", "1")


def sides(pattern: str) -> tuple[Axes, ...]:
    """The axes before and after the arrow; "..." stands for any number of them."""
    return tuple(
        tuple(
            tuple(name for name in axis.strip("()").split() if name != "1")
            for axis in re.findall(r"\([^)]*\)|[^\s()]+", side)
        )
        for side in pattern.split("->")
    )


def axes(pattern: str, ndim: int) -> tuple[Axes, Axes]:
    """The axes of an input of so many axes, and those of the output.

    What "..." stands for is called "...0", "...1" and so on.
    """
    before, *_ = sides(pattern)
    more = ndim - len(before) + 1 if ELLIPSIS in pattern else 0
    if more < 0 or (ELLIPSIS not in pattern and ndim != len(before)):
        least = f"at least {len(before) - 1}" if ELLIPSIS in pattern else f"{len(before)}"
        raise ValueError(f"it takes an input of {least} axes, not {ndim}")
    rest = " ".join(f"{ELLIPSIS}{i}" for i in range(more))
    before, after = sides(pattern.replace(ELLIPSIS, rest))
    return before, after


def moves(before: Axes, after: Axes, shape: Sequence[Any], sizes: Sizes) -> Moves:
    """What brings an array of ``shape`` from the one order of axes into the other.

    A size may be what a framework has for one that it learns later. One that is known and does not
    fit is a ``ValueError``.
    """
    found: dict[str, Any] = dict(sizes)
    for axis, size in zip(before, shape, strict=True):
        known = math.prod(found[name] for name in axis if name in found)
        open_factor = next((name for name in axis if name not in found), None)
        if isinstance(size, int) and (size % known if open_factor else size != known):
            said = " ".join(f"{n}={found[n]}" for n in axis if n in found) or "1"
            raise ValueError(
                f"an axis of size {size} is not {said}{' times any' * bool(open_factor)}"
            )
        if open_factor:
            found[open_factor] = size // known
    names = [name for axis in before for name in axis]
    return Moves(
        tuple(found[name] for name in names),
        tuple(names.index(name) for axis in after for name in axis),
        tuple(math.prod(found[name] for name in axis) for axis in after),
    )


def dense_axis(equation: str) -> int | None:
    """The axis along which an einsum of an input and a kernel is a dense layer; None if it is none.

    ``"...c,cd->...d"`` is one along the last axis, -1, ``"btc,ts->bsc"`` one along -2, and
    ``"ab...,bc->ac..."`` one along 1. The first axis is the batch.
    """
    name = r"(\.\.\.)?([A-Za-z]*)(\.\.\.)?"
    found = re.fullmatch(f"{name},([A-Za-z])([A-Za-z])->{name}", equation.replace(" ", ""))
    if found is None:
        return None
    dots, before, more, rows, columns, dots_made, made, more_made = found.groups(default="")
    if (dots, more) != (dots_made, more_made) or (dots and more):
        return None
    at = before.find(rows)
    if len(set(before + columns)) <= len(before) or made != before.replace(rows, columns):
        return None
    if at < 0 or (at == 0 and not dots):
        return None
    return at if more else at - len(before)
