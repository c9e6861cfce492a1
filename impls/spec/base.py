"""What every spec is: a layer, a join of several values, or a composite of named steps.

A spec holds no weights and knows no framework. Shapes are channels-last and bear the batch:
``(N, *spatial, C)``, or ``(N, features)`` after a pooling, flatten or dense layer.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from convparity.impls.errors import SpecError, UnsupportedError, quoted
from convparity.impls.spec.checks import Shape, fail

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9_]+")  # of a child
INPUT = "<input>"  # the name of a composite's input among the values of its steps


class Spec(ABC):  # noqa: B024 (what is abstract differs between its three kinds)
    """A layer or a composite of layers: what a network computes, without weights or a framework.

    A spec is a frozen dataclass. Its fields are checked when it is made, two specs are equal when
    their fields are, and it can be the key of a dict. ``Spec`` itself is abstract, for annotations
    and ``isinstance``: make one of the classes that derive from it.

    Example:
        >>> import convparity as cp
        >>> isinstance(cp.Conv(3, 8, 3), cp.Spec)
        True
        >>> cp.Conv(3, 8, 3) == cp.Conv(3, 8, kernel_size=(3, 3))
        True
    """


class Layer(Spec):
    """A spec without children that makes one value of one.

    A layer carries its own facts, and cannot be made without them:

    - its fields, in PyTorch's vocabulary and in normal form: one int an axis, pairs of padding;
    - ``output_shape(input_shape)``, which raises ``SpecError`` where the input does not fit;
    - ``parameters()``, the shapes of its weights by their canonical names (``kernel``, ``bias``);
    - ``multiply_accumulates(input_shape)``, where a weight has several axes; others take none.
    """

    # those of its weights that training does not change
    statistics: ClassVar[tuple[str, ...]] = ()
    moves_values: ClassVar[bool] = True  # False: at inference it leaves each where and what it is

    @abstractmethod
    def output_shape(self, input_shape: Shape, /) -> Shape:
        """The shape that the layer makes of an input.

        Args:
            input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.

        Returns:
            The shape of the output, channels last.

        Raises:
            SpecError: The input does not fit: its number of axes, its channels or its size.
        """

    @abstractmethod
    def parameters(self) -> dict[str, Shape]:
        """The weights that the layer declares.

        Returns:
            The shape of each by its canonical name (``kernel``, ``bias``), in the order of
            declaration.
        """

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        """How often the layer multiplies and adds: at every tap, those on padding too.

        A layer without weights, or with one number a channel, counts none, as in the tools that we
        compare with. One that has a kernel says how often it uses it.

        Args:
            input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.

        Returns:
            The multiply-accumulates of the whole batch.

        Raises:
            UnsupportedError: A weight has several axes, and the class does not say what it costs.
        """
        for name, shape in self.parameters().items():
            if len(shape) > 1:
                raise UnsupportedError(
                    f"{type(self).__name__} does not say how often it uses its {name}: give the "
                    "class multiply_accumulates(input_shape)"
                )
        return 0


class Source(Layer):
    """A layer that takes nothing of its input but how many examples there are.

    As a node of a ``Graph`` it is said without inputs; it runs on the first one of the graph.
    """

    moves_values: ClassVar[bool] = False

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        return 0


class Join(Spec):
    """A spec without children and weights that makes one value of several."""

    arity: ClassVar[int | None] = None  # how many it takes; None is any number from one on

    @abstractmethod
    def output_shape(self, *input_shapes: Shape) -> Shape:
        """The shape that the join makes of its inputs.

        Args:
            *input_shapes: The shape of each, channels last.

        Returns:
            The shape of the output, channels last.

        Raises:
            SpecError: The inputs do not fit each other.
        """

    def largest(self, *sizes: float) -> float:
        """How large the output may be, by absolute value: here as a sum is.

        Args:
            *sizes: What no entry of each input exceeds.

        Returns:
            What no entry of the output exceeds.
        """
        return sum(sizes)

    def multiply_accumulates(self, *input_shapes: Shape) -> int:
        """How often the join multiplies and adds: not at all, unless it sums products.

        Args:
            *input_shapes: The shape of each, channels last.

        Returns:
            The multiply-accumulates of the whole batch.
        """
        return 0


class Step(NamedTuple):
    """One step of a composite: a child that runs, or a join that no child is."""

    name: str  # of the value that it makes; unique in its composite
    spec: Spec
    inputs: tuple[str, ...]  # the values that it takes: names of earlier steps, or ``INPUT``
    child: str | None  # the child that runs; None for a join that has no name of its own

    @property
    def said(self) -> tuple[str, ...]:
        """The values that it needs: of a ``Source`` none, although it is called with one."""
        return () if isinstance(self.spec, Source) else self.inputs

    @property
    def joins(self) -> bool:
        """Whether it makes one value of several, without weights."""
        return isinstance(self.spec, Join)

    def path(self, path: str) -> str:
        """The dotted path of this step in a composite at ``path``."""
        return dotted(path, self.child or self.name)

    def weights(self, weights: Mapping[str, T]) -> dict[str, T]:
        """Those of a composite's ``weights`` that are this step's, under its own names."""
        return {} if self.child is None else own_weights(self.spec, self.child, weights)


MAX_DEPTH = 64  # more than a network needs; few enough for every function that recurs on specs
MAX_LAYERS = 2**16


class Composite(Spec):
    """A spec made of named children; a child's weights are named ``<child>.<name>``."""

    @property
    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """What runs, in an order in which every value is there when it is taken.

        ``fold_steps`` runs them.
        """

    @property
    def sources(self) -> tuple[str, ...]:
        """The names, among the values of its steps, of what it takes."""
        return (INPUT,)

    @property
    def results(self) -> Mapping[str, str]:
        """The values that it gives, by what each is called; one alone is called ""."""
        return {"": self.steps[-1].name}

    @abstractmethod
    def with_children(self, children: Mapping[str, Spec]) -> "Composite":
        """The same wiring of other children.

        Args:
            children: A spec for each of the names in ``self.children``.

        Returns:
            The composite of them.
        """

    @cached_property
    def children(self) -> tuple[tuple[str, Spec], ...]:
        """The children as pairs of a name and a spec, in the order in which they are declared."""
        return tuple({s.child: s.spec for s in self.steps if s.child is not None}.items())

    @cached_property
    def extent(self) -> tuple[int, int]:
        """How many composites are nested in it, and how many layers it has in total."""
        inner = [
            child.extent if isinstance(child, Composite) else (0, 1) for _, child in self.children
        ]
        return 1 + max(depth for depth, _ in inner), sum(layers for _, layers in inner)


def check_extent(spec: Composite) -> None:
    """Raise for one that nests too deep, or has too many layers, for functions that walk it."""
    depth, layers = spec.extent
    if depth > MAX_DEPTH:
        raise SpecError(f"a spec nests at most {MAX_DEPTH} composites")
    if layers > MAX_LAYERS:
        raise SpecError(f"a spec has at most {MAX_LAYERS:,} layers")


def chain_steps(children: Mapping[str, Spec]) -> tuple[Step, ...]:
    """The steps of children that run one after another."""
    names = (INPUT, *children)
    return tuple(
        Step(name, child, (before,), name)
        for before, (name, child) in zip(names, children.items(), strict=False)
    )


def a_spec(owner: Spec, name: str, value: Any) -> Spec:
    """``value`` if it is a spec."""
    if not isinstance(value, Spec):
        raise fail(owner, f"{name} must be a spec, not {quoted(value)}")
    return value


def one_to_one(owner: Spec, name: str, value: Any) -> Spec:
    """``value`` if it is a spec that makes one value of one."""
    spec = a_spec(owner, name, value)
    if isinstance(spec, Composite) and not is_one_to_one(spec):
        raise fail(
            owner,
            f"{name} takes {len(spec.sources)} values and gives {len(spec.results)}, where it "
            "must make one of one: wire it in a Graph",
        )
    return spec


def is_one_to_one(spec: Spec) -> bool:
    """Whether it makes one value of one, as every layer does."""
    if isinstance(spec, Composite):
        return len(spec.sources) == 1 and list(spec.results) == [""]
    return not isinstance(spec, Join)


def check_spec(value: object) -> None:
    """Raise ``SpecError`` for what is no spec; a class of specs is told apart."""
    if isinstance(value, type) and issubclass(value, Spec):
        name = value.__name__
        raise SpecError(f"{name} is a class and not a spec: make one of it, {name}(...)")
    if not isinstance(value, Spec):
        raise SpecError(f"{quoted(value)} is not a spec: make one, Conv(3, 8, 3) for example")


def arguments(kind: type[Spec]) -> dict[str, Any]:
    """What a kind of spec is made with, by name, and the defaults; ``inspect.Parameter.empty``."""
    found = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in found if p.kind is not p.VAR_KEYWORD}


# ---------------------------------------------------------------- dotted names


def dotted(path: str, name: str) -> str:
    """The dotted path of ``name`` inside ``path``, which is "" for the whole."""
    return f"{path}.{name}" if path else name


def child_weights(weights: Mapping[str, T], name: str) -> dict[str, T]:
    """The entries of the child ``name``, under the child's own names."""
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def own_weights(child: Spec, name: str, weights: Mapping[str, T]) -> dict[str, T]:
    """``child_weights`` of a child that is known: the others are not looked at."""
    keys = ((own, dotted(name, own)) for own in _parameter_names(child))
    return {own: weights[key] for own, key in keys if key in weights}


def _parameter_names(spec: Spec, path: str = "") -> Iterator[str]:
    if isinstance(spec, Composite):
        for name, child in spec.children:
            yield from _parameter_names(child, dotted(path, name))
    elif isinstance(spec, Layer):
        for name in spec.parameters():
            yield dotted(path, name)


def under(name: str, weights: Mapping[str, T]) -> dict[str, T]:
    """The inverse of ``child_weights``: a child's entries, under its parent's names."""
    return {dotted(name, k): v for k, v in weights.items()}
