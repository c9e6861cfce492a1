"""Values that a network holds by itself, natively: built, read, trained, converted, checked."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Add,
    Concat,
    Constant,
    Conv,
    Graph,
    Multiply,
    Parameter,
    Rearrange,
    Spec,
    check,
    compare,
    convert,
    describe,
    dump,
    init_weights,
    judge,
)
from convparity.analysis.proof.backward import backward
from convparity.analysis.proof.rounded import round_to
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run

TOKENS = Graph(
    {
        "stem": (Conv(3, 4, 2, 2), "x"),
        "pos": (Parameter((3, 3, 4)),),
        "placed": (Add(), "stem", "pos"),
        "tokens": (Rearrange("n h w c -> n (h w) c"), "placed"),
        "cls": (Parameter((1, 4)),),
        "all": (Concat(1), "cls", "tokens"),
        "gamma": (Parameter((1, 4)),),
        "scaled": (Multiply(), "all", "gamma"),
        "mask": (Constant(np.arange(1, 11)[:, None] / 4),),
        "masked": (Multiply(), "scaled", "mask"),
        "last": (Conv(4, 2, 3, rank=1), "masked"),
    }
)
SHAPE = (2, 6, 6, 3)


def integers(spec: Spec) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(-3, 4, each.shape).astype(np.float32)
        for name, each in init_weights(spec, 0).items()
    }


def test_output_and_gradients(adapter: Adapter) -> None:
    """On integers, so that every bit counts."""
    weights = integers(TOKENS)
    module = adapter.build(TOKENS, weights)
    assert adapter.describe(module) == TOKENS
    for name, each in adapter.dump(module).items():
        np.testing.assert_array_equal(each, weights[name])
    rng = np.random.default_rng(1)
    for n in (2, 3):
        x = rng.integers(-4, 5, (n, *SHAPE[1:])).astype(np.float32)
        y = run(TOKENS, weights, x.astype(float))
        np.testing.assert_array_equal(adapter.apply(module, TOKENS, x), y)
        g = rng.integers(-4, 5, y.shape).astype(np.float32)
        by_x, by_weight = adapter.backward(module, x, g)
        found = backward(TOKENS, weights, x, g)
        np.testing.assert_array_equal(by_x, found.by_x)
        for name, each in found.by_weight.items():
            np.testing.assert_array_equal(by_weight[name], each)


def test_it_is_proved_as_a_whole_and_as_a_black_box(adapter: Adapter) -> None:
    (verdict,) = compare(TOKENS, input_shape=SHAPE, frameworks=[adapter.name])
    assert verdict.ok, verdict

    def candidate(spec: Spec, weights: Any, x: Any) -> Any:
        return adapter.apply(adapter.build(spec, weights), spec, x)

    assert judge(candidate, TOKENS, input_shape=SHAPE).ok


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_constant_is_rounded_to_the_dtype(adapter: Adapter, dtype: str) -> None:
    values = np.array([1 / 3, 0.1, 2])
    spec = Graph({"third": (Constant(values),), "times": (Multiply(), "x", "third")})
    module = adapter.build(spec, {}, dtype=dtype)
    y = adapter.apply(module, spec, round_to(np.ones((2, 3)), dtype))
    expected = np.tile(round_to(values, dtype), (2, 1))
    np.testing.assert_array_equal(y, round_to(expected, str(y.dtype)))


def test_modules_are_converted_and_checked() -> None:
    import torch

    module = registry.get("pytorch").build(TOKENS, init_weights(TOKENS, 0))
    assert module.state_dict()["pos.value"].shape == (4, 3, 3)
    x = torch.randn(2, 3, 6, 6)
    assert describe(module, x) == TOKENS
    for framework in registry.FRAMEWORKS:
        twin = convert(module, to=framework, inputs=x)
        assert describe(twin) == TOKENS
        answer = check(module, twin, x)
        assert answer.ok, answer
        other = dump(module)
        other["gamma.value"] = other["gamma.value"] * 2
        wrong = registry.get(framework).build(TOKENS, other)
        assert check(module, wrong, x).first == "gamma"
