"""The one schedule: in what order the steps of a composite run, and on which values.

Shapes, the reference, rounding bounds, costs, drawn data and every other pass over a network are a
``visit`` of each step: what it does with the values that the step takes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import INPUT, Composite, Join, Layer, Spec, Step, dotted
from convparity.impls.spec.checks import Shape

V = TypeVar("V")


def fold_steps(spec: Composite, value: V, visit: Callable[[Step, list[V]], V]) -> V:
    """The value that ``spec`` makes of ``value``, where ``visit(step, inputs)`` is each step's.

    A value is let go once its last step has taken it.
    """
    steps = spec.steps
    last = {name: step.name for step in steps for name in step.inputs}
    values = {INPUT: value}
    made = value
    for step in steps:
        made = visit(step, [values[name] for name in step.inputs])
        for name in step.inputs:
            if last[name] == step.name:
                values.pop(name, None)
        values[step.name] = made
    return made


def is_chain(spec: Composite) -> bool:
    """Whether the children run one after another, each on what the one before it made."""
    return all(len(stretch) == len(spec.steps) for stretch in stretches(spec))


def stretches(spec: Composite) -> Iterator[tuple[Step, ...]]:
    """The steps of ``spec`` in order, where those of a chain that nobody else reads are together.

    A stretch of several steps is a ``Sequential`` of their children.
    """
    takers = [name for step in spec.steps for name in set(step.inputs)]
    stretch: list[Step] = []
    for step in spec.steps:
        follows = stretch and step.inputs == (stretch[-1].name,) and step.child is not None
        if stretch and not (follows and takers.count(stretch[-1].name) == 1):
            yield tuple(stretch)
            stretch = []
        stretch.append(step)
    yield tuple(stretch)


def walk(spec: Spec, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer, depth first, with its dotted path ("" for ``spec`` itself)."""
    if isinstance(spec, Composite):
        for name, child in spec.children:
            yield from walk(child, dotted(path, name))
    elif isinstance(spec, Layer):
        yield path, spec
    elif not isinstance(spec, Spec):
        raise SpecError(f"{spec!r} is not a spec")


def output_shape(spec: Spec, input_shape: Shape, *others: Shape) -> Shape:
    """The shape that ``spec`` makes of a channels-last ``input_shape``.

    Raises ``SpecError`` when the input does not fit: its rank, its channels, or its size.
    """
    shapes = (tuple(input_shape), *map(tuple, others))
    if isinstance(spec, Join):
        return spec.output_shape(*shapes)
    if not isinstance(spec, Spec):
        raise SpecError(f"{spec!r} is not a spec")
    if others:
        raise SpecError(f"{type(spec).__name__} takes one input, not {len(shapes)}")
    if isinstance(spec, Layer):
        return spec.output_shape(shapes[0])
    assert isinstance(spec, Composite)  # there is no fourth kind
    return fold_steps(spec, shapes[0], _shape)


def _shape(step: Step, shapes: Sequence[Shape]) -> Shape:
    try:
        return output_shape(step.spec, *shapes)
    except SpecError as error:
        where = f"where {' and '.join(step.inputs)} meet"
        if step.child is not None:
            where = f"in layer {step.name!r}"
        raise SpecError(f"{where}: {error}") from None


def parameter_shapes(spec: Spec) -> dict[str, Shape]:
    """Every canonical weight of ``spec``, by dotted name, in declaration order, with its shape."""
    return {
        dotted(path, name): shape
        for path, layer in walk(spec)
        for name, shape in layer.parameters().items()
    }
