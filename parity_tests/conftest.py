"""Hypothesis profiles, the header, and the adapters under test."""

import gc
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from convparity.impls import registry
from convparity.impls.adapter import Adapter

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)  # three frameworks run in each example

# gate: the same examples every time, so that a red run is a change of the code or of a framework
settings.register_profile(
    "gate", derandomize=True, max_examples=150, deadline=None, suppress_health_check=SLOW
)
# reduced: a few of the gate's examples, for runs under many settings; too few to meet every cell
settings.register_profile(
    "reduced",
    parent=settings.get_profile("gate"),
    max_examples=int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "15")),
)
# explore: other examples every time; what failed once is kept and tried first
settings.register_profile(
    "explore",
    max_examples=int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "2000")),
    deadline=None,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples"),
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

# their assertions, too, show what they compared
pytest.register_assert_rewrite("parity_tests.support")

DEVICES = pytest.StashKey[list[str]]()
NEED_FRAMEWORKS = ("properties", "frameworks")  # the folders whose tests all do


def pytest_configure() -> None:
    """While modules are imported, all that is made stays: the collector would walk in vain."""
    gc.disable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """In these folders each test is marked ``frameworks``; elsewhere it says so itself."""
    if item.path.relative_to(Path(__file__).parent).parts[0] in NEED_FRAMEWORKS:
        item.add_marker(pytest.mark.frameworks)


@pytest.hookimpl(trylast=True)  # of what was asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take long come first: else one worker ends with them, and the other waits.

    Two workers start with one half of the list each, so that each half starts with its share.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    half = len(others) // 2
    items[:] = [*long[::2], *others[:half], *long[1::2], *others[half:]]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The versions of each framework; one that is missing is named as missing."""
    lines = [f"hypothesis profile: {settings.get_current_profile_name()}"]
    for name in registry.FRAMEWORKS:
        parts = [f"{each} {version}" for each, version in registry.versions(name).items()]
        lines.append(f"{name}: {registry.problem(name) or ', '.join(parts)}")
    return lines


def share_compiling(names: list[str]) -> None:
    """In a new environment Python compiles what is imported first: each worker a part of it.

    While the first worker starts with the first framework, the second has the last one compiled by
    a process of its own; then it imports all of them in the same order as the others.
    """
    if os.environ.get("PYTEST_XDIST_WORKER") != "gw1" or not names:
        return
    package = importlib.util.find_spec(registry.framework(names[-1]).root)
    if package and package.cached and not Path(package.cached).exists():
        code = f"from convparity.impls import registry; registry.get({names[-1]!r})"
        subprocess.run([sys.executable, "-c", code], capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def frozen_imports(request: pytest.FixtureRequest) -> None:
    """What the imports made stays: the collector need not walk through it again and again."""
    if "not frameworks" not in request.config.option.markexpr:
        names = [name for name in registry.FRAMEWORKS if registry.problem(name) is None]
        share_compiling(names)
        devices = [f"{name}: {', '.join(registry.get(name).devices())}" for name in names]
        request.config.stash[DEVICES] = devices
        if hasattr(request.config, "workeroutput"):
            request.config.workeroutput["devices"] = devices
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker is done: it saw the devices; here, no framework is imported."""
    if devices := getattr(node, "workeroutput", {}).get("devices"):
        node.config.stash[DEVICES] = devices


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The devices that each framework saw."""
    for line in config.stash.get(DEVICES, ()):
        terminalreporter.write_line(f"devices of {line}")


@pytest.fixture(scope="session", params=list(registry.FRAMEWORKS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each framework in turn; one that is missing is a failure, never a skip."""
    return registry.get(request.param)


@pytest.fixture(scope="session")
def adapters() -> list[Adapter]:
    """Every framework of the registry; one that is missing is a failure, never a skip."""
    return [registry.get(name) for name in registry.FRAMEWORKS]
