"""Every framework counts the parameters that the spec declares, by its own means."""

import math

import pytest
from hypothesis import given, settings

from convparity import (
    BatchNorm,
    Dense,
    GlobalAvgPool,
    SeparableConv,
    Sequential,
    init_weights,
    parameter_shapes,
)
from convparity.impls import networks
from convparity.impls.adapter import Adapter, Count
from convparity.impls.spec import Shape, Spec, walk
from parity_tests.support.asserts import coverage, replay
from parity_tests.support.graph_strategies import graphs
from parity_tests.support.strategies import Case, chain_cases, layer_cases, norm_cases


def declared(spec: Spec) -> Count:
    """Trained by PyTorch's, Flax's and Keras's conventions alike: all but running statistics."""
    total = sum(math.prod(shape) for shape in parameter_shapes(spec).values())
    norms = (layer for _, layer in walk(spec) if isinstance(layer, BatchNorm))
    return Count(total - sum(2 * norm.num_features for norm in norms), total)


def assert_counted(adapter: Adapter, case: Case) -> None:
    counted = adapter.count(adapter.build(case.spec, init_weights(case.spec, case.seed)))
    assert counted == declared(case.spec), f"{adapter.name}: {counted}\n{replay(case)}"


@settings(max_examples=settings().max_examples // 2)
@given(case=layer_cases | norm_cases)
def test_layers(adapter: Adapter, case: Case) -> None:
    assert_counted(adapter, case)


def test_chains(adapter: Adapter) -> None:
    """Where statistics and biases that are not there could be counted within a network."""
    with coverage(("BatchNorm", "no bias")) as seen:

        @settings(max_examples=settings().max_examples // 4)
        @given(case=chain_cases)
        def counted(case: Case) -> None:
            layers = [layer for _, layer in walk(case.spec)]
            seen.update(type(layer).__name__ for layer in layers)
            if not all(getattr(layer, "bias", True) for layer in layers):
                seen["no bias"] += 1
            assert_counted(adapter, case)

        counted()


@settings(max_examples=5)
@given(spec=graphs())
def test_graphs(adapter: Adapter, spec: tuple[Spec, Shape]) -> None:
    """A layer that runs again is counted once."""
    assert_counted(adapter, Case(*spec, 0))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("mobilenet_v1", Count(4_231_976, 4_253_864)),
        ("efficientnet_lite0", Count(4_652_008, 4_652_008 + 2 * 21_008)),
    ],
)
def test_networks(adapter: Adapter, name: str, count: Count) -> None:
    spec = networks.get(name).spec
    assert declared(spec) == count
    assert adapter.count(adapter.build(spec, init_weights(spec, seed=0))) == count


def test_without_weights(adapter: Adapter) -> None:
    """A framework that initialises by itself makes the same parameters."""
    spec = Sequential(SeparableConv(3, 4, 3), BatchNorm(4), GlobalAvgPool(), Dense(4, 2))
    assert adapter.count(adapter.build(spec)) == declared(spec)
