"""``convparity compare --layers``: two networks layer by layer, and the first that errs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from convparity.analysis.commands.shared import FILE_INPUT, find_subject, parse_shape
from convparity.impls.convert import build
from convparity.impls.errors import InputError
from convparity.impls.files import SUFFIXES, load
from convparity.impls.shapes import Shape
from convparity.impls.spec import Spec
from convparity.impls.weights import Weights, init_weights


def judge_layers(
    what: str,
    other: str | None,
    names: tuple[str, ...],
    against: str,
    shape: str | None,
    picture: Path | None,
    seed: int,
    plot: Path | None,
    console: Any,
) -> tuple[Any, list[str]]:
    """Every framework against the reference or one of them; or one weight file against another."""
    from convparity.analysis.diagnosis.diagnose import diagnose_layers, summary
    from convparity.analysis.layerwise.compare import first_divergence
    from convparity.analysis.report import layer_tables, plots, tables
    from convparity.analysis.showcase import pictures

    title, spec, weights, input_shape = _subject(what, shape, seed)
    options: dict[str, Any] = {"input_shape": input_shape, "seed": seed}
    if picture is not None:
        options = {"x": pictures.prepare(picture, input_shape[1]), "seed": seed}
    expected: Any = (spec, weights)
    if other is not None:
        modules: dict[str, Any] = {Path(other).name: load(other)}
    else:
        if against != "reference":
            expected = build(spec, weights, framework=against)
        modules = {name: build(spec, weights, framework=name) for name in names if name != against}
    if not modules:
        raise InputError(f"nothing is left to compare with {against}: name another framework")
    found = [
        replace(first_divergence(module, expected, **options), module=name, expected=title)
        if other is not None
        else first_divergence(module, expected, **options)
        for name, module in modules.items()
    ]
    for each in found:
        tables.show(console, layer_tables.divergence_table(each), *layer_tables.notes(each))
        tables.show(console, *summary(diagnose_layers(each)))
        tables.show(console, *([str(each)] if each.ok else []), "")
    if plot is not None:
        plots.drift(found, plot)
    return [each.to_dict() for each in found], [str(each) for each in found if not each.ok]


def _subject(what: str, shape: str | None, seed: int) -> tuple[str, Spec, Weights, Shape]:
    if Path(what).suffix in SUFFIXES:
        spec, weights = load(what)
        return Path(what).name, spec, weights, parse_shape(shape or FILE_INPUT)
    title, spec, input_shape = find_subject(what, {}, parse_shape(shape) if shape else None)
    return title, spec, init_weights(spec, seed), input_shape
