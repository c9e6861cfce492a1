"""The standard networks have the counts that their papers print, and names that map to releases."""

import math
import re

import pytest

from convparity.analysis.cost.counting import layer_costs, total_cost
from convparity.impls import networks
from convparity.impls.errors import InputError, SpecError
from convparity.impls.networks.efficientnet_lite import released_name
from convparity.impls.spec import (
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Residual,
    SeparableConv,
    output_shape,
    parameter_shapes,
    walk,
)


def prints_as(exact: float, digits: str) -> bool:
    """Whether ``exact`` rounds or truncates to the digits that a paper prints."""
    scale = 10 ** len(digits.partition(".")[2])
    return float(digits) * scale in (round(exact * scale), math.floor(exact * scale))


@pytest.mark.parametrize(
    ("options", "macs", "trainable", "million_macs", "million_parameters"),
    [
        ({}, 568_740_352, 4_231_976, "569", "4.2"),
        ({"shallow": True}, 307_323_392, 2_887_976, "307", "2.9"),
        ({"width": 0.75}, 325_400_448, 2_585_560, "325", "2.6"),
        ({"width": 0.5}, 149_497_088, 1_331_592, "149", "1.3"),
        ({"width": 0.25}, 41_030_272, 470_072, "41", "0.5"),
    ],
)
def test_mobilenet_v1_has_the_counts_of_its_paper(
    options, macs, trainable, million_macs, million_parameters
):
    _, spec, input_shape = networks.get("mobilenet_v1", **options)
    cost = total_cost(spec, input_shape)
    assert (cost.macs, cost.parameters) == (macs, trainable)
    assert prints_as(macs / 1e6, million_macs)
    assert prints_as(trainable / 1e6, million_parameters)


def test_mobilenet_v1_with_batchnorm_statistics():
    _, spec, input_shape = networks.get("mobilenet_v1")
    cost = total_cost(spec, input_shape)
    assert cost.parameters + cost.statistics == 4_253_864


def test_mobilenet_v1_of_full_convolutions_has_the_counts_of_its_paper():
    _, spec, input_shape = networks.get("mobilenet_v1", separable=False)
    cost = total_cost(spec, input_shape)
    dense = next(step for step in layer_costs(spec, input_shape) if step.path == "head.dense")
    assert cost.macs - dense.macs == 4_866_269_184
    assert cost.parameters == 29_294_088
    assert prints_as((cost.macs - dense.macs) / 1e6, "4866")
    assert prints_as(cost.parameters / 1e6, "29.3")


@pytest.mark.parametrize(
    ("pixels", "million_macs"), [(224, "569"), (192, "418"), (160, "290"), (128, "186")]
)
def test_mobilenet_v1_at_each_resolution_of_its_paper(pixels, million_macs):
    _, spec, input_shape = networks.get("mobilenet_v1", resolution=pixels / 224)
    assert input_shape == (1, pixels, pixels, 3)
    assert prints_as(total_cost(spec, input_shape).macs / 1e6, million_macs)


def test_mobilenet_v1_has_the_sizes_of_its_table():
    spec = networks.get("mobilenet_v1").spec
    steps = layer_costs(spec, (1, 224, 224, 3))
    sizes = [step.output_shape[1] for step in steps if isinstance(step.spec, Conv | DepthwiseConv)]
    assert sizes == [112, 112, 112, *[56] * 4, *[28] * 4, *[14] * 12, *[7] * 4]


def test_efficientnet_lite0_has_its_published_counts():
    _, spec, input_shape = networks.get("efficientnet_lite0")
    cost = total_cost(spec, input_shape)
    assert (cost.parameters, cost.macs) == (4_652_008, 385_187_552)


def test_efficientnet_lite0_has_its_residuals_where_shapes_allow_them():
    blocks = dict(networks.get("efficientnet_lite0").spec.children)["blocks"].children
    residual = [int(name) for name, block in blocks if isinstance(block, Residual)]
    assert residual == [2, 4, 6, 7, 9, 10, 12, 13, 14]


def test_efficientnet_lite0_maps_to_the_released_names():
    spec = networks.get("efficientnet_lite0").spec
    norm = ("weight", "bias", "running_mean", "running_var")
    expected = {"_conv_stem.weight", "_conv_head.weight", "_fc.weight", "_fc.bias"}
    expected |= {f"{bn}.{each}" for bn in ("_bn0", "_bn1") for each in norm}
    for block in range(16):
        steps = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
        if block == 0:
            del steps["_expand_conv"]
        for conv, bn in steps.items():
            expected.add(f"_blocks.{block}.{conv}.weight")
            expected |= {f"_blocks.{block}.{bn}.{each}" for each in norm}
    assert len(expected) == 296 - 49  # less the counters of BatchNorm
    assert {released_name(name) for name in parameter_shapes(spec)} == expected


@pytest.mark.parametrize("name", networks.names())
def test_the_numerics_of_the_tensorflow_releases(name):
    for path, layer in walk(networks.get(name).spec):
        if isinstance(layer, BatchNorm):
            assert layer.eps == 1e-3, path
        if isinstance(layer, Conv | DepthwiseConv):
            assert not layer.bias, path
            assert layer.padding == "same" or set(layer.kernel_size) == {1}, path
    assert not any(isinstance(layer, SeparableConv) for _, layer in walk(networks.get(name).spec))


def test_dropout_and_momentum_of_efficientnet_lite0():
    layers = [layer for _, layer in walk(networks.get("efficientnet_lite0").spec)]
    assert [layer.p for layer in layers if isinstance(layer, Dropout)] == [0.2]
    assert {layer.momentum for layer in layers if isinstance(layer, BatchNorm)} == {0.01}


@pytest.mark.parametrize("name", networks.names())
def test_batch_and_classes(name):
    network = networks.get(name, batch=3, classes=7)
    assert network.name == name
    assert network.input_shape == (3, 224, 224, 3)
    assert output_shape(network.spec, network.input_shape) == (3, 7)


@pytest.mark.parametrize("name", networks.names())
def test_names_of_weights_are_words_a_person_can_guess(name):
    for weight in parameter_shapes(networks.get(name).spec):
        assert re.fullmatch(r"(stem|head|blocks\.\d+(\.[a-z]+)+)(\.[a-z]+){2}", weight), weight


def test_an_unknown_network_is_named_with_a_suggestion():
    with pytest.raises(InputError, match=r"'mobilenet'\. Did you mean 'mobilenet_v1'\?"):
        networks.get("mobilenet")


def test_an_unknown_option_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"option of efficientnet_lite0 'width'.*Known: batch, cl"):
        networks.get("efficientnet_lite0", width=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width multiplies the channels and must be above 0 and at most 100, not 0"),
        ({"width": math.nan}, "not nan"),
        ({"width": math.inf}, "not inf"),
        ({"resolution": 192}, r"not 192: for 192 pixels it is 192/224"),
        ({"resolution": 0}, r"\(0, 1\], not 0"),
        ({"resolution": 1e-9}, "not 1e-09"),
        ({"resolution": math.nan}, "not nan"),
    ],
)
def test_an_option_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        networks.get("mobilenet_v1", **options)


def test_no_classes_is_an_error():
    with pytest.raises(SpecError, match="out_features must be at least 1"):
        networks.get("mobilenet_v1", classes=0)
