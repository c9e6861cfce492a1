"""The documentation is true: its Python runs, its commands print what it shows, its table holds."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from convparity import reference
from convparity.analysis.cli import cli
from convparity.analysis.faults import FAULTS, seed
from convparity.analysis.replay import replay
from convparity.analysis.report import support
from convparity.impls import registry
from parity_tests.support.readme import README, ROOT, blocks


@pytest.mark.frameworks
def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert len(blocks("python")) == 4
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"print\(verdict\)  # (.*?\));", README).group(1)
    answer = re.search(r"print\(answer\)  # (.*)", README).group(1)
    assert printed.pop(0) == answer
    assert "agree one by one" in printed.pop(0)
    assert len(printed) == len(registry.FRAMEWORKS)
    assert printed[0].startswith(shown)
    assert all("ok; structure within the proved bound" in line for line in printed)


def test_commands() -> None:
    (block,) = blocks("console")
    shown: list[str] = []
    for line in block.splitlines():
        if not line.startswith("$ "):
            assert line in shown, line
            continue
        program, *arguments = shlex.split(line.removeprefix("$ "))
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert (program, result.exit_code) == ("convparity", 0)
        shown = result.output.splitlines()


def test_the_diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the fault that the README says, in an output that has it."""
    command = re.search(r"`convparity (diagnose .*?y\.npy)`", README).group(1)
    line = shlex.split(command)[1]
    case = replay.parse(line)
    weights, x = case.case()
    wrong = seed(case.spec, x.shape, FAULTS["padding-03"])
    monkeypatch.chdir(tmp_path)
    np.save("y.npy", reference(wrong.spec, weights, x).astype(np.float32))
    result = CliRunner().invoke(cli, shlex.split(command))
    (shown,) = [block.strip() for block in blocks("text") if "padding-03" in block]
    assert result.exit_code == 1
    assert result.output.startswith(shown)


@pytest.mark.long
@pytest.mark.frameworks
def test_supported() -> None:
    """The table is what the frameworks do today; an empty or a refused cell has its reason."""
    names = tuple(registry.FRAMEWORKS)
    written = README.split("<!-- support -->\n")[1].split("<!-- /support -->")[0].split("\n")
    assert written[:-1] == list(support.table(names, support.rows(names)))
    refused = [line for line in written if "refused" in line]
    assert len(refused) <= len(support.REASONS)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "impls/README.md"])
def test_what_is_named_exists(document: str) -> None:
    """Every file that a document names in backquotes, or links to, is there."""
    text = (ROOT / document).read_text(encoding="utf-8")
    folder = (ROOT / document).parent
    named = set(re.findall(r"`([\w/.-]+\.(?:py|toml|ini|txt|md|cff))`", text))
    named |= set(re.findall(r"\]\(([\w/.-]+)\)", text))
    assert named
    frameworks = {*registry.FRAMEWORKS}
    own = {f"impls/{name}/{file}" for name in frameworks for file in ("layers.py", "adapter.py")}
    in_each = {path.name for path in (ROOT / "impls").glob("*/*.py")}  # of the framework folders
    for name in named - in_each:
        assert (folder / name).exists() or (ROOT / name).exists(), f"{document} names {name}"
    assert all((ROOT / name).exists() for name in own)
