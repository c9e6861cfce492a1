"""What the pass writes: the nodes of the graph, and each movement of a value as one ``Rearrange``.

A movement that only merges or splits neighbours leaves the values in their order: no array library
copies anything for it. A real transpose changes the order. Where a broadcast value has to be there
in full, a ``Resize`` to nearest pixels repeats it, in its place.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np

from convparity.impls.axis_patterns import Moves, sides
from convparity.impls.errors import UnsupportedError
from convparity.impls.layout.values import Atom, Axes, Axis, Value, flat, size_of
from convparity.impls.spec import (
    Composite,
    Constant,
    Parameter,
    Rearrange,
    Resize,
    Shape,
    Source,
    Spec,
    output_shape,
    parameter_shapes,
    walk,
)
from convparity.impls.spec.graph import Said
from convparity.impls.spec.source import MOST_AXES

LETTERS = {"N": "n", "S": "hwijklopqrstuvxyz", "C": "cgdefab"}


def moves_values(spec: Spec) -> bool:
    """Whether it is a ``Rearrange`` that changes the order of values: a real transpose."""
    if not isinstance(spec, Rearrange):
        return False
    before, after = ([name for axis in side for name in axis] for side in sides(spec.pattern))
    return before != after


def transposes(spec: Spec) -> int:
    """How many real transposes a network has; what only merges or splits axes counts none.

    Args:
        spec: A graph, or any other spec.

    Returns:
        The number of its nodes that rearrange, and change the order of values.
    """
    return sum(moves_values(each) for _, each in walk(spec) if not isinstance(each, Composite))


def rearranged(stored: Axes, target: Axes) -> Rearrange:
    """The pattern that brings stored axes into others, of the same atoms.

    The first factor of an axis has the size that is left, so that it may be another one.
    """
    names = {axis[0]: name for axis, name in names_of([(a,) for a in flat(stored)]).items()}
    before, after = (" ".join(_axis(names, axis) for axis in axes) for axes in (stored, target))
    sizes = {names[atom]: atom.size for axis in stored for atom in axis[1:]}
    return Rearrange(f"{before} -> {after}", sizes=sizes)


def names_of(axes: Iterable[Axis]) -> dict[Axis, str]:
    """A short name for each axis that has an atom: n the batch, h and w pixels, c channels."""
    names: dict[Axis, str] = {}
    used: Counter[str] = Counter()
    for axis in axes:
        if axis and axis not in names:
            letters = LETTERS[axis[0].role]
            turn, letter = divmod(used[axis[0].role], len(letters))
            names[axis] = letters[letter] + (str(turn) if turn else "")
            used[axis[0].role] += 1
    return names


def _axis(names: dict[Atom, str], axis: Axis) -> str:
    words = " ".join(names[atom] for atom in axis)
    return f"({words})" if len(axis) > 1 else words or "1"


def weight_moves(
    shape: Shape, before: Axis, after: Iterable[Axis], rest: Shape = ()
) -> Moves | None:
    """How a weight of a shape follows when its axes are stored as others; None if it need not."""
    axes = list(after)
    order = [before.index(atom) for atom in flat(axes)]
    merged = (*map(size_of, axes), *rest)
    if order == sorted(order) and merged == (*shape, *rest):
        return None
    split = (*(atom.size for atom in before), *rest)
    return Moves(split, (*order, *range(len(before), len(split))), merged)


def _of_one_example(spec: Source, move: Rearrange) -> Moves | None:
    """A movement without its batch; None if the batch is merged, or there are too many axes."""
    shape = output_shape(spec, (1, 1))
    before, after = move.axes(len(shape))
    if not len(before[0]) == len(after[0]) == 1 or len(after) > MOST_AXES + 1:
        return None
    split, order, merged = move.moves(shape)
    return Moves(split[1:], tuple(axis - 1 for axis in order[1:]), merged[1:])


class Writer:
    """The nodes of the graph that is made, and how weights follow.

    Args:
        inputs: The shapes of the values that the graph takes, of one example.
        reserved: Names that no node of ours may have.
    """

    def __init__(self, inputs: Mapping[str, Shape], reserved: Iterable[str]) -> None:
        self.shapes = dict(inputs)  # of every value of the graph
        self.nodes: dict[str, Said] = {}
        self.weights: dict[str, Moves] = {}
        self.name = ""  # of the operation that is written
        self.first = ""  # of the one that has its weights
        self.shared = False  # whether several have them
        self._reserved = set(reserved)
        self._once: dict[tuple[str, Spec], str] = {}

    def node(self, spec: Spec, *tensors: str) -> str:
        """Write the node of the operation: its own spec, as the graph has it."""
        self.shapes[self.name] = output_shape(spec, *(self.shapes[each] for each in tensors))
        if self.first == self.name or not parameter_shapes(spec):
            self.nodes[self.name] = (spec, *tensors)
        elif self.nodes[self.first][0] == spec:
            self.nodes[self.name] = (self.first, *tensors)
        else:
            raise UnsupportedError(
                f"it runs {self.first} again, which is {self.nodes[self.first][0]} there, and "
                f"would be {spec} here"
            )
        return self.name

    def held_by_itself(self, spec: Source) -> str:
        """Write the node of a value that the network holds by itself."""
        self.shapes[self.name] = output_shape(spec, (1, 1))
        self.nodes[self.name] = (spec,)
        return self.name

    def is_held(self, tensor: str) -> bool:
        """Whether it is held by the network itself: in any order, at no cost."""
        return tensor in self.nodes and isinstance(self.nodes[tensor][0], Source)

    def fold(self, results: Container[str]) -> None:
        """Give each value that the network holds as it is wanted, where that is one form."""
        takers: dict[str, list[str]] = {}
        for name, (_, *tensors) in self.nodes.items():
            for tensor in tensors:
                takers.setdefault(str(tensor), []).append(name)
        for name, (spec, *_) in list(self.nodes.items()):
            following = takers.get(name, [])
            if not isinstance(spec, Source) or len(following) != 1 or name in results:
                continue
            move, *_ = self.nodes[following[0]]
            moves = _of_one_example(spec, move) if isinstance(move, Rearrange) else None
            if moves is None:
                continue
            if isinstance(spec, Constant):
                array = np.array(spec.values).reshape(moves.split).transpose(moves.order)
                spec = Constant(array.ravel().tolist(), moves.merged)
            else:
                self.weights[f"{name}.value"] = moves
                spec = Parameter(moves.merged)
            del self.nodes[following[0]]
            self.nodes[name] = (spec,)
            for taker in takers.get(following[0], []):
                what, *tensors = self.nodes[taker]
                renamed = (name if each == following[0] else each for each in tensors)
                self.nodes[taker] = (what, *renamed)

    def weight(self, name: str, moves: Moves | None) -> None:
        """Note how a weight of the operation follows."""
        if moves is not None:
            self.weights[f"{self.first}.{name}"] = moves

    def added(self, tensor: str, spec: Spec) -> str:
        """A node that the source does not have; what is there already is not written again."""
        if (tensor, spec) not in self._once:
            stem = f"{tensor}_{'moved' if moves_values(spec) else 'read'}"
            name, number = stem, 1
            while name in self._reserved or name in self.nodes:
                number += 1
                name = f"{stem}{number}"
            self.nodes[name] = (spec, tensor)
            self.shapes[name] = output_shape(spec, self.shapes[tensor])
            self._once[tensor, spec] = name
        return self._once[tensor, spec]

    def arranged(self, value: Value, target: Axes) -> str:
        """The node that holds a value in these axes; broadcast atoms among them are repeated."""
        order, there = flat(target), set(flat(value.stored))
        if not target[0] or not target[0][0].batch:
            raise UnsupportedError("the batch would not be the first axis")
        tensor, stored = value.tensor, value.stored
        place = 0
        for held, part in groupby(order, lambda atom: atom in there):
            run = tuple(part)
            before, place = order[:place], place + len(run)
            if held:
                continue
            after = tuple(atom for atom in order[place:] if atom in there)
            tensor = self._moved(tensor, stored, (before, (), after))
            tensor = self.added(tensor, Resize(size_of(run), rank=1))
            stored = (before, run, after)
        return self._moved(tensor, stored, target)

    def _moved(self, tensor: str, stored: Axes, target: Axes) -> str:
        return tensor if stored == target else self.added(tensor, rearranged(stored, target))

    def held(self, value: Value, target: Axes) -> Value:
        """The value in these axes."""
        return Value(self.arranged(value, target), value.logical, target)

    def filled(self, value: Value, atoms: Sequence[Atom]) -> Value:
        """The value with none of these atoms broadcast."""
        missing = tuple(atom for atom in atoms if atom not in flat(value.stored))
        return self.held(value, (*value.stored, missing)) if missing else value

    def fused(self, value: Value, groups: Sequence[tuple[Axis, Axis]]) -> Value:
        """Each group of atoms made one, and read as others.

        Where all are neighbours in the store, axes are only merged. If not, all axes of the source
        are made whole in one move, batch, space and channels: what else is torn is mended with it.
        """
        value = self.filled(value, [atom for group, _ in groups for atom in group])
        target = value.stored
        for group, _ in groups:
            if not _neighbours(target, group):
                target = whole(value.logical, value.stored, [group for group, _ in groups])
                break
        for group, _ in groups:
            target = _joined(target, group)
        value = self.held(value, target if len(target) > 1 else (*target, ()))
        for group, made in groups:
            swap = {group[0]: made, **dict.fromkeys(group[1:], ())}
            value = value.replaced(swap)
        return value


def _neighbours(stored: Axes, group: Axis) -> bool:
    order = flat(stored)
    first = order.index(group[0])
    return order[first : first + len(group)] == group


def _joined(stored: Axes, group: Axis) -> Axes:
    """The stored axes, those that hold a part of a group of neighbours being one."""
    at = [i for i, axis in enumerate(stored) if any(atom in group for atom in axis)]
    first, last = at[0], at[-1] + 1
    return (*stored[:first], flat(stored[first:last]), *stored[last:])


def whole(logical: Axes, stored: Axes, groups: Sequence[Axis] = ()) -> Axes:
    """Stored axes in which every axis of the source is whole: batch, space, channels.

    Axes that a group reaches over are one.
    """
    units: list[Axis] = []
    over = {atom: number for number, group in enumerate(groups) for atom in group}
    there = set(flat(stored))
    hidden = tuple(atom for atom in there if atom not in flat(logical))
    for axis in (hidden, *logical):
        own = tuple(atom for atom in axis if atom in there)
        if own and units and over.get(units[-1][-1], -1) == over.get(own[0], -2):
            units[-1] += own
        elif own:
            units.append(own)
    units.sort(key=lambda axis: ("NSC".index(axis[0].role), axis[0].home))
    return tuple(units) if len(units) > 1 else (*units, ())
