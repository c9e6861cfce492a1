"""A network as one list of nodes, and which of its branches lead where."""

from functools import cache
from typing import Any, NamedTuple

from convparity.impls.spec import (
    Add,
    Composite,
    Join,
    Layer,
    Source,
    Spec,
    Subtract,
    fold_steps,
    number_of_inputs,
)
from convparity.impls.values import parts


class Node(NamedTuple):
    """A layer or join, and the nodes whose values it takes."""

    path: str  # dotted; "" where the network is this layer alone
    spec: Spec
    inputs: tuple[int, ...]  # indices into the list of nodes, or below 0: see ``entry``

    @property
    def has_weights(self) -> bool:
        """Whether it is a layer with weights."""
        return isinstance(self.spec, Layer) and bool(self.spec.parameters())

    @property
    def depends(self) -> bool:
        """Whether its value depends on those that it takes."""
        return not isinstance(self.spec, Source)


def entry(index: int) -> int:
    """Which of the network's inputs an index below 0 stands for: -1 the first, -2 the second."""
    return -1 - index


def nodes_of(spec: Spec) -> tuple[list[Node], tuple[int, ...]]:
    """The nodes of a network of any wiring, and which of them, or of its inputs, it gives.

    Each node comes after those that it takes values of.
    """
    nodes: list[Node] = []

    def visit(spec: Spec, path: str, inputs: list[int]) -> Any:
        if isinstance(spec, Composite):
            return fold_steps(
                spec, inputs, lambda step, taken: visit(step.spec, step.path(path), taken)
            )
        nodes.append(Node(path, spec, tuple(inputs)))
        return len(nodes) - 1

    outputs = visit(spec, "", [-1 - i for i in range(number_of_inputs(spec))])
    return nodes, parts(outputs)


class Wiring:
    """The nodes of a network, and what hangs on what. Nodes are told by their indices."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.nodes, self.outputs = nodes_of(spec)
        inputs = number_of_inputs(spec)
        self.takers: dict[int, list[int]] = {i: [] for i in range(-inputs, len(self.nodes))}
        for i, node in enumerate(self.nodes):
            for each in set(node.inputs) if node.depends else ():
                self.takers[each].append(i)
        self.below = cache(self._below)
        # of nodes that are one layer with weights, which runs in several places, the first
        self.first: dict[int, int] = {}
        seen: dict[str, int] = {}
        for i, node in enumerate(self.nodes):
            self.first[i] = seen.setdefault(node.path, i) if node.has_weights else i
        self._runs: dict[int, list[int]] = {}
        for i, first in self.first.items():
            self._runs.setdefault(first, []).append(i)

    def is_shared(self, index: int) -> bool:
        """Whether a node is a layer with weights that runs in other places, too."""
        return len(self.runs(index)) > 1

    def runs(self, index: int) -> list[int]:
        """The nodes that are the same layer with weights, in the order in which they run."""
        return self._runs[self.first[index]]

    def moved_by(self, target: int) -> frozenset[int]:
        """The nodes whose values depend on the weights of a layer, but for its first run."""
        runs = self.runs(target)
        return frozenset({*runs}.union(*map(self.below, runs))) - {target}

    def _below(self, start: int) -> frozenset[int]:
        """Every node whose value depends on that of ``start``; not itself."""
        found: set[int] = set()
        for i, node in enumerate(self.nodes):
            if node.depends and any(each == start or each in found for each in node.inputs):
                found.add(i)
        return frozenset(found)

    def follows(self, target: int) -> list[int]:
        """The nodes without weights right behind a node, up to the next with weights, or join."""
        found: list[int] = []
        index = target
        while len(self.takers[index]) == 1:
            (index,) = self.takers[index]
            if isinstance(self.nodes[index].spec, Join) or self.nodes[index].has_weights:
                break
            found.append(index)
        return found

    def closer(self, index: int, target: int | None) -> int | None:
        """The node with weights whose zeros would close the branch that ends in ``index``.

        None where there is no such node, or where it is ``target`` or has other takers, or runs in
        other places, too.
        """
        while index >= 0 and index != target and self._one_takes(index):
            node = self.nodes[index]
            if isinstance(node.spec, Join):
                return None
            if node.has_weights:
                return None if self.is_shared(index) else index
            if not node.depends:
                return None
            (index,) = node.inputs
        return None

    def _one_takes(self, index: int) -> bool:
        return len(self.takers[index]) == 1 and index not in self.outputs

    def closed(self, join: int, target: int | None, number: int) -> set[int]:
        """The inputs of a sum to be closed, so that one leads on: that with ``target``, if any.

        Zeros would make a product nothing; in any other join, each input leads on by itself.
        Of several that lead through the target, or before it, those stay open that cannot be
        closed; where all can, the ``number`` of the lighting chooses. Behind the target, every
        third lighting leaves the first join open: an activation that the one branch hides, as a
        second ReLU does, may show in the other.
        """
        if not isinstance(self.nodes[join].spec, Add | Subtract):
            return set()
        inputs = self.nodes[join].inputs
        can_close = [each for each in inputs if self.closer(each, target) is not None]
        led: list[int] = []
        if target is not None:
            below = self.below(target) | {target}
            led = [each for each in inputs if each in below]
        if led and len(led) < len(inputs):
            keep = set(led)
        elif led and number % 3 == 2 and join == self._first_join(target):
            keep = set(inputs)
        else:
            keep = set(inputs) - set(can_close) or {inputs[number % len(inputs)]}
        return set(can_close) - keep

    def _first_join(self, target: int | None) -> int | None:
        assert target is not None
        joins = [i for i in self.below(target) if isinstance(self.nodes[i].spec, Join)]
        return min(joins, default=None)

    def needed(self, closed: dict[int, set[int]]) -> set[int]:
        """The nodes that the outputs depend on, where some inputs of joins are closed."""
        needed = set(self.outputs)
        for i in range(len(self.nodes) - 1, -1, -1):
            if i in needed:
                needed |= {j for j in self.nodes[i].inputs if j not in closed.get(i, ())}
        return needed
