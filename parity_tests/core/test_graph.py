"""A graph of named nodes: what it refuses, what it means, and how it is written and read."""

import json
import re
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvparityError,
    Dense,
    GlobalAvgPool,
    Graph,
    InputError,
    Multiply,
    Residual,
    Sequential,
    Spec,
    SpecError,
    Subtract,
    from_json,
    from_line,
    init_weights,
    load,
    output_shape,
    parameter_shapes,
    reference,
    save,
    to_json,
    to_line,
)
from convparity.impls.spec import INPUT, fold_steps, is_chain, stretches, walk, walk_shapes
from parity_tests.support.bits import assert_same_bits
from parity_tests.support.graphs import BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO

CONV, RELU = Conv(3, 3, 1), Activation("relu")
INNER = Graph(
    {"c": (Conv(3, 4, 1), "a"), "s": (Add(), "c", "b")}, ("a", "b"), {"first": "c", "second": "s"}
)
GRAPHS = [SHARED, TWO, TUPLE, ONE_OF_TUPLE, BRANCHES, CHAIN]

# ---------------------------------------------------------------- what it refuses

GOOD = {"a": (CONV, "x")}
BAD: list[tuple[dict[str, Any], str]] = [
    # nodes
    ({"nodes": {}}, "needs at least one node"),
    ({"nodes": None}, "nodes are a mapping from names to tuples, not None"),
    ({"nodes": [("a", CONV, "x")]}, "nodes are a mapping from names to tuples"),
    ({"nodes": "a"}, "nodes are a mapping"),
    ({"nodes": {1: (CONV, "x")}}, "a name in nodes is letters, digits and '_', not 1"),
    ({"nodes": {"": (CONV, "x")}}, "a name in nodes is letters, digits and '_', not ''"),
    ({"nodes": {"a.b": (CONV, "x")}}, "a name in nodes is letters, digits and '_', not 'a.b'"),
    ({"nodes": {"a b": (CONV, "x")}}, "a name in nodes"),
    ({"nodes": {None: (CONV, "x")}}, "a name in nodes"),
    ({"nodes": {"x": (CONV, "x")}}, "two values are called 'x'"),
    ({"nodes": {"a": CONV}}, "node 'a' is a tuple of a spec and the names of what it takes"),
    ({"nodes": {"a": None}}, "node 'a' is a tuple of a spec and the names"),
    ({"nodes": {"a": "x"}}, "node 'a' is a tuple of a spec and the names"),
    ({"nodes": {"a": ()}}, "node 'a' is a tuple of a spec and the names"),
    ({"nodes": {"a": (CONV,)}}, "node 'a' is a tuple of a spec and the names"),
    ({"nodes": {"a": {CONV, "x"}}}, "node 'a' is a tuple of a spec and the names"),
    ({"nodes": {"a": (None, "x")}}, "node 'a' must be a spec"),
    ({"nodes": {"a": (Conv, "x")}}, "node 'a' must be a spec"),
    ({"nodes": {"a": (3, "x")}}, "node 'a' must be a spec"),
    ({"nodes": {"a": ("b", "x")}}, "node 'a' runs 'b', which is no node yet"),
    ({"nodes": {"a": ("a", "x")}}, "node 'a' runs 'a', which is no node yet"),
    ({"nodes": {"a": (CONV, "y")}}, "node 'a' takes 'y', which is not there yet: there are"),
    ({"nodes": {"a": (CONV, "a")}}, "node 'a' takes 'a', which is not there yet"),
    ({"nodes": {"a": (CONV, "b"), "b": (CONV, "x")}}, "node 'a' takes 'b', which is not there"),
    ({"nodes": {"a": (CONV, 0)}}, "node 'a' takes 0, which is not there yet"),
    ({"nodes": {"a": (CONV, None)}}, "node 'a' takes None, which is not there yet"),
    ({"nodes": {"a": (CONV, ["x"])}}, r"node 'a' takes \['x'\], which is not there yet"),
    ({"nodes": {"a": (CONV, "x.0")}}, "node 'a' takes 'x.0', which is not there yet"),
    ({"nodes": {"a": (CONV, "x", "x")}}, "node 'a': Conv takes one input, not 2"),
    ({"nodes": {"a": (Subtract(), "x")}}, "node 'a': Subtract takes 2 inputs, not 1"),
    ({"nodes": {"a": (Subtract(), "x", "x", "x")}}, "Subtract takes 2 inputs, not 3"),
    ({"nodes": {"a": (INNER, "x"), "b": (CONV, "a.first")}}, "Graph takes 2 inputs, not 1"),
    (
        {"nodes": {"a": (INNER, "x", "x"), "b": (CONV, "a")}},
        "node 'b' takes 'a', which is not there yet: there are .*'a.first', 'a.second'",
    ),
    ({"nodes": {"a": (INNER, "x", "x"), "b": (CONV, "a.0")}}, "takes 'a.0', which is not there"),
    # inputs
    ({"inputs": ()}, "needs at least one name in inputs"),
    ({"inputs": None}, "inputs are names, not None"),
    ({"inputs": 3}, "inputs are names, not 3"),
    ({"inputs": {"x": 1}}, "inputs are names, not {'x': 1}"),
    ({"inputs": (1,)}, "a name in inputs is letters, digits and '_', not 1"),
    ({"inputs": ("x", "")}, "a name in inputs"),
    ({"inputs": ("x", "x.y")}, "a name in inputs"),
    ({"inputs": ("x", "x")}, "two inputs have one name"),
    ({"inputs": ("x", "y")}, "'y' leads to no output: leave it out"),
    ({"inputs": "y"}, "node 'a' takes 'x', which is not there yet"),
    # outputs
    ({"outputs": ()}, "needs at least one output"),
    ({"outputs": {}}, "needs at least one output"),
    ({"outputs": 3}, "outputs are names, not 3"),
    ({"outputs": "b"}, "the output 'b' is no value"),
    ({"outputs": ("a", "b")}, "the output 'b' is no value"),
    ({"outputs": (3,)}, "the output 3 is no value"),
    ({"outputs": (["a"],)}, r"the output \['a'\] is no value"),
    ({"outputs": {"y": "b"}}, "the output 'b' is no value"),
    ({"outputs": {"y": None}}, "the output None is no value"),
    ({"outputs": {3: "a"}}, "what an output is called is a word, not 3"),
    ({"outputs": {"0": "a"}}, "what an output is called is a word, not '0'"),
    ({"outputs": {"y.z": "a"}}, "what an output is called is a word, not 'y.z'"),
    ({"outputs": {"": "a"}}, "what an output is called is a word, not ''"),
    ({"outputs": "x"}, "'a' leads to no output: leave it out"),
    # liveness
    (
        {"nodes": {"a": (CONV, "x"), "b": (CONV, "a"), "c": (CONV, "a")}},
        "'b' leads to no output",
    ),
    (
        {"nodes": {"a": (CONV, "x"), "b": (CONV, "a"), "c": (CONV, "b")}, "outputs": "a"},
        "'b' leads to no output",
    ),
    ({"nodes": {"a": (INNER, "x", "y")}, "inputs": ("x", "y")}, "the output 'a' is no value"),
]


@pytest.mark.parametrize(("said", "message"), BAD)
def test_what_is_no_graph_is_one_clear_error(said: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        Graph(**{"nodes": GOOD, **said})
    assert str(error.value).startswith("Graph: ")
    assert error.value.__cause__ is None


def test_too_many_nodes_are_refused_before_any_is_read() -> None:
    with pytest.raises(SpecError, match="has at most 65,536 nodes, not 65,537"):
        Graph(dict.fromkeys(map(str, range(2**16 + 1)), ()))


def test_graphs_nest_to_a_depth_and_no_further() -> None:
    spec: Spec = CONV
    for _ in range(64):
        spec = Graph({"a": (spec, "x")})
    with pytest.raises(SpecError, match="nests at most 64"):
        Graph({"a": (spec, "x")})


@pytest.mark.parametrize("kind", [Sequential, Residual, lambda spec: Residual(CONV, spec)])
@pytest.mark.parametrize(
    ("inner", "counts"), [(INNER, "2 .* 2"), (TWO, "2 .* 2"), (TUPLE, "1 .* 2")]
)
def test_a_chain_and_a_residual_refuse_a_child_of_several_values(kind, inner, counts) -> None:
    with pytest.raises(SpecError, match=f"takes {counts}, where it must make one of one: .*Graph"):
        kind(inner)


@pytest.mark.parametrize("kind", [Sequential, Residual])
def test_they_take_a_graph_that_makes_one_value_of_one(kind) -> None:
    assert output_shape(kind(BRANCHES), (2, 5, 4, 3)) == (2, 5, 4, 3)


# ---------------------------------------------------------------- what it takes


def test_defaults_and_other_ways_to_say_the_same() -> None:
    said = Graph({"a": (CONV, "x"), "b": (RELU, "a")})
    assert said == Graph({"a": [CONV, "x"], "b": [RELU, "a"]}, "x", "b")
    assert said == Graph({"a": (CONV, "x"), "b": (RELU, "a")}, iter(["x"]), None)
    assert said != Graph({"a": (CONV, "y"), "b": (RELU, "a")}, "y")
    assert said != Graph({"a": (CONV, "x"), "b": (RELU, "a")}, outputs=["b"])
    assert hash(said) == hash(Graph({"a": (CONV, "x"), "b": (RELU, "a")}))
    assert said.inputs == ("x",)
    assert said.outputs == "b"
    assert Graph({"a": (CONV, INPUT)}, (INPUT,)).sources == (INPUT,)


def test_an_input_may_be_an_output_too() -> None:
    spec = Graph({"a": (CONV, "x")}, outputs=("x", "a", "a"))
    x = np.arange(6.0).reshape(1, 2, 1, 3)
    same, made, again = reference(spec, init_weights(spec, 0), x)
    assert np.array_equal(same, x)
    assert np.array_equal(made, again)
    assert output_shape(spec, x.shape) == (x.shape,) * 3


def test_children_and_weights_are_of_each_layer_once() -> None:
    assert [name for name, _ in SHARED.children] == ["stem", "gate", "gated", "diff", "both", "out"]
    assert list(parameter_shapes(SHARED)) == [
        *("stem.kernel", "stem.bias", "gate.0.kernel", "gate.0.bias", "out.kernel", "out.bias")
    ]
    assert [path for path, _ in walk(SHARED)] == ["stem", "gate.0", "gate.1", "out"]
    weights = init_weights(SHARED, 3)
    assert {name: array.shape for name, array in weights.items()} == parameter_shapes(SHARED)
    alone = init_weights(Sequential({"stem": CONV, "out": Conv(9, 3, 1)}), 3)
    assert_same_bits({name: weights[name] for name in alone}, alone)  # whatever runs it again


def test_with_children_keeps_the_wiring() -> None:
    for spec in GRAPHS:
        assert spec.with_children(dict(spec.children)) == spec
    other = SHARED.with_children({**dict(SHARED.children), "stem": Conv(3, 3, 5, padding="same")})
    assert [step.inputs for step in other.steps] == [step.inputs for step in SHARED.steps]
    assert [step.spec for step in other.steps if step.child == "stem"] == [
        Conv(3, 3, 5, padding="same")
    ] * 2


# ---------------------------------------------------------------- text


@pytest.mark.parametrize("spec", [*GRAPHS, Sequential(BRANCHES, RELU), Residual(SHARED)])
def test_repr_json_and_line_say_everything(spec: Spec) -> None:
    assert eval(repr(spec), vars(convparity)) == spec
    text = to_json(spec)
    assert from_json(text) == spec
    assert to_json(from_json(text)) == text
    assert from_line(to_line(spec, (2, 5, 4, 3))) == (spec, (2, 5, 4, 3))
    assert from_line(to_line(spec)) == (spec, None)
    assert json.loads(text)["type"] == type(spec).__name__


def test_json_of_a_graph_is_what_people_would_write() -> None:
    spec = Graph(
        {"a": (RELU, "x"), "b": ("a", "a"), "c": (INNER, "b", "x")}, ("x",), {"y": "c.second"}
    )
    said = json.loads(to_json(spec))
    assert said["inputs"] == ["x"]
    assert said["outputs"] == {"y": "c.second"}
    assert list(said["nodes"]) == ["a", "b", "c"]
    assert said["nodes"]["b"] == {"again": "a", "inputs": ["a"]}
    assert said["nodes"]["c"]["inputs"] == ["b", "x"]
    assert said["nodes"]["c"]["layer"]["outputs"] == {"first": "c", "second": "s"}


def test_json_may_leave_out_inputs_and_outputs() -> None:
    relu = json.loads(to_json(RELU))
    text = json.dumps({"type": "Graph", "nodes": {"a": {"layer": relu, "inputs": ["x"]}}})
    assert from_json(text) == Graph({"a": (RELU, "x")})


NODE = {"layer": json.loads(to_json(RELU)), "inputs": ["x"]}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "Graph: the field 'nodes' is missing"),
        ({"nodes": []}, '"nodes" is an object of named nodes'),
        ({"nodes": None}, '"nodes" is an object of named nodes'),
        ({"nodes": {}}, "needs at least one node"),
        ({"nodes": {"a": 3}}, "node 'a' is an object of"),
        ({"nodes": {"a": {}}}, "node 'a' is an object of"),
        ({"nodes": {"a": {"layer": NODE["layer"]}}}, "node 'a' is an object of"),
        ({"nodes": {"a": {**NODE, "again": "b"}}}, "node 'a' is an object of"),
        ({"nodes": {"a": {**NODE, "more": 1}}}, "node 'a' is an object of"),
        ({"nodes": {"a": {**NODE, "inputs": "x"}}}, "node 'a' is an object of"),
        ({"nodes": {"a": {**NODE, "inputs": [{}]}}}, "node 'a' takes {}, which is not there"),
        ({"nodes": {"a": {**NODE, "layer": 3}}}, "a spec is a JSON object"),
        ({"nodes": {"a": {**NODE, "layer": {"type": "Nothing"}}}}, "Nothing"),
        ({"nodes": {"a": {"again": 3, "inputs": ["x"]}}}, '"again" is the name of a node'),
        ({"nodes": {"a": {"again": None, "inputs": ["x"]}}}, '"again" is the name of a node'),
        ({"nodes": {"a": {"again": "b", "inputs": ["x"]}}}, "'b', which is no node yet"),
        ({"nodes": {"a": NODE}, "inputs": 3}, "inputs are names, not 3"),
        ({"nodes": {"a": NODE}, "inputs": [[]]}, "a name in inputs"),
        ({"nodes": {"a": NODE}, "outputs": 3}, "outputs are names, not 3"),
        ({"nodes": {"a": NODE}, "outputs": [{}]}, "the output {} is no value"),
        ({"nodes": {"a": NODE}, "outputs": {"y": []}}, r"the output \[\] is no value"),
        ({"nodes": {"a": NODE}, "input": ["x"]}, "unknown field of Graph"),
    ],
)
def test_json_that_is_no_graph_is_one_clear_error(said: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        from_json(json.dumps({"type": "Graph", **said}))


@pytest.mark.parametrize("spec", GRAPHS)
def test_files_hold_it(spec: Graph, tmp_path) -> None:
    weights = init_weights(spec, 5)
    save(tmp_path / "graph.safetensors", spec, weights)
    found, held = load(tmp_path / "graph.safetensors")
    assert found == spec
    assert_same_bits(held, weights)


# ---------------------------------------------------------------- what it means

RAMP = np.array([[1.0, -2.0], [3.0, 5.0]])  # two examples of two features


def test_a_graph_by_hand() -> None:
    """y = (d(r) - x) * x beside r, where d runs on r and on x: 2 v + 1 on each feature, crossed."""
    spec = Graph(
        {
            "d": (Dense(2, 2), "x"),
            "r": (RELU, "d"),
            "e": ("d", "r"),
            "less": (Subtract(), "e", "x"),
            "times": (Multiply(), "less", "x", "x"),
            "y": (Concat(), "times", "r"),
        }
    )
    weights = {"d.kernel": np.array([[0.0, 2.0], [2.0, 0.0]]), "d.bias": np.array([1.0, 1.0])}
    # d(x) = (2 x1 + 1, 2 x0 + 1)
    #   of (1, -2): (-3, 3), r = (0, 3), e = (7, 1), less = (6, 3), times x x = (6, 12)
    #   of (3, 5): (11, 7), r = (11, 7), e = (15, 23), less = (12, 18), times x x = (108, 450)
    y = reference(spec, weights, RAMP)
    assert y.tolist() == [[6, 12, 0, 3], [108, 450, 11, 7]]


def test_several_inputs_and_outputs_by_hand() -> None:
    inner = Graph(
        {"sum": (Add(), "a", "b"), "less": (Subtract(), "a", "b")},
        ("a", "b"),
        {"less": "less", "sum": "sum"},
    )
    spec = Graph(
        {
            "one": (inner, "u", "v"),
            "two": ("one", "one.sum", "one.less"),  # u + v and u - v: again 2 v and 2 u
            "y": (Multiply(), "two.less", "two.sum"),
        },
        ("u", "v"),
        ("y", "two.less", "one.less"),
    )
    u, v = np.array([[1.0, 2.0]]), np.array([[5.0, -3.0]])
    product, twice_v, less = reference(spec, {}, (u, v))
    assert less.tolist() == [[-4, 5]]
    assert twice_v.tolist() == [[10, -6]]
    assert product.tolist() == [[20, -24]]
    named = reference(inner, {}, [u, v])
    assert list(named) == ["less", "sum"]
    assert named["less"].tolist() == [[-4, 5]]


def test_a_gate_broadcasts() -> None:
    spec = Graph({"pool": (GlobalAvgPool(), "x"), "y": (Add(), "x", "x")}, outputs=("y", "pool"))
    assert output_shape(spec, (2, 3, 4, 5)) == ((2, 3, 4, 5), (2, 5))
    gate = Graph({"y": (Multiply(), "x", "g")}, ("x", "g"))
    x, g = np.arange(12.0).reshape(1, 2, 2, 3), np.array([1.0, 0, -1]).reshape(1, 1, 1, 3)
    assert np.array_equal(reference(gate, {}, (x, g)), x * g)
    assert output_shape(gate, x.shape, g.shape) == x.shape


@pytest.mark.parametrize(
    ("spec", "shapes", "message"),
    [
        (SHARED, [(2, 5, 4, 2)], "in layer 'stem': Conv takes 3 channels"),
        (SHARED, [(2, 5, 4, 3)] * 2, "Graph takes one input, not 2"),
        (TWO, [(2, 5, 4, 3)], "Graph takes 2 inputs, not 1"),
        (
            TWO,
            [(2, 5, 4, 3), (2, 5, 4, 3)],
            "in layer 'start': in layer 's': Add takes values of one",
        ),
        (
            TWO,
            [(2, 5, 4, 3), (3, 5, 4, 4)],
            "in layer 'start': in layer 's': Add takes values of one",
        ),
        (TWO, [(2, 5, 4, 3), "no shape"], "the shape of an input is a tuple"),
    ],
)
def test_shapes_that_do_not_fit_are_told_where(spec: Graph, shapes: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        output_shape(spec, *shapes)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 5, 4, 3)), "x is a tuple of arrays, one for each of u, v"),
        (None, "x is a tuple of arrays, one for each of u, v, not None"),
        ((np.ones((2, 5, 4, 3)),), "Graph takes 2 inputs, not 1"),
        ((np.ones((2, 5, 4, 3)), None), "x is None"),
        ((np.ones((2, 5, 4, 3)), "text"), "x"),
        ({"u": 1, "v": 2}, "x is a tuple of arrays, one for each of u, v"),
    ],
)
def test_inputs_that_do_not_fit_are_one_clear_error(x: Any, message: str) -> None:
    with pytest.raises(ConvparityError, match=message) as error:
        reference(TWO, init_weights(TWO, 0), x)
    assert isinstance(error.value, InputError | SpecError)


def test_outputs_have_the_shapes_that_are_said() -> None:
    x, other = np.ones((2, 5, 4, 3)), np.ones((2, 5, 4, 4))
    for spec in GRAPHS:
        given = (x, other)[: len(spec.sources)]
        made = reference(spec, init_weights(spec, 1), given if len(given) > 1 else x)
        said = output_shape(spec, *(each.shape for each in given))
        if isinstance(made, dict):
            assert {name: each.shape for name, each in made.items()} == said
            assert list(made) == list(said)
        elif isinstance(made, tuple):
            assert tuple(each.shape for each in made) == said
        else:
            assert made.shape == said


# ---------------------------------------------------------------- its schedule


def test_steps_fold_over_several_values_and_results() -> None:
    seen = []

    def visit(step, values):
        seen.append(f"{step.name}({', '.join(values)})")
        return (f"{step.name}/c", f"{step.name}/s") if step.spec == INNER else step.name

    spec = Graph(
        {"one": (INNER, "u", "v"), "sum": (Add(), "one.second", "one.first", "v")},
        ("u", "v"),
        ("sum", "u", "one.first"),
    )
    assert fold_steps(spec, ["U", "V"], visit) == ("sum", "U", "one/c")
    assert seen == ["one(U, V)", "sum(one/s, one/c, V)"]
    assert fold_steps(ONE_OF_TUPLE, ["X"], visit) == ("a",)  # a tuple of one is no value
    for values in ([], ["U"], ["U", "V", "W"]):
        with pytest.raises(ValueError, match="zip"):
            fold_steps(spec, values, visit)


def test_walk_shapes_names_every_layer_and_join() -> None:
    found = [(path, *shapes) for path, _, shapes in walk_shapes(TWO, (2, 5, 4, 3), (2, 5, 4, 4))]
    wide, narrow = (2, 5, 4, 4), (2, 5, 4, 3)
    assert found == [
        ("", narrow, wide),
        ("start", narrow, wide),
        ("start.c", narrow),
        ("start.s", wide, wide),
        ("m", wide, wide),
        ("h", wide),
    ]


def test_chains_are_seen_in_a_graph() -> None:
    assert is_chain(CHAIN)
    assert not is_chain(ONE_OF_TUPLE)
    assert not is_chain(Graph({"a": (TUPLE, "x")}, outputs=("a.0", "a.1")))
    assert not is_chain(Graph({"a": (Add(), "x")}))
    assert not is_chain(BRANCHES)
    assert [[step.name for step in each] for each in stretches(BRANCHES)] == [
        ["a", "norm", "act"],
        ["again"],
        ["sum"],
    ]


def test_a_norm_and_a_join_have_no_weights_of_each_other() -> None:
    assert all(re.fullmatch(r"(a|norm)\.\w+", name) for name in parameter_shapes(BRANCHES))
    assert isinstance(dict(BRANCHES.children)["norm"], BatchNorm)


def test_graphs_are_equal_whose_nodes_are_in_any_order() -> None:
    nodes = {"a": (Conv(3, 3, 1), "x"), "b": (Activation("relu"), "x"), "c": (Add(), "a", "b")}
    graph, other = Graph(nodes), Graph({name: nodes[name] for name in ("b", "a", "c")})
    assert graph == other
    assert hash(graph) == hash(other)
    assert list(dict(other.children)) == ["b", "a", "c"]
    assert graph != Graph({**nodes, "c": (Add(), "b", "a")})
    assert graph != Graph({**nodes, "c": (Multiply(), "a", "b")})
    assert graph != Graph(nodes, outputs=("c",))
    assert graph != Sequential(Conv(3, 3, 1))
