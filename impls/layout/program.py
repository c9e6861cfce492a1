"""A program over tensors in a source's own axes: what a reader of a framework's graph writes.

It is a list of named operations, each on the values of earlier ones. What an operation does is one
of our specs, or one of the classes below for what no spec is needed for, since the axes are only
read anew. In a program

- an image is ``(N, C, *spatial)`` where a spec takes ``(N, *spatial, C)``: convolutions, pools,
  ``Pad``, ``Resize``, and norms of channels or groups;
- ``Dense`` acts on the last axis, a spec that names axes (``Slice``, ``Concat``, ``Reduce``,
  ``LayerNorm``, a softmax) on these axes of the source, and joins broadcast by position, as NumPy
  does;
- sizes are integers, and that of the batch is ``BATCH``: ``View((BATCH * 4, 49, 96))``.

Unsqueeze, squeeze, flatten and unflatten are each a ``View`` of the shape that they make; chunks
are slices; a repeat is a ``View``, an ``Expand`` and a ``View``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from convparity.impls.errors import SpecError, quoted
from convparity.impls.spec import Shape, Spec

BATCH = 2**31 - 1  # a prime that no other size has as a factor: sizes with it stay plain integers


@dataclass(frozen=True)
class Permute:
    """The axes in another order: ``order[i]`` is the one that becomes axis i."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """The same values, in the same order, read as another shape; one size may be -1."""

    shape: Shape


@dataclass(frozen=True)
class Expand:
    """Axes of size 1 repeated to these sizes; -1 keeps one, and further axes come in front."""

    shape: Shape


@dataclass(frozen=True)
class Select:
    """One entry of an axis, which is left out."""

    axis: int
    index: int


@dataclass(frozen=True)
class Stack:
    """Values of one shape along a new axis."""

    axis: int


@dataclass(frozen=True)
class Matmul:
    """The product of the matrices on the last two axes; the others broadcast."""


@dataclass(frozen=True)
class Contract:
    """An einsum of two values, ``"b h q d, b h k d -> b h q k"``; an axis of size 1 broadcasts."""

    pattern: str

    @property
    def axes(self) -> tuple[tuple[str, ...], ...]:
        """The names of the axes of both values, and of the result."""
        first, second, result = re.split(",|->", self.pattern)
        return tuple(first.split()), tuple(second.split()), tuple(result.split())


@dataclass(frozen=True)
class Along:
    """A layer with a number for each channel, ``Scale`` for one, whose channels are this axis."""

    spec: Spec
    axis: int


@dataclass(frozen=True)
class Input:
    """A value that the program takes.

    Args:
        name: Of the value.
        shape: In the source's axes; one of them has the size ``BATCH``.
        channels: The axis that is last in the graph: 1 of an image, -1 of tokens ``(N, L, C)``.
    """

    name: str
    shape: Shape
    channels: int = 1


What = Spec | Permute | View | Expand | Select | Stack | Matmul | Contract | Along | str


@dataclass(frozen=True)
class Operation:
    """One step of a program.

    Args:
        name: Of the value that it makes, and of its weights: letters, digits and "_".
        what: What it does; the name of an earlier operation does the same with the same weights.
        inputs: The names of the values that it takes.
    """

    name: str
    what: What
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """Operations in order.

    Args:
        inputs: The values that it takes.
        operations: Each takes values that are there before it.
        outputs: The values that it gives, as in ``Graph``: a name, a tuple, or a dict of names.

    Raises:
        SpecError: Two values have one name, or one is taken that is not there yet.
    """

    inputs: tuple[Input, ...]
    operations: tuple[Operation, ...]
    outputs: str | tuple[str, ...] | Mapping[str, str]

    def __post_init__(self) -> None:
        there = [each.name for each in self.inputs]
        for operation in self.operations:
            self._check(operation.name, operation.inputs, there)
            if isinstance(operation.what, str) and operation.what not in there:
                raise SpecError(f"{operation.name} runs {quoted(operation.what)} before it ran")
            there.append(operation.name)
        self._check("the program", self.results, there)
        for name in there:
            if there.count(name) > 1:
                raise SpecError(f"two values are called {quoted(name)}")

    @staticmethod
    def _check(who: str, names: tuple[str, ...], there: list[str]) -> None:
        for name in names:
            if name not in there:
                raise SpecError(f"{who} takes {quoted(name)}, which is not there yet")

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the values that it gives."""
        if isinstance(self.outputs, str):
            return (self.outputs,)
        named = self.outputs
        return tuple(named.values()) if isinstance(named, Mapping) else tuple(named)

    @property
    def live(self) -> tuple[Operation, ...]:
        """The operations that lead to an output."""
        needed, found = set(self.results), []
        for operation in reversed(self.operations):
            if operation.name in needed:
                found.append(operation)
                needed.update(operation.inputs)
                if isinstance(operation.what, str):
                    needed.add(operation.what)
        return tuple(reversed(found))
