"""The command ``convparity``. Each subcommand imports what it needs when it runs."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from impls import networks, registry
from impls.errors import ConvparityError, FrameworkUnavailable, InputError, one_of
from impls.files import SUFFIXES, load
from impls.notation import LAYER_WORDS, from_line, to_json
from impls.shapes import Shape
from impls.spec import Layer, Spec


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="convparity")
def cli() -> None:
    """Convolutional networks in three frameworks: what they cost, and whether they agree."""


def main() -> None:
    """The entry point: an error of ours is one line on stderr and exit status 2."""
    try:
        cli()
    except ConvparityError as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)


# ---------------------------------------------------------------- what several commands share


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


# ---------------------------------------------------------------- convparity count


@cli.command()
@click.argument("what", metavar="LAYER_OR_NETWORK")
@click.option("--input", "shape", metavar="SHAPE", help="The input's shape: 1x224x224x3.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write every figure here.")
@click.option("--width", type=float, help="Multiplies the channels of mobilenet_v1.")
@click.option("--resolution", type=float, help="Multiplies a network's 224 pixels.")
@click.option("--classes", type=int, help="The size of a network's output.")
@click.option("--shallow", is_flag=True, default=None, help="mobilenet_v1 less five blocks.")
@click.option("--separable/--regular", default=None, help="The blocks of mobilenet_v1.")
def count(what: str, shape: str | None, path: Path | None, **options: Any) -> None:
    """Learnables, MACs, FLOPs and bytes of a layer or a network.

    A layer is one line, in quotes; a convolution is shown beside its separable twin.

    \b
    convparity count "conv2d c3>64 k5 s2 hw228"
    convparity count "separable2d c32>64 k3 same nobias hw112"
    convparity count "conv2d c3>8 k3 hw32 | relu | gap | dense c8>10"
    convparity count mobilenet_v1 --width 0.5
    convparity count efficientnet_lite0
    """
    from analysis import cost, tables

    given = {name: value for name, value in options.items() if value is not None}
    title, spec, input_shape = _subject(what.strip(), given, parse_shape(shape) if shape else None)
    pair = cost.twins(spec)
    specs = dict(zip(("regular", "separable"), pair, strict=True)) if pair else {title: spec}
    costs = {name: cost.total_cost(each, input_shape) for name, each in specs.items()}

    console = tables.console()
    if pair or isinstance(spec, Layer):
        console.print(tables.learnables_table(costs))
    else:
        console.print(tables.blocks_table(cost.block_costs(spec, input_shape), costs[title]))
    console.print(tables.costs_table(costs))
    if any(each.macs for each in costs.values()):
        console.print(tables.conventions_table(costs))
    if path:
        data: dict[str, Any] = {name: _report(each, input_shape) for name, each in specs.items()}
        if pair:
            before, after = (each.parameters for each in costs.values())
            data["reduction_percent"] = cost.reduction(before, after)
        write_json(path, data)


def _subject(what: str, options: dict[str, Any], shape: Shape | None) -> tuple[str, Spec, Shape]:
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


def _report(spec: Spec, input_shape: Shape) -> dict[str, Any]:
    """Everything that is known of a spec's cost, for JSON."""
    from analysis import cost

    return {
        **cost.total_cost(spec, input_shape).as_dict(),
        "spec": json.loads(to_json(spec)),
        "tensors": [tensor._asdict() for tensor in cost.tensors(spec)],
        "layers": [step.as_dict() for step in cost.layer_costs(spec, input_shape)],
    }


# ---------------------------------------------------------------- convparity compare


@cli.command()
@click.argument("what", metavar="[LAYER_OR_NETWORK_OR_FILE]", required=False)
@click.option("--frameworks", metavar="NAMES", help="Only these: pytorch,flax,keras.")
@click.option("--input", "shape", metavar="SHAPE", help="The input's shape: 1x224x224x3.")
@click.option("--picture", type=click.Path(path_type=Path), help="Judge precision on this picture.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of weights and inputs.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write every figure here.")
def compare(
    what: str | None,
    frameworks: str | None,
    shape: str | None,
    picture: Path | None,
    seed: int,
    path: Path | None,
) -> None:
    """Judge a layer, a network or a weight file in every framework.

    Without an argument: the tutorial's layers, EfficientNet-Lite0 with its released weights on
    photographs, and MobileNetV1 against its paper. Exit status 1 if any verdict fails.

    \b
    convparity compare
    convparity compare "conv2d c4>8 k3x2 s2 same hw7x9" --seed 17
    convparity compare mobilenet_v1 --frameworks pytorch,flax
    convparity compare weights.safetensors --picture cat.png
    """
    from analysis import tables

    names = _frameworks(frameworks)
    console = tables.console()
    if what is None:
        data, failures = _tour(names, console)
    else:
        data, failures = _judge(what.strip(), names, shape, picture, seed, console)
    if path:
        write_json(path, data)
    for failure in failures:
        console.print(f"WRONG: {failure}", style="red", markup=False)
    if failures:
        sys.exit(1)


def _frameworks(asked: str | None) -> tuple[str, ...]:
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


def _judge(
    what: str,
    names: tuple[str, ...],
    shape: str | None,
    picture: Path | None,
    seed: int,
    console: Any,
) -> tuple[Any, list[str]]:
    from analysis import parity, pictures, tables

    weights = None
    if Path(what).suffix in SUFFIXES:
        spec, weights = load(what)
        title, input_shape = Path(what).name, parse_shape(shape or "1x224x224x3")
    else:
        title, spec, input_shape = _subject(what, {}, parse_shape(shape) if shape else None)
    x = None if picture is None else pictures.prepare(picture, input_shape[1])
    options: dict[str, Any] = {"x": x} if x is not None else {"input_shape": input_shape}
    verdicts = parity.compare(spec, weights, names, seed=seed, **options)
    data = [verdict.to_dict() for verdict in verdicts]
    console.print(tables.verdicts_table(title, {title: data}))
    return data, [str(verdict) for verdict in verdicts if not verdict.ok]


def _tour(names: tuple[str, ...], console: Any) -> tuple[Any, list[str]]:
    from analysis import tables, tour, tour_tables

    data: dict[str, Any] = {"versions": {name: registry.versions(name) for name in names}}
    for title, chapter in tour.CHAPTERS.items():
        with tables.progress() as step:
            data[title] = chapter(names, step)
        for part in tour_tables.CHAPTERS[title](data[title]):
            console.print(part)
            console.print()
    return data, [failure for title in tour.CHAPTERS for failure in data[title]["failures"]]


# ---------------------------------------------------------------- convparity replay


@cli.command()
@click.argument("line")
@click.option("--frameworks", metavar="NAMES", help="Only these: pytorch,flax,keras.")
@click.option("--script", metavar="NAME", help="Write a script for a bug report instead.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to; else it is printed.")
def replay(line: str, frameworks: str | None, script: str | None, output: Path | None) -> None:
    """Judge again the case that a failing test printed.

    LINE says a layer, the size of its input, and its data: ints:SEED (is the structure exact?) or
    reals:SEED (is the precision that of float32?). Exit status 1 if a framework is wrong.

    With --script, nothing is run: a script for pytorch, flax or keras is written, which needs
    NumPy and that framework alone, to show the case to its maintainers.

    \b
    convparity replay "conv2d c4>8 k3x2 s2x1 d1x2 same g2 hw7x9 ints:17"
    convparity replay "conv2d c4>8 k3 hw7 | relu reals:3" --frameworks flax
    convparity replay "transpose1d c2>3 k4 s3 w5 ints:0" --script keras --output case.py
    """
    from analysis import replay as replays
    from analysis.scripts import write_script

    case = replays.parse(line)
    if script is not None:
        if frameworks is not None:
            raise InputError("a script runs one framework: give --script or --frameworks, not both")
        text = write_script(case, script)
        if output is None:
            click.echo(text, nl=False)
        else:
            write_text(output, text)
        return
    if output is not None:
        raise InputError("--output is where --script writes: say --script pytorch, for one")
    wrong = False
    for name, verdict in replays.judge(case, _frameworks(frameworks)).items():
        click.echo(f"{name}: {'ok' if verdict.ok else 'WRONG'}: {verdict}")
        wrong |= not verdict.ok
    if wrong:
        sys.exit(1)


# ---------------------------------------------------------------- convparity support


@cli.command()
def support() -> None:
    """What each framework supports, found out by running it: the README's table, in Markdown."""
    from analysis import support

    for line in support.table():
        click.echo(line)


if __name__ == "__main__":
    main()
