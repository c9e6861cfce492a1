"""Every command gives its figures to other programs, in one form."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import convparity
from convparity import InputError
from convparity.analysis.cli import cli
from convparity.analysis.commands.shared import SCHEMA, read_json

LAYER = "conv2d c2>3 k3 hw5 n1"
SPEC, SHAPE = convparity.from_line(LAYER)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files of weights and an output in it, where the commands run."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        convparity.save(f"{seed}.safetensors", SPEC, convparity.init_weights(SPEC, seed))
    np.save("y.npy", np.ones((1, 3, 3, 3)))
    return tmp_path


# command -> words that need no framework
ALONE = {
    "count": [LAYER],
    "divergences": ["momentum"],
    "layers": ["0.safetensors", "1.safetensors", "--input", "1x5x5x2"],
    "compare": ["0.safetensors", "1.safetensors", "--input", "1x5x5x2"],
    "diagnose": [f"{LAYER} ints:1", "--output", "y.npy", "--seconds", "0"],
}
# ... and words that need all, or one
TOGETHER = {
    "compare": [LAYER, "--frameworks", "pytorch"],
    "replay": [f"{LAYER} ints:1", "--frameworks", "pytorch"],
}
SLOW = {"bench", "support"}  # minutes, or what test_docs runs


def test_no_command_is_forgotten() -> None:
    assert set(cli.commands) == set(ALONE) | set(TOGETHER) | SLOW
    for name, command in cli.commands.items():
        assert any("--json" in option.opts for option in command.params), name


def run(words: list[str]) -> None:
    """As the shell runs it; an error of ours goes through, a verdict of wrong does not."""
    with contextlib.suppress(SystemExit):
        cli(words, standalone_mode=False)


def assert_same_in_a_file(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run([*words, "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"schema", "command", "data"}
    assert (found["schema"], found["command"]) == (SCHEMA, words[0])
    assert found["data"]
    run([*words, "--json", "found.json"])
    assert read_json("found.json") == found["data"]


@pytest.mark.parametrize("name", ALONE)
def test_it_is_printed_or_written(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_same_in_a_file([name, *ALONE[name]], capsys)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", TOGETHER)
def test_so_are_verdicts_on_frameworks(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_same_in_a_file([name, *TOGETHER[name]], capsys)


@pytest.mark.parametrize("option", ["--json=", "--input="])
def test_an_empty_option_is_not_left_out(folder: Path, option: str) -> None:
    """As of a variable of the shell that is not set."""
    done = CliRunner().invoke(cli, ["count", LAYER, option])
    assert isinstance(done.exception, InputError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no whole JSON file"),
        ("{" * 10**5, "no whole JSON file"),
        ("[1, 2]", "no figures of this version"),
        ('{"schema": 0, "data": 1}', "no figures of this version"),
        ("\0\xff", "no whole JSON file"),
    ],
)
def test_figures_of_another_kind_are_refused(folder: Path, text: str, message: str) -> None:
    Path("found.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"found\.json.*{message}"):
        read_json("found.json")
