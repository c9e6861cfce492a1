"""The bench: turns, ratios, goals and exponents on made-up times; a small run; its page."""

import json
import math

import pytest
from click.testing import CliRunner

from convparity import Activation, Conv, InputError, Sequential
from convparity.analysis.bench import grids, growth, page, record, timing, workers
from convparity.analysis.bench.conversion import WIDTHS
from convparity.analysis.bench.findings import as_built, best, findings
from convparity.analysis.bench.limits import least_seconds, least_work
from convparity.analysis.bench.plots import PICTURES
from convparity.analysis.cli import cli
from convparity.impls.notation import from_line
from parity_tests.support.root import ROOT

DOCS = ROOT / "docs"

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


def test_a_goal_is_met_by_the_median() -> None:
    """Not by a quarter of the rounds."""
    rows = [row("native", 1.0), row("auto", 1.0) | {"seconds": [1.1, 1.1, 0.5]}]
    found = next(each for each in findings(rows) if each.claim.endswith(": its own"))
    assert found.speedup.high > found.goal > found.speedup.median
    assert not found.met


# ---------------------------------------------------------------- the same code, once


ONCE = [  # regular: the same code; separable: not
    row("native", 0.8, kind="regular", macs=80),
    row("native", 1.0),
    row("auto", 0.1),
]


def cells(grid: grids.Grid, label: str) -> tuple[str, ...]:
    (found,) = (each[1:] for each in grid.rows if each[0].startswith(label))
    return found


def test_the_same_code_is_shown_once() -> None:
    assert grids.ways(ONCE) == [("flax", "native"), ("flax", "auto")]
    assert grids.ways(ONCE[:2]) == [("flax", "native")]
    shown = grids.times(ONCE)
    assert cells(shown, "regular") == ("800", grids.SAME)
    assert cells(shown, "separable") == ("1,000", "100")
    assert cells(grids.separable(ONCE), "separable") == ("8.0", "0.8", "8")
    assert [each.claim for each in findings(ONCE[:1])] == []


def test_what_is_built_is_the_fastest_format_of_whatever_code() -> None:
    last = row("native", 0.01)
    first = [row(each, 1.0, memory_format="contiguous") for each in ("native", "auto")]
    assert as_built([last, *first], "flax") is last
    assert best([last, *first], "flax", "auto") is None  # the same code as the fastest of its own
    last = row("native", 2.0)
    slower = row("auto", 3.0, memory_format="contiguous")
    assert best([last, first[0], slower], "flax", "auto") is last
    assert best([last, first[0], slower], "flax", "native") is first[0]


@pytest.mark.parametrize(
    ("algorithm", "memory_format", "measured"),
    [("native", "a", True), ("native", "b", True), ("auto", "a", True), ("auto", "b", False)],
)
def test_the_same_code_is_measured_once(algorithm: str, memory_format: str, measured: bool) -> None:
    class Some:
        def chooses(self, layer, input_shape, memory_format) -> bool:
            return isinstance(layer, Conv) and input_shape == SHAPE and memory_format == "a"

    spec, asked = Sequential(Activation("relu"), Conv(2, 3, 3)), (algorithm,)
    assert workers.has_own_code(Some(), *asked, spec, SHAPE, memory_format) == measured
    never = workers.has_own_code(object(), *asked, spec, SHAPE, memory_format)
    assert never == (algorithm == "native")


SHAPE = (1, 5, 5, 2)

# ---------------------------------------------------------------- the record


def test_the_record_says_nothing_twice() -> None:
    groups = record.grouped(ONCE)
    assert len(groups) == 2
    assert [set(each) for each in groups[0]["series"]] == [set(record.SERIES)]
    assert record.flat(groups) == [
        {name: value for name, value in each.items() if name != "first_call"}
        | {"time": timing.spread(each["seconds"]).as_dict(), "first_call": 0.5}
        for each in ONCE
    ]


def test_the_record_has_four_digits_of_what_was_measured() -> None:
    assert record.rounded({"a": [1.23456, 123456.7], "n": 123456, "s": "x"}) == {
        "a": [1.235, 123500.0],
        "n": 123456,
        "s": "x",
    }


def test_what_is_written_is_short() -> None:
    data = json.loads((DOCS / "speed.json").read_text(encoding="utf-8"))["data"]
    assert data == record.rounded(data)
    for name in ("layers", "mobilenet", "growth"):
        assert data[name] == record.grouped(record.flat(data[name]))


def test_every_network_of_the_conversion_is_on_the_page() -> None:
    pair = {"source": "a", "target": "b", "bytes": 4e6, "layers": 2, "plain": 0.1, "convert": 0.2}
    pair |= {"ratio": 0.5, "exponent": None, "peak_over_weights": None}
    data = {"conversion": [{"width": width, "pairs": [pair]} for width in WIDTHS]}
    assert WIDTHS == (768, 1024)
    titles = [grid.title for grid in grids.grids(data)]
    assert [
        f"{width:,} channels" in title for width, title in zip(WIDTHS, titles, strict=True)
    ] == [
        True,
        True,
    ]


def test_what_is_kept_of_a_conversion_is_of_the_largest() -> None:
    size = {"bytes": 10, "arrays": 2, "layers": 1}
    size |= {name: {"median": 3.0, "low": 1, "high": 9} for name in ("plain", "convert", "ratio")}
    pair = {"source": "a", "target": "b", "sizes": [{}, size], "exponent": {"convert": 1.0}}
    pair |= {"seconds_per_layer": 1, "peak_over_weights": 1.5}
    (network,) = record.conversions([{"width": 8, "pairs": [pair]}])
    assert network["pairs"] == [
        {"source": "a", "target": "b", "bytes": 10, "layers": 1, "plain": 3.0, "convert": 3.0}
        | {"ratio": 3.0, "exponent": 1.0, "peak_over_weights": 1.5}
    ]


def test_exponents_are_slopes() -> None:
    assert growth.exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    rows = [row("auto", 5.0 * n, grows="batch", size=n, macs=n**3, kind="Conv") for n in (1, 2, 8)]
    (found,) = growth.exponents(rows)
    assert found["exponent"] == pytest.approx(1)
    assert found["exponent_of_macs"] == pytest.approx(3)
    more = [row("native", 5.0 * n, grows="batch", size=n, macs=n**3, kind="Conv") for n in (1, 2)]
    two = growth.exponents([*rows[2:], *more])  # of the others "auto" is the same code
    assert [each["exponent"] for each in two] == [pytest.approx(1)] * 2


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
