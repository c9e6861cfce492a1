"""``convparity layers``: two networks layer by layer, and the first that is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from convparity.analysis.commands.shared import (
    FILE_INPUT,
    command,
    find_subject,
    finish,
    frameworks_option,
    given_shape,
    json_option,
    load_frameworks,
    open_console,
    parse_shape,
    picture_size,
)
from convparity.impls.convert import build
from convparity.impls.errors import InputError
from convparity.impls.files import SUFFIXES, load
from convparity.impls.spec import Shapes, Spec
from convparity.impls.weights import Weights, init_weights


@command
@click.argument("what", metavar="LAYER_OR_NETWORK_OR_FILE")
@click.argument("other", metavar="[FILE]", required=False)
@click.option("--against", metavar="NAME", help="A framework in the reference's place.")
@frameworks_option
@click.option("--input", "shape", metavar="SHAPE", help="The input's shape: 1x224x224x3.")
@click.option("--picture", type=click.Path(path_type=Path), help="Feed the network this picture.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Draws weights and inputs.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="A file for a plot of the differences."
)
@json_option
def layers(what: str, other: str | None, path: str | None, **options: Any) -> None:
    """Name the first layer that is wrong though its input is right.

    Every layer is fed what its twin in the reference (or in --against) is fed, and the first whose
    own error is more than rounding is named. Of two weight files of one network the second is
    judged against the first, without any framework. Exit status 1 if any layer is wrong.

    \b
    convparity layers mobilenet_v1 --frameworks {other} --against {one} --plot drift.png
    convparity layers right.safetensors wrong.safetensors
    """
    data, failures = judge_layers(what, other, open_console(path), **options)
    finish(data, failures, path)


def judge_layers(
    what: str,
    other: str | None,
    console: Any,
    *,
    against: str | None = None,
    frameworks: str | None = None,
    shape: str | None = None,
    picture: Path | None = None,
    seed: int = 0,
    plot: Path | None = None,
) -> tuple[Any, list[str]]:
    """Every framework against the reference or one of them; or one weight file against another."""
    if other is not None and (against or frameworks):
        raise InputError("two files are compared by the reference: leave the frameworks out")
    names = () if other is not None else load_frameworks(frameworks)
    from convparity.analysis.diagnosis.diagnose import diagnose_layers, summary
    from convparity.analysis.layerwise.compare import first_divergence
    from convparity.analysis.report import layer_tables, plots, tables
    from convparity.analysis.showcase import pictures

    title, spec, weights, input_shape = _subject(what.strip(), shape, seed)
    options: dict[str, Any] = {"input_shape": input_shape, "seed": seed}
    if picture is not None:
        options = {"x": pictures.prepare(picture, picture_size(input_shape)), "seed": seed}
    expected: Any = (spec, weights)
    if other is not None:
        modules: dict[str, Any] = {Path(other).name: load(other)}
    else:
        if against is not None:
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


def _subject(what: str, shape: str | None, seed: int) -> tuple[str, Spec, Weights, Shapes]:
    if Path(what).suffix in SUFFIXES:
        spec, weights = load(what)
        return Path(what).name, spec, weights, given_shape(shape) or parse_shape(FILE_INPUT)
    title, spec, input_shape = find_subject(what, {}, given_shape(shape))
    return title, spec, init_weights(spec, seed), input_shape
