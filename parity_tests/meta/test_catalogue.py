"""The catalogue of differences is well formed, and what is made of it is up to date."""

import ast
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from convparity.analysis.catalogue.answers import Dies, Raises, Since, plain, text_of
from convparity.analysis.catalogue.chapters import CATALOGUE, CHAPTERS
from convparity.analysis.catalogue.entries.environments import LIBRARIES, NEEDS, SETTINGS
from convparity.analysis.catalogue.entry import KINDS, Chapter, Divergence
from convparity.analysis.catalogue.run import complaint, pairs
from convparity.impls.registry import FRAMEWORKS
from parity_tests.project.divergence_pages import BUILDS, COMMAND, ROOT, SCRIPTS, files

each_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
FEWEST = 40


def test_there_are_many():
    assert len(CATALOGUE) >= FEWEST
    assert len({entry.id for entry in CATALOGUE}) == len(CATALOGUE)
    assert all(chapter.entries for chapter in CHAPTERS)


@each_entry
def test_an_entry_is_complete(entry: Divergence):
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)+", entry.id)
    assert entry.kind in KINDS
    assert date.fromisoformat(entry.date)
    assert list(entry.frameworks) == list(FRAMEWORKS)
    for text in (entry.title, entry.port, *entry.frameworks.values()):
        assert text.strip() == text != ""
    for reference in entry.references:
        assert re.fullmatch(r"[\w-]+/[\w-]+#\d+", reference)
    labels = [each.label for each in entry.demonstrations]
    assert len(labels) == len(set(labels))
    for each in entry.demonstrations:
        assert each.library in LIBRARIES
        assert each.setting in SETTINGS
        answers = [each.expected]
        if isinstance(each.expected, Since):
            answers = [each.expected.new, each.expected.old]
            assert answers[0] != answers[1]
            assert each.expected.distribution in entry.versions
        for answer in answers:
            assert isinstance(answer, Raises | Dies) or plain(answer) == answer
    assert entry.needs in {"", *NEEDS}
    assert not entry.needs or entry.needs in entry.versions


@each_entry
def test_an_entry_is_a_difference(entry: Divergence):
    """One whose demonstrations all expect the same is no difference."""
    assert len(entry.answers()) >= 2, f"remove entry {entry.id}: all answers are alike"


@each_entry
def test_a_bug_says_what_is_right(entry: Divergence):
    wrong = [each for each in entry.demonstrations if each.right is not None]
    assert len(wrong) == entry.bug
    assert bool(entry.upstream) == entry.bug
    for each in wrong:
        assert each.right != each.expected


@each_entry
def test_what_a_right_port_names_is_there(entry: Divergence):
    """The files and the names in them that ``port`` says, as in "(impls/spec/windows.py: pads)"."""
    for path, _, names in re.findall(r"(impls/[\w/.]+\.py)(: ([\w, ]+))?", entry.port):
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in filter(None, names.split(", ")):
            assert re.search(rf"(class|def) {name}\b", source), f"{path} has no {name}"


def test_no_demonstration_is_lost():
    """Each runs somewhere: in the process of the tests, or under a setting."""
    assert {each.setting for _, each in pairs()} == set(SETTINGS)


def test_what_a_demonstration_needs_is_a_framework():
    needed = {name for _, each in pairs() for name in each.frameworks}
    assert needed == set(FRAMEWORKS)
    assert set(BUILDS) == set(NEEDS)


def test_a_demonstration_says_every_framework_that_it_imports():
    """Those that its setting names, too: the command runs it where none of them is missing."""
    owner = {name: row.name for row in FRAMEWORKS.values() for name in row.minimum}
    for entry, each in pairs():
        imported = {*SETTINGS[each.setting].environment.values()} if each.setting else set()
        for node in ast.walk(ast.parse(each.body)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
        wanted = {owner[name] for name in imported if name in owner}
        assert wanted <= set(each.frameworks), f"{entry.id}: {each.label}"


def test_importing_the_catalogue_imports_no_framework():
    code = "from convparity.analysis.catalogue import run, search; import sys\n"
    code += "print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"torch", "jax", "flax", "keras", "tensorflow", "numpy"}


# ---------------------------------------------------------------- what is made of it


@pytest.mark.parametrize("name", files())
def test_a_generated_file_is_what_the_catalogue_gives(name: str):
    path = ROOT / name
    assert path.is_file(), f"run {COMMAND}: {name} is missing"
    assert path.read_text(encoding="utf-8") == files()[name], f"run {COMMAND}: {name} is stale"


def test_no_script_outlives_its_bug():
    there = {str(path.relative_to(ROOT)) for path in (ROOT / SCRIPTS).iterdir()}
    assert there == {name for name in files() if name.startswith(f"{SCRIPTS}/")}


@pytest.mark.parametrize("entry", [each for each in CATALOGUE if each.bug], ids=lambda e: e.id)
def test_a_script_needs_one_framework(entry: Divergence):
    tree = ast.parse(files()[f"{SCRIPTS}/{entry.id}.py"])
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) - {"numpy", entry.needs} == {entry.wrong.library}


# ---------------------------------------------------------------- what a failure says


def sample() -> Divergence:
    entry = Chapter("Sample").entry(
        "a-sample", "Two answers", kind="bug", pytorch="One.", flax="Two.", keras="Two.", port="-"
    )
    entry.shows("pytorch", 1, right=3)(lambda: 1)
    entry.shows("flax", 2)(lambda: 2)
    entry.shows("keras", Raises("ValueError", "no"))(lambda: 2)
    return entry


def test_on_a_processor_without_the_flag_a_bug_is_right():
    entry = sample()
    entry.shows("tensorflow", 1, flag="no-processor-has-it", right=2)(lambda: 1)
    *_, here = entry.demonstrations
    assert complaint(entry, here, {"value": 2}) == ""
    assert "TensorFlow gave: 2" in complaint(entry, here, {"value": 1})


def test_what_is_expected_is_no_complaint():
    wrong, flax, keras = (entry := sample()).demonstrations
    assert complaint(entry, wrong, {"value": 1}) == ""
    assert complaint(entry, flax, {"value": 2}) == ""
    assert complaint(entry, keras, {"error": "ValueError", "text": "oh no"}) == ""


def test_a_complaint_names_the_entry_and_both_answers():
    wrong, flax, keras = (entry := sample()).demonstrations
    changed = complaint(entry, flax, {"value": 4})
    assert changed.startswith("changed: update or remove entry a-sample")
    assert "Flax gave: 2" in changed
    assert "now it gives: 4" in changed
    assert "it is right now" in complaint(entry, wrong, {"value": 3})
    assert "now it gives: 2" in complaint(entry, keras, {"value": 2})
    assert "changed" in complaint(entry, keras, {"error": "ValueError", "text": "yes"})
    assert "SIGSEGV" in complaint(entry, keras, {"signal": "SIGSEGV"})


def test_a_complaint_says_when_the_frameworks_agree():
    entry = sample()
    del entry.demonstrations[2]
    assert "the frameworks agree now" in complaint(entry, entry.demonstrations[1], {"value": 1})


def test_an_answer_can_depend_on_the_installed_version(monkeypatch):
    entry = sample()
    entry.shows("pytorch", Since("torch", "2.14", 5, 4))(lambda: 5)
    each = entry.demonstrations[-1]
    for version, answer in {"2.13.0": 4, "2.13.1+cpu": 4, "2.14.0": 5, "2.14.1+cu130": 5}.items():
        monkeypatch.setattr("importlib.metadata.version", {"torch": version}.get)
        assert complaint(entry, each, {"value": answer}) == ""
        said = complaint(entry, each, {"value": 9 - answer})
        assert f"PyTorch gave: {answer}\n  now it gives: {9 - answer}" in said
    assert text_of(each.expected) == "5 since torch 2.14, 4 before"
    assert entry.answers()["4"] == [each]  # of the versions that the entry was seen with


def test_an_entry_says_what_it_needs():
    assert sample().unmet == ""
    entry = replace(sample(), id="a-rare-one", needs="a-rare-package")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NEEDS, "a-rare-package", "It comes with the other build.")
        said = "a-rare-one is not shown: a-rare-package is not installed. It comes with the other"
        assert entry.unmet.startswith(said)


def test_an_answer_is_compared_exactly():
    entry = sample()
    flax = entry.demonstrations[1]
    for other in (2.0000001, True, "2", [2]):
        assert complaint(entry, flax, {"value": other})
