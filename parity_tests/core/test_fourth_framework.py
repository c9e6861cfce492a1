"""A framework that nothing here knows, of NumPy alone: what it costs, and what it need not do.

Its adapter has what conversion needs. Gradients, training, timing, counting and scripts are for
those that have them: asked of it, they are an ``UnsupportedError`` that names it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import settings

from convparity import UnsupportedError, check, compare, diagnose, init_weights
from convparity.analysis.cli import cli
from convparity.impls import registry
from convparity.impls.notation import from_line
from parity_tests.support.numpy_framework import NumpyAdapter, installed, make
from parity_tests.support.properties import PROPERTIES

LINE = "conv2d c4>6 k3 s2 same hw8x9"
NETWORK = (
    "conv2d c3>4 k3 s2 same hw9x8 | batchnorm2d c4 | residual( separable2d c4>4 k3 same ) | relu6"
)
OPTIONAL = ("backward", "count", "train")  # what a framework need not be able to do
BY_GRADIENT = ("relations: transpose",)  # judges the forward pass, by a gradient


@pytest.fixture(autouse=True)
def numpy_is_known() -> Iterator[None]:
    """By its row alone."""
    with installed():
        yield


@pytest.fixture
def few_examples() -> Iterator[None]:
    """Some of the gate's, so that the cells of a family are not all met."""
    profile = settings.get_current_profile_name()
    settings.load_profile("reduced")
    yield
    settings.load_profile(profile)


ABLE = [
    name
    for name, each in PROPERTIES.items()
    if each.operation not in OPTIONAL and name not in BY_GRADIENT
]


@pytest.mark.parametrize("name", ABLE)
def test_the_gates_properties(few_examples: None, name: str) -> None:
    PROPERTIES[name].run(NumpyAdapter())


@pytest.mark.parametrize("line", [LINE, NETWORK])
def test_compare(line: str) -> None:
    spec, shape = from_line(line)
    (verdict,) = compare(spec, input_shape=shape, frameworks=["numpy"])
    assert verdict.ok, verdict
    assert str(verdict).startswith("numpy on cpu, float32: ok")


def pair(wrong: bool) -> tuple[Any, Any, np.ndarray]:
    """A module, a twin of it, and what both are called with."""
    spec, shape = from_line(NETWORK)
    weights = init_weights(spec, 1)
    module, twin = make(spec, weights), make(spec, weights)
    if wrong:
        kernel = twin.children["0"].weights["kernel"]
        kernel[...] = kernel[:, ::-1]
    return module, twin, np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def test_check() -> None:
    assert check(*pair(wrong=False)).status == "proved"
    answer = check(*pair(wrong=True))
    assert (answer.status, answer.first) == ("wrong", "0")


def test_diagnose() -> None:
    spec, shape = from_line(LINE)
    weights = init_weights(spec, 1)
    module = make(spec, {**weights, "kernel": weights["kernel"][::-1, ::-1]})
    found = diagnose(module, spec, weights, input_shape=shape)
    assert "layout-08" in {id for ids in found.answers[0].ids for id in ids}  # the kernel flipped


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["replay", f"{LINE} ints:3", *arguments])


def test_replay() -> None:
    done = invoke("--frameworks", "numpy")
    assert (done.exit_code, done.exception) == (0, None)
    assert done.output.startswith("numpy: ok: ")


def test_without_a_script_it_is_named() -> None:
    error = invoke("--script", "numpy").exception
    assert isinstance(error, UnsupportedError)
    assert str(error).startswith("numpy: no script can be written")


def test_a_script_that_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the row alone: in the folder of its adapter, whatever that is called."""
    other = registry.FRAMEWORKS["flax"]
    monkeypatch.setitem(registry.FRAMEWORKS, "numpy", other)
    assert other.root == registry.script("numpy").PACKAGE


x = np.zeros((1, 8, 9, 4), np.float32)


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("backward", (x, x), {}),
        ("runners", (x,), {}),
        ("train", (x, x), {"rate": 0.1}),
        ("count", (), {}),
    ],
)
def test_what_it_need_not_do(name: str, arguments: tuple[Any, ...], options: Any) -> None:
    spec, _ = from_line(LINE)
    adapter = registry.get("numpy")
    with pytest.raises(UnsupportedError, match="numpy"):
        getattr(adapter, name)(adapter.build(spec), *arguments, **options)
