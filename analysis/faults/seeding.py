"""Faults in networks: into every layer where one can exist, or into the layer at a path.

A part of the network that holds no fault is asked of the right implementation as a whole.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Fault, Faulty, OnArray, nothing
from convparity.impls.errors import SpecError
from convparity.impls.reference import Implementation, run
from convparity.impls.spec import (
    Composite,
    Sequential,
    Shape,
    Shapes,
    Spec,
    Step,
    dotted,
    each_shape,
    fold_steps,
    fold_stretches,
    output_shape,
    packed,
    together,
    under,
)
from convparity.impls.values import gives_several, parts
from convparity.impls.weights import Arrays

Seed = tuple[Fault, str | None]  # None is every layer where the fault can exist


def seed(spec: Spec, shape: Shapes, *seeds: Seed | Fault) -> Faulty | None:
    """The wrong port of a layer or network with all of ``seeds``; None if none can exist there.

    A seed is a fault, or a fault with the dotted path of its layer ("" is ``spec`` itself); of a
    fault between two neighbours, the path is that of the first, or of the chain for all of its own.
    Several faults in one layer act together: the later ones on what the earlier ones made of it.
    """
    pairs = [each if isinstance(each, tuple) else (each, None) for each in seeds]
    return _seed(spec, together(each_shape(shape)), pairs, "")


def implementation(right: Implementation, *seeds: Seed | Fault) -> Implementation:
    """A wrong implementation of every spec, made of a right one.

    As a right one, it raises ``SpecError`` where the input does not fit the spec.
    """

    def wrong(spec: Spec, weights: Arrays, x: Any) -> Any:
        shapes = [each.shape for each in parts(x)]
        output_shape(spec, *shapes)
        faulty = seed(spec, together(shapes), *seeds)
        return right(spec, weights, x) if faulty is None else faulty.output(right, weights, x)

    return wrong


def _seed(spec: Spec, shape: Shapes, seeds: Sequence[Seed], at: str) -> Faulty | None:
    here, below = [], []
    for fault, path in seeds:
        place = fault.place(spec, at, path)
        if place is not None and (faulty := fault.seed(spec, shape, place)) is not None:
            here.append((fault, place, faulty))
        else:
            below.append((fault, path))
    inside = _inside(spec, shape, below, at) if isinstance(spec, Composite) else None
    if not here:
        return inside
    (*_, first), *others = here
    later: list[Seed] = [(fault, place) for fault, place, _ in others]
    if inside is not None:
        prefix = dotted(at, "")
        later += [(f, p if p is None else p.removeprefix(prefix)) for f, p in below]
    return first if not later else _together(first, shape, later)


def _together(first: Faulty, shape: Shapes, later: list[Seed]) -> Faulty | None:
    """``first``, made of an implementation that has the later faults; None if that cannot be."""

    def both(right: Implementation, weights: Arrays, x: Any) -> Any:
        return first.output(implementation(right, *later), weights, x)

    detail = "; ".join([first.detail, *(fault.title for fault, _ in later)])
    try:
        made = _shape_together(first, shape, later)
    except SpecError:
        return None
    return Faulty(first.spec, detail, run=both, shape=made)


def _shape_together(first: Faulty, shape: Shapes, later: list[Seed]) -> Any:
    """The shape of what ``first`` makes of an implementation that has the later faults."""
    if first.run is not None:  # whatever it asks for
        return _shape(first, shape)
    asked = _shape_of(first.before, shape)
    inner = seed(first.spec, asked, *later)
    made = _shape(inner or Faulty(first.spec, ""), asked)
    if first.after is None:
        return made
    if made != output_shape(first.spec, *each_shape(asked)):
        raise SpecError(f"what changes an output of another shape cannot be in one of {made}")
    return _shape_of(first.after, made)


def _inside(spec: Composite, shape: Shapes, seeds: Sequence[Seed], at: str) -> Faulty | None:
    """The faults in the steps of a composite; None if there are none, or none that fits it."""
    found: dict[str, Faulty] = {}

    def visit(step: Step, shapes: list[Shape]) -> Any:
        faulty = _seed(step.spec, together(shapes), seeds, step.path(at))
        if faulty is None:
            return as_folded(step.spec, output_shape(step.spec, *shapes))
        found[step.name] = faulty
        return as_folded(step.spec, _shape(faulty, together(shapes)))

    try:
        made = packed(spec, fold_steps(spec, each_shape(shape), visit))
    except SpecError:  # what one wrong layer makes, the next one, or a join, would refuse
        return None
    if not found:
        return None
    detail = "; ".join(f"{name}: {faulty.detail}" for name, faulty in found.items())
    wrong = {step.name: found.get(step.name) or Faulty(step.spec, "") for step in spec.steps}
    children = {step.child: step for step in spec.steps if step.child is not None}
    # a child that runs twice may be wrong in two ways; a join may be no child
    once = len(children) == sum(s.child is not None or s.name in found for s in spec.steps)
    if once and all(part.pure for part in wrong.values()):
        return Faulty(
            spec.with_children({name: wrong[step.name].spec for name, step in children.items()}),
            detail,
            weights=lambda weights: _merged(children, wrong, weights),
        )

    def through(right: Implementation, weights: Arrays, x: Any) -> Any:
        def visit(steps: tuple[Step, ...], values: list[np.ndarray]) -> Any:
            made = _stretch(steps, wrong, right, weights, *values)
            return as_folded(steps[-1].spec, made)

        return packed(spec, fold_stretches(spec, parts(x), visit))

    return Faulty(spec, detail, run=through, shape=made)


def as_folded(spec: Spec, made: Any) -> Any:
    """What a spec gives, as ``fold_steps`` has it: several as a tuple, never as a dict."""
    return parts(made) if gives_several(spec) else made


def _shape(faulty: Faulty, shape: Shapes) -> Any:
    """The shape of a wrong output, or of all."""
    if faulty.shape is not None:
        return faulty.shape
    if faulty.run is not None:
        return output_shape(faulty.spec, *each_shape(shape))
    asked = _shape_of(faulty.before, shape)
    return _shape_of(faulty.after, output_shape(faulty.spec, *each_shape(asked)))


def _shape_of(change: OnArray | None, shape: Any) -> Any:
    """The shape that a change makes of an array of ``shape``, or of several."""
    if change is None:
        return shape
    return together([each.shape for each in parts(change(nothing(shape)))])


def _stretch(
    steps: tuple[Step, ...],
    wrong: Mapping[str, Faulty],
    right: Implementation,
    weights: Arrays,
    *values: np.ndarray,
) -> Any:
    """A join, a layer or a chain of them; neighbours that are pure are asked at once."""
    first = steps[0]
    # of what a wrong layer made, the next one may be refused
    output_shape(first.spec, *(value.shape for value in values))
    if first.joins:
        return wrong[first.name].output(_joined, {}, values)
    x: Any = together(values)
    if len(steps) == 1:
        return wrong[first.name].output(right, first.weights(weights), x)
    for pure, some in groupby(steps, lambda step: wrong[step.name].pure):
        neighbours = {step.name: step for step in some}
        if pure:
            chain = Sequential({name: wrong[name].spec for name in neighbours})
            x = right(chain, _merged(neighbours, wrong, weights), x)
        else:
            for name, step in neighbours.items():
                output_shape(step.spec, x.shape)
                x = wrong[name].output(right, step.weights(weights), x)
    return x


def _joined(spec: Spec, weights: Arrays, x: Any) -> Any:
    """A join is no module of its own in every framework: the reference's stands for it."""
    return run(spec, weights, *parts(x))


def _merged(steps: Mapping[str, Step], wrong: Mapping[str, Faulty], weights: Arrays) -> Arrays:
    """The weights of pure steps, under the names that they are given."""
    merged: dict[str, np.ndarray] = {}
    for name, step in steps.items():
        own: Arrays = step.weights(weights)
        change = wrong[step.name].weights
        merged |= under(name, own if change is None else change(own))
    return merged
