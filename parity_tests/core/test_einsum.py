"""Sums of products along named axes: by hand, their bounds, and what is refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Einsum,
    Graph,
    SpecError,
    from_json,
    judge,
    output_shape,
    reference,
    to_json,
    total_cost,
)
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import run
from parity_tests.support.executor import Arithmetic, Executor
from parity_tests.support.oracle import joined

A, B = np.array([[[1.0, 2], [3, 4]]]), np.array([[[5.0, 6], [7, 8]]])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("n i j, n j k -> n i k", [[[19, 22], [43, 50]]]),
        ("n i j, n j k -> n k i", [[[19, 43], [22, 50]]]),
        ("n q c, n k c -> n q k", [[[17, 23], [39, 53]]]),
        ("n i j, n i j -> n i", [[17, 53]]),
        ("n i j, n k l -> n i", [[78, 182]]),  # axes that one value has alone are summed, too
    ],
)
def test_by_hand(pattern: str, expected: Any) -> None:
    spec = Einsum(pattern)
    assert run(spec, {}, A, B).tolist() == expected
    assert joined(spec, [A, B]).tolist() == expected
    assert from_json(to_json(spec)) == spec
    assert output_shape(Graph({"y": (spec, "a", "b")}, ("a", "b")), A.shape, B.shape) == np.shape(
        expected
    )


def test_a_pattern_has_one_form() -> None:
    assert Einsum(" n q c ,n k c->n q  k") == Einsum("n q c, n k c -> n q k")
    assert repr(Einsum("n q c,n k c->n q k")) == "Einsum(pattern='n q c, n k c -> n q k')"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (7, "pattern must be a text"),
        ("n q c -> n q", "it has the form"),
        ("n c, n c, n c -> n c", "it has the form"),
        ("n c, m c -> n c", "the batch, which has one name"),
        ("n c, n c -> c n", "the batch, which has one name"),
        ("n c c, n c -> n c", "once in each value"),
        ("n c, n c -> n d", "no value has the axis 'd'"),
        ("n (h w), n h -> n w", "a name of letters"),
        ("n ... c, n c -> n c", "a name of letters"),
        ("n c, n c -> n", "an axis besides the batch"),
    ],
)
def test_what_a_pattern_cannot_be(pattern: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Einsum(pattern)


def test_what_does_not_fit() -> None:
    spec = Einsum("n q c, n k c -> n q k")
    with pytest.raises(SpecError, match="the axis 'c' has the sizes 4 and 5"):
        spec.output_shape((1, 2, 4), (1, 2, 5))
    with pytest.raises(SpecError, match="a value of 3 axes is meant"):
        spec.output_shape((1, 2, 4), (1, 4))


def test_its_cost_is_that_of_its_products() -> None:
    graph = Graph({"y": (Einsum("n q c, n k c -> n q k"), "a", "b")}, ("a", "b"))
    assert total_cost(graph, (2, 5, 8), (2, 7, 8)).macs == 2 * 5 * 7 * 8


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.1])
@pytest.mark.parametrize(
    "pattern", ["n i j, n j k -> n i k", "n i j, n j k -> n i", "n i j, n j k -> n i j k"]
)
def test_no_error_is_beyond_its_bound(pattern: str, share: float) -> None:
    rng = np.random.default_rng(0)
    spec, arrays = Einsum(pattern), []
    for shape in ((2, 5, 40), (2, 40, 3)):
        x = rng.standard_normal(shape).astype(np.float32).astype(np.float64)
        arrays.append((x, share * abs(x)))
    basis = "proved" if share else "exact"
    traced = [dataclasses.replace(exact_input(x), bound=e, basis=basis) for x, e in arrays]
    target = trace(spec, {}, *traced)
    for how in (Arithmetic(), Arithmetic(order="reversed", fused=True), Arithmetic(order="random")):
        moved = [
            (x + 0.98 * e * rng.choice([-1, 1], x.shape)).astype(np.float32) for x, e in arrays
        ]
        y = Executor(how).run(spec, {}, *moved)
        error = abs(y - target.value)
        assert (error <= target.bound).all(), str(how)
        assert share == 0 or error.max() > 1e-3 * target.bound.max()
    ints = [exact_input(rng.integers(-7, 8, x.shape)) for x, _ in arrays]
    assert trace(spec, {}, *ints).exact


ATTENTION = Graph(
    {
        "scores": (Einsum("n q c, n k c -> n q k"), "x", "x"),
        "weights": (Activation("softmax"), "scores"),
        "y": (Einsum("n q k, n k c -> n q c"), "weights", "x"),
    }
)


def test_attention_is_judged() -> None:
    def right(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        return reference(spec, weights, x).astype(np.float32)

    def turned(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        scores = np.exp(x @ x.swapaxes(1, 2) - (x @ x.swapaxes(1, 2)).max(1, keepdims=True))
        y: np.ndarray = (scores / scores.sum(1, keepdims=True)) @ x
        return y.astype(np.float32)

    assert judge(right, ATTENTION, input_shape=(2, 4, 3)).status != "wrong"
    assert judge(turned, ATTENTION, input_shape=(2, 4, 3)).status == "wrong"
