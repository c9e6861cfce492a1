"""Which faults a wrong output could come from, and what each of them would give."""

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.faults import FAULTS, Fault, Faulty, Seed, seed
from convparity.impls.errors import SpecError, WeightError
from convparity.impls.reference import run
from convparity.impls.spec import (
    Composite,
    Shapes,
    Spec,
    dotted,
    output_shape,
    packed,
    parameter_shapes,
)
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Arrays

# Where faults cannot be told apart, the one that ports have most often is
# named first, then those that somebody has reported.
COMMONEST = ("padding-03", "padding-22", "layout-08", "normalisation-02")
KNOWN = sorted(
    FAULTS.values(),
    key=lambda fault: (fault.id not in COMMONEST, not fault.reference),
)


class Observation(NamedTuple):
    """What a port made of an input, with the weights that it should have."""

    weights: Arrays
    x: Any  # an array, or a tuple of those that a graph takes
    y: np.ndarray
    output: str = ""  # of several outputs, which one ``y`` is


@dataclasses.dataclass(frozen=True)
class Suspect:
    """One fault, or two at once, in one layer or in all where it can be.

    Attributes:
        seeds: The faults, and the path of the layer where each is; None is every layer.
        details: What each does there, with the numbers of the layer.
        faulty: The port that has them.
    """

    seeds: tuple[tuple[Fault, str | None], ...]
    details: tuple[str, ...]  # of each, with the numbers of its layer
    faulty: Faulty

    @property
    def ids(self) -> tuple[str, ...]:
        """The faults, without their places."""
        return tuple(fault.id for fault, _ in self.seeds)

    def __str__(self) -> str:
        return " and ".join(
            f"{fault.title} (fault {fault.id}{f' in {path}' if path else ''}): {detail}"
            for (fault, path), detail in zip(self.seeds, self.details, strict=True)
        )


def singles(spec: Spec, shape: Shapes) -> Iterator[Suspect]:
    """Every fault of the output in every layer where it can be at once, then in each by itself."""
    nodes = list(_nodes(spec))
    several = []
    for fault in KNOWN:
        paths: list[str | None] = [
            dotted(path, place) if place else path
            for path, node in nodes
            for place in fault.places(node)
        ]
        if not paths:
            continue
        yield from _suspect(spec, shape, (fault, None if len(paths) > 1 else paths[0]))
        if len(paths) > 1:
            several += [(fault, path) for path in paths]
    for fault, path in several:
        yield from _suspect(spec, shape, (fault, path))


def _nodes(spec: Spec, path: str = "") -> Iterator[tuple[str, Spec]]:
    """A spec and everything inside it, with dotted paths."""
    yield path, spec
    if isinstance(spec, Composite):
        for name, child in spec.children:
            yield from _nodes(child, dotted(path, name))


def _suspect(spec: Spec, shape: Shapes, where: tuple[Fault, str | None]) -> Iterator[Suspect]:
    faulty = seed(spec, shape, where)
    if faulty is not None:
        yield Suspect((where,), (faulty.detail,), faulty)


def both_faults(spec: Spec, shape: Shapes, first: Suspect, second: Suspect) -> Suspect | None:
    """Both at once, the second on what the first made of the layer; None if that cannot be."""
    seeds: tuple[Seed, ...] = (*first.seeds, *second.seeds)
    faulty = seed(spec, shape, *seeds)
    if faulty is None:
        return None
    return Suspect((*first.seeds, *second.seeds), (*first.details, *second.details), faulty)


# ---------------------------------------------------------------- what each would give


def right(spec: Spec, weights: Arrays, x: Any) -> Any:
    """The right output, or all of several, in float32.

    Raises ``SpecError`` or ``WeightError`` where the input or the weights do not fit the spec: two
    faults at once may ask for anything.
    """
    inputs = [np.asarray(each, dtype=np.float64) for each in parts(x)]
    output_shape(spec, *(each.shape for each in inputs))
    if parameter_shapes(spec) != (given := {name: np.shape(w) for name, w in weights.items()}):
        raise WeightError(f"weights of shapes {given} do not fit {spec!r}")
    made = packed(spec, run(spec, weights, *inputs))
    return on_each(lambda y: y.astype(np.float32), made)


def prediction(faulty: Faulty, weights: Arrays, x: Any) -> Any:
    """The wrong output, or all of several; None where the wrong port would be refused.

    No other error is caught: a fault that raises one is itself wrong.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of means of nothing, for one: wrong is wrong
        try:
            return on_each(np.asarray, faulty.output(right, weights, x))
        except (SpecError, WeightError):  # what one fault makes, another, or a layer, does not take
            return None


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """The same bits, or NaN in the same places."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
