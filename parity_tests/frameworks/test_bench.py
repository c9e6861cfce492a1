"""The bench, run: the form of its data."""

import json

import pytest

from convparity import Conv, SeparableConv, SpecError
from convparity.analysis.bench import workers
from convparity.analysis.bench.plots import PICTURES
from parity_tests.support.root import ROOT

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", PICTURES)
def test_no_legend_lies_over_a_picture(name: str) -> None:
    from matplotlib import pyplot

    data = json.loads((DOCS / "speed.json").read_text(encoding="utf-8"))["data"]
    pyplot.switch_backend("svg")
    figure = PICTURES[name].figure(pyplot, data)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert all(axis.get_legend() is None for axis in figure.axes)
    for axis in figure.axes:
        assert not legend.get_window_extent().overlaps(axis.get_tightbbox()), axis.get_title()
    pyplot.close(figure)


def test_a_worker_measures_every_framework(adapter) -> None:
    """In a process of its own; an error of ours comes back as itself."""
    from convparity.analysis.bench.workers import Job, measure

    with workers.workers([adapter.name], ["native"]) as found:
        for direction in ("forward", "gradient"):
            job = Job(SeparableConv(2, 3, 3, padding="same"), (2, 6, 5, 2), direction)
            series = measure(found, job)
            assert {each.framework for each in series} == {adapter.name}
            assert all(each.seconds and min(each.seconds) > 0 for each in series)
        with pytest.raises(SpecError, match="channels"):
            found[0].prepare(Job(Conv(2, 3, 3), (1, 5, 5, 7), "forward"))
