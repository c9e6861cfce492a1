"""The JSON form of a spec: it says everything, and is what files of weights hold.

``{"type": "Conv", "in_channels": 3, ...}`` with every field; a Sequential's ``"layers"`` is an
object whose order counts. A Graph's ``"nodes"`` are one, too: ``{"layer": ..., "inputs": [...]}``,
or ``{"again": "name", ...}`` for a node that runs before.
"""

import contextlib
import dataclasses
import inspect
import json
from collections.abc import Iterator
from typing import Any

import convparity.impls.spec
from convparity.impls.errors import SpecError, quoted, unknown_name
from convparity.impls.spec import (
    MAX_DEPTH,
    MAX_LAYERS,
    Composite,
    Graph,
    Join,
    Layer,
    Sequential,
    Shape,
    Shapes,
    Spec,
    arguments,
    check_spec,
)

TYPES: dict[str, type[Any]] = {
    name: value
    for name, value in vars(convparity.impls.spec).items()
    if isinstance(value, type)
    and issubclass(value, Layer | Join | Composite)
    and dataclasses.is_dataclass(value)
}

LONGEST = 2**23  # letters: a hundred a layer
TOO_DEEP = f"a spec nests at most {MAX_DEPTH} composites"


@contextlib.contextmanager
def readable_depth() -> Iterator[None]:
    """Foreign text may nest so deep that already parsing or quoting it meets Python's own limit."""
    try:
        yield
    except RecursionError:
        raise SpecError(TOO_DEEP) from None


def to_json(spec: Spec) -> str:
    """Write a spec as JSON, on one line, with every field.

    Args:
        spec: Any layer or network.

    Returns:
        The text; it is the same for equal specs.

    Raises:
        SpecError: ``spec`` is not a spec, or is of a class of your own.

    Example:
        >>> import convparity as cp
        >>> cp.to_json(cp.Dense(2, 3))
        '{"type": "Dense", "in_features": 2, "out_features": 3, "bias": true, "axis": -1}'
    """
    check_spec(spec)
    return json.dumps(plain(spec))


@readable_depth()
def from_json(text: str) -> Spec:
    """Read a spec that ``to_json`` wrote.

    Args:
        text: The JSON. A field that is left out has its default.

    Returns:
        The spec.

    Raises:
        SpecError: It is not JSON, or says no spec; the message names the type or field that is
            wrong.

    Example:
        >>> import convparity as cp
        >>> cp.from_json('{"type": "Conv", "in_channels": 3, "out_channels": 8, "kernel_size": 5}')
        Conv(in_channels=3, out_channels=8, kernel_size=(5, 5), stride=(1, 1), ...)
    """
    check_text(text)
    return read_spec(loads(text))


def check_text(text: Any) -> None:
    """Raise ``SpecError`` for what is no text."""
    if not isinstance(text, str):
        raise SpecError(f"a spec is written as text, not {quoted(text)}")
    if len(text) > LONGEST or text.count("|") >= MAX_LAYERS:
        raise SpecError(
            f"a text of {len(text):,} letters says more than {MAX_LAYERS:,} layers: give less"
        )


def plain(value: Any) -> Any:
    """What ``json.dumps`` takes, of a spec or of a field's value."""
    if not isinstance(value, Spec):
        return value
    name = type(value).__name__
    if TYPES.get(name) is not type(value):
        raise SpecError(unknown_name("spec type", name, TYPES))
    if isinstance(value, Sequential):
        return {"type": name, "layers": {key: plain(child) for key, child in value.layers}}
    if isinstance(value, Graph):
        return _plain_graph(value)
    fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(TYPES[name])}
    return {"type": name, **fields}


def _plain_graph(graph: Graph) -> dict[str, Any]:
    """Nodes by their names; one that runs an earlier one's layer says "again"."""
    nodes = {
        step.name: {
            **({"layer": plain(step.spec)} if step.child == step.name else {"again": step.child}),
            "inputs": list(step.said),
        }
        for step in graph.nodes
    }
    outputs: Any = dict(graph.results)
    if isinstance(graph.outputs, str):
        outputs = graph.outputs
    elif all(isinstance(each, str) for each in graph.outputs):
        outputs = list(graph.outputs)
    return {"type": "Graph", "nodes": nodes, "inputs": list(graph.inputs), "outputs": outputs}


def _read_graph(given: dict[str, Any]) -> Graph:
    nodes = {}
    if not isinstance(given["nodes"], dict):
        raise SpecError('Graph: "nodes" is an object of named nodes')
    for name, node in given["nodes"].items():
        kinds = {"layer", "again"} & node.keys() if isinstance(node, dict) else set()
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if len(kinds) != 1 or not isinstance(inputs, list) or len(node) != 2:
            raise SpecError(
                f'Graph: node {quoted(name)} is an object of "layer" or "again", and "inputs", not '
                f"{shortened(node)}"
            )
        said = read_spec(node["layer"]) if "layer" in node else node["again"]
        if not isinstance(said, Spec | str):
            raise SpecError(f'Graph: "again" is the name of a node, not {shortened(said)}')
        nodes[name] = (said, *inputs)
    return Graph(nodes, given.get("inputs", ("x",)), given.get("outputs"))


def loads(text: str) -> Any:
    """``json.loads`` that raises ``SpecError``, also for a name said twice."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except SpecError:
        raise
    except ValueError as error:  # besides bad syntax, an integer of thousands of digits
        raise SpecError(f"this is not JSON ({error}): {shortened(text)}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name in data:
            raise SpecError(f"{quoted(name)} is said twice in one JSON object")
        data[name] = value
    return data


def read_spec(data: Any) -> Spec:
    """The spec that a loaded JSON object says."""
    if not isinstance(data, dict) or "type" not in data:
        raise SpecError(f'a spec is a JSON object {{"type": "Conv", ...}}, not {shortened(data)}')
    given = dict(data)
    name = given.pop("type")
    if not isinstance(name, str) or name not in TYPES:
        raise SpecError(unknown_name("spec type", name, TYPES))
    known = arguments(TYPES[name])
    for key in given:
        if key not in known:
            raise SpecError(unknown_name(f"field of {name}", key, known))
    for key, default in known.items():
        if key not in given and default is inspect.Parameter.empty:
            raise SpecError(f"{name}: the field {key!r} is missing")
    if name == "Sequential":
        if not isinstance(given["layers"], dict):
            raise SpecError('Sequential: "layers" is an object of named specs')
        return Sequential({key: read_spec(child) for key, child in given["layers"].items()})
    if name == "Graph":
        return _read_graph(given)
    values = {
        k: read_spec(value) if isinstance(value, dict) else value for k, value in given.items()
    }
    spec: Spec = TYPES[name](**values)
    return spec


def read_shape(data: Any) -> Shapes:
    """The shape of an input that a loaded JSON list says; of several inputs, a list of such."""
    if isinstance(data, list) and data and all(isinstance(each, list) for each in data):
        return tuple(map(_read_shape, data))
    return _read_shape(data)


def _read_shape(data: Any) -> Shape:
    if not isinstance(data, list) or not all(type(n) is int for n in data):
        raise SpecError(f'"input_shape" is a list of ints, not {shortened(data)}')
    return tuple(data)


def shortened(value: Any) -> str:
    """The beginning of a value that an error message repeats."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
