"""The registry of faults holds its word: each changes something, and nothing where it hides."""

import functools
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    MaxPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    SpecError,
    init_weights,
    reference,
)
from convparity.analysis import faults as known
from convparity.analysis.faults import Fault, implementation, seed
from convparity.analysis.proof.data import real_case
from convparity.impls.reference import run
from convparity.impls.spec import ACTIVATIONS, child_weights
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Weights
from parity_tests.support import operation_networks
from parity_tests.support.cells import FAMILIES
from parity_tests.support.faults import CONTROL, FAULTS, operations
from parity_tests.support.graph_strategies import doubled, graphs
from parity_tests.support.strategies import MAKERS, Case, cases, chain_cases, layers

ENOUGH = 60  # cases that hold a fault
FORWARD = [fault for fault in FAULTS.values() if fault.forward and fault.id != CONTROL]


@functools.cache
def drawn() -> list[Case]:
    """Layers, chains and graphs, the same in every run; of each kind as many: none is missed."""
    found: list[Case] = []
    several = [(cases(layers(kind)), 100) for kind in MAKERS if kind is not Activation]
    several += [(FAMILIES[function].cases, 12) for function in ACTIVATIONS]
    several += [(FAMILIES["graphs"].cases, 60), (cases(graphs(6).map(doubled)), 20)]
    for strategy, count in (*several, (chain_cases, 200)):

        @settings(max_examples=count, derandomize=True, database=None)
        @given(strategy)
        def draw(case: Case) -> None:
            found.append(case)

        draw()
    shape = operation_networks.SHAPE
    return [*found, *(Case(spec, shape, 7) for spec in operation_networks.NETWORKS.values())]


def rounded(spec: Spec, weights: Weights, x: Any) -> Any:
    """A right implementation in float32."""
    return on_each(lambda y: y.astype(np.float32), reference(spec, weights, x))


@functools.cache
def data(index: int, kind: str) -> tuple[Weights, np.ndarray, np.ndarray]:
    """Random reals for a case, large ones, or some that are no numbers; and the right output."""
    case = drawn()[index]
    weights, x = real_case(*case)
    for each in parts(x):
        if kind == "large":
            each *= 8
        if kind == "not finite":
            each.flat[0], each.flat[-1] = np.nan, np.inf
    with np.errstate(invalid="ignore", over="ignore"):
        return weights, x, rounded(case.spec, weights, x)


# ---------------------------------------------------------------- the registry


def test_there_are_enough() -> None:
    assert len(FAULTS) - 1 >= 80
    assert sum(bool(fault.reference) for fault in FAULTS.values()) >= 40


def test_ids_count_up_within_their_families() -> None:
    numbers: Counter[str] = Counter()
    for id, fault in FAULTS.items():
        family, number = re.fullmatch(r"([a-z]+)-(\d\d)", id).groups()
        numbers[family] += 1
        assert int(number) == numbers[family], id
        assert (fault.id, fault.family) == (id, family)


def test_the_control_leaves_short_sums_alone() -> None:
    """Found in Keras: of one product and a bias, the bound has no room for two roundings more."""
    short = [DepthwiseConv(1, 1, depth_multiplier=3), Conv(3, 2, 1), Conv(6, 4, 1, groups=2)]
    for spec in short:
        assert seed(spec, (2, 3, 2, spec.in_channels), FAULTS[CONTROL]) is None
    for spec in (DepthwiseConv(1, 2), Conv(4, 2, 1)):
        assert seed(spec, (2, 3, 2, spec.in_channels), FAULTS[CONTROL]) is not None


def test_what_outputs_show_is_known_and_the_rest_is_of_the_trials() -> None:
    assert list(known.FAULTS) == [fault.id for fault in FORWARD]
    assert len(FAULTS) - len(FORWARD) > 20
    assert list(dict.fromkeys(fault.family for fault in FAULTS.values()))[-3:] == [
        "gradient",
        "edges",
        "control",
    ]


def test_the_control_is_last() -> None:
    assert list(FAULTS)[-1] == CONTROL


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_each_says_what_it_is(fault: Fault) -> None:
    assert fault.title
    assert fault.title[-1] not in ".:"
    assert len(fault.title) <= 80
    assert fault.hides
    assert fault.reference == "" or re.fullmatch(r"[\w.-]+ #\d+", fault.reference)
    assert fault.on


def test_titles_are_unique() -> None:
    assert len({fault.title for fault in FAULTS.values()}) == len(FAULTS)


# ---------------------------------------------------------------- what each one changes


def differs(y: Any, other: Any) -> bool:
    return any(map(_differ, parts(y), parts(other)))


def _differ(y: np.ndarray, other: np.ndarray) -> bool:
    if y.shape != other.shape or y.dtype != other.dtype:
        return True
    return not np.array_equal(y, other, equal_nan=True)


def outcomes(fault: Fault, kind: str) -> Iterator[tuple[bool, bool, str]]:
    """Of each case that holds the fault: whether it hides there, whether it changed the output."""
    for index, case in enumerate(drawn()):
        faulty = seed(case.spec, case.input_shape, fault)
        if faulty is not None:
            weights, x, y = data(index, kind)
            with np.errstate(invalid="ignore", over="ignore"):
                wrong = faulty.output(rounded, weights, x)
            alone = fault.seed(case.spec, case.input_shape) is not None
            hides = alone and fault.hides_on(case.spec, case.input_shape)
            yield hides, differs(y, wrong), f"{case}: {faulty.detail}"


@pytest.mark.parametrize("fault", FORWARD, ids=lambda fault: fault.id)
def test_it_changes_outputs_and_hides_where_it_says(fault: Fault) -> None:
    seen = changed = 0
    for kind in ("real", "large", "not finite"):
        for hides, different, where in outcomes(fault, kind):
            assert not (hides and different), f"it does not hide in {where}"
            seen, changed = seen + 1, changed + different
            if changed and seen >= ENOUGH:
                return
        if changed:
            return
    assert seen, "it can exist in none of the cases"
    assert changed, f"it was in {seen} cases, and changed nothing"


def test_what_cannot_exist_is_not_seeded() -> None:
    for case in drawn():
        for fault in FORWARD:
            if fault.seed(case.spec, case.input_shape) is None:
                assert fault.hides_on(case.spec, case.input_shape)


# ---------------------------------------------------------------- seeding

LAYER = Conv(4, 4, 3, 2, "same")
NETWORK = Sequential(
    {
        "stem": LAYER,
        "norm": BatchNorm(4),
        "block": Residual(
            Sequential(SeparableConv(4, 4, 3, padding="same"), Conv(4, 4, 3, padding="same"))
        ),
        "pool": MaxPool(2, 1, "same"),
        "head": Conv(4, 4, 3, 2, "same"),
    }
)
SHAPE = (2, 8, 6, 4)


def wrong_in(*paths: str, fault: str = "padding-03") -> np.ndarray:
    weights, x = real_case(NETWORK, SHAPE, 1)
    seeds = [(FAULTS[fault], path) for path in paths]
    return seed(NETWORK, SHAPE, *seeds).output(reference, weights, x)


@pytest.mark.parametrize("path", ["stem", "pool", "head"])
def test_one_layer_by_its_path(path: str) -> None:
    """As if that child alone had been replaced by hand."""
    weights, x = real_case(NETWORK, SHAPE, 1)
    by_hand, wrong = x, wrong_in(path)
    for name, child in NETWORK.children:
        own = child_weights(weights, name)
        faulty = FAULTS["padding-03"].seed(child, by_hand.shape) if name == path else None
        by_hand = (
            reference(child, own, by_hand)
            if faulty is None
            else faulty.output(reference, own, by_hand)
        )
    np.testing.assert_allclose(wrong, by_hand, rtol=1e-12)
    assert differs(wrong, reference(NETWORK, weights, x))


def test_every_layer_or_all_of_them_by_their_paths() -> None:
    weights, x = real_case(NETWORK, SHAPE, 1)
    everywhere = seed(NETWORK, SHAPE, FAULTS["padding-03"]).output(reference, weights, x)
    np.testing.assert_array_equal(everywhere, wrong_in("stem", "pool", "head"))


BLOCK = Sequential(
    {
        "a": Conv(4, 4, 1),
        "norm": BatchNorm(4),
        "act": Activation("relu"),
        "b": Conv(4, 4, 3),
        "again": BatchNorm(4),
        "end": Activation("relu"),
        "pool": MaxPool(2),
        "drop": Dropout(0.5),
        "flat": Flatten(),
    }
)


@pytest.mark.parametrize(
    ("id", "order"),
    [
        ("order-01", "a act norm b end again pool drop flat"),
        ("order-02", "norm a act again b end pool drop flat"),
        ("order-03", "a norm b act again end pool drop flat"),
        ("order-04", "a norm act b again pool end drop flat"),
    ],
)
def test_neighbours_exchanged_wherever_both_orders_fit(id: str, order: str) -> None:
    """Each layer keeps its name, so that it finds its weights; Dropout moves nothing."""
    weights, x = real_case(BLOCK, (2, 6, 5, 4), 1)
    faulty = FAULTS[id].seed(BLOCK, x.shape)
    layers = dict(BLOCK.children)
    expected = Sequential({name: layers[name] for name in order.split()})
    assert faulty.spec == expected
    np.testing.assert_array_equal(
        faulty.output(reference, weights, x), reference(expected, weights, x)
    )


def test_neighbours_exchanged_in_one_place() -> None:
    network = Sequential({"stem": BLOCK, "head": Dense(8, 8), "norm": LayerNorm(8)})
    for path, order in (("stem.again", "a norm act b end again pool drop flat"), ("head", None)):
        fault = "order-01" if order else "order-02"
        faulty = seed(network, (2, 6, 5, 4), (FAULTS[fault], path))
        children = dict(faulty.spec.children)
        if order:
            assert [name for name, _ in children["stem"].children] == order.split()
            assert list(children) == ["stem", "head", "norm"]
        else:
            assert list(children) == ["stem", "norm", "head"]
            assert children["stem"] == BLOCK
    assert FAULTS["order-01"].places(BLOCK) == ("norm", "again")
    assert seed(network, (2, 6, 5, 4), (FAULTS["order-01"], "stem.a")) is None


def test_neighbours_that_do_not_fit_in_the_other_order_stay() -> None:
    widening = Sequential(Conv(4, 8, 1), BatchNorm(8), Conv(8, 8, 3))
    assert FAULTS["order-02"].seed(widening, (1, 3, 4, 4)).detail == "2 before 1"
    assert FAULTS["order-02"].seed(Sequential(Conv(4, 8, 1), BatchNorm(8)), (1, 3, 4, 4)) is None


def test_the_mirror_of_padding_that_is_symmetric() -> None:
    """The source pads k // 2, the port has "same": at stride 2 and an even size it is shifted."""
    fault = FAULTS["padding-22"]
    faulty = fault.seed(Conv(1, 1, 3, 2, 1), (1, 4, 5, 1))
    assert faulty.spec == Conv(1, 1, 3, 2, "same")
    assert faulty.detail == '"same", which is pad (0, 1), (1, 1) here, instead of (1, 1), (1, 1)'
    assert fault.seed(Conv(1, 1, 3, 1, 1), (1, 4, 5, 1)) is None
    assert fault.seed(Conv(1, 1, 3, 2, "same"), (1, 4, 5, 1)) is None


def test_a_path_that_leads_nowhere() -> None:
    assert seed(NETWORK, SHAPE, (FAULTS["padding-03"], "norm")) is None
    assert seed(NETWORK, SHAPE, (FAULTS["padding-03"], "nobody")) is None


def test_inside_a_residual() -> None:
    outputs = [
        wrong_in(path, fault="layout-08")
        for path in ("block.body.0.depthwise", "block.body.1", "head")
    ]
    assert all(differs(a, b) for a, b in itertools.combinations(outputs, 2))


def test_two_faults_in_one_layer() -> None:
    """The bias subtracted of a layer whose kernel is flipped; in either order."""
    weights, x = real_case(LAYER, SHAPE, 1)
    pair = [FAULTS["layout-08"], FAULTS["parameters-03"]]
    expected = reference(
        LAYER, {"kernel": np.flip(weights["kernel"], (0, 1)), "bias": -weights["bias"]}, x
    )
    for order in (pair, pair[::-1]):
        wrong = seed(LAYER, SHAPE, *order).output(reference, weights, x)
        np.testing.assert_array_equal(wrong, expected)


def test_two_faults_in_two_layers() -> None:
    weights, x = real_case(NETWORK, SHAPE, 1)
    seeds = [(FAULTS["padding-03"], "stem"), (FAULTS["layout-08"], "head")]
    once = implementation(reference, seeds[0])
    twice = implementation(once, seeds[1])
    wrong = seed(NETWORK, SHAPE, *seeds).output(reference, weights, x)
    first = seed(NETWORK, SHAPE, seeds[0]).output(reference, weights, x)
    assert differs(wrong, first)
    np.testing.assert_array_equal(once(NETWORK, weights, x), first)
    assert twice(LAYER, init_weights(LAYER, 0), x).shape == (2, 4, 3, 4)


# Left channels first, the first layer's output still fits the next one; with another fault in the
# same layer nobody had said so, and what followed met arrays of shapes that it did not know.
@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (
            Sequential(
                Conv(2, 2, (1, 3), 2, ((1, 1), (3, 1))), LayerNorm(2), GlobalAvgPool(), Dense(2, 4)
            ),
            (1, 4, 1, 2),
        ),
        (
            Sequential(
                ConvTranspose(3, 2, (1, 3, 2), (2, 1, 2), "same", rank=3),
                GlobalAvgPool(),
                Dense(2, 1),
            ),
            (1, 2, 2, 1, 3),
        ),
    ],
)
def test_what_one_fault_makes_another_may_refuse_and_no_more(spec, shape) -> None:
    """`python -m parity_tests.trials.trials pairs` tries every two in random specs."""
    weights, x = real_case(spec, shape, 0)
    here = [fault for fault in FORWARD if seed(spec, shape, fault) is not None]
    assert len(here) >= 30
    for pair in itertools.permutations(here, 2):
        faulty = seed(spec, shape, *pair)
        if faulty is not None:
            with np.errstate(all="ignore"), warnings.catch_warnings(), suppress(SpecError):
                warnings.simplefilter("ignore")
                faulty.output(run, weights, x)  # it checks nothing


def test_details_name_the_numbers() -> None:
    faulty = FAULTS["padding-03"].seed(Conv(1, 1, 3, 2, "same"), (1, 4, 4, 1))
    assert faulty.detail == "pad (1, 1), (1, 1) instead of (0, 1), (0, 1)"
    network = seed(NETWORK, SHAPE, (FAULTS["padding-03"], "head"))
    assert network.detail == "head: pad (1, 1), (1, 1) instead of (0, 1), (1, 1)"


def test_faults_of_other_operations_have_paths() -> None:
    assert [path for path, _ in operations(NETWORK, FAULTS["gradient-03"])] == ["block.body.0"]
    assert [path for path, _ in operations(LAYER, FAULTS["gradient-02"])] == [""]


def test_what_the_next_layer_would_refuse_is_no_port() -> None:
    spec = Sequential(Conv(2, 3, 3, padding="same"), Flatten(), Dense(3 * 5 * 5, 2))
    assert seed(spec, (1, 5, 5, 2), FAULTS["padding-02"]) is None
