"""The standard networks have their published counts, and names that map to releases."""

import math
import re

import numpy as np
import pytest

from convparity.analysis.cost.counting import layer_costs, total_cost
from convparity.analysis.proof.data import real_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls import networks
from convparity.impls.errors import InputError, SpecError
from convparity.impls.networks.efficientnet_lite import released_name
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Graph,
    Multiply,
    Residual,
    SeparableConv,
    Sequential,
    output_shape,
    parameter_shapes,
    walk,
)

TENSORFLOW = ("efficientnet_lite0", "mobilenet_v1")  # with the numerics of TensorFlow releases


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


# learnables, MACs, and billions of MACs in torchvision's table
PUBLISHED = {
    "resnet18": (11_689_512, 1_814_073_344, "1.814"),
    "mobilenet_v2": (3_504_872, 300_774_272, "0.301"),
    "densenet121": (7_978_856, 2_834_161_664, "2.834"),
    "xception": (22_855_952, 8_357_403_496, None),
    "convnext_tiny": (28_589_128, 4_455_531_264, "4.456"),
    "mobilenet_v3_large": (5_483_032, 216_589_760, "0.217"),
    "efficientnet_b0": (5_288_548, 385_814_752, "0.386"),
    "shufflenet_v2": (2_278_604, 144_907_992, "0.145"),
}


@pytest.mark.parametrize(("name", "figures"), PUBLISHED.items())
def test_published_counts(name, figures):
    parameters, macs, billion_macs = figures
    _, spec, input_shape = networks.get(name)
    cost = total_cost(spec, input_shape)
    assert (cost.parameters, cost.macs) == (parameters, macs)
    assert billion_macs is None or prints_as(macs / 1e9, billion_macs)


def test_the_bound_of_a_deep_network_of_gates_is_finite():
    """A bound of a gate that grew with its input would be squared by each block, and overflow."""
    block = Graph(
        {
            "conv": (Conv(8, 8, 3, padding=1), "x"),
            "gate": (Activation("hard_sigmoid"), "conv"),
            "gated": (Multiply(), "conv", "gate"),
        }
    )
    spec = Sequential([block] * 24)
    weights, x = real_case(spec, (1, 5, 5, 8), 0)
    assert np.isfinite(trace(spec, weights, exact_input(x)).bound).all()


def test_xception_with_batchnorm_statistics():
    _, spec, input_shape = networks.get("xception")
    cost = total_cost(spec, input_shape)
    assert cost.parameters + cost.statistics == 22_910_480  # as Keras counts them


@pytest.mark.parametrize(("features", "parameters"), [(32, 7_763_041), (64, 31_037_633)])
def test_unet_has_its_published_parameters(features, parameters):
    _, spec, input_shape = networks.get("unet", features=features)
    assert total_cost(spec, input_shape).parameters == parameters


def test_the_multiply_accumulates_of_unet():
    """From its figure: two 3x3 convolutions a level and side, and up by 2x2 without overlap."""
    levels = [(256 // 2**n, 32 * 2**n) for n in range(5)]  # (pixels a side, channels)
    down = sum(p * p * 9 * (c // 2 + c) * c for p, c in levels[1:])
    up = sum(p * p * (9 * (2 * c + c) * c + 2 * c * c) for p, c in levels[:-1])
    ends = 256 * 256 * (9 * (3 + 32) * 32 + 32)
    assert total_cost(*networks.get("unet")[1:]).macs == down + up + ends


# How many tensors a released state dict holds, without counters of BatchNorm, and some of its names
STATE_DICTS = {
    "resnet18": (
        102,
        {
            "conv1.weight": (7, 7, 3, 64),
            "bn1.running_mean": (64,),
            "layer1.0.conv1.weight": (3, 3, 64, 64),
            "layer2.0.downsample.0.weight": (1, 1, 64, 128),
            "layer2.0.downsample.1.running_var": (128,),
            "layer4.1.bn2.bias": (512,),
            "fc.weight": (512, 1000),
        },
    ),
    "mobilenet_v2": (
        262,
        {
            "features.0.0.weight": (3, 3, 3, 32),
            "features.1.conv.0.0.weight": (3, 3, 32, 1),
            "features.1.conv.1.weight": (1, 1, 32, 16),
            "features.2.conv.1.0.weight": (3, 3, 96, 1),
            "features.17.conv.3.running_var": (320,),
            "features.18.1.weight": (1280,),
            "classifier.1.weight": (1280, 1000),
        },
    ),
    "densenet121": (
        606,
        {
            "features.conv0.weight": (7, 7, 3, 64),
            "features.denseblock1.denselayer1.norm1.weight": (64,),
            "features.denseblock4.denselayer16.conv1.weight": (1, 1, 992, 128),
            "features.denseblock4.denselayer16.conv2.weight": (3, 3, 128, 32),
            "features.transition3.conv.weight": (1, 1, 1024, 512),
            "features.norm5.running_mean": (1024,),
            "classifier.weight": (1024, 1000),
        },
    ),
    "unet": (
        118 - 18,
        {
            "encoder1.enc1conv1.weight": (3, 3, 3, 32),
            "encoder4.enc4norm2.running_mean": (256,),
            "bottleneck.bottleneckconv2.weight": (3, 3, 512, 512),
            "upconv4.weight": (2, 2, 256, 512),
            "decoder1.dec1conv1.weight": (3, 3, 64, 32),
            "conv.bias": (1,),
        },
    ),
    "convnext_tiny": (
        182,
        {
            "features.0.0.weight": (4, 4, 3, 96),
            "features.1.2.block.0.weight": (7, 7, 96, 1),
            "features.1.2.block.2.bias": (96,),
            "features.1.2.block.3.weight": (1, 1, 96, 384),
            "features.7.0.layer_scale.weight": (768,),
            "features.6.1.weight": (2, 2, 384, 768),
            "classifier.2.weight": (768, 1000),
        },
    ),
    "mobilenet_v3_large": (
        312 - 46,
        {
            "features.1.block.1.1.weight": (16,),
            "features.4.block.2.fc1.weight": (1, 1, 72, 24),
            "features.4.block.2.fc2.bias": (72,),
            "features.4.block.3.0.weight": (1, 1, 72, 40),
            "features.15.block.1.0.weight": (5, 5, 960, 1),
            "features.16.1.running_mean": (960,),
            "classifier.0.weight": (960, 1280),
            "classifier.3.weight": (1280, 1000),
        },
    ),
    "efficientnet_b0": (
        360 - 49,
        {
            "features.1.0.block.0.0.weight": (3, 3, 32, 1),
            "features.1.0.block.1.fc1.weight": (1, 1, 32, 8),
            "features.2.0.block.2.fc1.bias": (4,),
            "features.6.3.block.3.0.weight": (1, 1, 1152, 192),
            "features.8.1.weight": (1280,),
            "classifier.1.bias": (1000,),
        },
    ),
    "shufflenet_v2": (
        338 - 56,
        {
            "conv1.0.weight": (3, 3, 3, 24),
            "stage2.0.branch1.0.weight": (3, 3, 24, 1),
            "stage2.0.branch1.2.weight": (1, 1, 24, 58),
            "stage2.0.branch2.0.weight": (1, 1, 24, 58),
            "stage3.7.branch2.3.weight": (3, 3, 116, 1),
            "stage4.3.branch2.6.running_mean": (232,),
            "conv5.1.bias": (1024,),
            "fc.weight": (1024, 1000),
        },
    ),
}
IN_PYTORCH = {
    "kernel": "weight",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


@pytest.mark.parametrize(("name", "released"), STATE_DICTS.items())
def test_names_are_those_of_the_released_state_dict(name, released):
    count, some = released
    shapes = {}
    for weight, shape in parameter_shapes(networks.get(name).spec).items():
        layer, _, leaf = weight.rpartition(".")
        shapes[f"{layer}.{IN_PYTORCH.get(leaf, leaf)}"] = shape
    assert len(shapes) == count
    assert {each: shapes[each] for each in some} == some


def test_where_the_numerics_of_the_networks_differ():
    """As their sources do: a converter must not guess epsilon or padding."""

    def found(name, field):
        layers = [layer for _, layer in walk(networks.get(name).spec)]
        return {getattr(layer, field) for layer in layers if hasattr(layer, field)}

    for name in (
        "resnet18",
        "mobilenet_v2",
        "densenet121",
        "unet",
        "efficientnet_b0",
        "shufflenet_v2",
    ):
        assert found(name, "eps") == {1e-5}, name
        assert "same" not in found(name, "padding"), name
    assert found("mobilenet_v3_large", "eps") == {1e-3}
    assert "same" not in found("mobilenet_v3_large", "padding")
    assert found("convnext_tiny", "eps") == {1e-6}
    assert found("xception", "eps") == {1e-3}
    assert found("xception", "padding") == {"same", "valid"}


@pytest.mark.parametrize("name", TENSORFLOW)
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
    assert network.input_shape == (3, *pictures(name))
    pixels = pictures(name)[:2] if name == "unet" else ()
    assert output_shape(network.spec, network.input_shape) == (3, *pixels, 7)
    half = networks.get(name, resolution=1 / 2).input_shape
    assert half == (1, *[round(pictures(name)[0] / 2)] * 2, 3)


def pictures(name: str) -> tuple[int, int, int]:
    """The pictures that a network is published for."""
    size = {"unet": 256, "xception": 299}.get(name, 224)
    return size, size, 3


@pytest.mark.parametrize("name", TENSORFLOW)
def test_names_of_weights_are_words_a_person_can_guess(name):
    for weight in parameter_shapes(networks.get(name).spec):
        assert re.fullmatch(r"(stem|head|blocks\.\d+(\.[a-z]+)+)(\.[a-z]+){2}", weight), weight


def test_an_unknown_network_is_named_with_a_suggestion():
    with pytest.raises(InputError, match=r"'mobilnet_v1'\. Did you mean 'mobilenet_v1'\?"):
        networks.get("mobilnet_v1")


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
