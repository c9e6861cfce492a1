"""What a porting fault is: one wrong port of one layer, told by a right implementation.

A right implementation maps a spec, its canonical weights and an input to an output: the NumPy
reference is one, a framework behind its adapter is another. A fault that is seeded into a layer
says what to ask of it instead. So the same registry predicts the output of a wrong port exactly,
and makes a wrong framework of a right one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from convparity.impls.errors import SpecError
from convparity.impls.reference import Implementation
from convparity.impls.spec import (
    Composite,
    Shape,
    Shapes,
    Spec,
    dotted,
    each_shape,
    output_shape,
    parameter_shapes,
    together,
)
from convparity.impls.values import parts
from convparity.impls.weights import Arrays

OnArray = Callable[[Any], Any]  # of an input: of a join or a graph of several, a tuple
OnArrays = Callable[[Arrays], Arrays]
Run = Callable[[Implementation, Arrays, Any], Any]


@dataclass(frozen=True)
class Faulty:
    """What a wrong port of one layer computes. What is None is as it should be.

    The output is ``after(right(spec, weights(w), before(x)))``, or whatever ``run`` makes of the
    right implementation.
    """

    spec: Spec  # the layer that is run in its place
    detail: str  # what is wrong, with the numbers of this layer
    weights: OnArrays | None = None
    before: OnArray | None = None
    after: OnArray | None = None
    run: Run | None = None
    shape: Any = (
        None  # of the output, or of all, where ``run`` gives another one than the right one
    )

    @property
    def pure(self) -> bool:
        """Its output is that of another spec with other weights, and nothing more."""
        return self.before is None and self.after is None and self.run is None

    def output(self, right: Implementation, weights: Arrays, x: Any) -> Any:
        """The wrong output for an ``x`` of the shape that the fault was made for.

        Raises ``SpecError`` where the wrong port would be refused: where another fault, in what
        ``right`` stands for, gives an output of a shape that ``after`` does not know.
        """
        if self.run is not None:
            return self.run(right, weights, x)
        x = x if self.before is None else self.before(x)
        y = right(self.spec, weights if self.weights is None else self.weights(weights), x)
        if self.after is None:
            return y
        expected = output_shape(self.spec, *(each.shape for each in parts(x)))
        if y.shape != expected:
            raise SpecError(f"a fault of outputs of shape {expected} cannot be in one of {y.shape}")
        return self.after(y)


Make = Callable[..., Faulty | None]  # of a layer and the shape of its input
Hidden = Callable[[Any, Any], bool]  # of a layer and the shape of its input
Neighbours = Callable[[Spec, Spec], bool]


@dataclass(frozen=True)
class Fault:
    """A fault of outputs: what it is, where it can exist, and where nobody would notice."""

    id: str  # "padding-03"
    title: str
    hides: str  # on which layers it changes nothing
    reference: str  # a public report, "pytorch #3867"; "" where none is known
    on: tuple[type[Spec], ...]  # the kinds of layers that it can exist in
    make: Make
    hidden: Hidden
    # It lies between two neighbours of a chain, if they are such ones: ``make`` then also takes the
    # name of the first, or "" for every two.
    neighbours: Neighbours | None = None

    @property
    def family(self) -> str:
        """The file that it is defined in."""
        return self.id.rpartition("-")[0]

    def places(self, spec: Spec) -> tuple[str, ...]:
        """Where in ``spec`` it may lie: "" is ``spec`` itself.

        Between two neighbours, that is the name of the first.
        """
        if not isinstance(spec, self.on):
            return ()
        if self.neighbours is None or not isinstance(spec, Composite):
            return ("",)
        pairs = pairwise(spec.children)
        return tuple(name for (name, a), (_, b) in pairs if self.neighbours(a, b))

    def place(self, spec: Spec, at: str, path: str | None) -> str | None:
        """Its place in ``spec``, which is at ``at``; None if it is to lie at another ``path``.

        Without a path it is to lie wherever it can.
        """
        if path is None or path == at:
            return ""
        inside = path.removeprefix(dotted(at, ""))
        return inside if dotted(at, inside) == path and inside in self.places(spec) else None

    def seed(self, spec: Spec, shape: Shapes, place: str = "") -> Faulty | None:
        """The wrong port of ``spec`` for inputs of ``shape``; None where the fault cannot exist.

        ``place`` is one of its ``places``; "" is all of them.
        """
        if not isinstance(spec, self.on):
            return None
        try:
            output_shape(spec, *each_shape(shape))  # else there is no right port either
            where = () if self.neighbours is None else (place,)
            faulty = self.make(spec, shape, *where)
            if faulty is not None and faulty.run is None:
                x = nothing(shape) if faulty.before is None else faulty.before(nothing(shape))
                output_shape(faulty.spec, *(each.shape for each in parts(x)))
        except SpecError:  # the wrong port would be refused
            return None
        return faulty

    def hides_on(self, spec: Spec, shape: Shapes) -> bool:
        """Whether it is known to change no output here, whatever the data."""
        return self.seed(spec, shape) is None or self.hidden(spec, shape)


FAULTS: dict[str, Fault] = {}
"""Every fault by its id, family by family."""


def fault(
    id: str,
    title: str,
    *on: type[Spec],
    hides: str = "no layer that it can exist in",
    reference: str = "",
    hidden: Hidden = lambda spec, shape: False,
    neighbours: Neighbours | None = None,
) -> Callable[[Make], Make]:
    """Register what the decorated function makes of a layer and its input shape."""

    def registered(make: Make) -> Make:
        if id in FAULTS:
            raise ValueError(f"two faults are called {id}")
        FAULTS[id] = Fault(
            id,
            title,
            hides,
            reference,
            on=on,
            make=make,
            hidden=hidden,
            neighbours=neighbours,
        )
        return make

    return registered


# ---------------------------------------------------------------- parts of faults


def nothing(shape: Shapes) -> Any:
    """Zeros of a shape, or of several, that take no memory."""
    return together([np.broadcast_to(np.float32(0), each) for each in each_shape(shape)])


def own(name: str, change: OnArray) -> OnArrays:
    """The weights with one of them changed, if there is such a one."""
    return lambda weights: {n: change(w) if n == name else w for n, w in weights.items()}


def kernel(change: OnArray) -> OnArrays:
    """The weights with another kernel."""
    return own("kernel", change)


def channels_first(array: np.ndarray) -> np.ndarray:
    """(N, *spatial, C) as (N, C, *spatial)."""
    return np.moveaxis(array, -1, 1)


def buffer_as(array: np.ndarray, shape: Shape) -> np.ndarray:
    """The same memory under another shape: a reshape where a transpose was meant."""
    return np.ascontiguousarray(array).reshape(shape)


def pixels(shape: Shape) -> int:
    """The pixels of one example."""
    return int(np.prod(shape[1:-1], dtype=int))


def crop(y: np.ndarray, spatial: Shape, offset: int = 0) -> np.ndarray:
    """``spatial`` pixels from ``offset`` on, or as many as there are."""
    return y[(slice(None), *(slice(offset, offset + n) for n in spatial))]


def swapped(order: Shape) -> str:
    """Axes, as people write them: (2, 3, 0, 1)."""
    return f"({', '.join(map(str, order))})"


def kernel_shape(spec: Spec) -> Shape:
    """The canonical shape of a layer's kernel."""
    return parameter_shapes(spec)["kernel"]
