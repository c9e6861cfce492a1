"""How layers are wired: one after another, or in any way at all."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, overload

from convparity.impls.errors import SpecError, quoted
from convparity.impls.spec.base import (
    INPUT,
    MAX_LAYERS,
    NAME,
    Composite,
    Source,
    Spec,
    Step,
    a_spec,
    chain_steps,
    check_extent,
    dotted,
    one_to_one,
)
from convparity.impls.spec.checks import fail, set_fields
from convparity.impls.spec.fold import check_number


@dataclass(frozen=True, init=False)
class Sequential(Composite):
    """Layers that run one after another, each on the output of the one before it.

    Args:
        *layers: The specs, which are then named "0", "1", ...; or one list of them; or one mapping
            from names (letters, digits and "_") to specs, in the order in which they run.

    Shapes:
        input: that of the first layer
        output: that of the last layer

    The weights of a layer have its name in front: ``stem.kernel``.

    Raises:
        SpecError: There is no layer, one is not a spec, a name is not allowed or is used twice, or
            more than 64 composites are nested.

    Example:
        >>> import convparity as cp
        >>> net = cp.Sequential({"stem": cp.Conv(3, 8, 3), "act": cp.Activation("relu")})
        >>> cp.output_shape(net, (1, 7, 9, 3))
        (1, 5, 7, 8)
        >>> cp.parameter_shapes(net)
        {'stem.kernel': (3, 3, 3, 8), 'stem.bias': (8,)}
        >>> cp.Sequential(cp.Flatten(), cp.Dense(8, 2)).children
        (('0', Flatten()), ('1', Dense(in_features=8, out_features=2, bias=True, axis=-1)))
    """

    layers: tuple[tuple[str, Spec], ...]

    @overload
    def __init__(self, *layers: Spec) -> None: ...
    @overload
    def __init__(self, layers: Mapping[str, Spec] | Iterable[Spec], /) -> None: ...

    def __init__(self, *layers: Spec | Mapping[str, Spec] | Iterable[Spec]) -> None:
        given: object = layers
        if len(layers) == 1 and not isinstance(layers[0], Spec):
            given = layers[0]
        shape = getattr(given, "shape", None)  # an array without axes only looks like a list
        if not isinstance(given, Iterable) or isinstance(given, str) or shape == ():
            raise fail(self, f"takes specs, a list of specs or a mapping, not {quoted(given)}")
        named = (
            given if isinstance(given, Mapping) else dict(enumerate(islice(given, MAX_LAYERS + 1)))
        )
        items = tuple(
            (str(name), one_to_one(self, f"layer {name}", s)) for name, s in named.items()
        )
        if not items:
            raise fail(self, "needs at least one layer")
        names = [name for name, _ in items]
        for name, times in Counter(names).items():
            if times > 1:
                raise fail(self, f"two layers are called {quoted(name)}")
            if not NAME.fullmatch(name):
                raise fail(self, f"a layer's name is letters, digits and '_', not {quoted(name)}")
        set_fields(self, layers=items)
        check_extent(self)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The layers in order."""
        return chain_steps(dict(self.layers))

    def with_children(self, children: Mapping[str, Spec]) -> "Sequential":
        return Sequential({name: children[name] for name, _ in self.layers})

    def __repr__(self) -> str:
        if [name for name, _ in self.layers] == [str(i) for i in range(len(self.layers))]:
            return f"Sequential({', '.join(repr(spec) for _, spec in self.layers)})"
        return f"Sequential({dict(self.layers)!r})"


# ---------------------------------------------------------------- any wiring

Said = tuple[Spec | str, ...]  # a node: its spec, or an earlier node, and its inputs by name
Outputs = str | tuple[str, ...] | tuple[tuple[str, str], ...]


@dataclass(frozen=True, init=False)
class Graph(Composite):
    """Named nodes in any wiring: branches that part and meet, several inputs and outputs.

    Args:
        nodes: A mapping from the name of each node (letters, digits and "_") to a tuple: its spec,
            and the names of the values that it takes, none for a ``Parameter`` or a ``Constant``.
            They run in this order, so that a value is there before it is taken. The name of an
            earlier node in place of a spec runs that node again, with the same weights. A spec that
            gives several values makes ``node.0``, ``node.1``, or ``node.name``.
        inputs: The names of the values that the graph takes, in order.
        outputs: The values that it gives: one name, a tuple of names, or a dict of them by what
            each is called; None is the last node's.

    Shapes:
        input: those of the nodes that take them
        output: those of the nodes that make them

    The weights of a node have its name in front: ``stem.kernel``.

    Raises:
        SpecError: There is no node; a name is not allowed, is used twice, or is of a value that is
            not there yet; a spec takes another number of values; or a node or an input leads to no
            output.

    Example:
        >>> import convparity as cp
        >>> graph = cp.Graph({
        ...     "stem": (cp.Conv(3, 8, 3, padding="same"), "x"),
        ...     "gate": (cp.Activation("sigmoid"), "stem"),
        ...     "gated": (cp.Multiply(), "stem", "gate"),
        ...     "both": (cp.Concat(), "gated", "x"),
        ... })
        >>> cp.output_shape(graph, (1, 7, 9, 3))
        (1, 7, 9, 11)
        >>> list(cp.parameter_shapes(graph))
        ['stem.kernel', 'stem.bias']
    """

    nodes: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: Outputs

    def __init__(
        self,
        nodes: Mapping[str, Said],
        inputs: Iterable[str] = ("x",),
        outputs: str | Iterable[str] | Mapping[str, str] | None = None,
    ) -> None:
        sources = self._names("inputs", inputs)
        if not isinstance(nodes, Mapping):
            raise fail(self, f"nodes are a mapping from names to tuples, not {quoted(nodes)}")
        if not nodes:
            raise fail(self, "needs at least one node")
        if len(nodes) > MAX_LAYERS:
            raise fail(self, f"has at most {MAX_LAYERS:,} nodes, not {len(nodes):,}")
        if len(set(sources)) < len(sources):
            raise fail(self, f"two inputs have one name: {quoted(sources)}")
        there = dict.fromkeys(sources, "")  # each value, and the node that makes it
        steps: dict[str, Step] = {}
        for name, said in nodes.items():
            steps[name] = self._node(name, said, steps, there)
            there |= dict.fromkeys(_values(steps[name]), name)
        given = next(reversed(steps)) if outputs is None else outputs
        set_fields(
            self,
            nodes=tuple(steps.values()),
            inputs=sources,
            outputs=self._outputs(given, there),
        )
        self._check_liveness(there)
        check_extent(self)

    def _names(self, what: str, given: Any) -> tuple[str, ...]:
        if isinstance(given, str):
            given = (given,)
        if not isinstance(given, Iterable) or isinstance(given, Mapping):
            raise fail(self, f"{what} are names, not {quoted(given)}")
        names = tuple(islice(given, MAX_LAYERS))
        for name in names:
            self._check_name(what, name)
        if not names:
            raise fail(self, f"needs at least one name in {what}")
        return names

    def _check_name(self, what: str, name: Any) -> None:
        if not isinstance(name, str) or not (NAME.fullmatch(name) or name == INPUT):
            raise fail(self, f"a name in {what} is letters, digits and '_', not {quoted(name)}")

    def _node(
        self, name: Any, said: Any, steps: Mapping[str, Step], there: Mapping[str, str]
    ) -> Step:
        self._check_name("nodes", name)
        if name in there or name in steps:
            raise fail(self, f"two values are called {quoted(name)}")
        several = isinstance(said, tuple | list) and bool(said)
        if not several or (len(said) < 2 and not isinstance(said[0], Source)):
            raise fail(
                self,
                f"node {quoted(name)} is a tuple of a spec and the names of what it takes, not "
                f"{quoted(said)}",
            )
        spec, *inputs = said
        child = name
        if isinstance(spec, Source):
            if inputs:
                kind = type(spec).__name__
                raise fail(
                    self, f"node {quoted(name)}: a {kind} takes no value, not {quoted(inputs)}"
                )
            inputs = [next(iter(there))]  # the graph's first input, of which it takes the batch
        if isinstance(spec, str):
            if spec not in steps:
                raise fail(self, f"node {quoted(name)} runs {quoted(spec)}, which is no node yet")
            earlier = steps[spec]
            spec, child = earlier.spec, earlier.child
        else:
            spec = a_spec(self, f"node {quoted(name)}", spec)
        for each in inputs:
            if not isinstance(each, str) or each not in there:
                raise fail(
                    self,
                    f"node {quoted(name)} takes {quoted(each)}, which is not there yet: there are "
                    f"{quoted(tuple(there)[-8:])}",
                )
        try:
            check_number(spec, len(inputs))
        except SpecError as error:
            raise fail(self, f"node {quoted(name)}: {error}") from None
        return Step(name, spec, tuple(inputs), child)

    def _outputs(self, given: Any, there: Mapping[str, str]) -> Outputs:
        asked: list[Any]
        found: Any
        if isinstance(given, str):
            asked, found = [given], given
        elif isinstance(given, Mapping):
            asked, found = list(given.values()), tuple(given.items())
            for label in given:
                if not isinstance(label, str) or not NAME.fullmatch(label) or label.isdigit():
                    raise fail(self, f"what an output is called is a word, not {quoted(label)}")
        elif isinstance(given, Iterable):
            asked = list(islice(given, MAX_LAYERS))
            found = tuple(asked)
        else:
            raise fail(self, f"outputs are names, not {quoted(given)}")
        if not asked:
            raise fail(self, "needs at least one output")
        for each in asked:
            if not isinstance(each, str) or each not in there:
                raise fail(self, f"the output {quoted(each)} is no value: {quoted(tuple(there))}")
        return found

    def _check_liveness(self, there: Mapping[str, str]) -> None:
        """Raise for a node or an input that leads to no output."""
        needed = {there[value] for value in self.results.values()}
        taken = set(self.results.values())
        for step in reversed(self.nodes):
            if step.name in needed:
                taken |= set(step.said)
                needed |= {there[value] for value in step.said}
        dead = [step.name for step in self.nodes if step.name not in needed]
        dead += [name for name in self.inputs if name not in taken]
        if dead:
            raise fail(self, f"{quoted(dead[0])} leads to no output: leave it out")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The nodes in order."""
        return self.nodes

    @property
    def sources(self) -> tuple[str, ...]:
        return self.inputs

    @cached_property
    def results(self) -> Mapping[str, str]:
        """The values that it gives, by what each is called; one alone is called ""."""
        if isinstance(self.outputs, str):
            return {"": self.outputs}
        return {
            str(i) if isinstance(each, str) else each[0]: each if isinstance(each, str) else each[1]
            for i, each in enumerate(self.outputs)
        }

    @property
    def said(self) -> dict[str, Said]:
        """The nodes as the constructor takes them."""
        return {step.name: (self._again(step) or step.spec, *step.said) for step in self.nodes}

    @staticmethod
    def _again(step: Step) -> str | None:
        """The earlier node that a step runs again."""
        return None if step.child == step.name else step.child

    def with_children(self, children: Mapping[str, Spec]) -> "Graph":
        said: dict[str, Said] = {
            step.name: (self._again(step) or children[step.name], *step.said) for step in self.nodes
        }
        return Graph(said, self.inputs, self._said_outputs)

    @property
    def _said_outputs(self) -> str | tuple[str, ...] | dict[str, str]:
        """The outputs as the constructor takes them."""
        if isinstance(self.outputs, str):
            return self.outputs
        if all(isinstance(each, str) for each in self.outputs):
            return tuple(self.results.values())
        return dict(self.results)

    def __repr__(self) -> str:
        return f"Graph({self.said!r}, inputs={self.inputs!r}, outputs={self._said_outputs!r})"


def _values(step: Step) -> list[str]:
    """The names of the values that a step makes."""
    results = step.spec.results if isinstance(step.spec, Composite) else {"": step.name}
    return [dotted(step.name, each) if each else step.name for each in results]
