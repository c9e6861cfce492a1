"""Whole networks: exact on integers, as precise as float32 on reals, in every framework."""

import pytest

import convparity
from convparity.analysis.faults import symmetric_padding
from convparity.analysis.proof.compare import compare, structure
from convparity.analysis.proof.data import integer_case
from convparity.analysis.proof.rounding import exact_input, trace
from convparity.analysis.showcase import pictures
from convparity.impls import networks
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Conv, DepthwiseConv, walk
from parity_tests.asserts import assert_structure
from parity_tests.strategies import Case

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("name", networks.names())
def test_random_weights(adapter: Adapter, name: str) -> None:
    spec = networks.get(name).spec
    (verdict,) = compare(spec, None, [adapter.name], input_shape=(1, 64, 64, 3), seed=6)
    assert verdict.ok, verdict
    assert verdict.structure.basis == "proved"  # of roots and means; nothing in it was measured


@pytest.mark.parametrize("name", networks.names())
def test_a_fault_in_the_padding_is_seen(adapter: Adapter, name: str) -> None:
    """The integers that reach the end of a deep network still tell a shift of one pixel."""
    spec = networks.get(name).spec
    weights, x = integer_case(spec, (1, 64, 64, 3), 7)
    target = trace(spec, weights, exact_input(x))
    wrong = adapter.build(symmetric_padding(spec, x.shape), weights)
    verdict = structure(adapter.forward(wrong, x), target)
    assert verdict.problem is None
    assert verdict.wrong > 0


def test_odd_sizes_and_batches(adapters: list[Adapter]) -> None:
    spec = networks.get("mobilenet_v1", width=0.25, classes=7).spec
    assert_structure(Case(spec, (3, 61, 33, 3), 8), adapters)


def test_released_weights_load_whole() -> None:
    spec, weights = convparity.load(pictures.released_efficientnet_lite0())
    assert spec == networks.get("efficientnet_lite0").spec
    assert len(weights) + 49 == 296  # 49 counters of BatchNorm are no weights
    strided = [s for _, s in walk(spec) if isinstance(s, Conv | DepthwiseConv) and s.stride[0] == 2]
    assert len(strided) == 5
