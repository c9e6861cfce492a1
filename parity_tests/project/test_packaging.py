"""Installed is ``convparity`` and nothing else, whatever other folders lie about."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import convparity
from parity_tests.support.root import ROOT

TRACKED = ("impls", "analysis")  # the folders at the top level of the repository

# ---------------------------------------------------------------- beside folders of the same names


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A user's directory, with packages of its own that are called as our folders are."""
    for name in ("analysis", "impls", "parity_tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "test_own.py").write_text(
        "import analysis, impls\n"
        "from convparity import compare\n\n\n"
        "def test_both():\n"
        "    assert analysis.MINE\n"
        "    assert impls.MINE\n"
        "    assert compare.__module__.startswith('convparity.analysis.')\n"
    )
    return tmp_path


@pytest.mark.parametrize("path", [None, "."])
@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import analysis, impls, convparity; assert analysis.MINE; convparity.compare"],
        ["-c", "from convparity.analysis import cli; from convparity.impls import registry"],
        ["-m", "convparity", "--help"],
        ["-m", "convparity", "count", "mobilenet_v1"],
        ["-m", "pytest", "-q"],
    ],
    ids=" ".join,
)
def test_other_packages_of_the_same_names_do_no_harm(
    elsewhere: Path, arguments: list[str], path: str | None
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {} if path is None else {"PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, *arguments], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", TRACKED)
def test_a_folder_alone_is_no_package(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert f"import convparity, or convparity.{name}" in run.stderr


# ---------------------------------------------------------------- wheels


def built(source: Path, target: str, folder: Path) -> Path:
    """The only file that the build backend writes to ``folder``."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (path,) = folder.iterdir()
    return path


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_is_the_same_from_the_repository_and_from_the_sdist(tmp_path: Path) -> None:
    wheel = contents(built(ROOT, "wheel", tmp_path / "wheel"))
    with tarfile.open(built(ROOT, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert contents(built(source, "wheel", tmp_path / "again")) == wheel
    version = convparity.__version__
    assert {name.split("/")[0] for name in wheel} == {
        "convparity",
        f"convparity-{version}.dist-info",
    }
    held = {name for name in wheel if name.startswith("convparity/")}
    ours = {
        f"convparity/{path.relative_to(ROOT).as_posix()}"
        for folder in TRACKED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".pyi", ".json", ".txt", ".md"}
    }
    face = {
        f"convparity/{path.name}" for path in (ROOT / "src/convparity").iterdir() if path.is_file()
    }
    assert "convparity/py.typed" in face
    assert held == ours | face


# ---------------------------------------------------------------- the face


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    assert len(convparity.__all__) > 40
    for name in convparity.__all__:
        value = getattr(convparity, name)
        assert name == "__version__" or value.__doc__, name
    assert set(convparity.__all__) <= set(dir(convparity))


def test_the_face_names_each_thing_where_it_is_made() -> None:
    for name in set(convparity.__all__) - {"__version__"}:
        value = getattr(convparity, name)
        assert value.__module__.startswith(("convparity.impls.", "convparity.analysis.")), name


def test_what_the_face_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"convparity.* Convolution"):
        _ = convparity.Convolution  # type: ignore[attr-defined]
