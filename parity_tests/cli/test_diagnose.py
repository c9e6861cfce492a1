"""The command `convparity diagnose`: of an output, and of two files."""

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner

import convparity
from convparity import Conv, Sequential, init_weights
from convparity.analysis.cli import cli
from convparity.analysis.diagnosis.suspects import right
from convparity.analysis.faults import implementation
from convparity.analysis.replay.replay import Replay, parse
from convparity.impls.errors import InputError
from parity_tests.support.faults import FAULTS
from parity_tests.support.graphs import TWO

LAYER, SHAPE = Conv(4, 8, 3, 2, "same"), (2, 8, 9, 4)


def port(*ids: str):
    return implementation(right, *(FAULTS[each] for each in ids))


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
    assert json.loads(report.read_text())["data"][str(path)]["answers"][0]["faults"] == [
        ["layout-08"]
    ]
    np.save(path, right(spec, *case.case()))
    assert command(LINE, "--output", path).exit_code == 0


def test_one_file_is_no_answer_of_a_graph_with_several_outputs(tmp_path) -> None:
    line = str(Replay(TWO, ((1, 3, 2, 3), (1, 3, 2, 4)), "ints", 1))
    np.save(tmp_path / "y.npy", np.zeros((1, 4)))
    done = command(line, "--output", tmp_path / "y.npy")
    assert isinstance(done.exception, InputError)
    assert "is one array, and the graph gives several" in str(done.exception)


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
        (lambda path, y: _save_several(path, y), "no whole .npy file"),
        (lambda path, y: np.save(path, y.astype(str)), "give real numbers"),
        (lambda path, y: np.save(path, y.astype(complex)), "give real numbers"),
        (
            lambda path, y: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00" + b"{" * 16),
            "no whole .npy",
        ),
        (
            lambda path, y: path.write_bytes(2 * (np.save(path, y) or path.read_bytes())),  # type: ignore[func-returns-value]
            "bytes behind its array",
        ),
        (lambda path, y: path.mkdir(), "is not a file"),
        (lambda path, y: os.mkfifo(path), "is not a file"),
        (lambda path, y: None, "nothing has this name"),
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


def test_two_weight_files_that_differ_by_less_than_an_output_shows(tmp_path) -> None:
    """Found in a layer of large terms: its weights were wrong, and "nothing is wrong" was said."""
    spec = Sequential({"a": Conv(3, 1, 3), "b": Conv(1, 1, 1)})
    weights = init_weights(spec, 0)
    convparity.save(tmp_path / "right.safetensors", spec, weights)
    kernel = weights["a.kernel"].copy()
    for factor, said in (
        (1 + 2.0**-22, "a: its weights differ, and no output here shows it: 3 of 27 in kernel"),
        (1 + 2.0**-9, "tried); its weights differ: 3 of 27 in kernel, worst kernel[0, 0, 0, 0] = "),
    ):
        wrong = kernel.copy()
        wrong[0, 0] *= np.float32(factor)
        convparity.save(tmp_path / "wrong.safetensors", spec, {**weights, "a.kernel": wrong})
        done = command(
            tmp_path / "right.safetensors", tmp_path / "wrong.safetensors", "--input", "1x5x4x3"
        )
        assert done.exit_code == 1
        assert "nothing is wrong" not in done.output
        assert said in done.output
