"""Weights survive every way between the frameworks bit for bit, and so does the spec."""

import itertools

import pytest
from hypothesis import given, settings

from impls import convert, describe, dump, init_weights, networks, registry
from impls.adapter import Adapter
from impls.weights import Weights
from parity_tests.asserts import replay
from parity_tests.strategies import Case, chain_cases, layer_cases

pytestmark = pytest.mark.frameworks

PAIRS = list(itertools.permutations(registry.FRAMEWORKS, 2))
NETWORKS = {"mobilenet_v1": {"width": 0.25}, "efficientnet_lite0": {}}


def assert_same_bits(got: Weights, expected: Weights) -> None:
    """The same names in the same order, dtypes, shapes and bits."""
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype, name
        assert got[name].shape == array.shape, name
        assert got[name].tobytes() == array.tobytes(), name


@settings(max_examples=settings().max_examples // 2)
@given(case=layer_cases | chain_cases)
def test_build_and_dump(adapter: Adapter, case: Case) -> None:
    weights = init_weights(case.spec, case.seed)
    module = adapter.build(case.spec, weights)
    assert describe(module) == case.spec, replay(case)
    assert_same_bits(dump(module), weights)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=40)
@given(case=layer_cases | chain_cases)
def test_every_pair(source: str, target: str, case: Case) -> None:
    weights = init_weights(case.spec, case.seed)
    module = registry.get(source).build(case.spec, weights)
    converted = convert(module, to=target)
    assert registry.owner(converted).name == target
    assert describe(converted) == case.spec, replay(case)
    assert_same_bits(dump(converted), weights)
    assert_same_bits(dump(convert(converted, to=source)), weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_all_the_way_round(name: str) -> None:
    spec = networks.get(name, **NETWORKS[name]).spec
    weights = init_weights(spec, seed=1)
    module = registry.get("pytorch").build(spec, weights)
    for target in ("flax", "keras", "pytorch"):
        module = convert(module, to=target)
    assert describe(module) == spec
    assert_same_bits(dump(module), weights)


@settings(max_examples=20)
@given(case=layer_cases | chain_cases)
def test_load_overwrites_everything(adapter: Adapter, case: Case) -> None:
    module = adapter.build(case.spec, init_weights(case.spec, case.seed))
    other = init_weights(case.spec, case.seed + 1)
    adapter.load(module, other)
    assert_same_bits(dump(module), other)


@settings(max_examples=20)
@given(case=layer_cases | chain_cases)
def test_nothing_is_shared(adapter: Adapter, case: Case) -> None:
    """Editing an array that was given to a module, or taken from it, does not reach the module."""
    given_weights = init_weights(case.spec, case.seed)
    module = adapter.build(case.spec, given_weights)
    taken = dump(module)
    for array in (*given_weights.values(), *taken.values()):
        array += 1
    assert_same_bits(dump(module), init_weights(case.spec, case.seed))
