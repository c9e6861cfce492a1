"""What several commands share: what the user asked for, and files written for them."""

import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from convparity.impls import networks, registry
from convparity.impls.errors import (
    FrameworkUnavailable,
    InputError,
    in_one_line,
    quoted,
    unknown_name,
)
from convparity.impls.files import OF_OTHERS, SUFFIXES
from convparity.impls.notation import LAYER_WORDS, from_line
from convparity.impls.spec import Shape, Shapes, Spec, each_shape
from convparity.impls.storing import read_whole, said, write_whole

FILE_INPUT = "1x224x224x3"  # of a weight file, which does not say it
SCHEMA = 1  # of what --json writes
MOST = 2**26  # bytes of figures that are read
PRINTED = "-"  # the path that is standard output
_NAMES = tuple(registry.FRAMEWORKS)
NAMES = {"names": ", ".join(_NAMES), "one": _NAMES[0], "other": _NAMES[1]}  # in help texts


def parse_shape(text: str) -> Shape:
    """The shape that ``1x224x224x3`` says; ``InputError`` if it says none."""
    if not re.fullmatch("[1-9][0-9]{0,8}(x[1-9][0-9]{0,8})+", text):
        raise InputError(
            f"{quoted(text)} is not a shape: give the batch, the spatial sizes and the channels, "
            "such as 1x224x224x3"
        )
    return tuple(map(int, text.split("x")))


def command(function: Callable[..., Any]) -> click.Command:
    """``click.command``, with the frameworks' names in the place of the words of ``NAMES``."""
    return click.command(help=inspect.cleandoc(function.__doc__ or "").format(**NAMES))(function)


frameworks_option = click.option(
    "--frameworks", metavar="NAMES", help=f"Only these: {','.join(_NAMES)}."
)
json_option = click.option(
    "--json",
    "path",
    metavar="PATH",
    is_flag=False,
    flag_value=PRINTED,
    help="Write every figure here; without a path, print them, and the tables on stderr.",
)


def open_console(path: str | None) -> Any:
    """Where tables go: standard output, unless that is for JSON."""
    from convparity.analysis.report import tables

    return tables.console(stderr=path == PRINTED)


def write_json(path: str, data: Any) -> None:
    """Write ``data`` for other programs to read, or print them where ``path`` is "-".

    With the command that found them, and the number of their form: it changes where a program that
    read the last one could not read the next. ``InputError`` if the file cannot be written.
    """
    command = click.get_current_context().info_name
    text = json.dumps({"schema": SCHEMA, "command": command, "data": data}, indent=2) + "\n"
    if path == PRINTED:
        click.echo(text, nl=False)
    else:
        write_text(path, text)


def read_json(path: str | Path) -> Any:
    """The ``data`` that ``write_json`` wrote."""
    data = read_whole(path, MOST)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{said(str(path))} is no whole JSON file ({in_one_line(error)}): write it with --json"
        ) from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or "data" not in found:
        raise InputError(
            f"{said(str(path))} holds no figures of this version of convparity: write them with "
            "--json"
        )
    return found["data"]


def write_text(path: str | Path, text: str) -> None:
    """Write a file, whole or not at all; ``InputError`` if that is not possible."""
    write_whole(path, text.encode())


def finish(data: Any, failures: list[str], path: str | None) -> None:
    """Write the figures, say what is not ok, and exit with status 1 if anything is not."""
    from rich.text import Text

    from convparity.analysis.report import tables

    if path is not None:
        write_json(path, data)
    for failure in failures:
        tables.show(open_console(path), Text(f"not ok: {failure}", style="red"))
    if failures:
        sys.exit(1)


def given_shape(text: str | None) -> Shape | None:
    """The shape that was asked for with --input, if one was."""
    return None if text is None else parse_shape(text)


def find_subject(
    what: str, options: dict[str, Any], shape: Shape | None
) -> tuple[str, Spec, Shapes]:
    """The title, the spec and the input shape of what the user asked for."""
    word = re.split(r"[\s(]", what)[0]
    if word in networks.names():
        network = networks.get(what, **options)
        return network.name, network.spec, shape or network.input_shape
    if Path(word).suffix.lower() in OF_OTHERS:
        raise InputError(
            f"{said(word)} is a file of another kind: what is read is {', '.join(SUFFIXES)}. Load "
            "it where it was written, and give convparity.convert or convparity.check what it is"
        )
    if word not in LAYER_WORDS and not what.startswith(("{", "(")):
        raise InputError(unknown_name("layer or network", word, (*networks.names(), *LAYER_WORDS)))
    if options:
        raise InputError(f"{', '.join(options)}: for networks only, and {quoted(what)} is a layer")
    spec, own = from_line(what)
    input_shape = shape or own
    if input_shape is None:
        raise InputError(
            f"the input's size is missing: say hw224 in the first layer of {quoted(what)}, "
            "or give --input 1x224x224x3"
        )
    return type(spec).__name__, spec, input_shape


def picture_size(input_shape: Shapes) -> int:
    """The pixels along an axis that a picture needs, for what takes one image."""
    shape, *others = each_shape(input_shape)
    if others:
        raise InputError(f"a picture is one input, and the network takes {1 + len(others)}")
    return shape[1]


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
