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
    Sequential,
    Spec,
    SpecError,
    UnsupportedError,
    compare,
    diagnose,
    first_divergence,
    init_weights,
    judge,
    layer_costs,
    reference,
    total_cost,
)
from convparity.analysis.proof.data import integer_case
from convparity.analysis.proof.input_shapes import fitting_shape, fitting_shapes
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.replay.replay import Replay, parse
from convparity.impls.limits import VARIABLE, check_work
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


# ---------------------------------------------------------------- several values are refused

MANY: dict[str, Spec] = {"two": TWO, "tuple": TUPLE, "one of a tuple": ONE_OF_TUPLE, "join": Add()}
SHAPES = {"two": (X, (2, 5, 4, 4)), "tuple": (X,), "one of a tuple": (X,), "join": (X, X)}


def no_port(spec: Spec, weights: Any, x: Any) -> np.ndarray:
    raise AssertionError("it was asked")


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(
    ("who", "ask"),
    [
        ("compare", lambda spec, x, shape: compare(spec, input_shape=shape)),
        ("compare", lambda spec, x, shape: compare(spec, x=x)),
        ("judge", lambda spec, x, shape: judge(no_port, spec, input_shape=shape)),
        ("judge", lambda spec, x, shape: judge(no_port, spec, x=x)),
        ("diagnose", lambda spec, x, shape: diagnose(no_port, spec, input_shape=shape)),
        ("diagnose", lambda spec, x, shape: diagnose(no_port, spec, x=x)),
        (
            "first_divergence",
            lambda spec, x, shape: first_divergence(
                *[(spec, init_weights(spec, 0))] * 2, input_shape=shape
            ),
        ),
        (
            "first_divergence",
            lambda spec, x, shape: first_divergence(*[(spec, init_weights(spec, 0))] * 2, x),
        ),
        ("replay", lambda spec, x, shape: parse(str(Replay(spec, shape, "ints", 1)))),
    ],
)
def test_what_judges_one_value_refuses_several_before_any_work(
    who: str, ask: Any, name: str
) -> None:
    arrays = tuple(np.ones(shape) for shape in SHAPES[name])
    with pytest.raises(
        UnsupportedError, match=f"^{who} judges what makes one value of one"
    ) as error:
        ask(MANY[name], arrays if len(arrays) > 1 else arrays[0], X)
    assert "check" in str(error.value)


def test_the_refusal_names_the_values() -> None:
    with pytest.raises(UnsupportedError, match="Graph takes u, v and gives image, head: judge its"):
        compare(TWO, input_shape=X)


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
NAMES = ("SHARED", "BRANCHES", "CHAIN", "PARTED")
WHOLE = [SHARED, BRANCHES, CHAIN, PARTED]


def port(spec: Spec, weights: Any, x: Any) -> np.ndarray:
    """A right one."""
    return reference(spec, weights, x).astype(np.float32)


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
    """What runs in several places cannot be lit by itself, which is said; never is it wrong."""
    for seed in range(4):
        verdict = judge(port, spec, input_shape=X, seed=seed)
        assert verdict.precision.ok, verdict
        if spec is CHAIN:
            assert verdict.ok
            continue
        assert verdict.structure.status == "not tested", verdict
        path = {"SHARED": "stem", "BRANCHES": "a", "PARTED": "in.c"}[NAMES[WHOLE.index(spec)]]
        assert str(verdict.structure) == (
            f"1 layers not tested: {path}: its weights are used in several places"
        )
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
    if (spec, path) not in [(SHARED, "stem"), (BRANCHES, "a"), (PARTED, "in.c")]:
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
