"""The command ``convparity``: its subcommands are the files of ``analysis/commands``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from convparity.analysis.commands.bench import bench
from convparity.analysis.commands.compare import compare
from convparity.analysis.commands.count import count
from convparity.analysis.commands.diagnose import diagnose
from convparity.analysis.commands.divergences import divergences
from convparity.analysis.commands.layers import layers
from convparity.analysis.commands.replay import replay
from convparity.analysis.commands.support import support
from convparity.impls.errors import ConvparityError, printable


class Escaping(click.Group):
    """What click says of a user's words is escaped, and short, as our own messages are."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Reads the words before the command."""
        with _escaped():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Reads the command's words, and runs it."""
        with _escaped():
            return super().invoke(ctx)


@contextmanager
def _escaped() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        raise click.UsageError(printable(error.format_message()), error.ctx) from None
    except click.ClickException as error:
        raise click.ClickException(printable(error.format_message())) from None


@click.group(cls=Escaping, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="convparity")
def cli() -> None:
    """Convolutional networks in three frameworks: what they cost, and whether they agree."""


for command in (bench, count, compare, diagnose, divergences, layers, replay, support):
    cli.add_command(command)


def main() -> None:
    """The entry point: an error of ours is one line on stderr and exit status 2."""
    try:
        cli()
    except ConvparityError as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
