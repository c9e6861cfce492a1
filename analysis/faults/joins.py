"""Where values meet: their order, another operation, a branch left out; weights that are shared."""

from typing import Any

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import (
    Add,
    Concat,
    Graph,
    Multiply,
    Shapes,
    Step,
    Subtract,
    each_shape,
    parameter_shapes,
    under,
    walk_shapes,
)
from convparity.impls.weights import Arrays, init_weights


@fault("joins-01", "values concatenated in the other order", Concat, hides="a value beside itself")
def concatenated_backwards(spec: Concat, shape: Shapes) -> Faulty | None:
    if len(each_shape(shape)) < 2:
        return None
    return Faulty(spec, "the last value first", before=lambda values: values[::-1])


@fault("joins-02", "the first value subtracted from the second", Subtract, hides="equal values")
def subtracted_backwards(spec: Subtract, shape: Shapes) -> Faulty | None:
    return Faulty(spec, "the second less the first", before=lambda values: values[::-1])


@fault("joins-03", "a gate that is added", Multiply)
def gate_added(spec: Multiply, shape: Shapes) -> Faulty | None:
    return Faulty(Add(), "the sum for the product")


@fault("joins-04", "branches that are multiplied, not added", Add)
def branches_multiplied(spec: Add, shape: Shapes) -> Faulty | None:
    return Faulty(Multiply(), "the product for the sum")


@fault("joins-05", "the mean of branches for their sum", Add, hides="one branch alone")
def branches_averaged(spec: Add, shape: Shapes) -> Faulty | None:
    number = len(each_shape(shape))
    if number < 2:
        return None
    return Faulty(spec, f"divided by {number}", after=lambda y: y / y.dtype.type(number))


@fault("joins-06", "the last branch of a sum left out", Add, hides="a branch that is zero")
def branch_left_out(spec: Add, shape: Shapes) -> Faulty | None:
    shapes = each_shape(shape)
    if len(shapes) < 2 or spec.output_shape(*shapes[:-1]) != spec.output_shape(*shapes):
        return None
    return Faulty(spec, "all but the last", before=lambda values: values[:-1])


@fault(
    "joins-07",
    "a branch that takes the value before a layer",
    Graph,
    hides="layers that give another shape, or that nothing else takes",
)
def taken_before(spec: Graph, shape: Shapes) -> Faulty | None:
    """The first join that takes what a layer made, where something else takes that, too."""
    found = _rewired(spec, shape)
    if found is None:
        return None
    join, layer, nodes = found
    return Faulty(Graph(nodes, spec.inputs, _outputs(spec)), f"{join} takes what {layer} takes")


def _rewired(spec: Graph, shape: Shapes) -> tuple[str, str, dict[str, Any]] | None:
    made = {path: shapes for path, _, shapes in walk_shapes(spec, *each_shape(shape))}
    steps = {step.name: step for step in spec.nodes}
    taken = [name for step in spec.nodes for name in step.inputs] + list(spec.results.values())
    for join in spec.nodes:
        for number, name in enumerate(join.inputs):
            layer = steps.get(name)
            if not join.joins or layer is None or not _keeps_its_shape(layer, made):
                continue
            if taken.count(name) > 1 and layer.inputs[0] not in join.inputs:
                inputs = [*join.inputs[:number], layer.inputs[0], *join.inputs[number + 1 :]]
                return join.name, name, {**spec.said, join.name: (spec.said[join.name][0], *inputs)}
    return None


def _keeps_its_shape(step: Step, made: dict[str, tuple[Any, ...]]) -> bool:
    if step.joins or len(step.inputs) > 1 or step.child != step.name:
        return False
    (shape,) = made[step.name]
    return not hasattr(step.spec, "sources") and step.spec.output_shape(shape) == shape  # type: ignore[attr-defined]


def _outputs(spec: Graph, *others: str) -> Any:
    """The outputs as ``Graph`` takes them; ``others`` in place of the first ones."""
    values = [*others, *list(spec.results.values())[len(others) :]]
    names = list(spec.results)
    if names == [""]:
        return values[0]
    return tuple(values) if names[0].isdigit() else dict(zip(names, values, strict=True))


@fault("joins-08", "two outputs exchanged", Graph, hides="outputs of other shapes, or one alone")
def outputs_exchanged(spec: Graph, shape: Shapes) -> Faulty | None:
    made = list(spec.results.values())
    if len(made) < 2:
        return None
    other = Graph(spec.said, spec.inputs, _outputs(spec, made[1], made[0]))
    return Faulty(other, f"{made[1]} for {made[0]}")


@fault(
    "joins-09",
    "a shared layer that got weights of its own where it runs again",
    Graph,
    hides="graphs in which no layer with weights runs twice",
)
def weights_not_shared(spec: Graph, shape: Shapes) -> Faulty | None:
    again = next(
        (s for s in spec.nodes if s.child not in (None, s.name) and parameter_shapes(s.spec)), None
    )
    if again is None:
        return None
    apart = Graph(
        {**spec.said, again.name: (again.spec, *again.inputs)}, spec.inputs, _outputs(spec)
    )
    own = init_weights(again.spec, 1)

    def weights(held: Arrays) -> Arrays:
        return {**held, **under(again.name, own)}

    return Faulty(apart, f"{again.name} at its initial values", weights=weights)
