"""`convparity divergences --run`: what is measured here stands beside what is stated."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from convparity.analysis import cli as command
from convparity.analysis.catalogue import run, search
from convparity.analysis.catalogue.answers import Dies, Raises, plain
from convparity.impls import registry
from convparity.impls.errors import ConvparityError, FrameworkUnavailable, InputError

(ENTRY,) = search.find(["batchnorm-momentum"])
LABELS = [each.label for each in ENTRY.demonstrations]
Child = Callable[[str, list[tuple[str, str]]], tuple[list[run.Outcome], int]]


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(command.cli, ["divergences", *arguments, "--run"])


def words(printed: str) -> str:
    """What was printed, without the lines of tables."""
    return " ".join(re.sub("[─-╿]", " ", printed).split())


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """Some frameworks are not installed; the others are, whatever is there."""
    reasons = {name: f"{name}: pip install 'convparity[{name}]'" for name in missing}
    monkeypatch.setattr(registry, "problem", reasons.get)


def as_stated(id: str, label: str) -> run.Outcome:
    """The outcome that the entry states."""
    (entry,) = search.find([id])
    (expected,) = [each.expected_here for each in entry.demonstrations if each.label == label]
    match expected:
        case Raises(error, text):
            outcome: run.Outcome = {"error": error, "text": text}
        case Dies(name):
            outcome = {"signal": name}
        case _:
            outcome = {"value": plain(expected)}
    return {"id": id, "label": label, **outcome}


def child(**values: Any) -> Child:
    """A process in which all is as stated, but for the values of some labels."""

    def process(setting: str, keys: list[tuple[str, str]]) -> tuple[list[run.Outcome], int]:
        found = [as_stated(*key) for key in keys]
        for line in found:
            line |= {"value": values[line["label"]]} if line["label"] in values else {}
        return found, 0

    return process


# ---------------------------------------------------------------- what is printed


def test_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    monkeypatch.setattr(run, "process", child())
    result = asked("batchnorm-momentum")
    assert result.exit_code == 0, result.output
    for label, answer in zip(LABELS, (1, 3, 3), strict=True):
        assert f"{label} {answer} {answer} as stated" in words(result.stdout)
    assert "3 of 3 demonstrations give what is stated" in result.stdout
    assert result.stderr == ""


def test_not_as_stated_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    monkeypatch.setattr(run, "process", child(**{LABELS[1]: 7}))
    result = asked("batchnorm-momentum")
    assert result.exit_code == 1
    printed = words(result.stdout)
    assert f"{LABELS[1]} 3 7 NOT as stated" in printed
    assert "2 of 3 demonstrations give what is stated" in printed
    assert "not ok: changed: update or remove entry batchnorm-momentum" in printed
    assert f"{LABELS[1]} gave: 3 now it gives: 7" in printed


def test_a_missing_framework_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "flax")
    monkeypatch.setattr(run, "process", child())
    result = asked("momentum")
    assert result.exit_code == 0
    assert result.stderr == "left out: flax: pip install 'convparity[flax]'\n"
    assert f"{LABELS[1]} 3 left out" in words(result.stdout)
    found = len(list(run.pairs(search.find(["momentum"]))))
    assert re.search(rf"(\d+) of \1 demonstrations .*; {found // 3} left out", result.stdout)


def test_where_nothing_can_run_that_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, *registry.FRAMEWORKS)
    result = asked("momentum")
    assert isinstance(result.exception, FrameworkUnavailable)
    for name in registry.FRAMEWORKS:
        assert f"{name}: pip install 'convparity[{name}]'" in str(result.exception)


def test_without_a_word_all_of_them_run(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    monkeypatch.setattr(run, "process", child())
    result = asked()
    assert result.exit_code == 0, result.output
    count = sum(not entry.unmet for entry, _ in run.pairs())
    assert f"{count} of {count} demonstrations give what is stated" in result.stdout


def test_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch, "keras")
    monkeypatch.setattr(run, "process", child(**{LABELS[1]: 7}))
    result = asked("batchnorm-momentum", "--json", "-")
    assert result.exit_code == 1
    (entry,) = json.loads(result.stdout)["data"]
    assert entry.pop("measured") == [
        {"label": label, "stated": stated, "measured": came, "as_stated": ok, "left_out": reason}
        for label, stated, came, ok, reason in [
            (LABELS[0], "1", "1", True, None),
            (LABELS[1], "3", "7", False, None),
            (LABELS[2], "3", None, None, "keras: pip install 'convparity[keras]'"),
        ]
    ]
    assert entry == ENTRY.data()
    assert "NOT as stated" in words(result.stderr)


def test_code_is_not_run_and_shown_at_once() -> None:
    assert isinstance(asked("momentum", "--code").exception, InputError)


# ---------------------------------------------------------------- processes of their own


def test_what_dies_unexpectedly_is_an_outcome_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def process(setting: str, keys: list[tuple[str, str]]) -> tuple[list[run.Outcome], int]:
        calls.append(len(keys))
        if len(keys) == 3:  # the second one kills it
            return [as_stated(*keys[0])], -11
        return [as_stated(*key) for key in keys], 0

    monkeypatch.setattr(run, "process", process)
    found = run.measure(run.pairs([ENTRY]))
    assert calls == [3, 1]
    assert [each.measured for each in found] == ["1", "the process dies of SIGSEGV", "3"]
    assert [bool(each.complaint) for each in found] == [False, True, False]


def test_each_setting_and_each_deadly_one_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def process(setting: str, keys: list[tuple[str, str]]) -> tuple[list[run.Outcome], int]:
        seen.append((setting, keys))
        return child()(setting, keys)

    monkeypatch.setattr(run, "process", process)
    able = [pair for pair in run.pairs() if not pair[0].unmet]
    run.measure(able)
    deadly = [pair for pair in able if pair[1].deadly]
    settings = {each.setting for _, each in able if not each.deadly}
    assert len(seen) == len(settings) + len(deadly)
    assert sorted(key for _, keys in seen for key in keys) == sorted(
        (entry.id, each.label) for entry, each in able
    )
    for entry, each in deadly:
        assert (each.setting, [(entry.id, each.label)]) in seen


def test_a_process_that_cannot_start_says_why() -> None:
    with pytest.raises(ConvparityError, match=r"(?s)did not run.*no-such-entry"):
        run.process("", [("no-such-entry", "nobody")])


STAND_INS = {
    "tensorflow": "def zeros(shape): pass",
    "triton": "import os, signal, sys\n"
    "if 'tensorflow' in sys.modules:\n    os.kill(os.getpid(), signal.SIGSEGV)",
}


def test_a_demonstration_dies_though_we_would_save_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Importing us has triton imported first, wherever it is installed; a stand-in is, here."""
    for name, text in STAND_INS.items():
        (tmp_path / f"{name}.py").write_text(text)
    installed = tmp_path / "triton-3.8.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: triton\nVersion: 3.8.0\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.syspath_prepend(tmp_path)
    (entry,) = search.find(["triton-after-tensorflow"])
    found = run.measure((entry, each) for each in entry.demonstrations if each.library in STAND_INS)
    assert [each.measured for each in found] == ["the process dies of SIGSEGV", "'triton'"]
    assert not any(each.complaint for each in found)


@pytest.mark.frameworks
def test_a_framework_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "flax", "keras")  # whose imports take long
    result = asked("batchnorm-momentum")
    assert result.exit_code == 0, result.output
    assert f"{LABELS[0]} 1 1 as stated" in words(result.stdout)
    assert "1 of 1 demonstrations give what is stated; 2 left out" in result.stdout
