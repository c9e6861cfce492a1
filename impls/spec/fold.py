"""The one schedule: in what order the steps of a composite run, and on which values.

Shapes, the reference, rounding bounds, costs, drawn data and every other pass over a network are a
``visit`` of each step: what it does with the values that the step takes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import (
    Composite,
    Join,
    Layer,
    Spec,
    Step,
    check_spec,
    dotted,
    is_one_to_one,
)
from convparity.impls.spec.checks import Shape, shape_of

V = TypeVar("V")
Shapes = Shape | tuple[Shape, ...]  # of one input its shape, of several a tuple of their shapes


def each_shape(shape: Any) -> tuple[Shape, ...]:
    """The shape of each input."""
    several = isinstance(shape, tuple | list) and shape and isinstance(shape[0], tuple | list)
    return tuple(map(shape_of, shape)) if several else (shape_of(shape),)


def together(values: Sequence[V]) -> Any:
    """One value as it is, several as a tuple."""
    return values[0] if len(values) == 1 else tuple(values)


def number_of_inputs(spec: Spec) -> int:
    """How many values a layer or network takes."""
    return len(spec.sources) if isinstance(spec, Composite) else 1


def fold_steps(spec: Composite, values: Sequence[V], visit: Callable[[Step, list[V]], V]) -> Any:
    """What ``spec`` makes of ``values``, where ``visit(step, inputs)`` is what each step makes.

    ``values`` are one for each of ``spec.sources``. A composite whose one result is called "" gives
    a value, any other a tuple of them; so does ``visit``. A value is let go once its last step has
    taken it.
    """
    return _fold(
        spec, [(step,) for step in spec.steps], values, lambda steps, taken: visit(steps[0], taken)
    )


def fold_stretches(
    spec: Composite, values: Sequence[V], visit: Callable[[tuple[Step, ...], list[V]], V]
) -> Any:
    """``fold_steps`` over ``stretches``: ``visit`` gets several steps, and what the first takes."""
    return _fold(spec, list(stretches(spec)), values, visit)


def _fold(
    spec: Composite,
    parts: Sequence[tuple[Step, ...]],
    values: Sequence[V],
    visit: Callable[[tuple[Step, ...], list[V]], V],
) -> Any:
    last = {name: steps for steps in parts for name in steps[0].inputs}
    kept = set(spec.results.values())
    held: dict[str, Any] = dict(zip(spec.sources, values, strict=True))
    for steps in parts:
        made: Any = visit(steps, [held[name] for name in steps[0].inputs])
        for name in steps[0].inputs:
            if last[name] is steps and name not in kept:
                held.pop(name, None)
        held |= named(steps[-1], made)
    results = [held[name] for name in spec.results.values()]
    return results[0] if list(spec.results) == [""] else tuple(results)


def named(step: Step, made: Any) -> dict[str, Any]:
    """What a step made, by the names of its values: ``step``, or of several ``step.result``."""
    if not isinstance(step.spec, Composite) or list(step.spec.results) == [""]:
        return {step.name: made}
    return {dotted(step.name, each): v for each, v in zip(step.spec.results, made, strict=True)}


def packed(spec: Spec, made: Any) -> Any:
    """What a spec gives, as its user gets it: a value, a tuple of values, or a dict of them."""
    if isinstance(spec, Composite) and not all(each.isdigit() or not each for each in spec.results):
        return dict(zip(spec.results, made, strict=True))
    return made


def is_chain(spec: Spec) -> bool:
    """Whether it has children that run one after another, each on what the one before it made."""
    if not isinstance(spec, Composite) or not is_one_to_one(spec):
        return False
    first, *others = stretches(spec)
    return not others and is_one_to_one(first[0].spec)


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
    takers += spec.results.values()
    stretch: list[Step] = []
    for step in spec.steps:
        if stretch and not (_follows(step, stretch[-1]) and takers.count(stretch[-1].name) == 1):
            yield tuple(stretch)
            stretch = []
        stretch.append(step)
    yield tuple(stretch)


def _follows(step: Step, before: Step) -> bool:
    """Both make one value of one, and the one takes what the other made."""
    alone = is_one_to_one(step.spec) and is_one_to_one(before.spec)
    return alone and step.inputs == (before.name,)


def walk(spec: Spec, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer, depth first, with its dotted path ("" for ``spec`` itself)."""
    if isinstance(spec, Composite):
        for name, child in spec.children:
            yield from walk(child, dotted(path, name))
    elif isinstance(spec, Layer):
        yield path, spec
    else:
        check_spec(spec)


def walk_shapes(spec: Spec, *input_shapes: Shape) -> list[tuple[str, Spec, tuple[Shape, ...]]]:
    """Everything inside ``spec``, itself and the joins too, as it runs: path, spec, input shapes.

    A composite is before its steps. Raises ``SpecError`` when the input does not fit.
    """
    found: list[tuple[str, Spec, tuple[Shape, ...]]] = []

    def visit(spec: Spec, path: str, *shapes: Shape) -> Any:
        found.append((path, spec, shapes))
        if not isinstance(spec, Composite):
            return output_shape(spec, *shapes)
        check_number(spec, len(shapes))
        return fold_steps(
            spec, shapes, lambda step, inputs: visit(step.spec, step.path(path), *inputs)
        )

    visit(spec, "", *map(shape_of, input_shapes))
    return found


def check_number(spec: Spec, given: int) -> None:
    """Raise ``SpecError`` unless ``spec`` takes as many values as are given."""
    check_spec(spec)
    takes = len(spec.sources) if isinstance(spec, Composite) else 1
    if isinstance(spec, Join):
        takes = given if given and spec.arity is None else spec.arity or 1
    if given != takes:
        what = "one input" if takes == 1 else f"{takes} inputs"
        raise SpecError(f"{type(spec).__name__} takes {what}, not {given}")


def output_shape(spec: Spec, input_shape: Shape, *others: Shape) -> Shape:
    """The shape that a spec makes of an input, without running anything.

    Args:
        spec: Any layer or network.
        input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.
        *others: The shapes of the other inputs, of an addition or a graph that takes several.

    Returns:
        The shape of the output, channels last; of a graph with several outputs, a tuple or a dict
        of them, as its ``outputs`` say.

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
    shape: Shape = packed(spec, _made(spec, *shapes))
    return shape


def _made(spec: Spec, *shapes: Shape) -> Any:
    """``output_shape`` as ``fold_steps`` has it."""
    check_number(spec, len(shapes))
    if isinstance(spec, Join):
        return spec.output_shape(*shapes)
    if isinstance(spec, Layer):
        return spec.output_shape(shapes[0])
    if not isinstance(spec, Composite):
        raise SpecError(f"{type(spec).__name__} is no Layer, Join or Composite: derive it")
    return fold_steps(spec, shapes, _shape)


def _shape(step: Step, shapes: Sequence[Shape]) -> Any:
    try:
        return _made(step.spec, *shapes)
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
