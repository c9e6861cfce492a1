"""Diagnosis names the fault that was seeded, what it cannot tell apart, and when it is lost."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import convparity
from convparity import (
    Activation,
    BatchNorm,
    Conv,
    DepthwiseConv,
    GroupNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    PReLU,
    Reduce,
    Rescale,
    RMSNorm,
    SeparableConv,
    Sequential,
    init_weights,
)
from convparity.analysis.diagnosis import diagnose as diagnosis
from convparity.analysis.diagnosis import evidence
from convparity.analysis.diagnosis.evidence import Question
from convparity.analysis.diagnosis.suspects import Observation, prediction, right
from convparity.analysis.faults import Faulty, implementation
from convparity.analysis.faults import seed as seed_fault
from convparity.analysis.layerwise.compare import first_divergence
from convparity.analysis.proof.data import integer_case, real_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls import networks
from convparity.impls.errors import InputError
from parity_tests.support.faults import FAULTS
from parity_tests.support.numpy_framework import installed, make
from parity_tests.trials.diagnosis_trials import run
from parity_tests.trials.unknown_trials import run as unknown_faults

# On a busy machine, too, a test must end as it does on an idle one.
diagnose, diagnose_layers = (
    partial(ask, seconds=600) for ask in (diagnosis.diagnose, diagnosis.diagnose_layers)
)
LAYER, SHAPE = Conv(4, 8, 3, 2, "same"), (2, 8, 9, 4)
BLOCK = Sequential(
    {
        "conv": Conv(4, 4, 3, padding="same"),
        "norm": BatchNorm(4),
        "act": Activation("relu6"),
        "up": Conv(4, 4, 1),
        "down": Conv(4, 4, 3),
    }
)


@pytest.fixture(autouse=True)
def numpy_framework() -> Iterator[None]:
    with installed():
        yield


def port(*ids: str):
    return implementation(right, *(FAULTS[each] for each in ids))


def first(found) -> set[str]:
    return {id for ids in found.answers[0].ids for id in ids}


# ---------------------------------------------------------------- one fault


@pytest.mark.parametrize(
    ("spec", "shape", "id"),
    [
        (LAYER, SHAPE, "padding-03"),
        (LAYER, SHAPE, "layout-08"),
        (LAYER, SHAPE, "parameters-01"),
        (Conv(4, 6, 3, groups=2), (1, 5, 6, 4), "grouping-04"),
        (DepthwiseConv(3, (3, 2), depth_multiplier=2), (1, 5, 6, 3), "grouping-01"),
        (SeparableConv(3, 3, 3), (1, 5, 6, 3), "grouping-09"),
        (BatchNorm(4), (2, 3, 3, 4), "normalisation-06"),
        (GroupNorm(2, 8), (2, 3, 3, 8), "normalisation-16"),
        (Sequential(LAYER, BatchNorm(8)), SHAPE, "normalisation-07"),
        (replace(LAYER, padding=1), SHAPE, "padding-22"),
        (MaxPool(3, 2, 1), SHAPE, "padding-22"),
        (BLOCK, (2, 6, 5, 4), "order-01"),
        (BLOCK, (2, 6, 5, 4), "order-02"),
        (BLOCK, (2, 6, 5, 4), "order-03"),
        (BLOCK, (2, 6, 5, 4), "order-04"),
        (RMSNorm(8), (2, 3, 4, 8), "normalisation-22"),
        (MaxPoolIndices(3, 2, 1), (2, 6, 5, 4), "pooling-17"),
        (PReLU(4), (2, 6, 5, 4), "activation-28"),
        (Reduce("mean", (1, 2)), (2, 4, 5, 4), "reduction-15"),
        (Rescale((2, 3, 5), (1, 0, 4)), (2, 6, 5, 3), "arithmetic-10"),
    ],
)
def test_a_fault_is_named_first(spec, shape, id: str) -> None:
    found = diagnose(port(id), spec, input_shape=shape)
    assert id in first(found), found
    assert f"fault {id}" in str(found).splitlines()[0]


def test_it_says_what_is_wrong_with_its_numbers() -> None:
    text = str(diagnose(port("padding-03"), LAYER, input_shape=SHAPE)).splitlines()[0]
    assert text.startswith(
        'matches: "same" padded symmetrically at stride 2 (fault padding-03): '
        "pad (1, 1), (1, 1) instead of (0, 1), (1, 1)"
    )


def test_faults_that_are_the_same_here_share_a_line() -> None:
    found = diagnose(port("padding-01"), LAYER, input_shape=SHAPE)
    assert len(found.answers) == 1
    assert {("padding-01",), ("padding-03",)} <= found.answers[0].ids
    assert "; indistinguishable here: " in str(found)


def test_coincidence_on_the_data_is_not_the_same_fault() -> None:
    """Flipped or transposed, this kernel is the same; another one is not."""
    tap = np.array([[1, 2, 3], [4, 5, 2], [6, 4, 1]], np.float32)
    kernel = tap[..., None, None] * np.arange(1, 33, dtype=np.float32).reshape(4, 8)
    weights = {"kernel": kernel, "bias": np.arange(8, dtype=np.float32)}
    x = np.random.default_rng(0).integers(-5, 6, SHAPE).astype(np.float32)
    found = diagnose(port("layout-08")(LAYER, weights, x), LAYER, weights, x)
    assert [answer.ids for answer in found.answers] == [{("layout-08",)}, {("layout-02",)}]


def test_one_layer_of_several_is_said() -> None:
    spec = Sequential({"a": Conv(3, 3, 3), "b": Conv(3, 3, 3)})
    wrong = implementation(right, (FAULTS["layout-08"], "b"))
    found = diagnose(wrong, spec, input_shape=(1, 6, 7, 3))
    assert "fault layout-08 in b" in str(found).splitlines()[0]


def test_two_neighbours_are_named_by_the_first() -> None:
    wrong = implementation(right, (FAULTS["order-04"], "up"))
    found = diagnose(wrong, BLOCK, input_shape=(2, 6, 5, 4))
    text = str(found).splitlines()[0]
    assert "fault order-04 in up): down before up" in text


def test_a_right_port_has_nothing_to_explain() -> None:
    for spec in (LAYER, GroupNorm(2, 4)):
        found = diagnose(right, spec, input_shape=SHAPE)
        assert found.right
        assert found.answers == ()


def test_an_unknown_fault_is_said_to_be_unknown() -> None:
    found = diagnose(lambda *case: right(*case) + np.float32(3), LAYER, input_shape=SHAPE)
    assert not found.right
    assert found.answers == ()
    assert found.complete
    assert str(found).startswith("matches no known fault, nor two at once (")


def test_the_control_is_never_named() -> None:
    weights, x = init_weights(LAYER, 0), np.random.default_rng(0).standard_normal(SHAPE)
    y = port("control-01")(LAYER, weights, x)
    assert diagnose(y, LAYER, weights, x).right


def test_an_input_that_tells_nothing() -> None:
    weights, x = init_weights(LAYER, 0), np.full(SHAPE, np.nan, np.float32)
    found = diagnose(right(LAYER, weights, x), LAYER, weights, x)
    assert (found.right, found.tested) == (True, False)
    assert "cannot tell right from wrong" in str(found)


# ---------------------------------------------------------------- better than being right


def seen(spec, shape, wrong, seed: int = 0):
    """The diagnosis of one output on real numbers, which ``wrong`` makes of the right one."""
    weights = init_weights(spec, seed)
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    target = trace(spec, weights, exact_input(x))
    y = np.asarray(wrong(target.value, target.bound))
    return diagnose(y, spec, weights, x)


@pytest.mark.parametrize("times", [2, 0.3, 7, 30])
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
@pytest.mark.parametrize("features", [1, 8])
def test_another_epsilon_is_not_two_known_ones_that_cancel(features, eps, times) -> None:
    spec = BatchNorm(features, eps)
    other = replace(spec, eps=eps * times)
    for seed in range(3):
        weights = init_weights(spec, seed)
        x = np.random.default_rng(seed).standard_normal((2, 3, 4, features)).astype(np.float32)
        found = diagnose(right(other, weights, x), spec, weights, x)
        assert not found.right
        assert found.answers == (), found


@pytest.mark.parametrize("features", [1, 2, 8])
def test_an_offset_of_a_norm_is_not_two_known_faults(features: int) -> None:
    """On whole numbers, an offset is one of few: the statistics, a little off, explained it."""
    spec, shape = BatchNorm(features, 1e-3, rank=1), (2, 2, features)
    for number in range(2):
        weights, x = integer_case(spec, shape, number)
        for by in (-3, -2, -1, 1, 2, 3):
            found = diagnose(right(spec, weights, x) + np.float32(by), spec, weights, x)
            assert found.answers == (), found


@pytest.mark.parametrize("spec", [BatchNorm(8), LayerNorm(8), GroupNorm(2, 8)])
@pytest.mark.parametrize("bounds", [1.3, 2, 4, 40])
def test_a_norm_a_few_roundings_off_has_no_known_fault(spec, bounds: float) -> None:
    signs = np.random.default_rng(3).choice([-1, 1], (3, 5, 2, 8))
    for wrong in (
        lambda y, bound: y + bounds * bound,
        lambda y, bound: y + bounds * bound * signs,
        lambda y, bound: y * (1 + bounds * (bound / abs(y)).min()),
    ):
        assert seen(spec, (3, 5, 2, 8), wrong).answers == ()


@pytest.mark.parametrize("spec", [BatchNorm(4), LayerNorm(4), GroupNorm(2, 4), LAYER])
def test_one_value_off_by_one_has_no_known_fault(spec) -> None:
    def one_off(spec, weights, x):
        y = right(spec, weights, x)
        y.flat[y.size // 2] += 1
        return y

    assert diagnose(one_off, spec, input_shape=SHAPE, seconds=2).answers == ()


def asked(spec, shape, y=None, *ids: str) -> tuple[Question, list[Faulty]]:
    """A question about an output, or the one that the faults together give; and each of them."""
    weights, x = real_case(spec, shape, 5)
    faults = [seed_fault(spec, shape, FAULTS[each]) for each in ids]
    if y is None:
        y = implementation(right, *(FAULTS[each] for each in ids))(spec, weights, x)
    return Question(spec, Observation(weights, x, y)), faults


def test_a_fault_that_a_verdict_calls_right_is_no_cause() -> None:
    """It is nearer to what was seen than the right output, and yet no more than rounding."""
    question, (faulty,) = asked(LayerNorm(8), (3, 5, 2, 8), None, "precision-13")
    given = [prediction(faulty, *question.seen[:2])]
    assert question.status(given[0]) == "ok"
    target = question.target
    away = np.where(given[0] >= target.value, 1.2, -1.2) * target.bound
    wrong = Question(question.spec, question.seen._replace(y=np.float32(target.value + away)))
    assert wrong.wrong
    assert evidence._reach(faulty, given[0], wrong) is not None
    assert evidence.match(faulty, given, [wrong]) is None


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (("precision-07", "precision-16"), (True, False)),  # NaN to 0, where there is none
        (("layout-08", "parameters-02"), (False, False)),
    ],
)
def test_each_of_two_faults_must_tell(ids: tuple[str, str], told: tuple[bool, bool]) -> None:
    question, faults = asked(LAYER, SHAPE, None, *ids)
    both = evidence.Match((question.seen.y,), (question.target.bound,))
    for faulty, expected in zip(faults, told, strict=True):
        given = [prediction(faulty, *question.seen[:2])]
        assert evidence.one_suffices(faulty, given, both, [question]) is expected


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        (lambda y: y + 0.25, 1),  # an offset, a factor, both, each channel by itself, all
        (lambda y: y * 1.25, 1),
        (lambda y: y * 1.25 + 0.5, 2),
        (lambda y: y * np.linspace(1.1, 1.4, 8), 8),
        (lambda y: y[::-1], 320),
    ],
)
def test_how_much_an_output_tells(change, numbers: int) -> None:
    weights, x = real_case(LAYER, SHAPE, 5)
    y = np.float32(change(trace(LAYER, weights, exact_input(x)).value))
    question = Question(LAYER, Observation(weights, x, y))
    told = evidence.bits(evidence.Match((y,), (question.target.bound,)), [question])
    one = np.log2(abs(y - question.target.value) / question.target.bound)
    assert numbers * 0.5 * one.mean() < told <= numbers * (one.max() + 1) + 1


def test_another_amount_of_a_known_fault_is_one_number() -> None:
    question, (faulty,) = asked(LAYER, SHAPE, None, "parameters-04")
    given = [prediction(faulty, *question.seen[:2])]
    more = question.correct + np.float32(0.3) * (given[0] - question.correct)
    seen = Question(LAYER, question.seen._replace(y=more))
    matched = evidence.Match((more,), (seen.target.bound,))
    alone, known = evidence.bits(matched, [seen]), evidence.bits(matched, [seen], [given])
    assert known < 25 < 100 < alone


def test_what_chance_explains_is_doubtful() -> None:
    """One integer is twice another by chance; of a port, which can be asked again, it is not."""
    spec, shape = Conv(1, 1, 1), (1, 1, 1, 1)
    weights = {
        "kernel": np.full((1, 1, 1, 1), 3, np.float32),
        "bias": np.array([2], np.float32),
    }
    x = np.full(shape, 5, np.float32)
    found = diagnose(right(spec, weights, x) + np.float32(2), spec, weights, x)
    assert found.answers == ()
    assert ("parameters-02",) in found.doubtful[0].ids
    assert str(found).startswith("no cause is named: too few values differ to tell it from chance")
    assert found.to_dict()["doubtful"]
    asked = diagnose(port("parameters-02"), spec, input_shape=shape)
    assert "parameters-02" in first(asked)


def test_unknown_faults_are_given_no_name() -> None:
    """`python -m parity_tests.trials.trials unknown` asks for more of them, and searches longer."""
    result = unknown_faults(30, 3, seconds=0.2)
    assert len(result.kinds) > 12
    assert result.wrong == []
    assert result.alike < 10


# ---------------------------------------------------------------- two at once


@pytest.mark.parametrize(
    "ids",
    [("layout-08", "parameters-02"), ("padding-03", "layout-02"), ("parameters-04", "padding-08")],
)
def test_two_faults_at_once(ids: tuple[str, str]) -> None:
    found = diagnose(port(*ids), LAYER, input_shape=SHAPE)
    assert {frozenset(each) for each in found.answers[0].ids} >= {frozenset(ids)}
    assert f"fault {ids[0]}" in str(found)


def test_permuted_outputs_of_permuted_weights() -> None:
    spec = DepthwiseConv(4, 3, depth_multiplier=2)
    found = diagnose(port("grouping-01", "layout-08"), spec, input_shape=(1, 6, 5, 4))
    assert {"grouping-01", "layout-08"} <= first(found)


def test_one_fault_is_preferred_to_two() -> None:
    found = diagnose(port("layout-08"), LAYER, input_shape=SHAPE)
    assert found.pairs == 0
    assert all(len(ids) == 1 for answer in found.answers for ids in answer.ids)


def test_the_search_ends_when_the_time_is_up() -> None:
    found = diagnose(
        lambda *case: right(*case) + np.float32(3), LAYER, input_shape=SHAPE, seconds=0
    )
    assert not found.complete
    assert "then the time was up" in str(found)


# ---------------------------------------------------------------- real numbers, modules


def test_one_output_of_real_numbers() -> None:
    weights = init_weights(LAYER, 3)
    x = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    y = port("layout-02")(LAYER, weights, x)
    y = np.nextafter(y, np.float32(np.inf))  # a port sums in another order
    found = diagnose(y, LAYER, weights, x)
    assert first(found) == {"layout-02"}
    assert diagnose(y + np.float32(1e-3), LAYER, weights, x, seconds=1).answers == ()


def test_a_native_module() -> None:
    weights = init_weights(LAYER, 0)
    wrong = make(replace(LAYER, padding=1), weights)
    assert "padding-03" in first(diagnose(wrong, LAYER, weights, input_shape=SHAPE))
    flipped = make(LAYER, {**weights, "kernel": weights["kernel"][::-1, ::-1]})
    assert "layout-08" in first(diagnose(flipped, LAYER, weights, input_shape=SHAPE))


def test_the_layers_of_a_network() -> None:
    """The same fault in every layer: one line says it of all."""
    spec = networks.get("mobilenet_v1", width=0.125, classes=5).spec
    weights = init_weights(spec, 0)
    wrong = {
        name: w[::-1, ::-1] if w.ndim == 4 and w.shape[0] == 3 else w for name, w in weights.items()
    }
    module = make(spec, wrong)
    found = first_divergence(module, (spec, weights), input_shape=(1, 64, 64, 3))
    assert found.first.path == "stem.conv"
    lines = diagnosis.summary(diagnose_layers(found))
    assert len(lines) == 1
    assert lines[0].startswith("stem.conv, blocks.0.depthwise.conv, ")
    assert "fault layout-08" in lines[0]


def test_bad_questions() -> None:
    weights = init_weights(LAYER, 0)
    with pytest.raises(InputError, match="input_shape"):
        diagnose(right, LAYER)
    with pytest.raises(InputError, match="weights and the input"):
        diagnose(np.zeros(3), LAYER, weights, input_shape=SHAPE)
    with pytest.raises(InputError, match="weights that the module should have"):
        diagnose(make(LAYER, weights), LAYER, input_shape=SHAPE)
    with pytest.raises(InputError, match="is no port"):
        diagnose("y.npy", LAYER, input_shape=SHAPE)
    with pytest.raises(InputError, match="real numbers"):
        diagnose(np.zeros(3, complex), LAYER, weights, np.zeros(SHAPE))
    with pytest.raises(convparity.SpecError):
        diagnose(right, LAYER, input_shape=(1, 8, 8, 3))


# ---------------------------------------------------------------- trials


@pytest.mark.long
def test_faults_in_random_specs() -> None:
    result = run(1, 5)
    assert len(result.faults) > 80
    assert result.within(1) >= 0.95, result.misses
