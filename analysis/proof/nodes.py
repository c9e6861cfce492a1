"""A network as one list of nodes: its layers and joins in the order in which they run."""

from typing import NamedTuple

from convparity.impls.spec import Composite, Spec, fold_steps

ENTRY = -1  # stands for the network's input among the inputs of nodes


class Node(NamedTuple):
    """A layer or join, and the nodes whose values it takes."""

    path: str  # dotted; "" where the network is this layer alone
    spec: Spec
    inputs: tuple[int, ...]  # indices into the list of nodes, or ``ENTRY``


def nodes_of(spec: Spec) -> list[Node]:
    """The nodes of a network of any wiring; each comes after those that it takes values of."""
    nodes: list[Node] = []

    def visit(spec: Spec, path: str, inputs: list[int]) -> int:
        if isinstance(spec, Composite):
            return fold_steps(
                spec, inputs[0], lambda step, taken: visit(step.spec, step.path(path), taken)
            )
        nodes.append(Node(path, spec, tuple(inputs)))
        return len(nodes) - 1

    visit(spec, "", [ENTRY])
    return nodes


def takers(nodes: list[Node]) -> dict[int, list[int]]:
    """The nodes that take each value, ``ENTRY``'s too."""
    found: dict[int, list[int]] = {i: [] for i in range(ENTRY, len(nodes))}
    for i, node in enumerate(nodes):
        for each in set(node.inputs):
            found[each].append(i)
    return found


def reached_from(nodes: list[Node], start: int) -> set[int]:
    """Every node whose value depends on that of ``start``; not itself."""
    found: set[int] = set()
    for i, node in enumerate(nodes):
        if any(each == start or each in found for each in node.inputs):
            found.add(i)
    return found
