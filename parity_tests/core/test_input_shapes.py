"""An input that fits is found for every spec."""

import pytest
from hypothesis import given, settings

from convparity import Activation, Conv, Dense, Flatten, MaxPool, Sequential, output_shape
from convparity.analysis.proof.input_shapes import fitting_shape
from convparity.impls import networks
from parity_tests.support.asserts import replay
from parity_tests.support.strategies import Case, chain_cases, layer_cases


@settings(max_examples=200)
@given(case=layer_cases | chain_cases)
def test_a_shape_is_found_for_every_spec(case: Case) -> None:
    shape = fitting_shape(case.spec)
    assert shape is not None, replay(case)
    output_shape(case.spec, shape)
    assert shape[0] > 1


@pytest.mark.parametrize("name", ["mobilenet_v1", "efficientnet_lite0"])
def test_a_deep_network_gets_a_small_image_with_unequal_sides(name: str) -> None:
    _, height, width, channels = fitting_shape(networks.get(name).spec)
    assert channels == 3
    assert height != width
    assert 32 <= min(height, width) <= max(height, width) <= 40


def test_a_dense_layer_behind_a_flatten_fixes_the_pixels() -> None:
    vgg = Sequential(
        *(Conv(3, 4, 3, padding=1), MaxPool(2), Conv(4, 4, 3, padding=1), MaxPool(2)),
        *(Conv(4, 8, 3, 2), Flatten(), Dense(8 * 42, 10)),
    )
    shape = fitting_shape(vgg)
    assert output_shape(vgg, shape) == (2, 10)
    assert {6, 7} == set(
        output_shape(
            vgg.with_children(
                dict(vgg.children[:5]) | {"5": Activation("relu"), "6": Activation("relu")}
            ),
            shape,
        )[1:-1]
    )
    assert fitting_shape(Sequential(Conv(3, 4, 3), Flatten(), Dense(7, 2))) is None


def test_a_dense_layer_asks_for_channels_of_an_image() -> None:
    assert fitting_shape(Sequential(Conv(3, 4, 3), Dense(5, 2))) is None
    on_pixels = Sequential(Conv(3, 4, 3), Dense(4, 2))
    assert output_shape(on_pixels, fitting_shape(on_pixels)) == (2, 5, 6, 2)
    twice = Sequential(Conv(3, 4, 3), Dense(4, 2), Flatten(), Dense(2 * 22, 5))  # 2x11 pixels
    assert output_shape(twice, fitting_shape(twice)) == (2, 5)
