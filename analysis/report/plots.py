"""Pictures of what was measured, with matplotlib, which the extra ``plots`` installs."""

import importlib.util
import io
from pathlib import Path
from typing import Any

from convparity.analysis.layerwise.verdict import Layerwise
from convparity.impls.errors import FrameworkUnavailable, InputError, printable
from convparity.impls.storing import said, write_whole

FORMATS = ("png", "svg", "pdf")


def drift(divergences: list[Layerwise], path: str | Path) -> None:
    """Draw how far two networks are apart, layer after layer, and each layer's share of it.

    One panel for each divergence; errors are relative to the root mean square of the right output.
    The format is that of the suffix of ``path`` (.png, .svg, .pdf).
    """
    figure_of = _figure()
    figure, panels = figure_of(len(divergences))
    for panel, found in zip(panels, divergences, strict=True):
        _draw(panel, found)
    write_figure(figure, path, dpi=150)


def _figure() -> Any:
    if importlib.util.find_spec("matplotlib") is None:
        raise FrameworkUnavailable("a plot needs matplotlib: pip install 'convparity[plots]'")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def make(rows: int) -> tuple[Any, list[Any]]:
        figure = Figure(figsize=(10, 4 * rows), layout="constrained")
        FigureCanvasAgg(figure)  # no window, whatever backend the user has set
        return figure, list(figure.subplots(rows, 1, squeeze=False)[:, 0])

    return make


def _draw(panel: Any, found: Layerwise) -> None:
    layers = [layer for layer in found.layers if not layer.pair.inside]
    depth = range(len(layers))
    curves: dict[str, tuple[str, list[float | None]]] = {
        "drift": ("o-", [layer.drift for layer in layers]),
        "inherited": (".--", [layer.inherited for layer in layers]),
        "own": ("x", [layer.own_error for layer in layers]),
    }
    for label, (style, errors) in curves.items():
        known = [
            (at, error / layer.size)
            for at, error, layer in zip(depth, errors, layers, strict=True)
            if error is not None and 0 < error < float("inf") and layer.size
        ]
        if known:  # zero has no place on a logarithmic axis
            panel.plot(*zip(*known, strict=True), style, label=label, markersize=4, linewidth=1)
    for at, layer in enumerate(layers):
        if layer is found.first:
            panel.axvline(at, color="red", linewidth=1, label=f"first divergence: {layer.name}")
    panel.set_yscale("log")
    panel.set_title(printable(f"{found.module} against {found.expected}"), parse_math=False)
    panel.set_ylabel("error / rms of the layer")
    panel.set_xticks(list(depth)[:: max(1, len(layers) // 30)])
    panel.set_xticklabels(
        [layer.path or "the whole" for layer in layers][:: max(1, len(layers) // 30)],
        rotation=90,
        fontsize=6,
    )
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize=8)


def write_figure(figure: Any, path: str | Path, **options: Any) -> None:
    """Write a figure of matplotlib's, whole or not at all, in the format that the suffix says."""
    suffix = Path(path).suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise InputError(
            f"{said(str(path))}: a plot is written as .png, .svg or .pdf, by its suffix"
        )
    drawn = io.BytesIO()
    figure.savefig(drawn, format=suffix, **options)
    write_whole(path, drawn.getvalue())
