"""A new layer takes the files of ``support/new_layer.py``, and an activation fewer: nothing else.

Both are put into a copy of the project, and there everything works that works with any layer.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from parity_tests.support.new_layer import ACTIVATION, LAYER, add_to
from parity_tests.support.root import ROOT

FOLDERS = ("analysis", "impls", "parity_tests", "src")

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a module of Python in a copy of the project that has both."""
    root = tmp_path_factory.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, symlinks=True, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", root)
    add_to(root)

    def run(*arguments: str) -> str:
        path = os.pathsep.join(map(str, (root / "src", root)))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", *arguments],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    return run


def test_the_whole_way(run: Run) -> None:
    assert run("parity_tests.support.whole_way").endswith("all of it works\n")


def test_they_are_judged_as_the_others_are(run: Run) -> None:
    """Their strategies make families, which the tests of all families run on."""
    files = ("parity_tests/properties/test_outputs.py", "parity_tests/frameworks/test_layers.py")
    theirs = "(Shift or softsign) and (test_family or is_made_in)"
    assert "8 passed" in run("pytest", *files, "-q", "-p", "no:cacheprovider", "-k", theirs)


def test_what_they_take() -> None:
    """The files, so that one more is a change of this list: a native class is not always needed."""
    frameworks = ("pytorch", "flax", "keras")
    rounding = "analysis/proof/rounding.py"
    spec = {"impls/spec/normalisation.py", "impls/spec/__init__.py", "src/convparity/__init__.pyi"}
    layers = {f"impls/{name}/layers.py" for name in frameworks}
    assert {each.path for each in ACTIVATION} == {
        "impls/spec/activation.py",
        "impls/reference_activation.py",
        rounding,
        *(f"impls/{name}/rows/activation.py" for name in frameworks),
    }
    assert {each.path for each in LAYER} == {
        *spec,
        *layers,
        *(f"impls/{name}/rows/normalisation.py" for name in frameworks),
        "impls/reference.py",
        rounding,
        "parity_tests/support/strategies.py",
    }
