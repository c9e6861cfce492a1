"""Pictures of the figures: what separable convolutions really save, and how near the limit is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from convparity.analysis.bench.findings import Data, as_built, best, groups, select, speedup
from convparity.analysis.bench.grids import share, ways
from convparity.analysis.bench.growth import MIDDLE, SIZES
from convparity.analysis.bench.record import flat
from convparity.analysis.report.plots import write_figure
from convparity.impls.errors import FrameworkUnavailable

WAYS = {"native": "the framework's own", "auto": "as built"}
COLOURS = {"native": "C0", "auto": "C1"}


def draw(data: Data, folder: Path) -> None:
    """Write every picture that the data have figures for, as ``NAME.svg``."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise FrameworkUnavailable(
            "matplotlib is not installed: pip install 'convparity[plots]'"
        ) from None
    pyplot.switch_backend("svg")  # no window, whatever backend the user has set
    pyplot.rcParams.update({"svg.hashsalt": "convparity", "font.size": 9})  # the same bytes again
    for name, picture in PICTURES.items():
        if picture.chapter in data:
            figure = picture.figure(pyplot, data)
            write_figure(figure, folder / f"{name}.svg", metadata={"Date": None})
            pyplot.close(figure)


def _frameworks(rows: list[Data]) -> list[str]:
    return list(dict.fromkeys(row["framework"] for row in rows))


def _speedup(pyplot: Any, data: Data) -> Any:
    rows = flat(data["layers"])
    names = _frameworks(rows)
    figure, axes = pyplot.subplots(
        2, len(names), figsize=(3.1 * len(names), 6.3), sharex=True, sharey=True, squeeze=False
    )
    drawn: dict[str, Any] = {}
    for line, direction in zip(axes, ("forward", "gradient"), strict=True):
        for axis, name in zip(line, names, strict=True):
            for algorithm, mark in (("native", "x"), ("auto", "o")):
                points = list(_points(rows, name, algorithm, direction))
                if not points:  # the same code, drawn once
                    continue
                x, y, low, high = zip(*points, strict=True)
                errors = [
                    [a - b for a, b in zip(y, low, strict=True)],
                    [b - a for a, b in zip(y, high, strict=True)],
                ]
                bars = axis.errorbar(x, y, errors, fmt=mark, color=COLOURS[algorithm], capsize=2)
                drawn.setdefault(WAYS[algorithm], bars)
            axis.plot([5, 30], [5, 30], "k--", linewidth=0.8)
            axis.axhline(1, color="k", linestyle=":", linewidth=0.8)
            axis.set(xscale="log", yscale="log", title=f"{name}, {direction}")
            axis.set_xticks([8, 18, 23], labels=["8", "18", "23"], minor=False)
            axis.set_xticks([], minor=True)
    figure.supxlabel("regular MACs / separable MACs")
    figure.supylabel("regular time / separable time")
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.legend(drawn.values(), drawn, loc="upper center", ncols=len(drawn))
    return figure


def _points(
    rows: list[Data], framework: str, algorithm: str, direction: str
) -> Iterator[tuple[float, float, float, float]]:
    for title in dict.fromkeys(row["title"] for row in rows):
        regular, separable = (
            select(rows, kind=kind, title=title, direction=direction)
            for kind in ("regular", "separable")
        )
        slow, fast = (best(group, framework, algorithm) for group in (regular, separable))
        if algorithm == "auto" and (slow is not None or fast is not None):
            slow, fast = as_built(regular, framework), as_built(separable, framework)
        found = speedup(slow, fast)
        if found is not None and slow is not None and fast is not None:
            yield slow["macs"] / fast["macs"], *found


def _roofline(pyplot: Any, data: Data) -> Any:
    rows = select(flat(data["layers"]), kind="separable", direction="forward")
    found = groups(rows)
    bars = {}
    for name, algorithm in ways(rows):
        best_of = enumerate(best(group, name, algorithm) for group in found)
        if shown := [(i, row) for i, row in best_of if row is not None]:  # the same code once
            bars[f"{name}, {WAYS[algorithm]}"] = shown
    figure, axis = pyplot.subplots(figsize=(9, 3.9))
    for place, (label, shown) in enumerate(bars.items()):
        heights = [100 * share(row, data["limits"]) for _, row in shown]
        at = [i + (place - (len(bars) - 1) / 2) * 0.8 / len(bars) for i, _ in shown]
        axis.bar(at, heights, 0.8 / len(bars), label=label)
    axis.set_xticks(range(len(found)), [g[0]["title"].replace(" ", "\n") for g in found])
    axis.set(ylabel="% of the limit")
    figure.tight_layout(rect=(0, 0, 1, 0.92))
    figure.legend(loc="upper center", ncols=len(bars), fontsize=8)
    return figure


def _growth(pyplot: Any, data: Data) -> Any:
    rows = flat(data["growth"])
    names = _frameworks(rows)
    figure, axes = pyplot.subplots(1, len(SIZES), figsize=(3 * len(SIZES), 3.4), sharey=True)
    for axis, (grows, sizes) in zip(axes, SIZES.items(), strict=True):
        for colour, name in enumerate(names):
            for kind, style in (("Conv", "-"), ("SeparableConv", "--")):
                of_kind = select(rows, grows=grows, kind=kind)
                built = [as_built(select(of_kind, size=size), name) for size in sizes]
                times = [1e3 * row["time"]["median"] for row in built if row is not None]
                label = name if kind == "Conv" else None
                axis.plot(sizes, times, style, marker=".", color=f"C{colour}", label=label)
        others = ", ".join(f"{k} {v}" for k, v in MIDDLE.items() if k != grows)
        axis.set(xscale="log", yscale="log", xlabel=grows)
        axis.set_title(others, fontsize=7)
        axis.set_xticks(sizes, labels=[str(size) for size in sizes])
        axis.set_xticks([], minor=True)
    axes[0].set_ylabel("ms")
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="upper center", ncols=len(names))
    return figure


class Picture(NamedTuple):
    """A picture, and the chapter whose figures it needs."""

    chapter: str
    caption: str
    figure: Callable[[Any, Data], Any]


PICTURES = {
    "speedup": Picture(
        "layers",
        "How many times as fast the separable layer is, against how many times fewer MACs it "
        "takes: on the dashed line the two are equal, below the dotted one it is slower; what is "
        "built is shown where it is not the framework's own code",
        _speedup,
    ),
    "roofline": Picture(
        "layers",
        "The share of the machine's limit that the separable layers reach, forward",
        _roofline,
    ),
    "growth": Picture(
        "growth",
        "How the time of a regular (solid) and of a separable layer (dashed) grows, forward",
        _growth,
    ),
}
