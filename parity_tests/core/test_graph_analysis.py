"""What is found out about graphs: their costs and limits, and where several values are refused."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Add,
    Concat,
    Conv,
    Dense,
    Flatten,
    Graph,
    InputError,
    Rearrange,
    Sequential,
    Slice,
    Spec,
    SpecError,
    Subtract,
    UnsupportedError,
    compare,
    compare_callables,
    diagnose,
    first_divergence,
    init_weights,
    judge,
    layer_costs,
    reference,
    total_cost,
)
from convparity.analysis.diagnosis.suspects import right
from convparity.analysis.faults import FAULTS, implementation
from convparity.analysis.proof.data import integer_case, real_case
from convparity.analysis.proof.input_shapes import fitting_shape, fitting_shapes
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.proof.shapes import size_along, with_size
from convparity.analysis.replay.replay import Replay, parse
from convparity.impls.limits import VARIABLE, check_work
from convparity.impls.values import gives_several, named_parts, on_each, parts
from parity_tests.support.graphs import BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO

X = (2, 5, 4, 3)

# ---------------------------------------------------------------- costs


def test_a_layer_that_runs_twice_costs_twice_and_holds_its_weights_once() -> None:
    total = total_cost(SHARED, X)
    stem, gate, out = 3 * 3 + 3, 9 * 3 * 3 + 3, 9 * 3 + 3
    assert total.parameters == stem + gate + out
    pixels = 2 * 5 * 4
    assert total.macs == pixels * (2 * 3 * 3 + 9 * 3 * 3 + 9 * 3)
    assert total.bias_adds == pixels * (3 + 3 + 3 + 3)
    costs = layer_costs(SHARED, X)
    assert [(cost.path, cost.parameters, cost.macs // pixels) for cost in costs] == [
        ("stem", stem, 9),
        ("gate.0", gate, 81),
        ("gate.1", 0, 0),
        ("gated", 0, 0),
        ("stem", 0, 9),
        ("diff", 0, 0),
        ("both", 0, 0),
        ("out", out, 27),
    ]
    assert sum(cost.values_moved for cost in costs) == total.values_moved
    values = pixels * 3
    again, both = costs[4], costs[6]
    assert again.values_moved == 2 * values + stem  # it reads its weights again
    assert both.values_moved == 2 * 3 * values
    assert again.flops("tutorial") == pixels * stem


def test_costs_of_several_inputs_and_outputs() -> None:
    other = (2, 5, 4, 4)
    total = total_cost(TWO, X, other)
    assert total.parameters == 9 * 3 * 4 + 4
    assert total.macs == 2 * 5 * 4 * 9 * 3 * 4
    assert total.input_shape == X
    assert total.output_shape == {"image": other, "head": (2, 4)}
    assert total.as_dict()["output_shape"] == {"image": other, "head": (2, 4)}
    assert [cost.path for cost in layer_costs(TWO, X, other)] == ["start.c", "start.s", "m", "h"]
    for count in (total_cost, layer_costs):
        with pytest.raises(SpecError, match="Graph takes 2 inputs, not 1"):
            count(TWO, X)
        with pytest.raises(SpecError, match="in layer 'start': in layer 's'"):
            count(TWO, X, X)
    assert total_cost(Add(), X, X, X).values_moved == 4 * np.prod(X)


# ---------------------------------------------------------------- limits


def test_a_layer_of_a_graph_that_takes_too_much_is_named() -> None:
    large = Graph({"a": (Conv(3, 3, 1), "x"), "big": (Conv(3, 2**20, 1), "a")})
    with pytest.raises(InputError, match="layer 'big' takes"):
        check_work(large, (1, 2**10, 2**10, 3))
    with pytest.raises(InputError, match="layer 'big' takes"):
        reference(large, init_weights(large, 0), np.zeros((1, 2**8, 2**8, 3), np.float32))
    two = Graph(
        {"a": (Conv(3, 2**20, 1), "v"), "b": (Conv(2**20, 3, 1), "a"), "c": (Add(), "u", "b")},
        ("u", "v"),
    )
    with pytest.raises(InputError, match="layer 'a' takes"):
        check_work(two, (1, 2**10, 2**10, 3), (1, 2**10, 2**10, 3))


def test_weights_of_a_layer_that_runs_often_count_once(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    nodes: dict[str, Any] = {"n0": (Dense(1000, 1000), "x")}
    nodes |= {f"n{i}": ("n0", f"n{i - 1}") for i in range(1, 2000)}
    check_work(Graph(nodes), (1, 1000))
    with pytest.raises(InputError, match="weights"):
        check_work(Sequential([Dense(1000, 1000)] * 2000), (1, 1000))


# ---------------------------------------------------------------- several values

GIVEN_TOO = Graph(  # branches of a sum that are outputs themselves
    {
        "a": (Conv(3, 3, 1), "x"),
        "b": (Conv(3, 3, 3, padding="same"), "x"),
        "act": (Activation("relu"), "b"),
        "sum": (Add(), "a", "act"),
    },
    outputs=("sum", "act", "b", "x"),
)
TWINS = Graph(  # one layer, side by side on two inputs
    {"e": (Conv(3, 3, 1), "u"), "f": ("e", "v"), "less": (Subtract(), "e", "f")}, ("u", "v")
)
MANY: dict[str, Any] = {
    "one layer on two inputs": (TWINS, (X, X)),
    "branches that are given too": (GIVEN_TOO, X),
    "two": (TWO, (X, (2, 5, 4, 4))),
    "tuple": (TUPLE, X),
    "one of a tuple": (ONE_OF_TUPLE, X),
}
each_of_many = pytest.mark.parametrize("name", MANY)


def port(spec: Spec, weights: Any, x: Any) -> Any:
    """A right one."""
    return on_each(lambda y: y.astype(np.float32), reference(spec, weights, x))


def changed_output(which: str) -> Any:
    """A wrong one, in one of its outputs alone."""

    def wrong(spec: Spec, weights: Any, x: Any) -> Any:
        y = port(spec, weights, x)
        if gives_several(spec):
            found = {key: -v if key == which else v for key, v in named_parts(y).items()}
            return found if isinstance(y, dict) else tuple(found.values())
        return y

    return wrong


@each_of_many
def test_a_right_port_of_several_values_is_right(name: str) -> None:
    spec, shape = MANY[name]
    verdict = judge(port, spec, input_shape=shape)
    assert verdict.ok, verdict
    drawn = real_case(spec, shape, 1)
    assert judge(port, spec, *drawn).ok
    assert diagnose(port, spec, input_shape=shape).right
    assert diagnose(port(spec, *drawn), spec, *drawn).right
    weights = init_weights(spec, 0)
    assert first_divergence((spec, weights), (spec, weights), input_shape=shape).ok
    assert first_divergence((spec, weights), (spec, weights), drawn[1]).ok
    for data in ("ints", "reals"):
        line = str(Replay(spec, shape, data, 1))
        assert parse(line) == Replay(spec, shape, data, 1)


@pytest.mark.parametrize(
    ("name", "output"), [("two", "image"), ("two", "head"), ("tuple", "0"), ("tuple", "1")]
)
def test_the_output_that_differs_is_named(name: str, output: str) -> None:
    spec, shape = MANY[name]
    verdict = judge(changed_output(output), spec, input_shape=shape)
    assert verdict.status == "wrong"
    assert verdict.structure.output == verdict.precision.output == output
    assert f"output {output}: " in str(verdict.structure)
    assert not diagnose(changed_output(output), spec, input_shape=shape, seconds=0).right


@pytest.mark.parametrize(("name", "path"), [("two", "start.c"), ("tuple", "a")])
def test_a_wrong_layer_of_several_values_is_found(name: str, path: str) -> None:
    spec, shape = MANY[name]

    def other(weights: Any) -> Any:
        key = f"{path}.kernel"
        return {**weights, key: weights[key][::-1, ..., ::-1]} if key in weights else weights

    def wrong(spec: Spec, weights: Any, x: Any) -> Any:
        return port(spec, other(weights), x)

    verdict = judge(wrong, spec, input_shape=shape)
    assert verdict.structure.status == "wrong"
    assert verdict.structure.layer == path
    weights = init_weights(spec, 4)
    found = first_divergence((spec, other(weights)), (spec, weights), input_shape=shape)
    assert found.first is not None
    assert found.first.path == path


def test_a_known_fault_in_a_graph_of_several_values_is_named() -> None:
    spec, shape = MANY["two"]
    fault = FAULTS["parameters-02"]
    found = diagnose(implementation(right, fault), spec, input_shape=shape)
    assert any(fault.id in ids for answer in found.answers for ids in answer.ids), found


def test_outputs_in_another_container_are_wrong() -> None:
    def as_tuple(spec: Spec, weights: Any, x: Any) -> Any:
        return parts(port(spec, weights, x))

    verdict = judge(as_tuple, TWO, input_shape=MANY["two"][1])
    assert "a tuple of 2, not a dict of" in str(verdict.structure)


def test_a_swapped_input_is_wrong() -> None:
    """Of inputs of one shape, nothing else would show it."""
    spec = Graph({"a": (Conv(3, 3, 1), "u"), "y": (Subtract(), "a", "v")}, ("u", "v"))

    def swapped(spec: Spec, weights: Any, x: Any) -> Any:
        return port(spec, weights, x[::-1] if isinstance(x, tuple) else x)

    assert judge(port, spec, input_shape=(X, X)).ok
    assert judge(swapped, spec, input_shape=(X, X)).status == "wrong"


def test_black_boxes_of_several_values_are_compared() -> None:
    def both(x: Any, y: Any) -> Any:
        return {"sum": x + y, "less": x - y}

    def other(x: Any, y: Any) -> Any:
        return {"sum": x + y, "less": y - x}

    shapes = (X, (2, 5, 4, 1))
    assert compare_callables(both, both, shapes).ok
    verdict = compare_callables(other, both, shapes)
    assert verdict.structure.output == verdict.precision.output == "less"
    assert verdict.status == "wrong"


@pytest.mark.parametrize(
    "ask",
    [
        lambda: compare(Add(), input_shape=X),
        lambda: judge(port, Add(), input_shape=X),
        lambda: diagnose(port, Add(), input_shape=X),
        lambda: first_divergence(*[(Add(), {})] * 2, input_shape=X),
        lambda: parse(str(Replay(Add(), (X, X), "ints", 1))),
    ],
)
def test_a_join_alone_is_refused(ask: Any) -> None:
    with pytest.raises(UnsupportedError, match="Add alone is a join: put it into a Graph"):
        ask()


def test_shapes_and_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="a tuple of 2 shapes, one for each input"):
        judge(port, TWO, input_shape=X)
    weights, x = real_case(*MANY["two"], 0)
    with pytest.raises(InputError, match="and the spec says"):
        diagnose({"image": np.zeros(X)}, TWO, weights, x)


def test_sizes_of_several_inputs_change_together() -> None:
    """In proportion; a size of 1 stands for any other."""
    shape = ((2, 8, 6, 3), (2, 4, 3, 1), (2, 1, 1, 3), (2, 5))
    assert [size_along(shape, axis) for axis in (0, 1, 2)] == [2, 4, 3]
    assert with_size(shape, 1, 5) == ((2, 10, 6, 3), (2, 5, 3, 1), (2, 1, 1, 3), (2, 5))
    assert with_size(shape, 0, 3) == ((3, 8, 6, 3), (3, 4, 3, 1), (3, 1, 1, 3), (3, 5))
    assert with_size((2, 8, 6, 3), 1, 5) == (2, 5, 6, 3)


# ---------------------------------------------------------------- what moves channels

HALVES = Graph(
    {
        "wide": (Conv(3, 4, 3, padding="same"), "x"),
        "first": (Slice(-1, stop=2), "wide"),
        "last": (Slice(-1, start=2), "wide"),
        "act": (Activation("relu"), "first"),
        "both": (Concat(), "last", "act"),
        "mixed": (Rearrange("n h w (g c) -> n h w (c g)", g=2), "both"),
        "end": (Conv(4, 3, 1), "mixed"),
    }
)


def test_a_network_that_splits_its_channels_is_lit() -> None:
    assert judge(port, HALVES, input_shape=(2, 6, 5, 3)).ok


@pytest.mark.parametrize(
    "node",
    [
        {"first": (Slice(-1, start=2), "wide"), "last": (Slice(-1, stop=2), "wide")},
        {"first": (Slice(-1, stop=4, step=2), "wide")},
        {"both": (Concat(), "act", "last")},
        {"mixed": (Rearrange("n h w (g c) -> n h w (g c)", g=2), "both")},
    ],
)
def test_channels_that_are_split_or_shuffled_in_another_way_are_wrong(node: Any) -> None:
    other = Graph({**HALVES.said, **node})

    def wrong(spec: Spec, weights: Any, x: Any) -> Any:
        return port(other if spec == HALVES else spec, weights, x)

    assert judge(wrong, HALVES, input_shape=(2, 6, 5, 3)).structure.status == "wrong"


def test_a_shared_layer_that_got_weights_of_its_own_is_wrong() -> None:
    """Of which its second run makes use: those of the first, or none, or flipped ones."""
    apart = Graph({**SHARED.said, "again": (Conv(3, 3, 1), "gated")})
    for change in (lambda w: w + 1, np.zeros_like, lambda w: w[..., ::-1]):

        def wrong(spec: Spec, weights: Any, x: Any, change: Any = change) -> Any:
            if spec != SHARED:
                return port(spec, weights, x)
            own = {f"again.{name}": change(weights[f"stem.{name}"]) for name in ("kernel", "bias")}
            return port(apart, {**weights, **own}, x)

        verdict = judge(wrong, SHARED, input_shape=X)
        assert verdict.structure.status == "wrong", verdict


# ---------------------------------------------------------------- they may be inside

INNER = Graph(
    {"c": (Conv(3, 4, 3, padding="same"), "a"), "s": (Add(), "c", "b")},
    inputs=("a", "b"),
    outputs={"c": "c", "s": "s"},
)
PARTED = Graph(
    {
        "wide": (Conv(3, 4, 1), "x"),
        "in": (INNER, "x", "wide"),
        "again": ("in", "x", "in.s"),
        "part": (TUPLE, "x"),
        "narrow": (Conv(4, 2, 1), "again.s"),
        "sum": (Add(), "narrow", "part.0", "part.1"),
        "end": (Sequential(Activation("relu"), Conv(2, 2, 3)), "sum"),
    }
)
WHOLE = [SHARED, BRANCHES, CHAIN, PARTED]


@pytest.mark.parametrize("spec", WHOLE)
def test_the_bound_is_of_the_reference(spec: Spec) -> None:
    for weights, x in (
        integer_case(spec, X, 3),
        (init_weights(spec, 1), np.random.default_rng(1).standard_normal(X).astype("f4")),
    ):
        target = trace(spec, weights, exact_input(x))
        y = reference(spec, weights, x)
        np.testing.assert_array_equal(target.value, y)
        assert (abs(y.astype("f4") - y) <= target.bound).all()


@pytest.mark.parametrize("spec", WHOLE)
def test_a_right_port_of_a_graph_is_right(spec: Spec) -> None:
    """And lit, also where a layer runs in several places."""
    for seed in range(4):
        verdict = judge(port, spec, input_shape=X, seed=seed)
        assert verdict.ok, verdict
    assert diagnose(port, spec, input_shape=X).right


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (SHARED, "stem"),
        (SHARED, "gate.0"),
        (SHARED, "out"),
        (BRANCHES, "a"),
        (CHAIN, "a"),
        (PARTED, "wide"),
        (PARTED, "in.c"),
        (PARTED, "part.a"),
        (PARTED, "narrow"),
        (PARTED, "end.1"),
    ],
)
def test_a_wrong_layer_of_a_graph_is_found(spec: Spec, path: str) -> None:
    def other(weights: Any) -> Any:
        name = f"{path}.kernel"
        return {**weights, name: weights[name][..., ::-1]} if name in weights else weights

    def wrong(spec: Spec, weights: Any, x: Any) -> np.ndarray:
        return port(spec, other(weights), x)

    verdict = judge(wrong, spec, input_shape=X, seed=2)
    assert verdict.status == "wrong"
    assert verdict.structure.status == "wrong"
    assert not diagnose(wrong, spec, input_shape=X, seconds=0).right
    weights = init_weights(spec, 4)
    found = first_divergence((spec, other(weights)), (spec, weights), input_shape=X)
    assert found.first is not None, found
    assert found.first.path == path
    assert first_divergence((spec, weights), (spec, weights), input_shape=X).ok


# ---------------------------------------------------------------- an input that fits


@pytest.mark.parametrize("spec", WHOLE)
def test_an_input_is_found_for_a_graph(spec: Spec) -> None:
    shape = fitting_shape(spec)
    assert shape is not None
    assert shape[-1] == 3
    assert fitting_shapes(spec) == (shape,)


def test_inputs_are_found_where_no_layer_says_their_channels() -> None:
    first, second = fitting_shapes(TWO) or ((), ())
    assert (first[0], first[-1], second[-1]) == (second[0], 3, 4)
    assert first[1:-1] == second[1:-1]
    doubled = Graph({"both": (Concat(), "x", "x"), "y": (Conv(14, 2, 1), "both")})
    assert (fitting_shape(doubled) or ())[-1] == 7
    pointwise = Graph({"y": (Dense(3, 4), "u"), "z": (Conv(4, 5, 1), "y")}, ("u",))
    assert fitting_shapes(pointwise) == ((2, 7, 8, 3),)
    never = Graph({"y": (Flatten(), "u"), "z": (Conv(4, 5, 1), "y")}, ("u",))
    assert fitting_shapes(never) is None


def test_values_of_unequal_channels_are_told_apart_where_they_meet() -> None:
    spec = Graph({"conv": (Conv(3, 8, 3, padding="same"), "x"), "both": (Concat(), "conv", "x")})
    assert judge(port, spec, input_shape=(2, 6, 5, 3)).ok

    def blind(spec: Spec, weights: Any, x: np.ndarray) -> np.ndarray:
        return port(spec, weights, np.ones_like(x))

    assert judge(blind, spec, input_shape=(2, 6, 5, 3)).status == "wrong"
