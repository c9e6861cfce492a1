"""Several values brought together: by the places of their axes, never by their sizes.

Axes that meet have their borders refined, until atom meets atom. The result has atoms of its own,
so that a value may meet itself in another order, ``x + x.T``; each value has a map from its atoms
to those.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from convparity.impls.errors import UnsupportedError
from convparity.impls.layout.moves import Writer, whole
from convparity.impls.layout.program import BATCH
from convparity.impls.layout.values import Atom, Axes, Axis, Value, borders_of, flat, new_axis, said

Map = Mapping[Atom, Atom]
Column = Sequence[int | None]  # which axis of each value meets here; None of one that has none


class Aligned(NamedTuple):
    """Values whose axes are split alike."""

    values: list[Value]
    maps: list[dict[Atom, Atom]]  # of each value, its atoms to those of the result
    columns: list[Axis]  # the atoms of the result where axes meet

    def renamed(self, number: int, axes: Iterable[Axis]) -> Axes:
        """Axes of a value in the atoms of the result."""
        own = self.maps[number]
        return tuple(tuple(own[atom] for atom in axis) for axis in axes)

    def axes(self, number: int) -> Axes:
        """How a value is stored, in the atoms of the result."""
        return self.renamed(number, self.values[number].stored)

    def back(self, number: int, axes: Iterable[Axis]) -> Axes:
        """These axes in the atoms of a value."""
        own = {new: atom for atom, new in self.maps[number].items()}
        return tuple(tuple(own[atom] for atom in axis) for axis in axes)

    def stored_as(self, number: int, axes: Axes) -> Axes:
        """These axes in the atoms of a value, those alone that it stores."""
        there = set(flat(self.axes(number)))
        return self.back(number, [tuple(a for a in axis if a in there) for axis in axes])


def align(write: Writer, values: Iterable[Value], columns: Iterable[Column]) -> Aligned:
    """Values whose axes meet in columns; where one has size 1, it broadcasts."""
    values, made = list(values), []
    maps: list[dict[Atom, Atom]] = [{} for _ in values]
    for column in columns:
        held = [(i, at) for i, at in enumerate(column) if at is not None and values[i].logical[at]]
        sizes = {values[i].shape[at] for i, at in held}
        if len(sizes) > 1:
            raise UnsupportedError(f"axes of sizes {said(tuple(sorted(sizes)))} meet")
        every = {b for i, at in held for b in borders_of(a.size for a in values[i].logical[at])}
        borders = sorted(every, reverse=True)
        if any(high % low for high, low in pairwise(borders)):
            borders = [max(borders), 1]
            for i, at in held:
                values[i] = _one_atom(write, values[i], at)
        for i, at in held:
            values[i] = values[i].split_at(at, borders)
        axis: Axis = ()
        for i, at in held:
            axis = axis or tuple(atom.again() for atom in values[i].logical[at])
            maps[i].update(zip(values[i].logical[at], axis, strict=True))
        made.append(axis)
    _show_batches(values, maps, made)
    return Aligned(values, maps, made)


def _show_batches(
    values: Sequence[Value], maps: Sequence[dict[Atom, Atom]], made: Sequence[Axis]
) -> None:
    """Let the batch of what a network holds by itself meet that of the others."""
    held = [(i, value.hidden[0]) for i, value in enumerate(values) if value.hidden]
    batches = [atom for axis in made for atom in axis if atom.batch]
    if held and (len(batches) > 1 or any(atom.size != BATCH for atom in batches)):
        raise UnsupportedError("the batch is not a factor by itself")
    for i, atom in held:
        batches = batches or [atom.again()]
        maps[i][atom] = batches[0]


def _one_atom(write: Writer, value: Value, at: int) -> Value:
    """The value with an axis of the source made one atom."""
    axis = value.logical[at]
    if len(axis) < 2:
        return value
    role, home = axis[-1].role, axis[0].home
    size = value.shape[at]
    if any(atom.batch for atom in axis[1:]):
        raise UnsupportedError("the batch would not be the slowest factor of its axis")
    return write.fused(value, [(axis, new_axis(size, "N" if axis[0].batch else role, *home))])


# ---------------------------------------------------------------- orders


def common_axes(stored: Sequence[Axes | None], logical: Axes, there: Collection[Atom]) -> Axes:
    """How these atoms of a result are stored, whose operands are stored so; None moves anyway.

    Of the orders of operands that have all atoms, and the order batch, space, channels, it is the
    one for which the fewest operands move. Of several it is one that tears the fewest axes of the
    source, then one with channels last, then the first.
    """
    own = [axes for axes in stored if axes is not None and set(flat(axes)) == set(there)]
    candidates = [*own, whole(logical, (tuple(there),))]

    def rank(axes: Axes) -> tuple[int, int, bool]:
        place = {atom: i for i, atom in enumerate(flat(axes))}
        moved = sum(each is None or not _rising(place, flat(each)) for each in stored)
        inside = [[atom for atom in axis if atom in there] for axis in logical]
        torn = sum(not _close(place, axis) for axis in inside)
        return moved, torn, flat(axes)[-1].role != "C"

    return min(candidates, key=rank)


def _rising(place: Mapping[Atom, int], atoms: Sequence[Atom]) -> bool:
    return all(place[a] < place[b] for a, b in pairwise(atoms))


def _close(place: Mapping[Atom, int], atoms: Sequence[Atom]) -> bool:
    return all(place[b] - place[a] == 1 for a, b in pairwise(atoms))


def cut_by_presence(axes: Axes, stored: Sequence[Axes]) -> Axes:
    """The axes, cut where an operand has one part and not the other."""
    sets = [set(flat(each)) for each in stored]
    found: list[Axis] = []
    for axis in axes:
        parts = groupby(axis, lambda atom: [atom in each for each in sets])
        found += [tuple(part) for _, part in parts] or [()]
    return tuple(found)


def product_order(logical: Axes) -> Axis:
    """The order in which the sum of products is stored: batch, space as it lay, channels.

    Scores, whose last two axes are both of space, are stored as the source has them.
    """
    roles = [axis[0].role for axis in logical if axis]
    atoms = sorted(flat(logical), key=lambda atom: atom.role != "N")
    if roles[-2:] == ["S", "S"]:
        return tuple(atoms)
    key = {"N": 0, "S": 1, "C": 2}
    return tuple(sorted(atoms, key=lambda a: (key[a.role], a.home if a.role == "S" else ())))


def cut_by_neighbours(stored: Sequence[Axes], order: Axis) -> list[Axes]:
    """Axes of operands and of a result, cut so that each piece is one in all that have it."""
    sequences = [*(axis for axes in stored for axis in axes), order]
    times = Counter(atom for sequence in sequences for atom in sequence)
    together = Counter(pair for sequence in sequences for pair in pairwise(sequence))

    def cut(axis: Axis) -> Axes:
        at = [
            i
            for i, (a, b) in enumerate(pairwise(axis), 1)
            if not together[a, b] == times[a] == times[b]
        ]
        return tuple(axis[i:j] for i, j in pairwise([0, *at, len(axis)]))

    return [tuple(piece for axis in axes for piece in cut(axis)) for axes in (*stored, (order,))]
