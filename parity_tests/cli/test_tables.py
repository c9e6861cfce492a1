"""What the commands print: each table fits, none of its words is broken, and nothing else is heard.

``recorded`` are the tables as they were handed over; their words are looked up in what was printed.
"""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

import convparity
from convparity.analysis.bench import record
from convparity.analysis.catalogue import search
from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.analysis.cli import cli
from convparity.analysis.cost import counting
from convparity.analysis.proof.compare import judge
from convparity.analysis.report import tables
from convparity.analysis.showcase import chapters
from convparity.analysis.showcase import tables as showcase_tables
from convparity.impls import registry
from convparity.impls.spec import BatchNorm, Conv, DepthwiseConv, Residual, Sequential
from parity_tests.support.root import ROOT

SPEED = ROOT / "docs" / "speed.json"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Table]:
    """The tables that are printed from here on, into a pipe of 80 columns."""
    found: list[Table] = []
    show = tables._show_table

    def record(console, shown):
        found.append(shown)
        show(console, shown)

    monkeypatch.setattr(tables, "_show_table", record)
    monkeypatch.delenv("COLUMNS", raising=False)
    return found


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output  # 1: something is wrong, and said
    return result.output


def drawn(*parts: object) -> str:
    with (console := tables.console()).capture() as captured:
        tables.show(console, *parts)
    return captured.get()


def pieces(shown: Table) -> Iterator[str]:
    """What may not be broken: each number whole, each word of a name, of prose or of a heading."""
    yield from str(shown.title or "").split()
    for column in shown.columns:
        yield from str(column.header).split()
        for cell in column.cells:
            text = cell.plain if isinstance(cell, Text) else Text.from_markup(cell).plain
            yield from [text] if column.no_wrap and text else text.split()


def check(output: str, recorded: list[Table], width: int | None = 80) -> None:
    assert recorded
    assert "…" not in output
    printed = set(output.split())
    flat = " ".join(output.replace("┃", "│").split())
    for shown in recorded:
        for piece in set(pieces(shown)):
            several = f"│ {piece} │" if shown.box else piece
            found = several in flat if " " in piece else piece in printed
            assert found, f"{piece!r} is not whole in\n{output}"
    wide = [line for line in output.splitlines() if width and cell_len(line) > width]
    assert not wide, "\n".join(wide)


# ---------------------------------------------------------------- every table


def long_names(weights_differ: bool = False) -> tuple[Sequential, dict[str, np.ndarray]]:
    """A network whose layers are called as those of deep networks are."""
    block = {
        "conv": DepthwiseConv(3, 3, padding="same"),
        "norm": BatchNorm(3),
        "act": Conv(3, 3, 1),
    }
    spec = Sequential(
        {
            "blocks": Sequential(
                {each: Sequential({"depthwise": Sequential(block)}) for each in ("9", "15")}
            ),
            "shortcut": Residual(Conv(3, 3, 1)),
        }
    )
    weights = convparity.init_weights(spec, 0)
    if weights_differ:
        name = "blocks.15.depthwise.conv.kernel"
        weights[name] = weights[name][::-1].copy()
    return spec, weights


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / name) for name in ("right.safetensors", "wrong.safetensors")]
    for path, differ in zip(paths, (False, True), strict=True):
        convparity.save(path, *long_names(differ))
    return paths


COUNTED = [
    ["conv2d c3>64 k5 s2 hw228"],
    ["separable2d c32>64 k3 same nobias hw112"],
    ["conv2d c2048>2048 k7 same hw512", "--input", "1024x512x512x2048"],
    ["batchnorm2d c5 hw4"],
    ["conv2d c3>8 k3 hw32 | relu | residual( relu ) | gap | dense c8>10"],
    ["mobilenet_v1"],
    ["mobilenet_v1", "--width", "0.5", "--resolution", "0.5", "--shallow", "--regular"],
    ["efficientnet_lite0"],
    ["efficientnet_lite0", "--input", "128x224x224x3"],
    ["efficientnet_lite0", "--input", "4096x224x224x3"],
]


@pytest.mark.parametrize("arguments", COUNTED, ids=" ".join)
def test_count(recorded, arguments) -> None:
    check(run("count", *arguments), recorded)


def test_all_numbers_of_a_count_are_printed(recorded, tmp_path) -> None:
    """From the data that it writes, not from the tables."""
    path = tmp_path / "cost.json"
    arguments = ("efficientnet_lite0", "--input", "4096x224x224x3", "--json", str(path))
    output = run("count", *arguments).split()
    (data,) = json.loads(path.read_text())["data"].values()
    spec, shape = convparity.impls.networks.get("efficientnet_lite0").spec, (4096, 224, 224, 3)
    blocks = [each.as_dict() for each in counting.block_costs(spec, shape)]
    assert len(blocks) == 18
    for each in (data, *blocks):
        assert f"{each['macs']:,}" in output
        assert f"{each['parameters']:,}" in output
        assert "x".join(map(str, each["output_shape"])) in output
        assert f"{each['bytes_moved'] / 1e6:.2f}" in output
        assert each["path"] in output or not each["path"]


def test_two_files_layer_by_layer(recorded, files) -> None:
    output = run("compare", *files, "--input", "1x9x8x3")
    check(output, recorded)
    spec, _ = long_names()
    for path, layer in convparity.impls.spec.walk(spec):
        assert re.search(rf"│ {re.escape(path)}\s", output), path
        assert type(layer).__name__ in output.split()
    run("diagnose", *files, "--input", "1x9x8x3")  # lines, no table
    assert len(recorded) == 1


def test_the_list_of_differences(recorded) -> None:
    output = run("divergences")
    check(output, recorded)
    assert all(entry.id in output.split() for entry in CATALOGUE)


def test_every_difference_in_full(recorded) -> None:
    output = run("divergences", "a")
    assert output.count("seen on") > 90
    check(output, recorded)


def test_code_keeps_its_lines(monkeypatch) -> None:
    """It is there to be copied, as addresses are: never broken, however long the lines."""
    monkeypatch.setenv("COLUMNS", "40")
    printed = {line.rstrip() for line in run("divergences", "a", "--code").splitlines()}
    found = search.find(["a"])
    shown = [each.code for entry in found for each in entry.demonstrations]
    assert {f"  {line}".rstrip() for code in shown for line in code.splitlines()} <= printed
    assert {each for entry in found for each in entry.threads} <= printed


def test_the_bench(recorded) -> None:
    check(run("bench", "--from", str(SPEED)), recorded)
    assert len(recorded) == 9


def test_a_time_shown_is_a_median(recorded) -> None:
    """What is measured once, such as a first call, is in no table."""
    run("bench", "--from", str(SPEED))
    titles = [str(shown.title) for shown in recorded]
    timed = [each for each in titles if re.search("seconds|Conversion|Start-up", each)]
    assert len(timed) == 3
    assert all("median" in each for each in timed)
    rows = record.flat(json.loads(SPEED.read_text())["data"]["layers"])
    assert not any("first_call" in row for row in rows)
    assert all(len(row["seconds"]) > 2 for row in rows)


def verdicts() -> list[dict]:
    """Right ones and wrong ones, of as many frameworks as there are and one with a long name."""

    def right(spec, weights, x):
        return convparity.reference(spec, weights, x).astype(np.float32)

    def flipped(spec, weights, x):
        return right(spec, {**weights, "kernel": weights["kernel"][::-1]}, x)

    def narrow(spec, weights, x):
        return (right(spec, weights, x).view(np.uint32) & 0xFFFF0000).view(np.float32)

    def reshaped(spec, weights, x):
        return right(spec, weights, x)[:, :-1]

    spec, shape = Conv(3, 4, 3, padding="same"), (1, 64, 64, 3)
    candidates = (right, flipped, narrow, reshaped)
    names = (*registry.FRAMEWORKS, "another_framework")
    return [
        judge(candidate, spec, input_shape=shape, name=name).to_dict()
        for name, candidate in zip(itertools.cycle(names), candidates)
    ]


def main_job() -> dict[str, dict]:
    """Data of the main job, made up: frameworks that disagree, and large numbers."""
    names = tuple(registry.FRAMEWORKS)
    sizes = {"regular": 4_864, "separable": 334}
    classes = [(285, "Egyptian cat"), (573, "black-footed ferret"), (9, "ox")]

    def row(index: int) -> dict:
        number, name = classes[index]
        return {"class": number, "name": name, "probability": 0.12345678 * (index + 1)}

    photographs = {
        photo: {name: [row(i % (n + 1)) for i in range(5)] for n, name in enumerate(names)}
        for photo in ("cat", "astronaut")
    }
    return {
        "tutorial": {
            "layers": {
                title: {
                    "reported": {
                        name: {"learnables": size, "output_shape": (1, 112, 112, 64)}
                        for name in names
                    }
                }
                for title, size in sizes.items()
            },
            "reduction_percent": 93.13322368421053,
        },
        "photograph": {"photograph": "cat", "verdicts": dict.fromkeys(sizes, verdicts())},
        "efficientnet_lite0": {
            "photographs": photographs,
            "frameworks": {
                name: {
                    "count": {"trainable": 4_652_008 * 100},
                    "largest_logit_difference": 1.5e-6,
                    "rho": 12345.6,
                    "effective_bits": 22.2,
                    "seconds": 12.3456,
                }
                for name in names
            },
            "symmetric_padding": {
                photo: {name: row(n) for n, name in enumerate(names)} for photo in photographs
            },
        },
        "mobilenet_v1": {
            "rows": [
                {
                    "title": title,
                    "paper_million_macs": 4866,
                    "macs": 4_867_293_184,
                    "paper_million_parameters": 29.3,
                    "parameters": 29_294_088,
                    "agrees": agrees,
                    "reported": {name: 29_294_088 + n for n, name in enumerate(names)},
                }
                for title, agrees in (
                    ("regular convolutions", "without the dense layer"),
                    ("0.25 MobileNet-224", "no"),
                )
            ],
            "verdicts": verdicts(),
        },
    }


@pytest.mark.parametrize("chapter", list(chapters.CHAPTERS))
def test_the_main_job(recorded, chapter) -> None:
    check(drawn(*showcase_tables.CHAPTERS[chapter](main_job()[chapter])), recorded)


def test_a_verdict_is_one_row(recorded) -> None:
    """At 80 columns the verdict stands beside its framework, and no framework is left out."""
    found = verdicts()
    output = drawn(tables.verdicts_table("Verdicts", found))
    check(output, recorded)
    assert "worst" not in output  # that is said below the table
    for each in found:
        state = "ok" if each["ok"] else "WRONG"
        assert re.search(rf"│ {each['framework']} +│.* {state} │", output), output


@pytest.mark.frameworks
@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "conv2d c3>4 k3 s2 same hw8"],
        ["compare", "separable2d c3>4 k3 same hw8 | batchnorm2d c4 | relu | gap"],
        ["layers", "conv2d c3>4 k3 s2 same hw8 | relu"],
        ["layers", "depthwise2d c3 k3 hw8 | gap", "--against", "pytorch"],
    ],
    ids=" ".join,
)
def test_compare(recorded, arguments) -> None:
    check(run(*arguments), recorded)


@pytest.mark.frameworks
def test_the_main_job_in_the_frameworks(recorded) -> None:
    """The chapter of the tutorial as it is; that of the photographs: see test_main_job."""
    data = chapters.tutorial(tuple(registry.FRAMEWORKS), lambda _: None)
    check(drawn(*showcase_tables.tutorial(data)), recorded)


# ---------------------------------------------------------------- widths


@pytest.mark.parametrize("columns", ["30", "60", "200"])
def test_a_pipe_obeys_columns_and_loses_nothing(recorded, monkeypatch, files, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    output = run("bench", "--from", str(SPEED))
    output += run("compare", *files, "--input", "1x9x8x3")
    output += run("count", "efficientnet_lite0", "--input", "4096x224x224x3")
    for chapter, data in main_job().items():
        output += drawn(*showcase_tables.CHAPTERS[chapter](data))
    fits = int(columns) >= 60  # else two columns side by side may already be wider
    check(output, recorded, width=int(columns) if fits else None)
    assert max(map(cell_len, output.splitlines())) > 0.9 * int(columns)
    recorded.clear()
    check(run("divergences"), recorded, width=int(columns) if columns != "60" and fits else None)


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide"])
def test_what_is_no_width_is_80(monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert tables.console().width == 80


LIST = [sys.executable, "-m", "convparity.analysis.cli", "divergences"]


def terminal(columns: int) -> tuple[int, int]:
    """A pseudo-terminal: the side that reads, and the side of the command."""
    import fcntl
    import pty
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    return parent, child


def without_columns() -> dict[str, str]:
    """The environment of a terminal, coloured even in a pipe."""
    kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return kept | {"TERM": "xterm", "FORCE_COLOR": "1"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_gets_its_own_width() -> None:
    parent, child = terminal(117)
    running = subprocess.Popen(LIST, stdout=child, stderr=child, env=without_columns())
    os.close(child)
    output = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # Linux's way to say that nobody writes any more
            break
        if not chunk:
            break
        output += chunk
    os.close(parent)
    assert running.wait() == 0
    lines = ANSI.sub("", output.decode()).splitlines()
    assert max(map(cell_len, lines)) == 117


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_pipe_has_80_columns_whatever_terminal_it_starts_from() -> None:
    """The width of a terminal that is standard input does not count."""
    parent, child = terminal(117)
    done = subprocess.run(
        LIST, stdin=child, capture_output=True, text=True, env=without_columns(), check=True
    )
    os.close(parent)
    os.close(child)
    assert max(map(cell_len, ANSI.sub("", done.stdout).splitlines())) == 80


# ---------------------------------------------------------------- standard error


def test_a_pipe_is_told_no_progress(capfd) -> None:
    with tables.progress() as step:
        step("something that takes its time")
    assert capfd.readouterr() == ("", "")


LOADS = """
import logging, os, sys, warnings
from convparity.analysis.report import quiet

def load(name):
    os.write(2, b"noise of a library\\n")
    warnings.warn("a warning of Python's", stacklevel=1)
    global handler
    handler = logging.StreamHandler()

quiet.registry.get = load
quiet.import_frameworks(["keras"])
if "handler" not in globals():
    load("keras")  # as a command does, later
logging.getLogger("tensorflow").addHandler(handler)
logging.getLogger("tensorflow").warning("a model is traced")
logging.getLogger("tensorflow").error("an error")
os.write(2, b"a later message\\n")
"""


@pytest.mark.parametrize("level", [None, "0", "2", "3"])
def test_what_libraries_log_while_they_are_loaded(level) -> None:
    """It is not heard, unless the user has set the level; all else is, then and later."""
    environment = {name: value for name, value in os.environ.items() if "TF_CPP" not in name}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    command = [sys.executable, "-c", LOADS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    first, *lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    if level in (None, "3"):
        expected = ["an error"]
    else:
        assert first == "noise of a library"
        first, *lines = lines
        expected = ["a model is traced", "an error"]
    assert first.endswith("UserWarning: a warning of Python's")
    assert lines == [*expected, "a later message"]


COMPARES = """
from convparity.analysis.cli import cli
for size in range(4, 10):  # many models, which TensorFlow warns of
    cli(["compare", f"conv2d c1>2 k3 hw{size} | relu"], standalone_mode=False)
"""


@pytest.mark.frameworks
def test_the_frameworks_are_silent_when_piped() -> None:
    """Without anything that the user has to set."""
    settings = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS")
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    command = [sys.executable, "-c", COMPARES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.count("keras") == 6
