"""The table of two networks, layer by layer."""

from rich.markup import escape
from rich.table import Table

from convparity.analysis.layerwise.verdict import LayerVerdict, Layerwise
from convparity.analysis.report import tables

STYLES = {"ok": "green", "inherited": "yellow", "WRONG": "red", "twin WRONG": "red"}


def divergence_table(found: Layerwise) -> Table:
    """Each layer's own error and the one it inherited; the first divergence stands out."""
    columns = ("layer", "own error", "bits", "inherited error", "verdict")
    title = f"{found.module} against {found.expected}"
    shown = tables.table(title, *columns, text=("layer", "verdict"))
    for layer in found.layers:
        bits = layer.effective_bits
        shown.add_row(
            f"{escape(layer.name)} [dim]{layer.kind}[/]",
            _error(layer.own_error),
            ("exact" if layer.own.ok else "") if bits is None else f"{bits:.1f}",
            _error(layer.inherited),
            f"[{STYLES[layer.state]}]{layer.state}[/]",
            style="bold" if layer is found.first else None,
        )
    return shown


def notes(found: Layerwise) -> list[str]:
    """One line for each layer that is not what its twin is, right or wrong."""
    differing: list[LayerVerdict] = [
        layer
        for layer in found.layers
        if layer.spec_difference or layer.weight_difference or not layer.ok
    ]
    return [
        f"{layer.name} ({layer.kind}): {layer.state} here: {layer.findings}" for layer in differing
    ]


def _error(error: float | None) -> str:
    return "-" if error is None else "0" if error == 0 else f"{error:.1e}"
