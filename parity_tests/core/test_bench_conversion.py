"""The measurement of conversion: its network."""

from convparity import output_shape, parameter_shapes
from convparity.analysis.bench.conversion import LAYERS_A_UNIT, network
from convparity.impls.spec import BatchNorm, Conv, Dense, DepthwiseConv, walk


def test_the_network_is_whole_and_mixed():
    spec = network(3, width=8)
    assert output_shape(spec, (1, 5, 5, 4)) == (1, 8)
    layers = [layer for _, layer in walk(spec) if parameter_shapes(layer)]
    assert len(layers) == 3 * LAYERS_A_UNIT
    assert {type(layer) for layer in layers} == {Conv, DepthwiseConv, BatchNorm, Dense}
    assert {layer.kernel_size for layer in layers if isinstance(layer, Conv)} == {(3, 3), (1, 1)}
