"""``convparity layers``: tables, JSON and plots of two networks, layer by layer."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import convparity
from convparity import Activation, Conv, Residual, Sequential
from convparity.analysis.cli import cli
from convparity.impls.errors import FrameworkUnavailable, InputError

SPEC = Sequential(
    {"stem": Conv(3, 4, 3, 2, "same"), "block": Residual(Conv(4, 4, 1)), "act": Activation("relu")}
)


def command(*arguments):
    return CliRunner().invoke(cli, ["layers", *map(str, arguments), "--input", "1x8x8x3"])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    weights = convparity.init_weights(SPEC, 0)
    right, wrong = tmp_path / "right.safetensors", tmp_path / "wrong.safetensors"
    convparity.save(right, SPEC, weights)
    weights["block.body.kernel"] = weights["block.body.kernel"] + np.float32(1)
    convparity.save(wrong, SPEC, weights)
    return right, wrong


def test_two_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = command(*files, "--json", report)
    assert done.exit_code == 1
    text = " ".join(done.output.split())
    assert (
        "not ok: wrong.safetensors against right.safetensors: first divergence at block.body"
        in text
    )
    (data,) = json.loads(report.read_text())["data"]
    assert data["first"] == "block.body"
    states = {row["path"]: row["state"] for row in data["layers"]}
    assert states == {
        "stem": "ok",
        "block.body": "WRONG",
        "block": "inherited",
        "act": "ok",
        "": "inherited",
    }


def test_two_files_of_compare_are_judged_alike(files: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(cli, ["compare", *map(str, files), "--input", "1x8x8x3"])
    assert done.exit_code == 1
    assert done.output == command(*files).output


def test_a_file_against_itself(files: tuple[Path, Path]) -> None:
    done = command(files[0], files[0])
    assert done.exit_code == 0
    assert "no divergence: 5 layers" in done.output


def test_options_that_do_not_fit(files: tuple[Path, Path]) -> None:
    for arguments in (
        (*files, "--against", "pytorch"),
        (*files, "--frameworks", "pytorch"),
    ):
        assert isinstance(command(*arguments).exception, InputError)


def test_a_plot_without_matplotlib(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    error = command(*files, "--plot", tmp_path / "drift.png").exception
    assert isinstance(error, FrameworkUnavailable)
    assert "pip install 'convparity[plots]'" in str(error)


@pytest.mark.frameworks
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_plot(files: tuple[Path, Path], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"drift.{suffix}"
    assert command(*files, "--plot", path).exit_code == 1
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


@pytest.mark.frameworks
def test_a_plot_that_cannot_be_written(files: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("drift.txt", "drift", "missing/drift.png"):
        assert isinstance(command(*files, "--plot", tmp_path / name).exception, InputError)


@pytest.mark.frameworks
def test_frameworks_against_the_reference_and_each_other() -> None:
    layer = "conv2d c3>4 k3 s2 same hw8x8 | relu"
    for arguments in (
        ("--frameworks", "pytorch,flax"),
        ("--frameworks", "keras", "--against", "flax"),
    ):
        done = command(layer, *arguments)
        assert done.exit_code == 0, done.output
        assert "no divergence: 3 layers" in done.output
    alone = command(layer, "--frameworks", "flax", "--against", "flax")
    assert isinstance(alone.exception, InputError)
