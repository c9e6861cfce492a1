"""The one schedule: in what order the steps of a composite run, and on which values.

Shapes, the reference, rounding bounds, costs, drawn data and every other pass over a network are a
``visit`` of each step: what it does with the values that the step takes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import INPUT, Composite, Join, Layer, Spec, Step, check_spec, dotted
from convparity.impls.spec.checks import Shape, shape_of

V = TypeVar("V")


def fold_steps(spec: Composite, value: V, visit: Callable[[Step, list[V]], V]) -> V:
    """The value that ``spec`` makes of ``value``, where ``visit(step, inputs)`` is each step's.

    A value is let go once its last step has taken it.
    """
    return _fold(
        [(step,) for step in spec.steps], value, lambda steps, inputs: visit(steps[0], inputs)
    )


def fold_stretches(spec: Composite, value: V, visit: Callable[[tuple[Step, ...], list[V]], V]) -> V:
    """``fold_steps`` over ``stretches``: ``visit`` gets several steps, and what the first takes."""
    return _fold(list(stretches(spec)), value, visit)


def _fold(
    parts: Sequence[tuple[Step, ...]],
    value: V,
    visit: Callable[[tuple[Step, ...], list[V]], V],
) -> V:
    last = {name: steps for steps in parts for name in steps[0].inputs}
    values = {INPUT: value}
    made = value
    for steps in parts:
        made = visit(steps, [values[name] for name in steps[0].inputs])
        for name in steps[0].inputs:
            if last[name] is steps:
                values.pop(name, None)
        values[steps[-1].name] = made
    return made


def is_chain(spec: Spec) -> bool:
    """Whether it has children that run one after another, each on what the one before it made."""
    if not isinstance(spec, Composite):
        return False
    first, *others = stretches(spec)
    return not others and first[0].child is not None


def branches(spec: Spec) -> bool:
    """Whether it has children that do not run one after another."""
    return isinstance(spec, Composite) and not is_chain(spec)


def is_one_layer(spec: Spec) -> bool:
    """Whether it is one layer to whoever ports it, even where it runs in several steps.

    The steps of a ``SeparableConv`` follow from fields of its own; other composites are said by
    their children.
    """
    return not isinstance(spec, Composite) or spec.with_children(dict(spec.children)) != spec


def stretches(spec: Composite) -> Iterator[tuple[Step, ...]]:
    """The steps of ``spec`` in order, where those of a chain that nobody else reads are together.

    A stretch of several steps is a ``Sequential`` of their children.
    """
    takers = [name for step in spec.steps for name in set(step.inputs)]
    stretch: list[Step] = []
    for step in spec.steps:
        if stretch and not (_follows(step, stretch[-1]) and takers.count(stretch[-1].name) == 1):
            yield tuple(stretch)
            stretch = []
        stretch.append(step)
    yield tuple(stretch)


def _follows(step: Step, before: Step) -> bool:
    """Both are children, and the one takes what the other made."""
    return None not in (step.child, before.child) and step.inputs == (before.name,)


def walk(spec: Spec, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer, depth first, with its dotted path ("" for ``spec`` itself)."""
    if isinstance(spec, Composite):
        for name, child in spec.children:
            yield from walk(child, dotted(path, name))
    elif isinstance(spec, Layer):
        yield path, spec
    else:
        check_spec(spec)


def walk_shapes(spec: Spec, input_shape: Shape) -> list[tuple[str, Spec, tuple[Shape, ...]]]:
    """Everything inside ``spec``, itself and the joins too, as it runs: path, spec, input shapes.

    A composite is before its steps. Raises ``SpecError`` when the input does not fit.
    """
    found: list[tuple[str, Spec, tuple[Shape, ...]]] = []

    def visit(spec: Spec, path: str, *shapes: Shape) -> Shape:
        found.append((path, spec, shapes))
        if not isinstance(spec, Composite):
            return output_shape(spec, *shapes)
        return fold_steps(
            spec, shapes[0], lambda step, inputs: visit(step.spec, step.path(path), *inputs)
        )

    visit(spec, "", shape_of(input_shape))
    return found


def output_shape(spec: Spec, input_shape: Shape, *others: Shape) -> Shape:
    """The shape that a spec makes of an input, without running anything.

    Args:
        spec: Any layer or network.
        input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.
        *others: The shapes of the other inputs of an addition; every other spec has one input.

    Returns:
        The shape of the output, channels last.

    Raises:
        SpecError: The input does not fit: its number of axes, its channels or its size. In a
            network the message names the layer.

    Example:
        >>> import convparity as cp
        >>> net = cp.Sequential(cp.Conv(3, 8, 3, stride=2), cp.GlobalAvgPool(), cp.Dense(8, 10))
        >>> cp.output_shape(net, (4, 224, 224, 3))
        (4, 10)
    """
    shapes = (shape_of(input_shape), *map(shape_of, others))
    if isinstance(spec, Join):
        return spec.output_shape(*shapes)
    check_spec(spec)
    if others:
        raise SpecError(f"{type(spec).__name__} takes one input, not {len(shapes)}")
    if isinstance(spec, Layer):
        return spec.output_shape(shapes[0])
    if not isinstance(spec, Composite):
        raise SpecError(f"{type(spec).__name__} is no Layer, Join or Composite: derive it")
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
    """The weights that a spec declares.

    Args:
        spec: Any layer or network.

    Returns:
        The shape of each weight by its dotted name, in the order in which layers declare them. What
        each shape means is said by the class of its layer.

    Raises:
        SpecError: ``spec`` is not a spec.

    Example:
        >>> import convparity as cp
        >>> net = cp.Sequential({"stem": cp.Conv(3, 8, 5), "head": cp.Dense(8, 10, bias=False)})
        >>> cp.parameter_shapes(net)
        {'stem.kernel': (5, 5, 3, 8), 'stem.bias': (8,), 'head.kernel': (8, 10)}
    """
    return {
        dotted(path, name): shape
        for path, layer in walk(spec)
        for name, shape in layer.parameters().items()
    }
