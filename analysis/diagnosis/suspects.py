"""Which faults a wrong output could come from, and what each of them would give."""

import dataclasses
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from convparity.analysis.faults import CONTROL, FAULTS, Fault, Faulty, Seed, seed
from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.rounding import Rounded, exact_input, trace
from convparity.analysis.proof.verdict import SCALE_LIMIT
from convparity.impls.errors import SpecError
from convparity.impls.reference import run
from convparity.impls.spec import Composite, Shape, Spec, dotted
from convparity.impls.weights import Arrays

# The control is no fault. Where faults cannot be told apart, the one that ports have most often is
# named first, then those that somebody has reported.
COMMONEST = ("padding-03", "layout-08", "normalisation-02")
KNOWN = sorted(
    (fault for fault in FAULTS.values() if fault.forward and fault.id != CONTROL),
    key=lambda fault: (fault.id not in COMMONEST, not fault.reference),
)


class Observation(NamedTuple):
    """What a port made of an input, with the weights that it should have."""

    weights: Arrays
    x: np.ndarray
    y: np.ndarray


@dataclasses.dataclass(frozen=True)
class Suspect:
    """One fault, or two at once, in one layer or in all where it can be."""

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


def singles(spec: Spec, shape: Shape) -> Iterator[Suspect]:
    """Every fault of the output in every layer where it can be at once, then in each by itself."""
    nodes = list(_nodes(spec))
    several = []
    for fault in KNOWN:
        paths: list[str | None] = [path for path, node in nodes if isinstance(node, fault.on)]
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


def _suspect(spec: Spec, shape: Shape, where: tuple[Fault, str | None]) -> Iterator[Suspect]:
    faulty = seed(spec, shape, where)
    if faulty is not None:
        yield Suspect((where,), (faulty.detail,), faulty)


def together(spec: Spec, shape: Shape, first: Suspect, second: Suspect) -> Suspect | None:
    """Both at once, the second on what the first made of the layer; None if that cannot be."""
    seeds: tuple[Seed, ...] = (*first.seeds, *second.seeds)
    try:
        faulty = seed(spec, shape, *seeds)
    except SpecError:
        return None
    if faulty is None:
        return None
    return Suspect((*first.seeds, *second.seeds), (*first.details, *second.details), faulty)


# ---------------------------------------------------------------- what each would give


def right(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """The right output, in float32."""
    return run(spec, weights, np.asarray(x, dtype=np.float64)).astype(np.float32)


def prediction(faulty: Faulty, weights: Arrays, x: np.ndarray) -> np.ndarray | None:
    """The wrong output; None where the wrong port would refuse this input."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of means of nothing, for one: wrong is wrong
        try:
            return np.asarray(faulty.output(right, weights, x))
        except ValueError:  # shapes that do not fit; a SpecError is one
            return None


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """The same bits, or NaN in the same places."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def explains(faulty: Faulty, predicted: np.ndarray, seen: Observation, correct: np.ndarray) -> bool:
    """The wrong output is the one that was seen, up to rounding where something is rounded.

    Then it must be nearer to what was seen than the correct output is: a fault as small as rounding
    would explain anything.
    """
    if same(predicted, seen.y):
        return True
    if not _distance(predicted, seen.y) < _distance(correct, seen.y):
        return False
    if predicted.shape != seen.y.shape or predicted.dtype != seen.y.dtype:
        return False
    with np.errstate(all="ignore"):
        target = _target(faulty, predicted, seen)
        return bool(target.bound.any()) and precision(seen.y, target).ok


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The root of the summed squares of what is finite; infinite between different shapes."""
    if a.shape != b.shape:
        return np.inf
    with np.errstate(all="ignore"):
        gap = a.astype(np.float64) - b
        return float(np.sqrt(np.sum(gap**2, where=np.isfinite(gap))))


def _target(faulty: Faulty, predicted: np.ndarray, seen: Observation) -> Rounded:
    """What rounding may make of a wrong output."""
    start = exact_input(seen.x if faulty.before is None else faulty.before(seen.x))
    if faulty.run is not None:  # a black box: only the size of a rounding is known
        value = predicted.astype(np.float64)
        size = start.u * np.sqrt(np.mean(value**2, where=np.isfinite(value)))
        integral = bool((value == np.rint(value)).all())  # and every sum was exact
        own = np.full(value.shape, 0.0 if integral else size)
        none = np.zeros(value.shape)
        return dataclasses.replace(start, value=value, bound=SCALE_LIMIT * own, own=own, noise=none)
    weights = seen.weights if faulty.weights is None else faulty.weights(seen.weights)
    target = trace(faulty.spec, weights, start)
    after = faulty.after
    if after is None:
        return target
    value = after(target.value)
    return dataclasses.replace(
        target,
        value=value,
        bound=abs(after(target.value + target.bound) - after(target.value - target.bound)),
        noise=after(target.value + target.scale) - value,
        own=np.zeros(value.shape),
    )
