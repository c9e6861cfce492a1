"""The project's files agree with each other."""

import os
import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from convparity.impls import registry
from parity_tests.support.root import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPARE = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run -e compare"
TEST = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run"


def _published() -> Iterator[Requirement]:
    """What a user's pip reads: the dependencies and the extras."""
    yield from map(Requirement, PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        yield from map(Requirement, extra)


def _requirements() -> Iterator[Requirement]:
    """Every requirement of pyproject.toml, but for the extras that name other extras."""
    yield from (each for each in _published() if each.name != PROJECT["project"]["name"])
    for group in PROJECT["dependency-groups"].values():
        yield from map(Requirement, group)
    yield from map(Requirement, PROJECT["build-system"]["requires"])


def _pins(file: str = "constraints.txt") -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in pairs}
    assert len(pins) == len(pairs), f"{file} pins a package twice"
    return pins


def test_readme_gives_exactly_the_two_commands():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if "-m venv" in line] == [COMPARE, TEST]


def test_ci_runs_the_test_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    # Bash's `set -e` forgives a failure inside `a && b`, unless that is the last thing it runs.
    assert script.read_text().splitlines()[-1] == TEST


def test_version_is_said_alike():
    citation = re.search(r'^version: "(.+)"$', (ROOT / "CITATION.cff").read_text(), re.M)
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation is not None
    assert newest is not None
    assert [citation[1], newest[1]] == [PROJECT["project"]["version"]] * 2


def test_every_direct_dependency_is_pinned_within_its_bounds():
    pins = _pins()
    for requirement in _requirements():
        name = canonicalize_name(requirement.name)
        assert name in pins, f"constraints.txt does not pin {name}"
        assert requirement.specifier.contains(pins[name]), f"{requirement} excludes {pins[name]}"


def test_the_cuda_build_differs_in_torch_alone():
    pins, cuda = _pins(), _pins("constraints-cuda-build.txt")
    assert {name for name in pins | cuda if pins.get(name) != cuda.get(name)} == {"torch"}


def test_no_pin_outlives_its_dependency():
    direct = {canonicalize_name(each.name) for each in _requirements()}
    # jaxlib holds jax's arithmetic, and a jax release accepts more than one of them.
    assert set(_pins()) - direct == {"jaxlib"}


def test_published_requirements_are_lower_bounds():
    for requirement in _published():
        if requirement.name != PROJECT["project"]["name"]:
            assert [each.operator for each in requirement.specifier] == [">="], str(requirement)


def test_the_oldest_pins_are_the_lower_bounds():
    bounds = {}
    tests = map(Requirement, PROJECT["dependency-groups"]["tests"])
    build = map(Requirement, PROJECT["build-system"]["requires"])
    for requirement in (*_published(), *tests, *build):
        if requirement.name != PROJECT["project"]["name"]:
            (bound,) = requirement.specifier
            bounds[canonicalize_name(requirement.name)] = Version(bound.version)
    pins = {name: Version(pin) for name, pin in _pins("constraints-oldest.txt").items()}
    assert pins.pop("jaxlib") == pins["jax"]  # it holds jax's arithmetic
    assert pins == bounds


def test_extras_are_the_frameworks_of_the_registry():
    extras = PROJECT["project"]["optional-dependencies"]
    for row in registry.FRAMEWORKS.values():
        wanted = {f"{distribution}>={oldest}" for distribution, oldest in row.minimum.items()}
        assert set(extras[row.name]) == wanted
    assert extras["all"] == [f"convparity[{','.join(registry.FRAMEWORKS)}]"]


def test_hooks_use_the_pinned_versions():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    used = set(re.findall(r"([\w-]+)==([\w.]+)", hooks))
    assert used <= _pins().items()
    assert {"ruff", "mypy"} <= {name for name, _ in used}


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "src" / "convparity" / "py.typed").is_file()
