"""What several commands share: what the user asked for, and files written for them."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from convparity.impls import networks, registry
from convparity.impls.errors import FrameworkUnavailable, InputError, one_of
from convparity.impls.notation import LAYER_WORDS, from_line
from convparity.impls.spec import Shape, Spec

FILE_INPUT = "1x224x224x3"  # of a weight file, which does not say it


def parse_shape(text: str) -> Shape:
    """The shape that ``1x224x224x3`` says; ``InputError`` if it says none."""
    if not re.fullmatch("[1-9][0-9]{0,8}(x[1-9][0-9]{0,8})+", text):
        raise InputError(
            f"{text!r} is not a shape: give the batch, the spatial sizes and the channels, "
            "such as 1x224x224x3"
        )
    return tuple(map(int, text.split("x")))


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` for other programs to read; ``InputError`` if the file cannot be written."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file; ``InputError`` if that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def finish(data: Any, failures: list[str], path: Path | None) -> None:
    """Write the figures, say what is not ok, and exit with status 1 if anything is not."""
    from rich.text import Text

    from convparity.analysis.report import tables

    if path:
        write_json(path, data)
    for failure in failures:
        tables.show(tables.console(), Text(f"not ok: {failure}", style="red"))
    if failures:
        sys.exit(1)


def find_subject(
    what: str, options: dict[str, Any], shape: Shape | None
) -> tuple[str, Spec, Shape]:
    """The title, the spec and the input shape of what the user asked for."""
    word = re.split(r"[\s(]", what)[0]
    if word in networks.names():
        network = networks.get(what, **options)
        return network.name, network.spec, shape or network.input_shape
    if word not in LAYER_WORDS and not what.startswith(("{", "(")):
        raise InputError(one_of("layer or network", word, (*networks.names(), *LAYER_WORDS)))
    if options:
        raise InputError(f"{', '.join(options)}: for networks only, and {what!r} is a layer")
    spec, said = from_line(what)
    input_shape = shape or said
    if input_shape is None:
        raise InputError(
            f"the input's size is missing: say hw224 in the first layer of {what!r}, "
            "or give --input 1x224x224x3"
        )
    return type(spec).__name__, spec, input_shape


def find_frameworks(asked: str | None) -> tuple[str, ...]:
    """What was asked for, or all that are installed; what is missing is an error, or is named."""
    if asked is not None:
        names = tuple(name.strip() for name in asked.split(","))
        for name in names:
            if (reason := registry.problem(name)) is not None:
                raise FrameworkUnavailable(reason)
        return names
    for name in registry.FRAMEWORKS:
        if (reason := registry.problem(name)) is not None:
            click.echo(f"left out: {reason}", err=True)
    names = registry.available()
    if not names:
        raise FrameworkUnavailable("no framework is installed: pip install 'convparity[all]'")
    return names


def load_frameworks(asked: str | None) -> tuple[str, ...]:
    """Those of ``find_frameworks``, imported."""
    from convparity.analysis.report.quiet import import_frameworks

    names = find_frameworks(asked)
    import_frameworks(names)
    return names
