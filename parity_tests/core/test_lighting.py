"""A black box that takes weights is lit one layer at a time."""

import dataclasses
import itertools

import numpy as np
import pytest

from convparity import judge
from convparity.analysis.faults import Faulty
from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.black_box import lit_structure
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.lighting import Lights
from convparity.analysis.proof.pass_through import Passing
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.proof.smaller_shapes import near_shapes
from convparity.impls import networks
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Clamp,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    Identity,
    LayerNorm,
    Sequential,
    walk,
)
from parity_tests.trials.doubles import DOUBLES
from parity_tests.trials.lighting_trials import Cached, black_box, cheat, rounded, run_trials, sees
from parity_tests.trials.trial_networks import LARGE, zoo

SMALL = {name: net for name, net in zoo().items() if name not in LARGE}
# Where functions are smooth, or norms lie between, some weights change the output too little.
FAINT = ("LayerNorm and GroupNorm", "tanh and sigmoid", "no norms, SiLU", "SiLU")


@pytest.mark.parametrize("name", SMALL)
def test_right_ones_are_called_right_and_everything_is_lit(name):
    spec, shape = SMALL[name]
    lights = Lights(spec, shape)
    double = DOUBLES["folded"]
    for target in lights.targets:
        for lighting in lights.of(target):
            for right in (rounded, double):
                output = right(spec, lighting.weights, lighting.x)
                assert structure(output, lighting.target).wrong == 0, (target, right)
    for path, why in lights.unlit.items():
        assert name in FAINT or "places that meet" in why, (path, why)


@pytest.mark.parametrize("name", SMALL)
def test_a_fault_in_any_layer_is_seen(name):
    assert run_trials(12, 5, name).misses == []


@pytest.mark.parametrize("name", ["ResNet", "VGG", "one dimension", "SiLU"])
def test_what_does_not_look_at_its_input_is_wrong(name):
    spec, shape = SMALL[name]
    for how in ("input", "constant"):

        def candidate(spec, weights, x, how=how):
            return cheat(spec, weights, x, how)

        assert lit_structure(candidate, spec, shape, 0, "float32", True).status == "wrong"
    assert lit_structure(Cached(), spec, shape, 0, "float32", True).status == "wrong"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (Activation("relu"), Activation("relu6")),
        (Activation("relu6"), Activation("relu")),
        (Clamp(-1, 3), Clamp(-1)),
        (Clamp(-1, 3), Clamp(None, 3)),
        (Activation("hard_shrink", 0.5), Identity()),
    ],
)
def test_what_is_lit_tells_where_a_function_bends(right, wrong):
    for seed in range(10):
        layers = [Conv(3, 6, 3), BatchNorm(6), right, Conv(6, 4, 3, 2, 1)]
        spec = Sequential(layers)
        lights = Lights(spec, (1, 16, 16, 3), seed)
        norm = lights.targets[1]
        drawn = list(lights.of(norm))
        assert lights.path(norm) == "1"
        assert "1" not in lights.unlit
        candidate = black_box("2", Faulty(wrong, "another function"))
        assert any(sees(each, spec, candidate) for each in drawn), seed


def test_any_two_filters_are_told_apart():
    """Where six channels go on as four, some meet in one: not always the same ones."""
    spec, shape = zoo()["one dimension"]
    lights = Lights(spec, shape, 0)
    drawn = list(lights.of(lights.targets[0]))
    layer = dict(spec.children)["0"]
    for a, b in itertools.combinations(range(layer.out_channels), 2):

        def exchanged(y, a=a, b=b):
            y = y.copy()
            y[..., [a, b]] = y[..., [b, a]]
            return y

        candidate = black_box("0", Faulty(layer, "two filters exchanged", after=exchanged))
        assert any(
            structure(candidate(spec, each.weights, each.x), each.target).wrong for each in drawn
        ), (a, b)


def test_judge_names_the_layer():
    spec, shape = SMALL["ResNet"]
    assert judge(rounded, spec, input_shape=shape).structure.status == "ok"

    moved = dict(walk(spec))["6.body.0"]
    wrong = black_box("6.body.0", Faulty(dataclasses.replace(moved, padding="same"), "SAME"))
    assert judge(wrong, spec, input_shape=shape).structure.layer == "6.body.0"
    found = lit_structure(wrong, spec, shape, 0, "float32", True)
    assert found.layer == "6.body.0"
    assert str(found).startswith("6.body.0: ")


def test_what_is_not_lit_is_named():
    spec = Sequential(Conv(2, 64, 3), Activation("relu"), GlobalAvgPool(), Dense(64, 1))
    verdict = lit_structure(rounded, spec, (1, 9, 9, 2), 0, "bfloat16", True)
    assert verdict.status != "ok"
    untouched = Lights(spec, (1, 9, 9, 2))
    assert untouched.unlit == {"0": "not lit", "3": "not lit"}


def test_a_deep_network_is_lit_from_end_to_end():
    network = networks.get("efficientnet_lite0", classes=10)
    lights = Lights(network.spec, (1, 32, 32, 3))
    for target in (0, lights.targets[20], lights.targets[-1]):
        values = 0
        for lighting in lights.of(target):
            output = rounded(network.spec, lighting.weights, lighting.x)
            assert structure(output, lighting.target).status != "wrong"
            values = max(values, len(np.unique(output)))
        assert values > 5  # the signal lives


def test_shapes_are_near():
    spec = Sequential(Conv(3, 4, 3, 2, "same"), Conv(4, 4, 3, 2, "same"))
    even, odd = near_shapes(spec, (1, 224, 224, 3))
    assert even[1] % 4 == 0
    assert odd[1] % 2 == 1
    assert max(even) < 16


SELECTED = [
    (Conv(8, 12, 3, 2, "same", groups=2), (2, 7, 6, 8)),
    (Conv(12, 4, 1), (2, 3, 3, 12)),
    (DepthwiseConv(6, 5, 2, 2, depth_multiplier=2, padding_mode="reflect"), (2, 9, 8, 6)),
    (Dense(9, 4), (3, 9)),
    (Dense(4, 9), (3, 4)),
    (ConvTranspose(4, 6, 4, 2, 1, groups=2), (2, 4, 5, 4)),
    (Conv(4, 4, 3, padding="causal", dilation=2, rank=1), (2, 7, 4)),
]


@pytest.mark.parametrize(("spec", "shape"), SELECTED)
@pytest.mark.parametrize("after", [True, False])
def test_choosing_filters_are_the_layer(spec, shape, after):
    """The short way gives the values, bounds and gradients of the long one."""
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, shape).astype(float)
    passing = Passing(rng, after, signs=True)
    chosen, _ = passing.select(spec, [x], np.arange(shape[-1]), (0.0, 6.0))
    weights = chosen.weights
    assert (chosen.run(x) + chosen.bias == run(spec, weights, x)).all()
    bound = rng.random(shape) * 1e-6
    given = dataclasses.replace(exact_input(x), bound=bound, basis="proved")
    short, long = chosen.trace(given), trace(spec, weights, given)
    assert short.unit == long.unit
    reorder = x.size * np.finfo(float).eps  # what sums of so many numbers may differ by
    np.testing.assert_allclose(short.bound, long.bound, rtol=reorder)
    g = rng.standard_normal(short.value.shape)
    expected = adjoint(spec, weights, [x], g).inputs[0]
    summed = adjoint(spec, {n: abs(w) for n, w in weights.items()}, [x], abs(g)).inputs[0]
    assert (abs(chosen.back(shape, g) - expected) <= reorder * summed).all()


def test_a_layer_norm_is_lit_near_its_epsilon():
    spec = Sequential(Conv(3, 8, 3), LayerNorm(8, 1e-5), Conv(8, 4, 1))

    other = black_box("1", Faulty(LayerNorm(8, 1e-6), "another epsilon"))
    found = lit_structure(other, spec, (1, 8, 8, 3), 0, "float32", True)
    assert found.status == "wrong"
