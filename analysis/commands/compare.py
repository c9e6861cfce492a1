"""``convparity compare``: the main job, and the verdicts of one layer, network or file."""

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
from convparity.impls import registry
from convparity.impls.convert import apply
from convparity.impls.files import SUFFIXES, load
from convparity.impls.spec import Shapes, Spec


@command
@click.argument("what", metavar="[LAYER_OR_NETWORK_OR_FILE]", required=False)
@click.argument("other", metavar="[FILE]", required=False)
@frameworks_option
@click.option("--input", "shape", metavar="SHAPE", help="The input's shape: 1x224x224x3.")
@click.option("--picture", type=click.Path(path_type=Path), help="Judge precision on this picture.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Draws weights and inputs.")
@json_option
def compare(
    what: str | None,
    other: str | None,
    frameworks: str | None,
    shape: str | None,
    picture: Path | None,
    seed: int,
    path: str | None,
) -> None:
    """Judge a layer, a network or a weight file in every framework.

    Without an argument: the tutorial's layers, EfficientNet-Lite0 with its released weights on
    photographs, and MobileNetV1 against its paper. Exit status 1 if any verdict is not ok: wrong,
    or not tested.

    Two weight files of one network are judged layer by layer, the second against the first, as
    `convparity layers` does, and need no framework.

    \b
    convparity compare
    convparity compare "conv2d c4>8 k3x2 s2 same hw7x9" --seed 17
    convparity compare mobilenet_v1 --frameworks {one},{other}
    convparity compare weights.safetensors --picture cat.png
    convparity compare right.safetensors wrong.safetensors
    """
    console = open_console(path)
    if what is None:
        data, failures = _showcase(load_frameworks(frameworks), console)
    elif other is not None:
        from convparity.analysis.commands.layers import judge_layers

        data, failures = judge_layers(
            what, other, console, frameworks=frameworks, shape=shape, picture=picture, seed=seed
        )
    else:
        names = load_frameworks(frameworks)
        data, failures = _judge(what.strip(), names, shape, picture, seed, console)
    finish(data, failures, path)


def _judge(
    what: str,
    names: tuple[str, ...],
    shape: str | None,
    picture: Path | None,
    seed: int,
    console: Any,
) -> tuple[Any, list[str]]:
    from convparity.analysis.proof import compare
    from convparity.analysis.report import tables
    from convparity.analysis.showcase import pictures

    weights = None
    input_shape: Shapes
    if Path(what).suffix in SUFFIXES:
        spec, weights = load(what)
        title, input_shape = Path(what).name, given_shape(shape) or parse_shape(FILE_INPUT)
    else:
        title, spec, input_shape = find_subject(what, {}, given_shape(shape))
    x = None if picture is None else pictures.prepare(picture, picture_size(input_shape))
    options: dict[str, Any] = {"x": x} if x is not None else {"input_shape": input_shape}
    verdicts = compare.compare(spec, weights, names, seed=seed, **options)
    data = [verdict.to_dict() for verdict in verdicts]
    tables.show(console, tables.verdicts_table(title, data))
    failures = [str(verdict) for verdict in verdicts if not verdict.ok]
    for verdict in verdicts:
        if verdict.structure.status == "wrong":
            failures.append(
                f"{verdict.framework} {_diagnosis(verdict.framework, spec, input_shape)}"
            )
    return data, failures


def _diagnosis(framework: str, spec: Spec, input_shape: Shapes) -> str:
    """The fault behind a wrong structure, asked with integers."""
    from convparity.analysis.diagnosis.diagnose import diagnose

    def port(*case: Any) -> Any:
        return apply(*case, framework=framework)

    return str(diagnose(port, spec, input_shape=input_shape))


def _showcase(names: tuple[str, ...], console: Any) -> tuple[Any, list[str]]:
    from convparity.analysis.report import tables
    from convparity.analysis.showcase import chapters
    from convparity.analysis.showcase import tables as showcase_tables

    data: dict[str, Any] = {"versions": {name: registry.versions(name) for name in names}}
    for title, chapter in chapters.CHAPTERS.items():
        with tables.progress() as step:
            data[title] = chapter(names, step)
        for part in showcase_tables.CHAPTERS[title](data[title]):
            tables.show(console, part, "")
    return data, [failure for title in chapters.CHAPTERS for failure in data[title]["failures"]]
