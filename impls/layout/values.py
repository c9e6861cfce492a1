"""Axes as lists of factors, and a value whose axes are known twice: as read, and as stored.

A factor, an ``Atom``, is known by its identity, never by its size. A value of the source has its
own axes, ``logical``; the array that holds it in the graph has others, ``stored``. Both are lists
of axes, and each axis is a list of atoms, the slowest first: an axis of 6 that was read as
``(2, 3)`` is one axis of two atoms. An axis of size 1 has no atom. What reads axes anew changes
``logical`` and leaves the array alone. An atom in ``logical`` that is not in ``stored`` is
broadcast: the array has one entry for all of its places. What a network holds by itself has no
batch in the source, and one in the graph.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from convparity.impls.errors import UnsupportedError
from convparity.impls.layout.program import BATCH
from convparity.impls.spec import Shape

Role = Literal["N", "S", "C"]  # batch, space, channels: advice on a good order, nothing else


@dataclass(frozen=True, eq=False)
class Atom:
    """A factor of an axis.

    Args:
        size: Above 1; a multiple of ``BATCH`` is the batch, or the batch and other factors.
        role: What it was in the image that it comes from.
        home: Where it was there; two atoms compare by it as they lay.
    """

    size: int
    role: Role
    home: tuple[int, ...]

    @property
    def batch(self) -> bool:
        """Whether the batch is in it."""
        return self.size % BATCH == 0

    def again(self) -> "Atom":
        """Another atom of this size, role and home."""
        return Atom(self.size, self.role, self.home)


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]


def flat(axes: Iterable[Axis]) -> Axis:
    """The atoms of all axes."""
    return tuple(atom for axis in axes for atom in axis)


def size_of(atoms: Iterable[Atom]) -> int:
    """How many places the atoms have together."""
    return math.prod(atom.size for atom in atoms)


def new_axis(size: int, role: Role, *home: int) -> Axis:
    """An axis of one atom, or of none if its size is 1."""
    return (Atom(size, role, home),) if size > 1 else ()


def said(shape: Shape) -> str:
    """A shape in words, the batch as N."""
    sizes = [str(n) if n % BATCH else "N" if n == BATCH else f"{n // BATCH} N" for n in shape]
    return f"({', '.join(sizes)})"


@dataclass(frozen=True)
class Value:
    """A value of the source.

    Args:
        tensor: The node of the graph that holds it.
        logical: Its axes in the source.
        stored: The axes of the node's array. The batch is the first, and there are two at least.
    """

    tensor: str
    logical: Axes
    stored: Axes

    @property
    def shape(self) -> Shape:
        """The shape in the source."""
        return tuple(map(size_of, self.logical))

    @property
    def hidden(self) -> Axis:
        """The batch of what a network holds by itself: stored, and no axis of the source."""
        there = flat(self.logical)
        return tuple(atom for atom in flat(self.stored) if atom.batch and atom not in there)

    @property
    def stored_shape(self) -> Shape:
        """The shape of the array, of one example."""
        batch, *others = map(size_of, self.stored)
        return (batch // BATCH, *others)

    def read(self, logical: Iterable[Axis]) -> "Value":
        """The same array, with other axes in the source."""
        return replace(self, logical=tuple(logical))

    def replaced(self, atoms: Mapping[Atom, Axis]) -> "Value":
        """Each of these atoms by those that it is split into: no value moves."""

        def split(axes: Axes) -> Axes:
            return tuple(flat(atoms.get(atom, (atom,)) for atom in axis) for axis in axes)

        return Value(self.tensor, split(self.logical), split(self.stored))

    def split_at(self, axis: int, borders: Iterable[int]) -> "Value":
        """The atoms of an axis of the source, split at these borders."""
        return self.replaced(split_at(self.logical[axis], borders))


# ---------------------------------------------------------------- borders


def borders_of(sizes: Iterable[int]) -> tuple[int, ...]:
    """Where factors meet, as the number of values behind each border: of (2, 3, 4) 24, 12, 4, 1."""
    sizes = list(sizes)
    return tuple(math.prod(sizes[i:]) for i in range(len(sizes) + 1))


def split(atom: Atom, sizes: Iterable[int]) -> Axis:
    """The atoms that one of them is split into, the slowest first."""
    role: Role = "S" if atom.role == "N" else atom.role
    parts = tuple(
        Atom(size, "N" if size % BATCH == 0 else role, (*atom.home, i))
        for i, size in enumerate(sizes)
        if size > 1
    )
    if any(part.batch for part in parts[1:]):
        raise UnsupportedError("the batch would not be the slowest factor of its axis")
    return parts


def split_at(atoms: Axis, borders: Iterable[int]) -> dict[Atom, Axis]:
    """What each atom becomes when all are split at these borders, which divide what they split."""
    wanted, found = sorted(borders, reverse=True), {}
    for atom, (high, low) in zip(atoms, pairwise(borders_of(a.size for a in atoms)), strict=True):
        inside = [high, *(b for b in wanted if high > b > low), low]
        if len(inside) > 2:
            found[atom] = split(atom, [a // b for a, b in pairwise(inside)])
    return found


class Reading(NamedTuple):
    """How atoms are read as other sizes."""

    split: dict[Atom, Axis]  # first these atoms are split
    fused: list[tuple[Axis, Axis]]  # then neighbours become one atom, and that is split again
    axes: Axes  # what comes out


def read_as(atoms: Axis, shape: Shape) -> Reading:
    """Atoms, the slowest first, read as axes of other sizes.

    A border that divides an atom splits it. Where borders do not divide each other, as those of
    (8, 7) and (7, 8), the atoms between two borders that do become one first: they are to be
    neighbours in the store.
    """
    own, wanted = borders_of(atom.size for atom in atoms), borders_of(shape)
    kept = list(own)
    for border in sorted(set(wanted) - set(own), reverse=True):
        while (high := min(b for b in kept if b > border)) % border:
            kept.remove(high)
        while border % (low := max(b for b in kept if b < border)):
            kept.remove(low)
        kept.append(border)
    kept.sort(reverse=True)
    clean = [b for b in kept if b in own or _divides(own, b)]
    parts = split_at(atoms, clean)
    pieces = list(flat(parts.get(atom, (atom,)) for atom in atoms))
    fused: list[tuple[Axis, Axis]] = []
    made: list[Atom] = []
    for high, low in pairwise(clean):
        group = tuple(_taken(pieces, high // low))
        inside = [b for b in kept if high >= b >= low]
        result = group
        if len(group) > 1:
            if any(atom.batch for atom in group[1:]):
                raise UnsupportedError("the batch would not be the slowest factor of its axis")
            one = Atom(high // low, group[-1].role, group[0].home)
            result = split(one, [a // b for a, b in pairwise(inside)])
            fused.append((group, result))
        made += result
    return Reading(parts, fused, tuple(tuple(_taken(made, size)) for size in shape))


def _divides(own: tuple[int, ...], border: int) -> bool:
    """Whether a border only splits one of the atoms."""
    high, low = min(b for b in own if b > border), max(b for b in own if b < border)
    return high % border == 0 and border % low == 0


def _taken(atoms: list[Atom], size: int) -> Iterable[Atom]:
    """Take the first atoms from a list, until they have so many places."""
    while size > 1:
        size //= atoms[0].size
        yield atoms.pop(0)


# ---------------------------------------------------------------- stored axes


def is_run(stored: Axes, atoms: Collection[Atom]) -> bool:
    """Whether nothing lies between these atoms, in whatever order they are stored."""
    order = flat(stored)
    places = sorted(order.index(atom) for atom in atoms)
    return all(b - a == 1 for a, b in pairwise(places))


def is_ordered_run(stored: Axes, atoms: Axis) -> bool:
    """Whether these atoms are stored next to each other, in this order."""
    order = flat(stored)
    places = [order.index(atom) for atom in atoms]
    return all(b - a == 1 for a, b in pairwise(places))


def apart(stored: Axes, atoms: Collection[Atom]) -> Axes:
    """The stored axes, cut so that each has only such atoms, or none of them."""
    found: list[Axis] = []
    for axis in stored:
        found += [tuple(part) for _, part in groupby(axis, lambda atom: atom in atoms)] or [()]
    return tuple(found)


def as_one(stored: Axes, atoms: Collection[Atom]) -> tuple[Axes, int]:
    """The stored axes where a run of atoms is one, and which it is; of no atoms, one of size 1."""
    if not atoms:
        found = stored if stored[-1] == () else (*stored, ())
        return found, len(found) - 1
    axes = apart(stored, atoms)
    at = [i for i, axis in enumerate(axes) if axis and axis[0] in atoms]
    first, last = at[0], at[-1] + 1
    return (*axes[:first], flat(axes[first:last]), *axes[last:]), first


def at_end(stored: Axes, atoms: Axis) -> Axes:
    """The stored axes where these atoms are the last one."""
    rest = (tuple(a for a in axis if a not in atoms) for axis in stored)
    return (*(axis for axis in rest if axis), atoms)
