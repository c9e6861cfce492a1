"""The main job: real networks on photographs, in every framework. It runs once for all of this."""

from typing import Any

import pytest

from convparity.analysis.report import tables as report
from convparity.analysis.showcase import chapters, tables
from convparity.impls import registry
from parity_tests.support.readme import blocks


@pytest.fixture(scope="module")
def data() -> Any:
    """What the main job found."""
    return chapters.classify(tuple(registry.FRAMEWORKS), lambda _: None)


def test_released_weights_classify_alike(data: Any) -> None:
    """The top five of four photographs, and the known fault."""
    assert data["failures"] == []
    first, *_ = registry.FRAMEWORKS
    classes = {photo: row[first][0]["class"] for photo, row in data["photographs"].items()}
    assert classes == {"cat": 285, "coffee": 967, "rocket": 657, "astronaut": 450}
    for name in registry.FRAMEWORKS:
        shifted = {photo: row[name]["class"] for photo, row in data["symmetric_padding"].items()}
        assert shifted == {**classes, "astronaut": 573}


def test_the_excerpt_in_the_readme(monkeypatch: pytest.MonkeyPatch, data: Any) -> None:
    """It is what ``compare`` prints; the rows of its tables are looked up in its data."""
    monkeypatch.delenv("COLUMNS", raising=False)
    with (console := report.console()).capture() as captured:
        report.show(console, *tables.classify(data))
    printed = {line.rstrip() for line in captured.get().splitlines()}
    assert max(map(len, printed)) <= 80
    (excerpt,) = [block for block in blocks("text") if "EfficientNet" in block]
    missing = [line for line in excerpt.splitlines() if line and line not in printed]
    assert not missing, "\n".join(missing)
