"""The scripts of docs/upstream, which are ready to be reported, still show their bugs."""

import os
import subprocess
import sys
from collections import defaultdict

import pytest

from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.analysis.catalogue.entry import Divergence
from parity_tests.project.divergence_pages import ROOT, SCRIPTS

pytestmark = pytest.mark.frameworks

# One process for all scripts of a setting: to import a framework takes longer than to run them.
RUNNER = """
import runpy
import sys

for path in sys.argv[1:]:
    print("script", path)
    runpy.run_path(path, run_name="__main__")
"""


def groups() -> dict[str, list[Divergence]]:
    """The bugs by what their scripts need: a library, and an environment for it."""
    found = defaultdict(list)
    for entry in CATALOGUE:
        if entry.bug:
            # TensorFlow is Keras's backend, too
            need = entry.needs or entry.wrong.setting or "TensorFlow"
            found[need].append(entry)
    return dict(found)


@pytest.mark.parametrize("need", groups())
def test_scripts_still_show_their_bugs(need: str) -> None:
    if reason := next((each.unmet for each in CATALOGUE if each.needs == need), ""):
        pytest.skip(reason)
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    entries = groups()[need]
    paths = [ROOT / SCRIPTS / f"{entry.id}.py" for entry in entries]
    run = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, paths)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    printed = run.stdout.split("script ")[1:]
    assert [text.split("\n")[0] for text in printed] == list(map(str, paths))
    for entry, text in zip(entries, printed, strict=True):
        lines = text.strip().splitlines()
        assert lines[1].startswith("expected: ")
        assert lines[2].startswith("got: ")
        # with an old version, or on another processor, it may be right
        word = "right" if entry.wrong.expected_here == entry.wrong.right else "wrong"
        assert lines[-1] == word, f"entry {entry.id} is to be updated or removed: {text}"
