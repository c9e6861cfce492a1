"""``convparity replay``."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from convparity.analysis.commands.shared import (
    NAMES,
    PRINTED,
    command,
    frameworks_option,
    json_option,
    load_frameworks,
    write_json,
    write_text,
)
from convparity.impls.errors import InputError


@command
@click.argument("line")
@frameworks_option
@click.option("--script", metavar="NAME", help="Write a script for a bug report instead.")
@click.option("--output", type=click.Path(path_type=Path), help="A file for the script.")
@json_option
def replay(
    line: str,
    frameworks: str | None,
    script: str | None,
    output: Path | None,
    path: str | None,
) -> None:
    """Judge again the case that a failing test printed.

    LINE says a layer, the size of its input, and its data: ints:SEED (is the structure exact?) or
    reals:SEED (is the precision that of float32?). Exit status 1 if a framework is wrong, or
    cannot be tested on these data.

    With --script, nothing is run: a script for one framework ({names}) is written,
    which needs NumPy and that framework alone, to show the case to its maintainers.

    \b
    convparity replay "conv2d c4>8 k3x2 s2x1 d1x2 same g2 hw7x9 ints:17"
    convparity replay "conv2d c4>8 k3 hw7 | relu reals:3" --frameworks {one}
    convparity replay "transpose1d c2>3 k4 s3 w5 ints:0" --script {one} --output case.py
    """
    from convparity.analysis.replay import replay as replays
    from convparity.analysis.replay.scripts import write_script

    case = replays.parse(line)
    if script is not None:
        if frameworks is not None:
            raise InputError("a script runs one framework: give --script or --frameworks, not both")
        if path is not None:
            raise InputError("a script is not run, and has no figures: leave --json out")
        text = write_script(case, script)
        if output is None:
            click.echo(text, nl=False)
        else:
            write_text(output, text)
        return
    if output is not None:
        raise InputError(f"--output is where --script writes: say --script {NAMES['one']}, for one")
    verdicts = replays.judge(case, load_frameworks(frameworks))
    for name, verdict in verdicts.items():
        said = f"{name}: {verdict.status.replace('wrong', 'WRONG')}: {verdict}"
        click.echo(said, err=path == PRINTED)
    if path is not None:
        write_json(
            path,
            {
                "line": str(case),
                "verdicts": {
                    name: {**asdict(verdict), "status": verdict.status, "text": str(verdict)}
                    for name, verdict in verdicts.items()
                },
            },
        )
    if not all(verdict.ok for verdict in verdicts.values()):
        sys.exit(1)
