"""A fault in a layer of any kind is found, in each framework."""

import pytest

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    MaxPool,
    Residual,
    SeparableConv,
    Sequential,
    build,
    init_weights,
)
from convparity.analysis.proof.compare import compare
from convparity.analysis.proof.node_by_node import nodes
from convparity.impls import registry
from convparity.impls.spec import Layer, walk_shapes
from convparity.impls.weights import Arrays


@pytest.mark.parametrize("framework", ["pytorch", "flax", "keras"])
def test_layers_of_every_kind_are_found_in(framework: str) -> None:
    spec = Sequential(
        {
            "stem": Conv(2, 4, 3, stride=2, padding="same"),
            "separable": SeparableConv(4, 4, 3),
            "pool": MaxPool(2),
            "block": Residual(Sequential(Conv(4, 4, 3, padding="same"), BatchNorm(4))),
            "flat": Flatten(),
            "norm": LayerNorm(64),
            "head": Dense(64, 3),
        }
    )
    shape = (2, 19, 19, 2)
    layers = [path for path, each, _ in walk_shapes(spec, shape) if isinstance(each, Layer)]
    adapter = registry.get(framework)
    found = nodes(spec, shape, 0, "float32", True)
    assert [node.path for node in found] == layers
    (verdict,) = compare(spec, input_shape=shape, frameworks=[framework])
    assert verdict.ok, verdict
    weights: Arrays = init_weights(spec, 0)
    assert adapter.children(build(spec, weights, framework=framework)).keys() == {
        name for name, _ in spec.children
    }


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("framework", ["pytorch", "flax", "keras"])
def test_a_layer_without_weights_computes_in_the_dtype_of_its_network(
    framework: str, dtype: str
) -> None:
    spec = Sequential(MaxPool(2), Activation("relu"))
    (verdict,) = compare(spec, input_shape=(2, 6, 8, 3), frameworks=[framework], dtype=dtype)
    assert verdict.ok, verdict
