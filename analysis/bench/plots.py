"""Pictures of the figures: what separable convolutions really save, and how near the limit is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from convparity.analysis.bench.findings import Data, fastest, groups, select, speedup
from convparity.analysis.bench.grids import share
from convparity.analysis.bench.growth import MIDDLE, SIZES
from convparity.analysis.report.plots import write_figure
from convparity.impls.errors import FrameworkUnavailable

WAYS = {"native": "the framework's own", "auto": "as built"}


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
    rows = data["layers"]
    names = _frameworks(rows)
    figure, axes = pyplot.subplots(
        2, len(names), figsize=(3.1 * len(names), 6), sharex=True, sharey=True, squeeze=False
    )
    for line, direction in zip(axes, ("forward", "gradient"), strict=True):
        for axis, name in zip(line, names, strict=True):
            for algorithm, mark in (("native", "x"), ("auto", "o")):
                points = list(_points(rows, name, algorithm, direction))
                x, y, low, high = zip(*points, strict=True)
                errors = [
                    [a - b for a, b in zip(y, low, strict=True)],
                    [b - a for a, b in zip(y, high, strict=True)],
                ]
                axis.errorbar(x, y, errors, fmt=mark, label=WAYS[algorithm], capsize=2)
            axis.plot([5, 30], [5, 30], "k--", linewidth=0.8)
            axis.axhline(1, color="k", linestyle=":", linewidth=0.8)
            axis.set(xscale="log", yscale="log", title=f"{name}, {direction}")
            axis.set_xticks([8, 18, 23], labels=["8", "18", "23"], minor=False)
            axis.set_xticks([], minor=True)
    axes[0][0].legend(loc="lower right")
    figure.supxlabel("regular MACs / separable MACs")
    figure.supylabel("regular time / separable time")
    figure.tight_layout()
    return figure


def _points(
    rows: list[Data], framework: str, algorithm: str, direction: str
) -> Iterator[tuple[float, float, float, float]]:
    wanted = {"framework": framework, "algorithm": algorithm, "direction": direction}
    for title in dict.fromkeys(row["title"] for row in rows):
        slow = fastest(select(rows, kind="regular", title=title, **wanted))
        fast = fastest(select(rows, kind="separable", title=title, **wanted))
        found = speedup(slow, fast)
        if found is not None and slow is not None and fast is not None:
            yield slow["macs"] / fast["macs"], *found


def _roofline(pyplot: Any, data: Data) -> Any:
    rows = data["layers"]
    found = groups(select(rows, kind="separable", direction="forward"))
    who = list(dict.fromkeys((row["framework"], row["algorithm"]) for row in rows))
    figure, axis = pyplot.subplots(figsize=(9, 3.6))
    for place, (framework, algorithm) in enumerate(who):
        best = [fastest(select(g, framework=framework, algorithm=algorithm)) for g in found]
        heights = [0 if row is None else 100 * share(row, data["limits"]) for row in best]
        at = [i + (place - (len(who) - 1) / 2) * 0.8 / len(who) for i in range(len(found))]
        axis.bar(at, heights, 0.8 / len(who), label=f"{framework}, {WAYS[algorithm]}")
    axis.set_xticks(range(len(found)), [g[0]["title"].replace(" ", "\n", 1) for g in found])
    axis.set(ylabel="% of the limit")
    axis.legend(fontsize=7)
    figure.tight_layout()
    return figure


def _growth(pyplot: Any, data: Data) -> Any:
    rows = data["growth"]
    names = _frameworks(rows)
    figure, axes = pyplot.subplots(1, len(SIZES), figsize=(3 * len(SIZES), 3.4), sharey=True)
    for axis, (grows, sizes) in zip(axes, SIZES.items(), strict=True):
        for colour, name in enumerate(names):
            for kind, style in (("Conv", "-"), ("SeparableConv", "--")):
                wanted = {"grows": grows, "kind": kind, "framework": name, "algorithm": "auto"}
                best = [fastest(select(rows, size=size, **wanted)) for size in sizes]
                times = [1e3 * row["time"]["median"] for row in best if row is not None]
                label = name if kind == "Conv" else None
                axis.plot(sizes, times, style, marker=".", color=f"C{colour}", label=label)
        others = ", ".join(f"{k} {v}" for k, v in MIDDLE.items() if k != grows)
        axis.set(xscale="log", yscale="log", xlabel=grows)
        axis.set_title(others, fontsize=7)
        axis.set_xticks(sizes, labels=[str(size) for size in sizes])
        axis.set_xticks([], minor=True)
    axes[0].set_ylabel("ms")
    axes[0].legend()
    figure.tight_layout()
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
        "takes: on the dashed line the two are equal, below the dotted one it is slower",
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
