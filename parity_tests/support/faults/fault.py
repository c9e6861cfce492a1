"""What a fault is that no output at inference shows, or that only some frameworks can have.

It is seeded as one of ``convparity.analysis.faults`` is; of the other operations (a gradient, a
dump, a step of training), ``operations`` says what is wrong with them, layer by layer.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields

import numpy as np

from convparity.analysis.faults import Fault, Faulty
from convparity.analysis.faults.fault import Make
from convparity.impls.errors import SpecError
from convparity.impls.spec import Composite, Shape, Spec, dotted
from convparity.impls.weights import Arrays


@dataclass(frozen=True)
class Step:
    """One step of plain SGD on one weight, and what a wrong optimizer makes of it."""

    weight: np.ndarray
    velocity: np.ndarray
    gradient: np.ndarray
    rate: float
    momentum: float
    decay: float

    def right(self) -> tuple[np.ndarray, np.ndarray]:
        """The weight and the velocity after the step: decay is part of the gradient."""
        velocity = self.momentum * self.velocity + self.gradient + self.decay * self.weight
        return self.weight - self.rate * velocity, velocity


@dataclass(frozen=True)
class Misport(Faulty):
    """What a wrong port does besides its output. What is None is as it should be.

    These see the layer's own names alone (``kernel``, ``bias``, and ``x`` for the gradient by the
    input).
    """

    gradients: Callable[[Arrays, int], Arrays] | None = None  # and of the batch's size
    count: Callable[[int, int], tuple[int, int]] | None = None  # of (trainable, total)
    read: Callable[[str, np.ndarray], np.ndarray] | None = None  # what a dump gives
    view: bool = False  # a dump gives the module's own arrays
    write: Callable[[str, np.ndarray, np.ndarray], np.ndarray] | None = None  # of old and new
    train: Spec | None = None  # the layer that is trained in its place
    trained: Callable[[Arrays, Arrays, Shape], Arrays] | None = None  # of old, new, the input shape
    step: Callable[[Step], tuple[np.ndarray, np.ndarray]] | None = None
    accepts: bool = False  # an input that does not fit
    overwrites: bool = False  # the input
    elsewhere: bool = False  # on any device but the first


@dataclass(frozen=True)
class Misbehaviour(Fault):
    """A fault of some operation, in some frameworks."""

    operation: str = "forward"  # or backward, count, dump, load, train, apply, device
    frameworks: tuple[str, ...] = ()  # where it can exist; () is everywhere

    @classmethod
    def of(cls, fault: Fault) -> "Misbehaviour":
        """A fault of outputs, as one of them."""
        return cls(**{each.name: getattr(fault, each.name) for each in fields(fault)})

    @property
    def forward(self) -> bool:
        """It changes outputs."""
        return self.operation == "forward"

    def seed(self, spec: Spec, shape: Shape | None = None, place: str = "") -> Faulty | None:
        """A fault of outputs needs to know the shape of the input; without it, it is not seeded."""
        if shape is not None:
            return super().seed(spec, shape, place)
        if isinstance(spec, self.on) and not self.forward:
            with suppress(SpecError):  # the wrong port would be refused
                return self.make(spec, ())
        return None


MISBEHAVIOURS: dict[str, Misbehaviour] = {}


def misbehaviour(
    id: str,
    title: str,
    *on: type[Spec],
    hides: str,
    reference: str = "",
    operation: str = "forward",
    frameworks: tuple[str, ...] = (),
) -> Callable[[Make], Make]:
    """Register what the decorated function makes of a layer and its input shape."""

    def registered(make: Make) -> Make:
        if id in MISBEHAVIOURS:
            raise ValueError(f"two faults are called {id}")
        MISBEHAVIOURS[id] = Misbehaviour(
            id,
            title,
            hides,
            reference,
            on,
            make,
            hidden=lambda spec, shape: False,
            operation=operation,
            frameworks=frameworks,
        )
        return make

    return registered


def operations(spec: Spec, *faults: Misbehaviour, path: str = "") -> Iterator[tuple[str, Misport]]:
    """Where faults of other operations than the output sit, with the path of each layer."""
    found = [faulty for fault in faults if (faulty := fault.seed(spec)) is not None]
    if found:
        yield from ((path, faulty) for faulty in found)
    elif isinstance(spec, Composite):
        for name, child in spec.children:
            yield from operations(child, *faults, path=dotted(path, name))
