"""Whole networks: exact on integers, as precise as float32 on reals, in every framework."""

import pytest

import convparity
from convparity.analysis.faults import symmetric_padding
from convparity.analysis.proof.compare import compare
from convparity.analysis.proof.node_by_node import judge_nodes, node_weights, nodes, run_nodes
from convparity.analysis.showcase import pictures
from convparity.impls import networks
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Conv, DepthwiseConv, walk
from convparity.impls.weights import init_weights
from parity_tests.support.asserts import assert_structure
from parity_tests.support.networks import SHORTENED
from parity_tests.support.strategies import Case

TENSORFLOW = ("efficientnet_lite0", "mobilenet_v1")  # with the padding of TensorFlow releases


def test_every_network_is_compared() -> None:
    assert {*TENSORFLOW, *SHORTENED} == set(networks.names())


@pytest.mark.parametrize("name", SHORTENED)
def test_every_kind_of_block(adapters: list[Adapter], name: str) -> None:
    """Of networks in any wiring; ``parity_tests/trials/standard_networks.py`` has them whole."""
    names = [adapter.name for adapter in adapters]
    for verdict in compare(SHORTENED[name], None, names, input_shape=(1, 32, 32, 3), seed=6):
        assert verdict.ok, verdict
        assert verdict.trust.ok, verdict


@pytest.mark.parametrize("name", TENSORFLOW)
def test_random_weights(adapters: list[Adapter], name: str) -> None:
    spec, names = networks.get(name).spec, [adapter.name for adapter in adapters]
    for verdict in compare(spec, None, names, input_shape=(1, 64, 64, 3), seed=6):
        assert verdict.ok, verdict
        assert verdict.structure.basis == "proved"  # of roots and means; none of it was measured


@pytest.mark.parametrize("name", TENSORFLOW)
def test_a_fault_in_the_padding_is_seen(adapter: Adapter, name: str) -> None:
    """k // 2 pixels where TensorFlow pads one: in each layer with a stride, and in no other."""
    spec, shape = networks.get(name).spec, (1, 64, 64, 3)
    found = [
        node
        for node in nodes(spec, shape, 7, "float32", True)
        if isinstance(dict(walk(spec))[node.path], Conv | DepthwiseConv)
    ]
    weights = {**init_weights(spec, 0), **node_weights(found)}
    wrong = adapter.build(symmetric_padding(spec, shape), weights)
    judged = dict(judge_nodes(found, run_nodes(adapter, wrong, found)))
    strided = {path for path, each in walk(spec) if max(getattr(each, "stride", (1,))) > 1}
    assert {path for path, each in judged.items() if each.status == "wrong"} == strided


def test_odd_sizes_and_batches(adapters: list[Adapter]) -> None:
    spec = networks.get("mobilenet_v1", width=0.25, classes=7).spec
    assert_structure(Case(spec, (3, 61, 33, 3), 8), adapters)


def test_released_weights_load_whole() -> None:
    spec, weights = convparity.load(pictures.released_efficientnet_lite0())
    assert spec == networks.get("efficientnet_lite0").spec
    assert len(weights) + 49 == 296  # 49 counters of BatchNorm are no weights
    strided = [s for _, s in walk(spec) if isinstance(s, Conv | DepthwiseConv) and s.stride[0] == 2]
    assert len(strided) == 5
