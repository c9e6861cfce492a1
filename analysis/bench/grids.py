"""The figures as tables of text, for the terminal and for the documentation alike."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from convparity.analysis.bench.findings import (
    Data,
    Finding,
    as_built,
    best,
    findings,
    groups,
    select,
    speedup,
)
from convparity.analysis.bench.growth import exponents
from convparity.analysis.bench.limits import least_seconds
from convparity.analysis.bench.record import flat
from convparity.analysis.bench.timing import Spread

SAME = "="  # the same code as in the column before
TIMED = ("framework", "algorithm", "memory_format")  # of whom there is an exponent


class Grid(NamedTuple):
    """A table: the first column and those named in ``text`` are words, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    text: tuple[str, ...] = ("", "as fast as ...", "where")  # which may be broken over lines


def grids(data: Data) -> Iterator[Grid]:
    """Every table that the data have figures for."""
    rows = flat(data.get("layers", []) + data.get("mobilenet", []))
    if rows:
        yield times(rows)
        yield shares(rows, data["limits"])
        yield separable(rows)
        yield from goals(rows)
        yield memory(rows)
    if "growth" in data:
        yield growing(flat(data["growth"]))
    for network in data.get("conversion", []):
        yield converting(network)
    if "startup" in data:
        yield starting(data["startup"])


def ways(rows: list[Data]) -> list[tuple[str, str]]:
    """Each framework with each algorithm, the framework's own first."""
    found = {(row["framework"], row["algorithm"]) for row in rows}
    names = dict.fromkeys(row["framework"] for row in rows)
    return [(name, each) for name in names for each in ("native", "auto") if (name, each) in found]


def _label(row: Data) -> str:
    way = {"forward": "", "gradient": ", both ways"}[row["direction"]]
    return f"{'' if row['kind'] == 'network' else row['kind'] + ' '}{row['title']}{way}"


Cell = Callable[[Data], str]


def _cells(group: list[Data], who: list[tuple[str, str]], cell: Cell) -> Iterator[str]:
    """What is said of each; "=" of "auto" where that is the same code as "native"."""
    for framework, algorithm in who:
        row = best(group, framework, algorithm)
        same = algorithm == "auto" and row is None and select(group, framework=framework)
        yield SAME if same else "-" if row is None else cell(row)


def times(rows: list[Data]) -> Grid:
    """Milliseconds, in the memory format that was fastest."""
    who = ways(rows)
    body = []
    for group in groups(rows):
        shown = _cells(group, who, lambda row: milliseconds(row["time"]["median"]))
        body.append((_label(group[0]), *shown))
    heads = tuple(f"{framework}\n{algorithm}" for framework, algorithm in who)
    title = "Milliseconds, medians after a warm-up, in the fastest memory format"
    return Grid(title, ("", *heads), body)


def shares(rows: list[Data], limits: dict[str, float]) -> Grid:
    """How much of the machine's limit each reaches."""
    who = ways(rows)
    body = []
    for group in groups(rows):
        shown = _cells(group, who, lambda row: f"{100 * share(row, limits):.0f} %")
        body.append((_label(group[0]), *shown))
    heads = tuple(f"{framework}\n{algorithm}" for framework, algorithm in who)
    return Grid("Share of the roofline", ("", *heads), body)


def share(row: Data, limits: dict[str, float]) -> float:
    """The least time over the measured one."""
    return float(least_seconds(row["work"], limits) / row["time"]["median"])


def separable(rows: list[Data]) -> Grid:
    """How many times as fast as the regular layer the separable one is, against its MACs."""
    who = ways(rows)
    body = []
    for group in groups(select(rows, kind="separable")):
        same = {"title": group[0]["title"], "direction": group[0]["direction"]}
        regular = select(rows, kind="regular", **same)
        if not regular:
            continue
        shown = (_saving(regular, group, *each) for each in who)
        macs = regular[0]["macs"] / group[0]["macs"]
        body.append((_label(group[0]), f"{macs:.1f}", *shown))
    heads = tuple(f"{framework}\n{algorithm}" for framework, algorithm in who)
    title = "Regular over separable: how many times fewer MACs, how many times as fast"
    return Grid(title, ("", "MACs", *heads), body)


def _saving(regular: list[Data], separable: list[Data], framework: str, algorithm: str) -> str:
    if algorithm == "native":
        found = speedup(*(best(rows, framework, algorithm) for rows in (regular, separable)))
    elif best(regular, framework, "auto") is None and best(separable, framework, "auto") is None:
        return SAME
    else:
        found = speedup(*(as_built(rows, framework) for rows in (regular, separable)))
    return "-" if found is None else f"{found.median:.2g}"


def goals(rows: list[Data]) -> Iterator[Grid]:
    """Each claim: how often its goal is reached, and where it is not."""
    by_claim: dict[str, list[Finding]] = {}
    for finding in findings(rows):
        by_claim.setdefault(finding.claim, []).append(finding)
    body, missed = [], []
    for claim, found in by_claim.items():
        least = min(found, key=lambda each: each.speedup.median)
        goal = f"{found[0].goal:.2g} x"
        met = f"{sum(each.met for each in found)} of {len(found)}"
        body.append(
            (claim, goal, met, _times(least.speedup), f"{least.subject}, {least.direction}")
        )
        missed += [
            (f"{claim}; {each.subject}, {each.direction}", goal, _times(each.speedup))
            for each in found
            if not each.met
        ]
    columns = ("as fast as ...", "goal", "met", "least", "where")
    yield Grid("Goals of the automatic choice", columns, body)
    if missed:
        yield Grid("Goals that are not met", ("as fast as ...", "goal", "measured"), missed)


def memory(rows: list[Data]) -> Grid:
    """Megabytes above what the process held before the call."""
    who = ways(rows)
    body = []
    for group in groups(rows):
        shown = _cells(group, who, lambda row: megabytes(row["peak_bytes"]))
        body.append((_label(group[0]), *shown))
    heads = tuple(f"{framework}\n{algorithm}" for framework, algorithm in who)
    title = "Peak memory in MB, beyond what the process held before the call"
    return Grid(title, ("", *heads), body)


def growing(rows: list[Data]) -> Grid:
    """Exponents of the time, beside those of the MACs."""
    found = exponents(rows)
    sizes = list(dict.fromkeys(row["grows"] for row in found))
    body = []
    for kind in dict.fromkeys(row["kind"] for row in found):
        of_kind = select(found, kind=kind)
        macs = {row["grows"]: row["exponent_of_macs"] for row in of_kind}
        body.append((f"{kind}, MACs", *(_exponent(macs.get(size)) for size in sizes)))
        for who in dict.fromkeys(tuple(row[name] for name in TIMED) for row in of_kind):
            own = select(of_kind, **dict(zip(TIMED, who, strict=True)))
            time = {row["grows"]: row["exponent"] for row in own}
            framework, algorithm, memory_format = who
            layout = ", NCHW" if memory_format == "contiguous" else ""
            label = f"{kind}, {framework} {algorithm}{layout}"
            body.append((label, *(_exponent(time.get(size)) for size in sizes)))
    title = "Exponents: how MACs and time grow with one size (1 is linear, 2 quadratic)"
    return Grid(title, ("", *sizes), body)


def _exponent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def converting(network: Data) -> Grid:
    """Conversion beside a plain copy and transposition of the same arrays."""
    body = []
    for pair in network["pairs"]:
        exponent, peak = pair["exponent"], pair["peak_over_weights"]
        body.append(
            (
                f"{pair['source']} to {pair['target']}",
                f"{pair['bytes'] / 1e6:.0f} MB",
                milliseconds(pair["plain"]),
                milliseconds(pair["convert"]),
                f"{100 * pair['ratio']:.0f} %",
                _exponent(exponent),
                "-" if peak is None else f"{peak:.2f}",
            )
        )
    columns = ("", "weights", "plain copy, ms", "convert, ms", "speed", "exponent", "peak")
    each = network["pairs"][0]["bytes"] / network["pairs"][0]["layers"] / 1e6
    title = (
        "Conversion against a plain NumPy copy and transposition, medians after a warm-up, of "
        f"{network['width']:,} channels, {each:.1f} MB a layer, without the run of the module that "
        "`convert` makes first: networks of smaller layers convert more slowly"
    )
    return Grid(title, columns, body)


def starting(data: Data) -> Grid:
    """Seconds to start."""
    body = [
        (name, f"{row['time']:.2f} s", f"{row['beyond numpy']:.2f} s") for name, row in data.items()
    ]
    return Grid("Start-up, medians", ("", "in all", "beyond NumPy's import"), body)


def megabytes(peak: int | None) -> str:
    """Whole ones; where the system tells none, a dash."""
    return "-" if peak is None else f"{peak / 1e6:.0f}"


def milliseconds(seconds: float) -> str:
    """Three significant digits, and never a power of ten."""
    rounded = float(f"{1e3 * seconds:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:g}"


def _times(found: Spread | None) -> str:
    return "-" if found is None else f"{found.median:.2g} ({found.low:.2g}-{found.high:.2g})"


def summary(data: Data) -> dict[str, Any]:
    """The machine's limits, in words."""
    limits = data["limits"]
    return {
        "arithmetic": f"{limits['flops_per_second'] / 1e9:.0f} GFLOP/s",
        "memory": f"{limits['bytes_per_second'] / 1e9:.0f} GB/s",
    }
