"""Diagnosis names the fault that was seeded, what it cannot tell apart, and when it is lost."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import convparity
from convparity import (
    BatchNorm,
    Conv,
    DepthwiseConv,
    GroupNorm,
    SeparableConv,
    Sequential,
    init_weights,
)
from convparity.analysis.cli import cli
from convparity.analysis.diagnosis import diagnose as diagnosis
from convparity.analysis.diagnosis.suspects import right
from convparity.analysis.faults import FAULTS, implementation
from convparity.analysis.layerwise.compare import first_divergence
from convparity.analysis.replay.replay import parse
from convparity.impls import networks
from convparity.impls.errors import InputError
from parity_tests.meta.diagnosis_trials import run
from parity_tests.meta.numpy_framework import installed, make

# On a busy machine, too, a test must end as it does on an idle one.
diagnose, diagnose_layers = (
    partial(ask, seconds=600) for ask in (diagnosis.diagnose, diagnosis.diagnose_layers)
)
LAYER, SHAPE = Conv(4, 8, 3, 2, "same"), (2, 8, 9, 4)


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


# ---------------------------------------------------------------- the command line

LINE = "conv2d c4>8 k3 s2 same hw8x9 ints:17"


def command(*arguments: str):
    return CliRunner().invoke(cli, ["diagnose", *map(str, arguments)])


def test_an_output_in_a_file(tmp_path) -> None:
    spec, *_ = case = parse(LINE)
    path, report = tmp_path / "y.npy", tmp_path / "report.json"
    np.save(path, port("layout-08")(spec, *case.case()).astype(np.float64))
    done = command(LINE, "--output", path, "--json", report)
    assert done.exit_code == 1
    assert "matches: kernel flipped" in done.output
    assert json.loads(report.read_text())[str(path)]["answers"][0]["faults"] == [["layout-08"]]
    np.save(path, right(spec, *case.case()))
    assert command(LINE, "--output", path).exit_code == 0


def _save_several(path, y) -> None:
    with path.open("wb") as file:
        np.savez(file, y)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path, y: np.save(path, y.ravel()[:5]), "no known fault makes that of it"),
        (lambda path, y: np.save(path, y * np.nan), "NaN"),
        (lambda path, y: path.write_bytes(b"\x93NUMPY\x01\x00v"), "no whole .npy file"),
        (lambda path, y: np.save(path, np.array([{}]), allow_pickle=True), "no whole .npy file"),
        (lambda path, y: _save_several(path, y), "no array of real numbers"),
        (lambda path, y: np.save(path, y.astype(str)), "no array of real numbers"),
        (lambda path, y: None, "no whole .npy file"),
    ],
)
def test_files_that_hold_no_output(tmp_path, write, message: str) -> None:
    case, path = parse(LINE), tmp_path / "y.npy"
    write(path, right(case.spec, *case.case()))
    done = command(LINE, "--output", path)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_two_weight_files(tmp_path) -> None:
    spec = Sequential({"a": LAYER, "b": Conv(8, 3, 1)})
    weights = init_weights(spec, 0)
    convparity.save(tmp_path / "right.safetensors", spec, weights)
    weights["a.kernel"] = np.ascontiguousarray(weights["a.kernel"][::-1, ::-1])
    convparity.save(tmp_path / "wrong.safetensors", spec, weights)
    files = tmp_path / "right.safetensors", tmp_path / "wrong.safetensors"
    done = command(*files, "--input", "1x8x9x4")
    assert done.exit_code == 1
    assert "first divergence at a (Conv)" in done.output
    assert "a: matches: kernel flipped" in done.output
    assert command(files[0], files[0], "--input", "1x8x9x4").exit_code == 0
    assert isinstance(command(files[0]).exception, InputError)
    compared = CliRunner().invoke(cli, ["compare", *map(str, files), "--input", "1x8x9x4"])
    assert compared.exit_code == 1
    assert "a: matches: kernel flipped" in " ".join(compared.output.split())
    assert "WRONG" in compared.output


# ---------------------------------------------------------------- trials


def test_faults_in_random_specs() -> None:
    result = run(1, 5)
    assert len(result.faults) > 80
    assert result.within(3) >= 0.95, result.misses
    assert result.within(1) >= 0.8, result.misses
