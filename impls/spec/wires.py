"""The wiring of a composite in plain words, as native modules hold it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.spec.base import INPUT, Composite, Source, Spec
from convparity.impls.spec.graph import Graph, Outputs, Said, Sequential
from convparity.impls.spec.join import JOINS, Residual


class Wire(NamedTuple):
    """A step of a composite in strings alone."""

    name: str  # of the value that it makes
    call: str  # the child that runs, or a join by its name in ``JOINS``
    inputs: tuple[str, ...]  # the names of the values that it takes

    def __str__(self) -> str:
        return f"{self.name} = {self.call}({', '.join(self.inputs)})"


class Wiring(NamedTuple):
    """How a composite's children are wired; a native graph is made with these."""

    steps: tuple[Wire, ...]
    inputs: tuple[str, ...] = (INPUT,)
    outputs: Outputs | None = None  # None is the last step's


def wiring(spec: Composite) -> Wiring:
    """How the children of ``spec`` are wired."""
    joins: dict[type[Spec], str] = {kind: name for name, kind in JOINS.items()}
    steps = []
    for step in spec.steps:
        if step.child is None and any(name == joins[type(step.spec)] for name, _ in spec.children):
            raise UnsupportedError(
                f"a layer cannot be called {joins[type(step.spec)]!r} where a join is: "
                "give it another name"
            )
        steps.append(Wire(step.name, step.child or joins[type(step.spec)], step.inputs))
    if isinstance(spec, Graph):
        return Wiring(tuple(steps), spec.inputs, spec.outputs)
    return Wiring(tuple(steps))


def wired(
    children: Mapping[str, Spec],
    steps: Iterable[tuple[str, str, Iterable[str]]],
    inputs: Iterable[str] = (INPUT,),
    outputs: Outputs | None = None,
) -> Composite:
    """The composite of ``children`` with this wiring."""
    wires = tuple(Wire(name, call, tuple(taken)) for name, call, taken in steps)
    asked = Wiring(wires, tuple(inputs), outputs)
    for spec in _short(children):
        if wiring(spec) == asked:
            return spec
    try:
        return _graph(children, asked)
    except SpecError as error:
        said = "; ".join(map(str, wires))
        raise UnsupportedError(
            f"no spec has this wiring: {said} (of {', '.join(children)}): {error}"
        ) from None


def _short(children: Mapping[str, Spec]) -> Iterator[Composite]:
    """The short ways to write common wirings."""
    try:
        yield Sequential(children)
        if "body" in children and set(children) <= {"body", "shortcut"}:
            yield Residual(**children)
    except SpecError:  # a child makes more than one value of one
        return


def _graph(children: Mapping[str, Spec], asked: Wiring) -> Graph:
    """The graph: a node bears the name of the child that it runs first."""
    names = {name: name for name in asked.inputs}
    nodes: dict[str, Said] = {}
    ran: set[str] = set()
    for name, call, inputs in asked.steps:
        taken = tuple(_renamed(each, names) for each in inputs)
        if call in children:
            names[name] = name if call in ran else call
            spec: Spec | str = call if call in ran else children[call]
            ran.add(call)
        elif call in JOINS:
            names[name], spec = name, JOINS[call]()
        else:
            raise SpecError(f"there is no layer {call!r}")
        if names[name] in nodes:
            raise SpecError(f"two values are called {names[name]!r}")
        nodes[names[name]] = (spec,) if isinstance(spec, Source) else (spec, *taken)
    for name in children:
        if name not in ran:
            raise SpecError(f"the layer {name!r} never runs")
    given = asked.steps[-1].name if asked.outputs is None else asked.outputs
    if isinstance(given, str):
        return Graph(nodes, asked.inputs, _renamed(given, names))
    if all(isinstance(each, str) for each in given):
        return Graph(nodes, asked.inputs, tuple(_renamed(str(each), names) for each in given))
    return Graph(nodes, asked.inputs, {each[0]: _renamed(each[1], names) for each in given})


def _renamed(value: str, names: Mapping[str, str]) -> str:
    step, dot, result = value.partition(".")
    return names.get(step, step) + dot + result
