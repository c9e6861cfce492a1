"""Keras's Functional models: how the operations of one are wired, and one made of a wiring."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras.src.models.functional import Functional  # these have no public names
from keras.src.ops.numpy import Add as RawAdd

from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import layers
from convparity.impls.keras.rows.common import refused
from convparity.impls.spec import (
    INPUT,
    NAME,
    Add,
    Composite,
    Graph,
    Spec,
    wired,
    wiring,
)

__all__ = [
    "Functional",
    "as_called",
    "by_name",
    "composite",
    "functional",
    "is_raw",
    "tensors_of",
    "wires",
]

UNNAMED = re.compile(r"input_layer(_\d+)?")  # what Keras calls an input that was given no name
RESIDUAL = ({"body", "add"}, {"body", "shortcut", "add"})


class Wires(NamedTuple):
    """A model's layers and raw operations by their names, and how they are wired.

    The rest is what ``wired`` takes.
    """

    children: dict[str, Any]
    steps: list[tuple[str, str, tuple[str, ...]]]
    inputs: tuple[str, ...]
    outputs: Any


def wires(model: Any) -> Wires:
    """How ``model`` is wired, in the order in which Keras runs it.

    A layer that runs again makes a value of the name of the ``Identity`` that alone takes it, which
    is then no layer itself; without one, of the layer's name and a number. The ``Add`` of what is
    otherwise a residual is no layer either.
    """
    depths = model._nodes_by_depth
    runs = [each for depth in sorted(depths, reverse=True) for each in depths[depth]]
    runs = [each for each in runs if not each.is_input]
    again = _names_of_reruns(model, runs)
    named = {id(each) for each in again.values()}
    nodes = [each for each in runs if id(each) not in named]
    held = by_name({id(each.operation): each.operation for each in nodes}.values())
    for name, each in held.items():
        if not NAME.fullmatch(name):
            raise refused(each, "a name in a spec is letters, digits and '_': give it another")
    sources = _sources(model)
    values = {id(x): name for x, name in zip(model.inputs, sources, strict=True)}
    if not nodes:
        raise refused(model, "it gives its inputs as they are")
    steps, ran = [], Counter[str]()
    for node in nodes:
        call = node.operation.name
        ran[call] += 1
        step = call if ran[call] == 1 else f"{call}_run{ran[call]}"
        if id(node) in again:
            step = again[id(node)].operation.name
        results = _names(_structure_of(node.operation), node.operation)
        for made in (node, again[id(node)]) if id(node) in again else (node,):
            if len(made.outputs) != len(results):
                raise refused(node.operation, f"it gives {len(made.outputs)} values")
            for name, x in zip(results, made.outputs, strict=True):
                values[id(x)] = f"{step}.{name}" if name else step
        steps.append((step, call, tuple(values[id(x)] for x in node.input_tensors)))
    children = {name: each for name, each in held.items() if name != "add"}
    if held.keys() not in RESIDUAL or type(held["add"]) not in (keras.layers.Add, RawAdd):
        children = held
    outputs = _outputs(model, values)
    return Wires(children, steps, sources, None if outputs == steps[-1][0] else outputs)


def composite(
    children: Mapping[str, Spec],
    steps: Sequence[tuple[str, str, tuple[str, ...]]],
    inputs: tuple[str, ...],
    outputs: Any,
) -> Composite:
    """The spec of a model with this wiring: a chain and a residual, whatever their input's name."""
    if len(inputs) == 1 and outputs is None:
        names = dict(zip(inputs, [INPUT], strict=True))
        renamed = [(n, call, [names.get(x, x) for x in taken]) for n, call, taken in steps]
        if not isinstance(short := wired(children, renamed), Graph):
            return short
    return wired(children, steps, inputs, outputs)


def functional(
    children: Mapping[str, Any],
    spec: Composite,
    shapes: Sequence[tuple[int | None, ...]],
    dtype: str,
    name: str | None,
) -> Any:
    """The model of built ``children`` that are wired as those of ``spec`` are.

    None where Keras would lose something of it, so that another spec would be read: a single value
    in a tuple, the name of an input of a chain, or which of two runs of one layer is the first.
    """
    said = wiring(spec)
    values: dict[str, Any] = {
        source: keras.Input(shape[1:], name=None if source == INPUT else source, dtype=dtype)
        for source, shape in zip(said.inputs, shapes, strict=True)
    }
    given = list(values.values())
    ran: set[str] = set()
    for step in said.steps:
        taken = [values[each] for each in step.inputs]
        layer = children.get(step.call)
        if layer is None:
            layer = keras.layers.Add(name=step.name, dtype=dtype)
        alone = len(taken) == 1 and not isinstance(layer, layers.MERGES)
        if isinstance(layer, Functional):
            made = layer(as_called(layer, taken))
        else:
            made = layer(taken[0] if alone else taken)
        if step.call in ran:
            made = keras.layers.Identity(name=step.name, dtype=dtype)(made)
        ran.add(step.call)
        values |= layers.named(step.name, made)
    ends = layers.gathered(values, said.steps[-1].name if said.outputs is None else said.outputs)
    model = keras.Model(given[0] if len(given) == 1 else given, ends, name=name)
    model.dtype_policy = dtype
    found = wires(model)
    specs = {each: dict(spec.children).get(each, Add()) for each in found.children}
    asked = wired(dict(spec.children), *said)
    return model if composite(specs, *found[1:]) == asked else None


def by_name(held: Iterable[Any]) -> dict[str, Any]:
    """A model's layers by their names, which may have been changed since they were made."""
    found: dict[str, Any] = {}
    for layer in held:
        if not isinstance(layer.name, str) or layer.name in found:
            raise UnsupportedError(
                f"keras: a {type(layer).__name__} is named {quoted(layer.name)}, and each layer of "
                "a model needs a name of its own, a str: give it one"
            )
        found[layer.name] = layer
    return found


def is_raw(operation: Any) -> bool:
    """Whether it is one of ``keras.ops`` or of Python's operators, and no layer."""
    return isinstance(operation, keras.Operation) and not isinstance(operation, keras.layers.Layer)


def tensors_of(operation: Any, given: Any) -> list[Any]:
    """Of all that an operation is given, what the model computes: a constant is its own."""
    if isinstance(operation, Functional):
        inputs, options = given
        return list(keras.tree.flatten(inputs[0] if inputs else options["inputs"]))
    asked = operation._inbound_nodes[0].arguments
    computed = keras.tree.flatten((asked.args, asked.kwargs))
    return [
        each
        for each, symbol in zip(keras.tree.flatten(given), computed, strict=True)
        if isinstance(symbol, keras.KerasTensor)
    ]


def as_called(model: Any, values: Sequence[Any]) -> Any:
    """The inputs of a model in the structure that it was made with."""
    packed = keras.tree.pack_sequence_as(model.input, list(values))
    return dict(sorted(packed.items())) if isinstance(packed, Mapping) else packed


def _names_of_reruns(model: Any, runs: Sequence[Any]) -> dict[int, Any]:
    """The run of an ``Identity`` that names what a layer makes that has run before."""
    takers: dict[int, list[Any]] = {id(x): [None] for x in model.outputs}
    for run in runs:
        for x in run.input_tensors:
            takers.setdefault(id(x), []).append(run)
    found, seen = {}, set()
    for run in runs:
        if id(run.operation) in seen:
            behind = {id(each): each for x in run.outputs for each in takers.get(id(x), ())}
            (taker, *others) = behind.values() or (None,)
            if (
                taker is not None
                and not others
                and type(taker.operation) is keras.layers.Identity
                and [id(x) for x in taker.input_tensors] == [id(x) for x in run.outputs]
            ):
                found[id(run)] = taker
        seen.add(id(run.operation))
    return found


def _sources(model: Any) -> tuple[str, ...]:
    """The names of a model's inputs; one that was given none is that of any composite."""
    if isinstance(model.input, Mapping):
        return tuple(_names(model.input, model))
    names = tuple(x._keras_history.operation.name for x in model.inputs)
    unnamed = len(names) == 1 and (UNNAMED.fullmatch(names[0]) or not NAME.fullmatch(names[0]))
    return (INPUT,) if unnamed else names


def _outputs(model: Any, values: Mapping[int, str]) -> Any:
    """The names of a model's outputs, as ``wired`` takes them."""
    structure, given = _unpacked(model.output), [values[id(x)] for x in model.outputs]
    found = dict(zip(_names(structure, model), given, strict=True))
    if isinstance(structure, Mapping):
        return tuple((name, found[name]) for name in structure)
    return found.get("", tuple(given))


def _structure_of(operation: Any) -> Any:
    """What holds the values that an operation gives; None where it is one."""
    if isinstance(operation, Functional):
        return _unpacked(operation.output)
    if isinstance(operation, layers.Graph) and not isinstance(operation.results, str | None):
        pairs = [each for each in operation.results if not isinstance(each, str)]
        return dict(pairs) if pairs else list(operation.results)
    return None


def _unpacked(structure: Any) -> Any:
    """As a model gives it: alone where it is the only one of a list."""
    alone = isinstance(structure, list | tuple) and len(structure) == 1
    return structure[0] if alone else structure


def _names(structure: Any, said: Any) -> list[str]:
    """What each value of a structure is called, in the order in which Keras flattens it."""
    found = [""]
    parts: Iterable[Any] = ()
    if isinstance(structure, Mapping):
        found, parts = sorted(structure), structure.values()
    elif isinstance(structure, list | tuple):
        found, parts = [str(i) for i in range(len(structure))], structure
    if any(isinstance(each, Mapping | list | tuple) for each in parts):
        raise refused(said, "its inputs or outputs are lists inside of others: give one list")
    return found
