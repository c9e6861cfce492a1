"""The bench: turns, ratios, goals and exponents on made-up times; a small run; its page."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from convparity import Conv, InputError, SeparableConv, SpecError
from convparity.analysis.bench import grids, growth, page, timing
from convparity.analysis.bench.findings import findings
from convparity.analysis.bench.limits import least_seconds, least_work
from convparity.analysis.bench.plots import PICTURES
from convparity.analysis.cli import cli
from convparity.impls.notation import from_line

DOCS = Path(__file__).parent.parent / "docs"


# ---------------------------------------------------------------- times


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that is ten times as slow in one round is so for both."""
    slow, fast = [4.0, 40.0, 4.4], [2.0, 20.0, 2.0]
    assert timing.ratio(slow, fast).median == 2
    assert timing.ratio(slow, fast).high == pytest.approx(2.1)


def test_the_spread_is_that_of_the_quartiles() -> None:
    assert timing.spread([5.0, 1.0, 3.0, 2.0, 4.0]) == (3, 2, 4)
    assert timing.spread([7.0]) == (7, 7, 7)


def test_calls_take_turns_and_none_is_always_first() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) or 1.0 for name in "abc"}
    found = timing.take_turns(calls)
    assert {name: len(times) for name, times in found.items()} == dict.fromkeys(
        "abc", timing.ROUNDS
    )
    rounds = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert rounds[:4] == ["abc", "bca", "cab", "abc"]


def test_a_slow_call_stays_out_of_later_rounds(monkeypatch) -> None:
    monkeypatch.setattr(timing, "PATIENCE", -1.0)
    found = timing.take_turns({"slow": lambda: 1.0})
    assert len(found["slow"]) == timing.LEAST_ROUNDS


def test_a_burst_repeats_the_call_and_does_not_count_the_first() -> None:
    calls: list[int] = []
    timing.burst(lambda: calls.append(0), seconds=0.0)
    assert len(calls) == 2


def test_peak_memory_sees_what_is_freed_again() -> None:
    assert b"x" * (256 << 20)  # an earlier peak, which is not the call's
    peak = timing.peak_bytes(lambda: b"x" * (64 << 20))
    if peak is None:
        pytest.fail("this system tells no peak: the bench would have no memory")
    assert abs(peak - (64 << 20)) < 4 << 20  # the kernel counts pages in batches


# ---------------------------------------------------------------- what they are compared with


def test_the_least_work_moves_everything_once() -> None:
    spec, shape = from_line("separable2d c3>64 k5 s2 hw228")
    work = least_work(spec, shape, "forward")
    assert work["flops"] == 2 * 3_349_248
    assert work["bytes"] == 4 * (228 * 228 * 3 + 334 + 112 * 112 * 64)
    gradient = least_work(spec, shape, "gradient")
    assert gradient == {"flops": 3 * work["flops"], "bytes": 2 * work["bytes"]}
    assert least_seconds(work, {"flops_per_second": math.inf, "bytes_per_second": 1e9}) == (
        work["bytes"] / 1e9
    )


def row(algorithm: str, seconds: float, **more: object) -> dict:
    common = {
        "kind": "separable",
        "title": "c8>8",
        "direction": "forward",
        "macs": 10,
        "work": {"flops": 20, "bytes": 40},
        "framework": "flax",
        "algorithm": algorithm,
        "memory_format": "channels_last",
        "first_call": 0.5,
        "peak_bytes": None,
        "time": {"median": seconds, "low": seconds, "high": seconds},
        "seconds": [seconds] * 3,
    }
    return common | more


def test_goals_are_decided_by_the_ratios() -> None:
    rows = [row("native", 1.0), row("auto", 0.05), row("native", 0.3, kind="regular", macs=80)]
    found = {each.claim: (each.speedup.median, each.met) for each in findings(rows)}
    assert found == {
        "flax, channels_last: its own": (20, True),
        "flax: its own separable": (20, True),
        "flax: its regular layer": (pytest.approx(6), True),
    }
    slower = {each.claim: each.met for each in findings([row("native", 1.0), row("auto", 1.1)])}
    assert slower == {"flax, channels_last: its own": False, "flax: its own separable": False}


def test_exponents_are_slopes() -> None:
    assert growth.exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    rows = [row("auto", 5.0 * n, grows="batch", size=n, macs=n**3, kind="Conv") for n in (1, 2, 8)]
    (found,) = growth.exponents(rows)
    assert found["exponent"] == pytest.approx(1)
    assert found["exponent_of_macs"] == pytest.approx(3)


# ---------------------------------------------------------------- the command


def test_an_unknown_chapter_is_refused() -> None:
    result = CliRunner().invoke(cli, ["bench", "layer"])
    assert isinstance(result.exception, InputError)
    assert "did you mean 'layers'" in str(result.exception).lower()


@pytest.mark.parametrize("text", ["", "[1]", '{"layers": []}'])
def test_a_file_of_something_else_is_refused(tmp_path, text) -> None:
    path = tmp_path / "figures.json"
    path.write_text(text)
    result = CliRunner().invoke(cli, ["bench", "--from", str(path)])
    assert isinstance(result.exception, InputError)
    assert "figures.json" in str(result.exception)


def test_the_page_shows_its_figures() -> None:
    """docs/speed.md is what its JSON says, and every picture is there."""
    data = json.loads((DOCS / "speed.json").read_text(encoding="utf-8"))["data"]
    assert (DOCS / "speed.md").read_text(encoding="utf-8") == page.page(data, "speed")
    assert {path.stem for path in (DOCS / "speed").iterdir()} == set(PICTURES)
    assert next(grids.grids(data)).title.startswith("Milliseconds")


@pytest.mark.frameworks
def test_a_worker_measures_every_framework(adapter) -> None:
    """In a process of its own; an error of ours comes back as itself."""
    from convparity.analysis.bench.workers import Job, measure, workers

    with workers([adapter.name], ["native"]) as found:
        for direction in ("forward", "gradient"):
            job = Job(SeparableConv(2, 3, 3, padding="same"), (2, 6, 5, 2), direction)
            series = measure(found, job)
            assert {each.framework for each in series} == {adapter.name}
            assert all(each.seconds and min(each.seconds) > 0 for each in series)
        with pytest.raises(SpecError, match="channels"):
            found[0].prepare(Job(Conv(2, 3, 3), (1, 5, 5, 7), "forward"))
