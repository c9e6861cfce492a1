"""``convparity diagnose``: the known fault behind a wrong output, framework or weight file."""

import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from convparity.analysis.commands.shared import (
    FILE_INPUT,
    PRINTED,
    command,
    frameworks_option,
    given_shape,
    json_option,
    load_frameworks,
    parse_shape,
    write_json,
)
from convparity.impls.errors import InputError, SpecError, in_one_line
from convparity.impls.files import SUFFIXES, load
from convparity.impls.limits import NUMBERS
from convparity.impls.storing import read_whole, said
from convparity.impls.values import gives_several, real_array

MOST = 10  # answers, at most


@command
@click.argument("what", metavar="LINE_OR_FILE")
@click.argument("wrong", metavar="[FILE]", required=False)
@click.option("--output", type=click.Path(path_type=Path), help="What your port gives: y.npy.")
@frameworks_option
@click.option("--input", "shape", metavar="SHAPE", help="The input of two files: 1x224x224x3.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=10.0, help="Time to search two faults."
)
@json_option
def diagnose(
    what: str,
    wrong: str | None,
    output: Path | None,
    frameworks: str | None,
    shape: str | None,
    seconds: float,
    path: str | None,
) -> None:
    """Name the porting fault that explains a wrong output, or two at once.

    LINE says a layer, its input and its data, as a failing test prints it (see replay): run your
    port on that input and save what it gives, channels-last: in Python,
    convparity.analysis.replay.replay.parse(LINE).case() gives the weights and x as NumPy arrays.
    Without --output, the frameworks are run and diagnosed.

    Two weight files of one network are compared layer by layer; each layer of the second that is
    wrong, though its input is right, is diagnosed. Exit status 1 if something is wrong.

    \b
    convparity diagnose "conv2d c4>8 k3 s2 same hw8x9 ints:17" --output y.npy
    convparity diagnose "conv2d c4>8 k3 s2 same hw8x9 ints:17" --frameworks {one}
    convparity diagnose right.safetensors ported.safetensors --input 1x64x64x3
    """
    if wrong is not None or Path(what).suffix in SUFFIXES:
        if wrong is None:
            raise InputError(
                f"{what} is one file, and two are compared: give the other one after it"
            )
        if output is not None or frameworks is not None:
            raise InputError("two files are compared with each other: drop --output, --frameworks")
        found = _files(what, wrong, shape, seconds, path == PRINTED)
    else:
        if shape is not None:
            raise InputError("--input is for two files: a line says its own size")
        found = _line(what, output, frameworks, seconds)
    from convparity.analysis.diagnosis.diagnose import summary

    if path is not None:
        write_json(path, {name: diagnosis.to_dict() for name, diagnosis in found.items()})
    for text in summary(found):
        click.echo(_shortened(text), err=path == PRINTED)
    if not all(diagnosis.right and diagnosis.weights is None for diagnosis in found.values()):
        sys.exit(1)


def _shortened(text: str) -> str:
    lines = text.splitlines()
    more = [f"... and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "\n  or ".join([*lines[:MOST], *more])


def _line(line: str, output: Path | None, frameworks: str | None, seconds: float) -> dict[str, Any]:
    from convparity.analysis.diagnosis.diagnose import diagnose
    from convparity.analysis.replay.replay import parse
    from convparity.impls import registry

    case = parse(line)
    weights, x = case.case()
    if output is None:
        found = {}
        for name in load_frameworks(frameworks):
            adapter = registry.get(name)
            y = adapter.apply(adapter.build(case.spec, weights), case.spec, x)
            found[name] = diagnose(y, case.spec, weights, x, seconds=seconds)
        return found
    if frameworks is not None:
        raise InputError("give --output or --frameworks, not both")
    import numpy as np

    if gives_several(case.spec):
        raise InputError(
            f"{output} is one array, and the graph gives several: ask --frameworks, or give "
            "convparity.diagnose all of them"
        )
    y, right = read_output(output), case.target().value
    if np.isnan(y).any() and not np.isnan(right).any():
        raise InputError(
            f"{output} holds {np.count_nonzero(np.isnan(y))} NaN of {y.size}, where the right "
            "output has none: find where they arise first"
        )
    diagnosis = diagnose(y, case.spec, weights, x, seconds=seconds)
    if y.shape != right.shape and not diagnosis.answers:
        raise InputError(
            f"{output} has shape {y.shape}, the right output {right.shape}, and no known fault "
            "makes that of it: save it channels-last, with the batch"
        )
    return {str(output): diagnosis}


def read_output(path: Path) -> Any:
    """An array that ``numpy.save`` wrote; nothing in the file is ever executed."""
    import numpy as np

    data = read_whole(path, most=8 * NUMBERS)
    stream = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # of a damaged header, whatever its parser raises
        raise InputError(
            f"{path} is no whole .npy file ({in_one_line(error)}): numpy.save(path, y)"
        ) from None
    if left := len(stream.read()):
        raise InputError(f"{said(str(path))} has {left:,} bytes behind its array: save one array")
    return real_array(array, said(str(path)), booleans=False)


def _files(right: str, wrong: str, shape: str | None, seconds: float, err: bool) -> dict[str, Any]:
    from convparity.analysis.diagnosis.diagnose import Diagnosis, diagnose_layers
    from convparity.analysis.layerwise.compare import first_divergence

    input_shape = given_shape(shape) or parse_shape(FILE_INPUT)
    try:
        divergence = first_divergence(load(wrong), load(right), input_shape=input_shape)
    except SpecError as error:
        hint = "" if shape else f" (give the network's own --input, not {FILE_INPUT})"
        raise InputError(f"{error}{hint}") from None
    divergence = replace(divergence, module=Path(wrong).name, expected=Path(right).name)
    click.echo(str(divergence), err=err)
    if divergence.ok:
        return {Path(wrong).name: Diagnosis(True, (), 0, 0, True)}
    found = diagnose_layers(divergence, seconds=seconds)
    return found
