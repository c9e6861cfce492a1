"""The command `convparity replay`: what it writes, and what it judges."""

import re

import pytest
from click.testing import CliRunner

from convparity.analysis import cli as command
from convparity.analysis.replay.replay import Replay, judge, parse
from convparity.analysis.replay.scripts import write_script
from convparity.impls.errors import ConvparityError
from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.graphs import TWO
from parity_tests.support.lines import GOLDEN

CONV = "conv2d c1>2 k3 hw5"


def invoke(*arguments):
    return CliRunner().invoke(command.cli, ["replay", *arguments])


def test_the_command_writes_a_script(tmp_path):
    printed = invoke(GOLDEN[0], "--script", "keras")
    assert printed.exit_code == 0
    assert printed.output == write_script(parse(GOLDEN[0]), "keras")
    path = tmp_path / "case.py"
    assert invoke(GOLDEN[0], "--script", "keras", "--output", str(path)).output == ""
    assert path.read_text() == printed.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([CONV], "data of a case"),
        ([GOLDEN[0], "--script", "torches"], "unknown framework 'torches'"),
        ([GOLDEN[0], "--script", "keras", "--frameworks", "keras"], "not both"),
        ([GOLDEN[0], "--output", "case.py"], "say --script"),
        ([GOLDEN[0], "--script", "keras", "--output", "/nowhere/case.py"], "cannot write"),
        ([GOLDEN[0], "--frameworks", "torches"], "unknown framework 'torches'"),
    ],
)
def test_the_command_refuses(arguments, complaint):
    done = invoke(*arguments)
    assert isinstance(done.exception, ConvparityError)
    assert complaint in str(done.exception)


@pytest.mark.frameworks
@pytest.mark.parametrize("data", ["ints", "reals"])
def test_the_command_judges(data):
    done = invoke(f"conv2d c4>8 k3x2 s2x1 d1x2 same g2 hw7x9 {data}:17")
    assert done.exit_code == 0, done.output
    said = {"ints": "exact", "reals": "bits"}[data]
    for framework in FRAMEWORKS:
        assert re.search(f"^{framework}: ok: .*{said}", done.output, re.MULTILINE)


@pytest.mark.frameworks
@pytest.mark.parametrize("data", ["ints", "reals"])
def test_graphs_of_several_values_are_judged(data):
    line = str(Replay(TWO, ((1, 3, 2, 3), (1, 3, 2, 4)), data, 1))
    done = invoke(line, "--frameworks", "pytorch")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("pytorch: ok: ")


@pytest.mark.frameworks
@pytest.mark.parametrize("data", ["ints", "reals"])
def test_a_wrong_framework_is_told(data, monkeypatch):
    from convparity.impls.pytorch.adapter import PyTorchAdapter

    right = PyTorchAdapter.forward
    monkeypatch.setattr(PyTorchAdapter, "forward", lambda *a, **k: right(*a, **k)[..., ::-1])
    done = invoke(f"conv2d c2>3 k3 hw5 {data}:1", "--frameworks", "pytorch")
    assert done.exit_code == 1
    assert done.output.startswith("pytorch: WRONG: ")
    assert not judge(parse(f"conv2d c2>3 k3 hw5 {data}:1"), ["pytorch"])["pytorch"].ok
