"""First divergence: the layer that is itself wrong is named, whatever it inherited."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    init_weights,
)
from convparity.analysis.layerwise.compare import first_divergence
from convparity.analysis.proof.compare import Structure
from convparity.analysis.proof.data import integer_case
from convparity.impls.errors import InputError
from parity_tests.support.numpy_framework import Module, installed, make
from parity_tests.trials.divergence_trials import run

SPEC = Sequential(
    {
        "stem": Conv(3, 8, 3, 2, "same"),
        "norm": BatchNorm(8),
        "act": Activation("relu6"),
        "block": Residual(SeparableConv(8, 8, 3, padding="same"), Conv(8, 8, 1)),
        "drop": Dropout(0.5),
        "pool": GlobalAvgPool(),
        "dense": Dense(8, 4),
    }
)
WEIGHTS = init_weights(SPEC, 0)
SHAPE = (2, 9, 8, 3)
ORDER = [
    *("stem", "norm", "act"),
    *("block.body.depthwise", "block.body.pointwise", "block.body", "block.shortcut", "block"),
    *("drop", "pool", "dense", ""),
]


@pytest.fixture(autouse=True)
def numpy_framework() -> Iterator[None]:
    with installed():
        yield


def diverge(
    module: Any, expected: Any = (SPEC, WEIGHTS), shape: Any = SHAPE, **options: Any
) -> Any:
    return first_divergence(module, expected, input_shape=shape, **options)


def child(module: Module, path: str) -> Module:
    for name in path.split("."):
        module = module.children[name]
    return module


def test_twins_do_not_diverge() -> None:
    for module, expected in (
        (make(SPEC, WEIGHTS), (SPEC, WEIGHTS)),
        ((SPEC, WEIGHTS), make(SPEC, WEIGHTS)),
        (make(SPEC, WEIGHTS), make(SPEC, WEIGHTS)),
    ):
        found = diverge(module, expected)
        assert found.ok, found
        assert found.first is None
        assert [layer.path for layer in found.layers] == ORDER
        assert "no divergence: 12 layers" in str(found)


@pytest.mark.parametrize("path", [p for p in ORDER if p in ("stem", "block.shortcut", "dense")])
def test_a_wrong_weight_is_named_where_it_is(path: str) -> None:
    weights = dict(WEIGHTS)
    kernel = weights[f"{path}.kernel"] = weights[f"{path}.kernel"].copy()
    kernel.flat[3] += np.float32(0.25)
    found = diverge(make(SPEC, weights))
    assert found.first.path == path
    assert f"1 of {kernel.size} in kernel, worst kernel[" in str(found)
    wrong = {layer.path for layer in found.layers if layer.state == "WRONG"}
    inherited = {layer.path for layer in found.layers if layer.state == "inherited"}
    assert wrong == {path}
    assert inherited == {"", *({"block"} & {path.partition(".")[0]})}
    before = ORDER.index(path)
    assert all(layer.inherited < 1e-6 for layer in found.layers[: before + 1])
    assert found.layers[-2].own_error < 1e-5 or path == "dense"


def test_a_weight_is_seen_where_no_output_shows_it() -> None:
    """At the last of a deep network's layers the picture is one pixel, and one tap counts."""
    spec = Conv(2, 2, 3, padding="same", bias=False)
    weights = init_weights(spec, 0)
    corner = {"kernel": weights["kernel"].copy()}
    corner["kernel"][0, 0] += 1
    found = diverge(make(spec, corner), (spec, weights), (1, 1, 1, 2))
    assert found.first.own.ok
    assert found.first.path == ""
    assert "weights differ: 4 of 36 in kernel" in str(found)


def test_one_rounding_of_a_weight_is_no_divergence() -> None:
    weights = dict(WEIGHTS)
    weights["dense.kernel"] = np.nextafter(weights["dense.kernel"], np.float32(9))
    found = diverge(make(SPEC, weights))
    assert found.ok
    (noted,) = [layer for layer in found.layers if layer.weight_difference]
    assert noted.path == "dense"


def test_a_wrong_spec_is_said() -> None:
    wrong = dict(SPEC.children)
    wrong["stem"] = replace(wrong["stem"], padding=1)
    found = diverge(make(Sequential(wrong), WEIGHTS), shape=(1, 8, 8, 3))
    assert found.first.path == "stem"
    assert "spec differs: padding is ((1, 1), (1, 1)), not 'same'" in str(found)
    odd = diverge(make(Sequential(wrong), WEIGHTS), shape=(1, 9, 9, 3))
    assert odd.ok  # an odd size needs as much on both sides
    assert odd.layers[0].spec_difference is not None


def test_a_clipped_activation_is_seen_though_no_value_reaches_it() -> None:
    spec = Sequential(Conv(2, 2, 1, bias=False), Activation("relu"))
    weights = {"0.kernel": np.full((1, 1, 2, 2), 1e-3, np.float32)}
    six = Sequential(spec.children[0][1], Activation("relu6"))
    found = diverge(make(six, weights), (spec, weights), (1, 3, 3, 2))
    assert found.first.path == "1"
    assert found.first.own.ok
    assert "on integers" in str(found)


def test_the_first_of_two_is_named_and_both_are_wrong() -> None:
    weights = dict(WEIGHTS)
    for name in ("norm.offset", "block.body.pointwise.kernel"):
        weights[name] = weights[name] * np.float32(1.5)
    found = diverge(make(SPEC, weights))
    assert found.first.path == "norm"
    wrong = [layer.path for layer in found.layers if layer.state == "WRONG"]
    assert wrong == ["norm", "block.body.pointwise"]


def test_integers_are_judged_exactly() -> None:
    rounds = ("norm", "pool", "dense")  # a root and a mean, and what takes the mean
    spec = Sequential({name: part for name, part in SPEC.children if name not in rounds})
    weights, x = integer_case(spec, (1, 8, 8, 3), 0)
    found = first_divergence(make(spec, weights), (spec, weights), x)
    assert found.ok
    for layer in found.layers:
        assert isinstance(layer.own, Structure)
        assert str(layer.own) == "exact"


@pytest.mark.parametrize("path", ["block", "block.body", ""])
def test_layers_put_together_wrongly(path: str) -> None:
    """Every layer is right, and the code around them is not."""
    module = make(SPEC, WEIGHTS)
    composite = child(module, path) if path else module
    right = make(*_part(path))
    composite.code = lambda x: right(x) * np.float32(2)
    found = diverge(module)
    assert found.first.path == path
    assert found.first.kind == {"block": "Residual", "block.body": "SeparableConv"}.get(
        path, "Sequential"
    )


def _part(path: str) -> tuple[Any, Any]:
    spec, weights = SPEC, WEIGHTS
    for name in filter(None, path.split(".")):
        spec = dict(spec.children)[name]
        weights = {k.partition(".")[2]: w for k, w in weights.items() if k.startswith(name + ".")}
    return spec, weights


def test_a_layer_of_code_of_its_own_is_judged_by_its_output() -> None:
    module = make(SPEC, WEIGHTS)
    child(module, "norm").code = lambda x: x
    found = diverge(module)
    assert found.first.path == "norm"
    assert "its code is its own" in str(found)


def test_a_layer_that_fails_is_the_divergence() -> None:
    module = make(SPEC, WEIGHTS)

    def fails(x: np.ndarray) -> np.ndarray:
        raise RuntimeError("shapes do not match\nsecond line")

    child(module, "act").code = fails
    found = diverge(module)
    assert found.first.path == "act"
    assert "it fails on (2, 5, 4, 8): RuntimeError: shapes do not match" in str(found)
    assert found.layers[-2].own.ok  # the layers after it are judged all the same
    assert found.layers[-2].inherited is None


def test_nan_weights_are_named() -> None:
    module = make(SPEC, WEIGHTS)
    child(module, "norm").weights["mean"] = np.full(8, np.nan, np.float32)
    found = diverge(module)
    assert found.first.path == "norm"
    assert "NaN" in str(found)


def test_an_expected_module_that_errs_is_suspected() -> None:
    """Its spec can be read, and what it computes is something else."""
    liar = make(SPEC, WEIGHTS)
    act = child(liar, "act")
    act.__class__ = type("Liar", (Module,), {"__call__": lambda self, x: x})
    found = diverge(make(SPEC, WEIGHTS), liar)
    assert found.first is None
    assert found.suspect.path == "act"
    assert not found.ok
    assert "the expected numpy is itself wrong at act (Activation)" in str(found)


def test_one_layer_alone() -> None:
    spec = DepthwiseConv(3, 3, padding="same")
    weights = init_weights(spec, 0)
    assert diverge(make(spec, weights), (spec, weights)).ok
    flipped = {**weights, "kernel": weights["kernel"][::-1]}
    found = diverge(make(spec, flipped), (spec, weights))
    assert found.first.name == "the whole"
    assert len(found.layers) == 1


# ---------------------------------------------------------------- alignment


def renamed(spec: Any, weights: Any) -> tuple[Any, Any]:
    """The same layers in one flat row, without the dropout, under other names."""
    parts = [part for name, part in spec.children if name != "drop"]
    flat = Sequential(parts)
    names = [name for name, _ in spec.children if name != "drop"]
    new = {
        f"{names.index(name.partition('.')[0])}.{name.partition('.')[2]}": weights[name]
        for name in weights
    }
    return flat, new


def test_other_names_are_aligned_by_order_and_kind() -> None:
    flat, weights = renamed(SPEC, WEIGHTS)
    for pair in (((flat, weights), (SPEC, WEIGHTS)), ((SPEC, WEIGHTS), (flat, weights))):
        assert diverge(*pair).ok
    weights["5.bias"] = weights["5.bias"] + np.float32(1)
    found = diverge((flat, weights))
    assert found.first.path == "dense"
    assert "dense (there 5)" in str(found)


def test_nested_layers_are_aligned_with_a_flat_row() -> None:
    conv, act = Conv(3, 3, 1), Activation("relu")
    nested = Sequential({"a": Sequential({"c": conv, "r": act}), "b": Sequential({"c": conv})})
    flat = Sequential(conv, act, conv)
    weights = init_weights(nested, 0)
    same = dict(zip(convparity.parameter_shapes(flat), weights.values(), strict=True))
    assert diverge((flat, same), (nested, weights)).ok
    assert diverge((nested, weights), (flat, same)).ok


def test_a_depthwise_convolution_may_be_a_grouped_one() -> None:
    depthwise = DepthwiseConv(3, 3, depth_multiplier=2)
    grouped = Conv(3, 6, 3, groups=3)
    weights = init_weights(depthwise, 0)
    same = {**weights, "kernel": weights["kernel"].reshape(3, 3, 1, 6)}
    found = diverge((grouped, same), (depthwise, weights))
    assert found.ok
    assert found.layers[0].spec_difference is None
    same["kernel"] = same["kernel"][..., [0, 2, 4, 1, 3, 5]]  # multiplier-major
    assert "kernel" in str(diverge((grouped, same), (depthwise, weights)))


def test_a_missing_layer_is_one_error_that_says_where() -> None:
    parts = [(n, part) for n, part in SPEC.children if n != "act"]
    less = Sequential(dict(parts))
    with pytest.raises(InputError) as error:
        diverge((less, WEIGHTS))
    assert "reference has Residual 'block' where reference has Activation 'act'" in str(error.value)
    with pytest.raises(InputError, match="no more layers where reference has Dense 'dense'"):
        diverge(
            (Sequential(dict(parts[:-1])), init_weights(Sequential(dict(parts[:-1])), 0)),
            (less, WEIGHTS),
        )


def test_a_missing_shortcut_is_an_error() -> None:
    spec = Residual(Conv(3, 3, 1), Conv(3, 3, 1))
    less = Residual(Conv(3, 3, 1))
    with pytest.raises(InputError, match=r"Residual of body,? .*Residual of body, shortcut"):
        diverge((less, init_weights(less, 0)), (spec, init_weights(spec, 0)))


def test_bad_questions() -> None:
    with pytest.raises(InputError, match="input_shape"):
        first_divergence((SPEC, WEIGHTS), (SPEC, WEIGHTS))
    with pytest.raises(InputError, match="dtype"):
        diverge((SPEC, WEIGHTS), dtype="float23")
    with pytest.raises(convparity.SpecError):
        diverge((SPEC, WEIGHTS), shape=(1, 9, 9, 4))
    with pytest.raises(convparity.WeightError):
        diverge((SPEC, {}))
    opaque = make(SPEC, WEIGHTS)
    opaque.code = lambda x: x
    with pytest.raises(convparity.UnsupportedError):
        diverge((SPEC, WEIGHTS), opaque)


def test_everything_as_json() -> None:
    spec = Sequential(Conv(3, 2, 3), Flatten())
    found = diverge(make(spec, init_weights(spec, 1)), (spec, init_weights(spec, 0)))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["first"] == "0"
    assert [row["path"] for row in data["layers"]] == ["0", "1", ""]
    assert data["layers"][0]["own_error"] > 0.01


# ---------------------------------------------------------------- trials


def test_a_fault_in_one_layer_of_mobilenet_v1() -> None:
    result = run(10, 0, width=0.125, size=32, frameworks=("numpy",))
    assert result.misses == ()
    assert (result.named, result.alarms) == (10, 0)
    assert result.faults > 5
