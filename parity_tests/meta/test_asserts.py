"""The assertions fail where they must, and say who is wrong and how to run it again."""

import re
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from convparity import Conv, Sequential
from convparity.analysis.cli import cli
from convparity.analysis.replay.replay import parse
from convparity.impls.adapter import Placement
from convparity.impls.spec import Spec
from convparity.impls.weights import Weights
from parity_tests.support.asserts import assert_parity, assert_precision, assert_structure, coverage
from parity_tests.support.fakes import FakeAdapter
from parity_tests.support.numpy_framework import HERE, Module, NumpyAdapter, installed, make
from parity_tests.support.strategies import Case

CASE = Case(Conv(4, 8, (3, 2), (2, 1), "same", (1, 2), groups=2), (2, 7, 9, 4), 17)


def off_by_one(y: np.ndarray) -> np.ndarray:
    return np.roll(y, 1, axis=1)


def test_right_adapters_pass() -> None:
    assert_structure(CASE, [FakeAdapter("a"), FakeAdapter("b")])
    assert_precision(CASE, [FakeAdapter("a"), FakeAdapter("b")])
    assert_parity(CASE, [FakeAdapter("a"), FakeAdapter("b")])


def test_the_wrong_one_is_named() -> None:
    adapters = [FakeAdapter("a"), FakeAdapter("b", off_by_one), FakeAdapter("c")]
    with pytest.raises(AssertionError) as failure:
        assert_structure(CASE, adapters)
    message = str(failure.value)
    assert message.startswith("b on cpu wrong: a on cpu and c on cpu and the reference agree")
    assert re.search(r"worst y\[\d, \d, \d, \d\] = -?\d+, not -?\d+", message)
    line = re.search(r"convparity replay '(.*)'", message).group(1)
    assert parse(line) == (CASE.spec, CASE.input_shape, "ints", 17)


def test_the_reference_is_suspected_when_all_agree_against_it() -> None:
    adapters = [FakeAdapter(name, off_by_one) for name in "abc"]
    with pytest.raises(AssertionError, match="the reference is suspect"):
        assert_structure(CASE, adapters)


def test_no_majority() -> None:
    adapters = [FakeAdapter("a", off_by_one), FakeAdapter("b", np.negative)]
    with pytest.raises(AssertionError, match="not in the same way"):
        assert_structure(CASE, adapters)


@pytest.mark.parametrize(
    "fault",
    [
        lambda y: y[:1],
        lambda y: y.astype(np.float64),
        lambda y: np.where(y == y.flat[5], np.nan, y).astype(np.float32),
        lambda y: np.where(y == y.flat[5], np.inf, y).astype(np.float32),
        lambda y: y + np.float32(2**-10) * (np.arange(y.size).reshape(y.shape) == 3),
        np.zeros_like,
        lambda y: y[..., ::-1],
    ],
)
def test_each_of_these_is_seen(fault) -> None:
    for check in (assert_structure, assert_precision, assert_parity):
        with pytest.raises(AssertionError, match="bad"):
            check(CASE, [FakeAdapter("bad", fault)])


def test_a_replay_of_a_composite_with_names() -> None:
    case = Case(Sequential({"stem": CASE.spec}), CASE.input_shape, 3)
    with pytest.raises(AssertionError) as failure:
        assert_structure(case, [FakeAdapter("a", off_by_one)])
    line = re.search(r"convparity replay '(.*)'", str(failure.value)).group(1)
    assert parse(line) == (case.spec, case.input_shape, "ints", 3)


def test_a_replay_of_precision_says_so() -> None:
    with pytest.raises(AssertionError, match=r"convparity replay '.* reals:17'"):
        assert_precision(CASE, [FakeAdapter("a", off_by_one)])


class Frozen(FakeAdapter):
    """Computes with the weights that it was built with, whatever is loaded later."""

    def write(self, variable, array, share=False):
        pass


@pytest.mark.parametrize(
    ("answers", "data"), [(1, "ints:17"), (2, "ints:18"), (3, "reals:17"), (4, None)]
)
def test_the_replay_is_of_the_example_that_failed(answers: int, data: str | None) -> None:
    """An adapter that is right until its n-th answer."""
    count = iter(range(1, 4))
    late = FakeAdapter("late", lambda y: off_by_one(y) if next(count) == answers else y)
    if data is None:
        assert_parity(CASE, [late])
        return
    with pytest.raises(AssertionError, match=rf"convparity replay '.* {data}'"):
        assert_parity(CASE, [late])


def test_weights_that_stay_are_seen() -> None:
    with pytest.raises(AssertionError, match="frozen on cpu wrong"):
        assert_parity(CASE, [FakeAdapter("a"), Frozen("frozen")])


class Flipped(NumpyAdapter):
    """Holds the kernel of a convolution upside down."""

    def make(self, spec: Spec, weights: Weights | None, place: Placement = HERE) -> Module:
        return make(spec, {**weights, "kernel": weights["kernel"][::-1, ::-1].copy()})


def test_the_command_that_a_failure_prints_names_the_fault() -> None:
    """The failure itself diagnoses nothing: a shrinking run raises hundreds of them."""
    with installed(Flipped()), pytest.raises(AssertionError) as failure:
        assert_structure(CASE, [Flipped(), FakeAdapter("b")])
    first, *_, last = str(failure.value).splitlines()
    assert first == "numpy on cpu wrong: b on cpu and the reference agree"
    program, *arguments = shlex.split(last.removeprefix("  diagnose: "))
    with installed(Flipped()):
        done = CliRunner().invoke(cli, arguments)
    assert (program, done.exit_code) == ("convparity", 1)
    assert done.output.startswith("numpy: matches: kernel flipped")


def test_a_diagnosis_is_of_every_wrong_framework_once() -> None:
    class Two(FakeAdapter):
        def devices(self) -> tuple[str, ...]:
            return "cpu", "gpu:0"

    wrong = [Two("a", off_by_one), FakeAdapter("b", off_by_one)]
    with pytest.raises(AssertionError, match=r"convparity diagnose '.* ints:17' --frameworks a,b$"):
        assert_structure(CASE, [*wrong, FakeAdapter("c")])


def test_a_cell_never_drawn_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="never drawn: even kernel"), coverage({"even kernel"}):
        pass
