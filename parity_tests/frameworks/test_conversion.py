"""Weights survive every way between the frameworks bit for bit, and so does the spec."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    Sequential,
    Spec,
    WeightError,
    convert,
    describe,
    dump,
    init_weights,
)
from convparity.impls import networks, registry
from convparity.impls.adapter import Adapter
from convparity.impls.convert import transfer
from convparity.impls.layouts import BLOCK
from parity_tests.support.asserts import replay
from parity_tests.support.bits import assert_same_bits
from parity_tests.support.strategies import Case, chain_cases, layer_cases

PAIRS = list(itertools.permutations(registry.FRAMEWORKS, 2))
NETWORKS = {"mobilenet_v1": {"width": 0.25}, "efficientnet_lite0": {}}


@settings(max_examples=settings().max_examples // 2)
@given(case=layer_cases | chain_cases)
def test_build_and_dump(adapter: Adapter, case: Case) -> None:
    weights = init_weights(case.spec, case.seed)
    module = adapter.build(case.spec, weights)
    # what test_reading.py runs beside it, too
    assert adapter.describe(module) == case.spec, replay(case)
    assert_same_bits(dump(module), weights)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=30)
@given(case=layer_cases | chain_cases)
def test_every_pair(source: str, target: str, case: Case) -> None:
    _assert_every_bit(source, target, case, transfer)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=5)  # each runs both modules
@given(case=layer_cases | chain_cases)
def test_every_pair_beside_a_run(source: str, target: str, case: Case) -> None:
    _assert_every_bit(source, target, case, convert)


def _assert_every_bit(source: str, target: str, case: Case, convert: Callable[..., Any]) -> None:
    weights = init_weights(case.spec, case.seed)
    module = registry.get(source).build(case.spec, weights)
    converted = convert(module, to=target)
    assert registry.owner(converted).name == target
    assert registry.get(target).describe(converted) == case.spec, replay(case)
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


@pytest.mark.parametrize(("source", "target"), itertools.product(registry.FRAMEWORKS, repeat=2))
@pytest.mark.parametrize(
    "spec",
    [
        Conv(128, 160, (3, 2)),
        Conv(512, 300, 1),
        Conv(64, 128, 3, groups=2, rank=3),
        DepthwiseConv(6000, 3, depth_multiplier=2),
        ConvTranspose(128, 160, (3, 2)),
        Dense(512, 300),
    ],
)
def test_large_arrays(source: str, target: str, spec: Spec) -> None:
    """Those that are copied block by block, or that TensorFlow permutes."""
    weights = init_weights(spec, seed=1)
    assert weights["kernel"].nbytes > 1.5 * BLOCK
    module = registry.get(source).build(spec, weights)
    assert_same_bits(dump(convert(module, to=target)), weights)


def test_what_training_made_nan_is_not_converted() -> None:
    module = registry.get("pytorch").build(MIXED, init_weights(MIXED, 1))
    module.norm.running_var.fill_(np.nan)
    for target in registry.FRAMEWORKS:
        with pytest.raises(WeightError, match=r"norm\.variance holds 8 NaN"):
            convert(module, to=target)
    with pytest.raises(WeightError, match=r"norm\.variance holds 8 NaN"):
        dump(module)


@settings(max_examples=20)
@given(case=layer_cases | chain_cases)
def test_load_overwrites_everything(adapter: Adapter, case: Case) -> None:
    module = adapter.build(case.spec, init_weights(case.spec, case.seed))
    other = init_weights(case.spec, case.seed + 1)
    adapter.load(module, other)
    assert_same_bits(dump(module), other)


def aligned(array: np.ndarray) -> np.ndarray:
    """The same at a multiple of 64 bytes: memory that JAX takes over as it is, where it may."""
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@settings(max_examples=20)
@given(case=layer_cases | chain_cases)
def test_nothing_is_shared(adapter: Adapter, case: Case) -> None:
    """Editing an array that was given to a module, or taken from it, does not reach the module."""
    given_weights = {k: aligned(w) for k, w in init_weights(case.spec, case.seed).items()}
    module = adapter.build(case.spec, given_weights)
    taken = dump(module)
    for array in (*given_weights.values(), *taken.values()):
        array += 1
    assert_same_bits(dump(module), init_weights(case.spec, case.seed))


MIXED = Sequential(
    {
        "conv": Conv(3, 8, (3, 2)),
        "norm": BatchNorm(8),
        "depthwise": DepthwiseConv(8, 3, depth_multiplier=2),
        "flat": Flatten(),
        "dense": Dense(64, 5),
    }
)
ALL_PAIRS = list(itertools.product(registry.FRAMEWORKS, repeat=2))
ONE_AXIS = {name for name, w in init_weights(MIXED, 0).items() if w.ndim == 1}
EVERYTHING = set(init_weights(MIXED, 0))

# what convert says that it shares, by source and target
SHARED = {
    ("pytorch", "pytorch"): EVERYTHING,
    ("pytorch", "flax"): ONE_AXIS,
    ("pytorch", "keras"): set(),
    ("flax", "pytorch"): ONE_AXIS,
    ("flax", "flax"): EVERYTHING,
    ("flax", "keras"): set(),
    ("keras", "pytorch"): ONE_AXIS,
    ("keras", "flax"): EVERYTHING,
    ("keras", "keras"): set(),
}
IN_PLACE = "pytorch"  # who trains in place; the others put new arrays in place of the old ones


def pair(source: str, target: str, share: bool) -> tuple[Any, Any]:
    """A module and its conversion."""
    module = registry.get(source).build(MIXED, init_weights(MIXED, 1))
    return module, convert(module, to=target, share=share)


def one_memory(module: Any, other: Any) -> set[str]:
    """The names of the arrays that both modules hold in the same memory."""
    mine, yours = (registry.owner(each).views(each, MIXED) for each in (module, other))
    return {name for name in mine if np.shares_memory(mine[name], yours[name])}


@pytest.mark.parametrize(("source", "target"), ALL_PAIRS)
def test_two_modules_share_what_the_docstring_says(source: str, target: str) -> None:
    module, converted = pair(source, target, share=True)
    assert_same_bits(dump(converted), init_weights(MIXED, 1))
    assert one_memory(module, converted) == SHARED[source, target]


@pytest.mark.parametrize(("source", "target"), ALL_PAIRS)
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("edited", [0, 1])
def test_an_edit_is_seen_where_the_docstring_says(
    source: str, target: str, share: bool, edited: int
) -> None:
    """By default nowhere; where memory is shared, what PyTorch writes, and nothing else."""
    both = pair(source, target, share)
    editor = (source, target)[edited]
    before, after = init_weights(MIXED, 1), init_weights(MIXED, 2)
    registry.get(editor).load(both[edited], after)
    seen = SHARED[source, target] if share and editor == IN_PLACE else set()
    expected = {name: (after if name in seen else before)[name] for name in before}
    assert_same_bits(dump(both[1 - edited]), expected)
    assert_same_bits(dump(both[edited]), after)


@pytest.mark.parametrize("source", registry.FRAMEWORKS)
def test_by_default_two_modules_share_no_memory(source: str) -> None:
    for target in registry.FRAMEWORKS:
        assert one_memory(*pair(source, target, share=False)) == set(), target


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("source", "target"), ALL_PAIRS)
def test_half_precision_survives(source: str, target: str, share: bool) -> None:
    weights = {name: w.astype(np.float16) for name, w in init_weights(MIXED, 1).items()}
    module = registry.get(source).build(MIXED, weights, dtype="float16")
    assert_same_bits(dump(convert(module, to=target, share=share)), weights)
