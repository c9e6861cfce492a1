"""How layers are wired: one after another, and in plain words, as native modules hold it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple, overload

from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.spec.base import (
    MAX_LAYERS,
    NAME,
    Composite,
    Spec,
    Step,
    a_spec,
    chain_steps,
    check_extent,
)
from convparity.impls.spec.checks import fail, set_fields
from convparity.impls.spec.join import JOINS, Residual


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
        (('0', Flatten()), ('1', Dense(in_features=8, out_features=2, bias=True)))
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
        items = tuple((str(name), a_spec(self, f"layer {name}", s)) for name, s in named.items())
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


# ---------------------------------------------------------------- the wiring in plain words


class Wire(NamedTuple):
    """A step of a composite in strings alone."""

    name: str  # of the value that it makes
    call: str  # the child that runs, or a join by its name in ``JOINS``
    inputs: tuple[str, ...]  # the names of the values that it takes

    def __str__(self) -> str:
        return f"{self.name} = {self.call}({', '.join(self.inputs)})"


def wires(spec: Composite) -> tuple[Wire, ...]:
    """The steps of ``spec`` in strings alone."""
    for name, _ in spec.children:
        if name in JOINS:
            raise UnsupportedError(
                f"in a graph with joins, a layer cannot be called {name!r}, as a join is: "
                "give it another name"
            )
    joins: dict[type[Spec], str] = {kind: name for name, kind in JOINS.items()}
    return tuple(
        Wire(step.name, step.child or joins[type(step.spec)], step.inputs) for step in spec.steps
    )


def wired(
    children: Mapping[str, Spec], steps: Iterable[tuple[str, str, Iterable[str]]]
) -> Composite:
    """The composite of ``children`` whose ``wires`` are ``steps``."""
    asked = tuple(Wire(name, call, tuple(inputs)) for name, call, inputs in steps)
    for spec in _composites(children):
        if wires(spec) == asked:
            return spec
    raise UnsupportedError(
        f"no spec has this wiring yet: {'; '.join(map(str, asked))} (of {', '.join(children)})"
    )


def _composites(children: Mapping[str, Spec]) -> Iterator[Composite]:
    """What can be made of ``children``, by any wiring."""
    yield Sequential(children)
    if "body" in children and set(children) <= {"body", "shortcut"}:
        yield Residual(**children)
