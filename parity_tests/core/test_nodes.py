"""Networks are proved node by node: each layer on its own integers, the wiring on the whole."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    Residual,
    Sequential,
    init_weights,
    reference,
)
from convparity.analysis.proof import compare as exam
from convparity.analysis.proof.callables import compare_callables
from convparity.analysis.proof.compare import compare
from convparity.analysis.proof.data import layer_case
from convparity.analysis.proof.linear_form import filters_shape, to_filters
from convparity.analysis.proof.node_by_node import (
    calibrated,
    judge_nodes,
    node_weights,
    nodes,
    other_shape,
    run_nodes,
    smaller,
)
from convparity.analysis.proof.trust import Trust, constant, trust, weakest
from convparity.impls import networks
from convparity.impls.adapter import Placement
from convparity.impls.errors import InputError
from convparity.impls.spec import Shape, Spec, padding_pairs, walk
from convparity.impls.weights import Arrays, Weights
from parity_tests.support.numpy_framework import HERE, Module, NumpyAdapter, installed

BLOCK = Sequential(
    {
        "expand": Conv(6, 12, 1, bias=False),
        "norm": BatchNorm(12),
        "act": Activation("relu6"),
        "depthwise": DepthwiseConv(12, 3, padding="same", bias=False),
        "project": Conv(12, 6, 1),
    }
)
DEEP = Sequential(
    {
        "stem": Conv(3, 6, 3, stride=2, padding="same"),
        **{f"block{i}": Residual(BLOCK) for i in range(4)},
        "pool": GlobalAvgPool(),
        "head": Dense(6, 5),
    }
)
SHAPE = (2, 24, 20, 3)


class Wrong(NumpyAdapter):
    """A framework that puts another layer in the place of the one at ``path``."""

    def __init__(self, path: str, fault: Callable[[Any, Weights], tuple[Spec, Weights]]) -> None:
        self.path, self.fault = path, fault

    def make(self, spec: Spec, weights: Weights | None, place: Placement = HERE) -> Module:
        root = super().make(spec, weights)
        *parents, last = self.path.split(".")
        module = root
        for name in parents:
            if name not in module.children:
                return root
            module = module.children[name]
        if last in module.children:
            right = module.children[last]
            wrong, held = self.fault(right.spec, dict(right.weights))
            module.children = {**module.children, last: super().make(wrong, held)}
        return root


def swapped(name: str) -> Callable[[Spec, Weights], tuple[Spec, Weights]]:
    """Two unequal entries of one weight exchanged."""

    def fault(spec: Spec, weights: Weights) -> tuple[Spec, Weights]:
        array = weights[name].copy()
        flat = array.reshape(-1)
        other = int(np.flatnonzero(flat != flat[0])[0])
        flat[[0, other]] = flat[[other, 0]]
        return spec, {**weights, name: array}

    return fault


def fields(**changes: Any) -> Callable[[Any, Weights], tuple[Spec, Weights]]:
    return lambda spec, weights: (replace(spec, **changes), weights)


FAULTS = {
    "two taps": ("block3.body.depthwise", swapped("kernel")),
    "two weights": ("block2.body.expand", swapped("kernel")),
    "a bias": ("block3.body.project", swapped("bias")),
    "a mean": ("block3.body.norm", swapped("mean")),
    "a variance": ("block3.body.norm", swapped("variance")),
    "eps": ("block1.body.norm", fields(eps=1e-3)),
    "relu": ("block3.body.act", fields(function="relu")),
    "no activation": ("block3.body.act", lambda spec, w: (Activation("leaky_relu", 1.0), w)),
    "pads": ("stem", fields(padding=((1, 1), (1, 1)))),
    "a mode": ("block0.body.depthwise", fields(padding_mode="reflect")),
    "the head": ("head", swapped("kernel")),
}


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv(64, 8, 3), (1, 5, 6, 64)),
        (Conv(12, 6, (2, 3), groups=3, bias=False), (2, 5, 6, 12)),
        (DepthwiseConv(5, 3, depth_multiplier=2), (2, 7, 6, 5)),
        (ConvTranspose(6, 4, 3, 2), (1, 4, 5, 6)),
        (Dense(1000, 7), (2, 1000)),
    ],
)
def test_no_two_taps_of_a_filter_are_alike(layer: Any, shape: Shape) -> None:
    """Else an exchange of the two would not show."""
    (weights, x), target, seen = layer_case(layer, shape, 3)
    assert seen.ok
    assert not target.untested.any()
    filters = to_filters(layer, weights["kernel"]).reshape(-1, filters_shape(layer)[2])
    for own in filters.T:
        assert len(set(own.tolist())) == len(own)
        assert 0 not in own
    exact = reference(layer, weights, x)
    assert (np.float32(exact) == exact).all()
    half, _, _ = layer_case(layer, shape, 3, "bfloat16")  # which has no room for them
    assert abs(half[0]["kernel"]).max() <= 7


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_layer_is_seen_and_named(fault: str) -> None:
    path, wrong = FAULTS[fault]
    with installed(Wrong(path, wrong)):
        (verdict,) = compare(DEEP, frameworks=["numpy"], input_shape=SHAPE)
    assert verdict.status == "wrong"
    assert verdict.structure.layer == path
    assert path in str(verdict.structure)


def test_a_right_network_is_proved() -> None:
    with installed(NumpyAdapter()):
        (verdict,) = compare(DEEP, frameworks=["numpy"], input_shape=SHAPE)
    assert verdict.ok, verdict
    assert verdict.structure.layer == ""
    assert verdict.wiring is not None
    assert verdict.wiring.ok
    assert verdict.trust is not None
    assert verdict.trust.weights == 1
    assert verdict.trust.signal is not None
    assert verdict.trust.signal > 100


class Rewired(NumpyAdapter):
    """Every layer is right, and the whole is not what the spec says."""

    def __init__(self, whole: Callable[[Module, np.ndarray], np.ndarray]) -> None:
        self.whole = whole

    def forward(self, module: Module, x: np.ndarray) -> np.ndarray:
        return self.whole(module, x) if "stem" in module.children else super().forward(module, x)


def _without(skipped: str) -> Callable[[Module, np.ndarray], np.ndarray]:
    def whole(module: Module, x: np.ndarray) -> np.ndarray:
        for name, child in module.children.items():
            if name != skipped:
                x = child(x)
        return x

    return whole


def _exchanged(module: Module, x: np.ndarray) -> np.ndarray:
    names = ["stem", "block1", "block0", "block2", "block3", "pool", "head"]
    for name in names:
        x = module.children[name](x)
    return x


def _no_skip(module: Module, x: np.ndarray) -> np.ndarray:
    for name, child in module.children.items():
        x = child.children["body"](x) if name == "block2" else child(x)
    return x


def _recorded() -> Callable[[Module, np.ndarray], np.ndarray]:
    known: dict[Any, np.ndarray] = {}

    def whole(module: Module, x: np.ndarray) -> np.ndarray:
        return known.setdefault(x.shape[1:], module(x)[:1] + np.zeros((len(x), 1), np.float32))

    return whole


WIRINGS: dict[str, Callable[[Module, np.ndarray], np.ndarray]] = {
    "a block left out": _without("block2"),
    "two blocks exchanged": _exchanged,
    "a skip left out": _no_skip,
    "images of a batch exchanged": lambda module, x: module(x[::-1]),
    "the input ignored": lambda module, x: module(np.zeros_like(x)),
    "a constant": lambda module, x: np.zeros((len(x), 5), np.float32),
    "what it gave before": _recorded(),
}


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_wrong_wiring_of_right_layers_is_seen(wiring: str) -> None:
    with installed(Rewired(WIRINGS[wiring])):
        (verdict,) = compare(DEEP, frameworks=["numpy"], input_shape=SHAPE)
    assert verdict.structure.ok  # layer by layer
    assert verdict.wiring is not None
    assert verdict.wiring.status == "wrong"
    assert verdict.status == "wrong"
    assert "wiring" in str(verdict)


def test_what_is_right_on_the_images_asked_for_alone_is_wrong() -> None:
    """Another batch and another size tell."""

    def whole(module: Module, x: np.ndarray) -> np.ndarray:
        return module(x) if x.shape == SHAPE else module(0 * x)

    with installed(Rewired(whole)):
        (verdict,) = compare(DEEP, frameworks=["numpy"], input_shape=SHAPE)
    assert verdict.structure.ok
    assert verdict.precision.ok
    assert verdict.status == "wrong"
    assert "wiring" in str(verdict)


def test_a_layer_that_is_missing_or_fails_is_named() -> None:
    def broken(spec: Spec, weights: Weights) -> tuple[Spec, Weights]:
        return Conv(7, 12, 1, bias=False), {"kernel": np.ones((1, 1, 7, 12), np.float32)}

    found = list(nodes(DEEP, SHAPE, 0, "float32", True))
    module = build_wrong("block0.body.expand", broken, found)
    adapter = NumpyAdapter()
    module.children["block1"].children["body"].children.pop("norm")
    verdicts = dict(judge_nodes(found, run_nodes(adapter, module, found)))
    assert "fails on" in str(verdicts["block0.body.expand"])
    assert "no layer 'norm'" in str(verdicts["block1.body.norm"])
    assert verdicts["block1.body.act"].ok


def build_wrong(path: str, fault: Any, found: Any) -> Module:
    return Wrong(path, fault).make(DEEP, node_weights(found))


# ---------------------------------------------------------------- what the data are


def test_a_network_is_lit_whole() -> None:
    """Every weight of every layer matters on the layer's own data; at an odd size, too."""
    spec = networks.get("mobilenet_v1", width=0.25).spec
    found = nodes(spec, (1, 97, 97, 3), 0, "float32", True)
    assert {node.path for node in found} == {path for path, _ in walk(spec)}
    seen = weakest([node.trust for node in found])
    assert seen.ok, seen
    assert seen.weights == 1
    assert all(not node.target.untested.any() for node in found)


@pytest.mark.parametrize("size", [24, 25, 112, 113, 224])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_fewer_pixels_keep_the_padding(size: int, stride: int) -> None:
    spec = Conv(2, 2, 3, stride=stride, padding="same")
    fewer = smaller(spec, (1, size, size, 2))
    assert max(fewer[1:3]) <= 24 + 2 * stride
    assert padding_pairs(spec, (size, size)) == padding_pairs(spec, fewer[1:3])


def test_fewer_pixels_hold_the_window() -> None:
    wide = Conv(1, 1, 31, dilation=3)
    assert smaller(wide, (1, 100, 200, 1)) == (1, 92, 92, 1)
    assert smaller(Dense(4, 2), (3, 4)) == (3, 4)


def test_other_images() -> None:
    assert other_shape(DEEP, (1, 224, 224, 3)) == (2, 63, 63, 3)
    assert other_shape(DEEP, (4, 9, 8, 3)) == (3, 8, 7, 3)
    fixed = Sequential(Conv(1, 2, 3), Flatten(), Dense(2 * 6 * 6, 3))
    assert other_shape(fixed, (3, 8, 8, 1)) == (2, 8, 8, 1)


def test_calibrated_norms_send_out_values_of_size_one() -> None:
    x = np.random.default_rng(0).standard_normal((4, 24, 20, 3))
    weights = calibrated(DEEP, init_weights(DEEP, 0), x)
    body = Sequential({name: BLOCK.layers[i][1] for i, name in enumerate(["expand", "norm"])})
    start = reference(DEEP.layers[0][1], {n: weights[f"stem.{n}"] for n in ("kernel", "bias")}, x)
    inner = {
        "expand.kernel": weights["block0.body.expand.kernel"],
        "norm.scale": np.ones(12),
        "norm.offset": np.zeros(12),
        "norm.mean": weights["block0.body.norm.mean"],
        "norm.variance": weights["block0.body.norm.variance"],
    }
    y = reference(body, inner, start)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, rtol=1e-2)


# ---------------------------------------------------------------- trust


def test_trust_of_one_layer() -> None:
    conv = Conv(1, 1, 3, padding="same", bias=False)
    kernel = np.arange(1.0, 10).reshape(3, 3, 1, 1)
    corner = np.zeros((1, 3, 3, 1))
    corner[0, 0, 0] = 1  # meets the middle tap, and those right of it or below
    assert trust(conv, {"kernel": kernel}, corner).weights == 4 / 9
    assert not trust(conv, {"kernel": kernel}, corner, "a.b").ok
    assert "a.b" in str(trust(conv, {"kernel": kernel}, corner, "a.b"))
    assert trust(conv, {"kernel": kernel}, np.ones((1, 3, 3, 1))).ok
    one_pixel = trust(conv, {"kernel": kernel}, np.ones((1, 1, 1, 1)))
    assert one_pixel.ok  # eight taps meet padding at this size, whatever the data
    assert not trust(conv, {"kernel": 0 * kernel}, np.ones((1, 3, 3, 1))).ok


def test_a_weight_that_nothing_meets_is_not_trusted() -> None:
    norm = BatchNorm(2)
    w = {n: np.ones(2) for n in ("scale", "offset", "mean", "variance")}
    x = np.array([[1.0, 2.0], [1.0, 3.0]])  # the first channel is its own mean
    assert trust(norm, w, x).weights == 6 / 8
    assert trust(norm, {**w, "mean": np.zeros(2)}, x).ok
    assert trust(norm, {**w, "mean": np.zeros(2), "scale": np.array([0.0, 1])}, x).weights == 6 / 8


def test_what_never_depends_on_its_input_is_shown_by_any() -> None:
    assert constant(LayerNorm(1), (2, 1))
    assert not constant(LayerNorm(2), (2, 2))
    assert trust(LayerNorm(1), {"scale": np.ones(1), "offset": np.ones(1)}, np.ones((2, 1))).ok
    dead = Activation("relu")
    assert not constant(dead, (2, 3))
    assert trust(dead, {}, -np.ones((2, 3))).ok  # its negative passes


def test_the_least_of_several() -> None:
    found = [Trust(0.5, 1), Trust(1, 0.25, blind="a"), Trust(1, 1, blind="b")]
    assert weakest(found) == Trust(0.5, 0.25, blind="a")
    assert not weakest([Trust()], signal=0.5).ok
    assert weakest([Trust()], signal=2.0).ok
    assert weakest([], None).ok


def test_data_that_cannot_tell_are_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam, "weakest", lambda found, signal=None: Trust(0.0, 1.0, None, "stem"))
    with installed(NumpyAdapter()):
        (verdict,) = compare(DEEP, frameworks=["numpy"], input_shape=SHAPE)
    assert verdict.status == "not tested"
    assert not verdict.ok
    assert "cannot tell (stem)" in str(verdict)


# ---------------------------------------------------------------- frameworks


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LayerNorm(96, 1e-5), (2, 7, 7, 96)),
        (LayerNorm(4, 1e-6), (1, 4)),
        (GroupNorm(4, 32, 1e-5), (2, 7, 7, 32)),
        (GroupNorm(1, 8, 1e-3), (1, 5, 8)),
    ],
)
def test_an_epsilon_that_is_ten_percent_off_shows(layer: Any, shape: Shape) -> None:
    """Beside a variance of ten, none could be told from another."""
    other = replace(layer, eps=1.1 * layer.eps)

    def wrong(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return reference(other, weights, x).astype(np.float32)

    def right(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return reference(layer, weights, x).astype(np.float32)

    assert exam.judge(right, layer, input_shape=shape).ok
    assert exam.judge(wrong, layer, input_shape=shape).structure.status == "wrong"


def test_one_example_of_few_places_is_not_enough() -> None:
    (node,) = nodes(Sequential(Dense(40, 3)), (1, 40), 0, "float32", True)
    assert len(node.x) >= 8
    assert not any((node.x[:, i] == node.x[:, j]).all() for i in range(40) for j in range(i))


def test_black_boxes_get_arrays_of_their_own() -> None:
    def greedy(x: np.ndarray) -> np.ndarray:
        y = 2 * x
        x[...] = 0
        return y

    def double(x: np.ndarray) -> np.ndarray:
        return 2 * x

    def zeros(x: np.ndarray) -> np.ndarray:
        return 0 * x

    def zero_all(x: np.ndarray) -> np.ndarray:
        x[...] = 0
        return x

    assert compare_callables(greedy, double, (2, 3, 4)).ok
    assert compare_callables(zero_all, double, (2, 3, 4)).status == "wrong"
    assert compare_callables(zeros, zeros, (2, 3, 4)).status == "not tested"


def test_a_candidate_may_overwrite_what_it_is_given() -> None:
    spec = Conv(2, 3, 3)

    def candidate(spec: Spec, weights: Any, x: np.ndarray) -> np.ndarray:
        y = reference(spec, weights, x).astype(np.float32)
        x[...] = 0
        weights["kernel"][...] = 0
        return y

    assert exam.judge(candidate, spec, input_shape=(1, 6, 5, 2)).ok


@pytest.mark.parametrize(
    ("candidate", "options", "said"),
    [
        (5, {}, "cannot be called"),
        (lambda spec, w, x: None, {}, "gives is None: give an array of numbers"),
        (lambda spec, w, x: [[1], [1, 2]], {}, "gives is no array that NumPy can read"),
        (lambda spec, w, x: x, {"dtype": "int8"}, "unknown dtype 'int8'"),
        (lambda spec, w, x: x, {"seed": -1}, "seed must be"),
    ],
)
def test_what_cannot_be_judged_is_one_clear_error(candidate: Any, options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        exam.judge(candidate, Conv(2, 3, 3), input_shape=(1, 6, 5, 2), **options)
