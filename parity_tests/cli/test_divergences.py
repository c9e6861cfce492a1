"""The command `convparity divergences`: what it prints, what it writes, and how it fails."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from convparity.analysis import cli as command
from convparity.analysis.catalogue import search
from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.impls.errors import InputError


def run(*arguments: str) -> str:
    arguments = ("divergences", *arguments)
    result = CliRunner().invoke(command.cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def ids(*words: str) -> list[str]:
    return [entry.id for entry in search.find(words)]


def test_without_a_word_all_are_listed():
    output = run()
    assert f"{len(CATALOGUE)} differences" in output
    assert all(entry.id in output for entry in CATALOGUE)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["momentum"], "batchnorm-momentum"),
        (["MOMENTUM"], "batchnorm-momentum"),
        (["same padding"], "padding-same-strided"),
        (["same", "padding"], "padding-same-strided"),
        (["gelu"], "gelu-default"),
        (["uninitialised"], "kernel-too-large-tensorflow"),
    ],
)
def test_words_find_what_a_porter_looks_for(words: list[str], first: str):
    found = ids(*words)
    assert found[0] == first
    assert len(found) < len(CATALOGUE)


def test_every_word_must_be_mentioned():
    assert set(ids("batchnorm", "momentum")) == set(ids("batchnorm")) & set(ids("momentum"))


def test_an_id_finds_its_entry_alone():
    assert len(ids("batchnorm")) > 1
    for entry in CATALOGUE:
        assert ids(entry.id) == [entry.id]


def test_an_entry_is_printed_in_full():
    (entry,) = search.find(["pool-average-asymmetric"])
    printed = " ".join(run("pool-average-asymmetric").split())
    told = (entry.id, entry.title, *entry.frameworks.values(), entry.port, entry.date)
    for text in (*told, entry.upstream):
        assert " ".join(text.split()) in printed
    assert "Keras on PyTorch [21, 27, 33] (right: [24, 24, 30])" in printed
    assert all(address in printed for address in entry.threads)
    assert "import keras" not in printed
    assert "import keras" in run("pool-average-asymmetric", "--code")


def test_brackets_are_printed_as_they_are():
    assert "kernel[...] = value broadcasts" in run("weights-broadcast")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command.cli(["divergences", "momentum", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["data"] == [
        entry.data() for entry in search.find(["momentum"])
    ]
    path = tmp_path / "all.json"
    run("--json", str(path))
    assert json.loads(path.read_text())["data"] == [entry.data() for entry in CATALOGUE]


def test_an_unknown_word_is_an_error_with_suggestions(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["convparity", "divergences", "momentun"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (2, "")
    assert "no difference mentions 'momentun'. Did you mean 'momentum'?" in printed.err
    assert "`convparity divergences` lists them all" in printed.err


def test_words_that_never_meet_are_an_error():
    with pytest.raises(InputError, match="no difference mentions 'gelu' and 'bicubic'"):
        search.find(["gelu", "bicubic"])
