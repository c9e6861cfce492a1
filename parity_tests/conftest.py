"""Hypothesis profiles, the header, and the adapters under test."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from impls import registry
from impls.adapter import Adapter

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)  # three frameworks run in each example

# gate: the same examples every time, so that a red run is a change of the code or of a framework
settings.register_profile(
    "gate", derandomize=True, max_examples=150, deadline=None, suppress_health_check=SLOW
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


def pytest_report_header() -> list[str]:
    """The versions that are installed; a framework that is not is named as missing."""
    lines = [f"hypothesis profile: {settings.get_current_profile_name()}"]
    for name in registry.FRAMEWORKS:
        reason = registry.problem(name)
        found = [] if reason else [f"{each} {v}" for each, v in registry.versions(name).items()]
        lines.append(f"{name}: {reason or ', '.join(found)}")
    return lines


def pytest_report_collectionfinish(items: list[pytest.Item]) -> list[str]:
    """The devices of each framework; only where a test needs them, since asking imports it."""
    if not any(item.get_closest_marker("frameworks") for item in items):
        return []
    return [
        f"{name} devices: {', '.join(registry.get(name).devices())}"
        for name in registry.available()
    ]


@pytest.fixture(scope="session", params=list(registry.FRAMEWORKS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each framework in turn; one that is missing is a failure, never a skip."""
    return registry.get(request.param)


@pytest.fixture(scope="session")
def adapters() -> list[Adapter]:
    """Every framework of the registry; one that is missing is a failure, never a skip."""
    return [registry.get(name) for name in registry.FRAMEWORKS]
