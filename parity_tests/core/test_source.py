"""Values that a network holds by itself: how they are said, and what they mean in a graph."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Add,
    Concat,
    Constant,
    Conv,
    Dense,
    Graph,
    LayerNorm,
    Multiply,
    Parameter,
    Rearrange,
    Residual,
    Sequential,
    Spec,
    SpecError,
    from_json,
    from_line,
    init_weights,
    judge,
    layer_costs,
    output_shape,
    parameter_shapes,
    reference,
    to_json,
    to_line,
    total_cost,
)
from convparity.analysis.faults import FAULTS, seed
from convparity.analysis.proof.backward import backward
from convparity.analysis.proof.input_shapes import fitting_shapes
from convparity.impls.errors import UnsupportedError
from convparity.impls.weights import check_fills

# the head of a vision transformer (arXiv 2010.11929): patches, positions, a token in front
TOKENS = Graph(
    {
        "stem": (Conv(3, 4, 2, 2), "x"),
        "pos": (Parameter((3, 3, 4)),),
        "placed": (Add(), "stem", "pos"),
        "tokens": (Rearrange("n h w c -> n (h w) c"), "placed"),
        "cls": (Parameter((1, 4)),),
        "all": (Concat(1), "cls", "tokens"),
        "norm": (LayerNorm(4), "all"),
        "gamma": (Parameter((1, 4)),),
        "scaled": (Multiply(), "norm", "gamma"),
        "mask": (Constant(np.arange(1, 11)[:, None] / 4),),
        "masked": (Multiply(), "scaled", "mask"),
        "head": (Dense(4, 2), "masked"),
    }
)
SHAPE = (2, 6, 6, 3)


def right(spec: Spec, weights: Any, x: Any) -> Any:
    return reference(spec, weights, x).astype(np.float32)


def test_they_take_no_value_and_are_there_for_every_example() -> None:
    assert output_shape(TOKENS, SHAPE) == (2, 10, 2)
    assert parameter_shapes(TOKENS)["cls.value"] == (1, 4)
    assert TOKENS.said["pos"] == (Parameter((3, 3, 4)),)
    net = Graph({"pos": (Parameter(2),), "sum": (Add(), "x", "pos")})
    y = reference(net, {"pos.value": np.array([10, 20])}, np.array([[1, 2], [3, 4], [5, 6]]))
    assert y.tolist() == [[11, 22], [13, 24], [15, 26]]
    token = Graph({"cls": (Constant([[7]]),), "all": (Concat(1), "cls", "x")})
    y = reference(token, {}, np.array([[[1], [2]], [[3], [4]]]))
    assert y[..., 0].tolist() == [[7, 1, 2], [7, 3, 4]]
    short = Residual(Parameter((2, 1)))
    y = reference(short, {"body.value": np.array([[10], [20]])}, np.array([[[1], [2]]]))
    assert y.ravel().tolist() == [11, 22]


def test_its_text_forms() -> None:
    assert from_json(to_json(TOKENS)) == TOKENS
    assert from_line(to_line(TOKENS, SHAPE)) == (TOKENS, SHAPE)
    for spec in (Parameter(5), Parameter((3, 4)), Constant([1, 0.1, -2]), Constant([[1], [2]])):
        assert from_line(to_line(spec))[0] == from_json(to_json(spec)) == spec
        assert hash(spec) == hash(from_json(to_json(spec)))
        assert eval(repr(spec)) == spec
    assert Constant(np.float32([[1, 2]])) == Constant([1, 2], (1, 2)) == Constant(((1, 2),))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph({"p": (Parameter(3), "x"), "s": (Add(), "p", "x")}), "takes no value"),
        (lambda: Graph({"p": (Parameter(3),), "s": (Activation("relu"), "p")}), "'x' leads to no"),
        (lambda: Graph({"p": (Parameter(3),), "s": (Activation("relu"), "x")}), "'p' leads to no"),
        (lambda: Graph({"r": (Activation("relu"),)}), "a tuple of a spec and"),
        (lambda: Parameter(()), "shape has 1 to 4 sizes"),
        (lambda: Parameter((1, 2, 3, 4, 5)), "shape has 1 to 4 sizes"),
        (lambda: Parameter((2, 0)), "shape must be"),
        (lambda: Parameter("ab"), "shape"),  # type: ignore[arg-type]
        (lambda: Constant([[1, 2], [3]]), "unevenly"),
        (lambda: Constant([[1, 2], 3]), "nested evenly"),  # type: ignore[list-item]
        (lambda: Constant([]), "1 to 4,096 numbers"),
        (lambda: Constant(range(5000)), "1 to 4,096 numbers"),
        (lambda: Constant([1, 2], (3,)), "do not fill"),
        (lambda: Constant([float("nan")]), "finite"),
        (lambda: Constant("12"), "must be a number"),  # type: ignore[arg-type]
    ],
)
def test_what_is_none_is_refused(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_a_constant_that_the_dtype_lacks_is_refused() -> None:
    check_fills(Constant([1e5]), "float32")
    with pytest.raises(UnsupportedError, match="gives -1e"):
        check_fills(Constant([1, -1e5]), "float16")


def test_costs_gradients_and_shapes() -> None:
    by_path = {cost.path: cost for cost in layer_costs(TOKENS, SHAPE)}
    assert (by_path["pos"].macs, by_path["pos"].parameters, by_path["mask"].parameters) == (
        0,
        36,
        0,
    )
    assert total_cost(TOKENS, SHAPE).parameters == sum(
        int(np.prod(shape)) for shape in parameter_shapes(TOKENS).values()
    )
    net = Graph({"pos": (Parameter((5, 2)),), "sum": (Multiply(), "x", "pos")})
    x = np.random.default_rng(0).integers(-3, 4, (3, 5, 2)).astype(float)
    found = backward(net, init_weights(net, 0), x, np.ones(x.shape))
    np.testing.assert_array_equal(found.by_weight["pos.value"], x.sum(axis=0))
    assert fitting_shapes(Residual(Parameter((9, 2, 3)))) == ((2, 9, 2, 3),)


def test_a_black_box_is_proved_and_each_parameter_is_lit() -> None:
    assert judge(right, TOKENS, input_shape=SHAPE).ok
    chain = Sequential(Conv(3, 4, 3), Residual(Parameter((4, 5, 4))), Activation("relu"))
    assert judge(right, chain, input_shape=(2, 6, 7, 3)).ok
    for path in ("pos", "cls", "gamma"):

        def wrong(spec: Spec, weights: Any, x: Any, path: str = path) -> Any:
            name = f"{path}.value"
            return right(spec, {**weights, name: np.roll(weights[name], 1, axis=-1)}, x)

        verdict = judge(wrong, TOKENS, input_shape=SHAPE)
        assert verdict.status == "wrong"
        assert verdict.structure.problem is None or path in str(verdict)
    inner = Graph(
        {
            "shift": (Constant([1, 2, 3, 4]),),
            "own": (Parameter(4),),
            "deep": (Dense(4, 4), "x"),
            "sum": (Add(), "deep", "own", "shift"),
        }
    )
    nested = Sequential(Dense(3, 4), inner, Activation("relu"), inner, Dense(4, 2))
    assert judge(right, nested, input_shape=(9, 3)).ok
    without = dict(TOKENS.said)
    without["mask"] = (Constant(np.arange(1, 11)[::-1, None] / 4),)
    verdict = judge(lambda _, w, x: right(Graph(without), w, x), TOKENS, input_shape=SHAPE)
    assert verdict.status == "wrong"


@pytest.mark.parametrize(
    ("name", "spec", "fits"),
    [
        ("source-01", Parameter(3), True),
        ("source-02", Parameter((3, 4, 3)), True),
        ("source-02", Parameter((1, 1)), False),
        ("source-03", Constant([1 / 3, 1]), True),
        ("source-03", Constant([0.25, 1]), False),
    ],
)
def test_its_faults_change_it(name: str, spec: Spec, fits: bool) -> None:
    faulty = seed(spec, (2, 7), FAULTS[name])
    assert (faulty is not None) == fits
    if faulty is not None:
        weights, x = init_weights(spec, 0), np.ones((2, 7), np.float32)
        assert (faulty.output(right, weights, x) != right(spec, weights, x)).any()
