"""The command `convparity count`: what it prints, what it writes, and how it fails."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from convparity.analysis import cli as command
from convparity.analysis.commands import shared
from convparity.impls.errors import ConvparityError
from convparity.impls.notation import from_json
from convparity.impls.spec import Conv, SeparableConv

TUTORIAL = "conv2d c3>64 k5 s2 hw228"


def run(*arguments):
    result = CliRunner().invoke(command.cli, ["count", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def cells(output):
    """The rows of all tables, as lists of what their cells say."""
    lines = [line for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def fail(monkeypatch, capsys, *arguments):
    """The one line that the command prints when it is started with wrong arguments."""
    monkeypatch.setattr(sys, "argv", ["convparity", *arguments])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


# ---------------------------------------------------------------- what it prints


@pytest.mark.parametrize("line", [TUTORIAL, "separable2d c3>64 k5 s2 hw228"])
def test_a_convolution_is_shown_beside_its_twin(line):
    rows = cells(run(line))
    for row in (
        ["regular", "kernel", "5x5x3x64", "4,800"],
        ["regular", "total", "", "4,864"],
        ["separable", "depthwise.kernel", "5x5x3x1", "75"],
        ["separable", "total", "", "334"],
        ["output", "1x112x112x64", "1x112x112x64", ""],
        ["learnables", "4,864", "334", "93.13 %"],
        ["bytes moved (float32, unfused)", "3,854,528", "4,137,464", "-7.34 %"],
        ["MAC", "60,211,200", "3,349,248", "fvcore, thop, torchvision, timm"],
        ["2 MAC + bias", "121,225,216", "7,538,944", "DeepSpeed, calflops, XLA"],
        ["tutorial", "252,850,176", "-", "tutorials, at the size of the input"],
    ):
        assert row in rows


def test_another_layer_is_shown_alone():
    rows = cells(run("batchnorm2d c5 hw4"))
    assert ["BatchNorm", "mean (statistic)", "5", "5"] in rows
    assert ["learnables", "10"] in rows
    assert ["BatchNorm statistics", "10"] in rows
    assert not any("MAC" in cell for row in rows for cell in row)


def test_a_network_is_shown_block_by_block():
    rows = cells(run("mobilenet_v1"))
    assert ["blocks.12", "1x7x7x1024", "1,061,888", "51,831,808", "9.1", "6.67"] in rows
    assert ["total", "1x1000", "4,231,976", "568,740,352", "100.0", "138.65"] in rows


def test_a_line_of_several_layers_is_shown_layer_by_layer():
    rows = cells(run("conv2d c3>8 k3 hw32 | relu | residual( relu ) | gap | dense c8>10"))
    assert [row[0] for row in rows[:6]] == ["0", "1", "2", "3", "4", "total"]


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (["--width", "0.5"], "1,331,592"),
        (["--shallow"], "2,887,976"),
        (["--regular"], "29,294,088"),
        (["--classes", "10"], "3,217,226"),
        (["--resolution", "0.5"], "4,231,976"),
    ],
)
def test_options_of_a_network(options, parameters):
    rows = cells(run("mobilenet_v1", *options))
    assert parameters in [row[1] for row in rows if row[0] == "learnables"]


def test_resolution_and_input_change_the_size():
    assert ["input", "1x112x112x3"] in cells(run("mobilenet_v1", "--resolution", "0.5"))
    assert ["input", "2x64x96x3"] in cells(run("mobilenet_v1", "--input", "2x64x96x3"))
    assert ["input", "1x9x9x3", "1x9x9x3", ""] in cells(run(TUTORIAL, "--input", "1x9x9x3"))


# ---------------------------------------------------------------- what it writes


def test_json_of_a_convolution_holds_both_twins(tmp_path):
    path = tmp_path / "cost.json"
    run(TUTORIAL, "--json", str(path))
    data = json.loads(path.read_text(encoding="utf-8"))["data"]
    assert data["reduction_percent"] == 93.13322368421053
    assert data["regular"]["flops"]["tutorial"] == 252_850_176
    assert data["separable"]["macs"] == 3_349_248
    assert from_json(json.dumps(data["regular"]["spec"])) == Conv(3, 64, 5, 2)
    assert from_json(json.dumps(data["separable"]["spec"])) == SeparableConv(3, 64, 5, 2)
    assert [tensor["size"] for tensor in data["separable"]["tensors"]] == [75, 3, 192, 64]
    assert [step["path"] for step in data["separable"]["layers"]] == ["depthwise", "pointwise"]


def test_json_of_a_network_holds_its_steps(tmp_path):
    path = tmp_path / "cost.json"
    run("efficientnet_lite0", "--json", str(path))
    (data,) = json.loads(path.read_text(encoding="utf-8"))["data"].values()
    assert data["macs"] == sum(step["macs"] for step in data["layers"]) == 385_187_552
    assert data["layers"][-1]["path"] == "head.dense"


# ---------------------------------------------------------------- how it fails


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mobilnet_v1"], "unknown layer or network 'mobilnet_v1'. Did you mean 'mobilenet_v1'?"),
        (["conv2 c3>8 k3"], "unknown layer or network 'conv2'. Did you mean 'conv2d'?"),
        ([""], "unknown layer or network ''"),
        (["mobilenet_v1 | relu"], "unknown network 'mobilenet_v1 | relu'"),
        (["conv2d c3>8 q3 hw9"], "conv2d does not take 'q3'"),
        (["conv2d c3>8 k3 hw2"], "the dilated kernel (3, 3) is larger"),
        (["conv2d c3>8 k3"], "the input's size is missing: say hw224 in the first layer"),
        (['{"type": "Conf"}'], "unknown spec type 'Conf'"),
        (["( relu"], "expected '|' or ')'"),
        (["gap", "--input", "224x224"], "GlobalAvgPool takes (N, *spatial, C)"),
        (["relu", "--input", "1x0x3"], "'1x0x3' is not a shape: give the batch"),
        (["relu", "--input", "1,2,3"], "'1,2,3' is not a shape"),
        (["mobilenet_v1", "--input", "1x224x224x4"], "in layer 'stem': in layer 'conv'"),
        (["efficientnet_lite0", "--width", "0.5"], "unknown option of efficientnet_lite0 'width'"),
        (["mobilenet_v1", "--resolution", "192"], "for 192 pixels it is 192/224"),
        ([TUTORIAL, "--width", "0.5"], "width: for networks only"),
        (["unknown\nlayer"], "unknown layer or network 'unknown'"),
        (["my.keras"], "my.keras is a file of another kind: what is read is .safetensors, .pth"),
        (["conv2d c3>8 k3 hw" + "9" * 4300], "at most 2147483647"),
        (["conv2d c3>8 k3 hw9 \x1b[2J"], r"conv2d does not take '\x1b[2J'"),
        (["[" * 10_000], "unknown layer or network"),
        (["{" * 10_000], "not JSON"),
        (['{"type": "Sequential", "children": ' + "[" * 10_000], "nests at most 64 composites"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(monkeypatch, capsys, arguments, message):
    assert message in fail(monkeypatch, capsys, "count", *arguments)


@pytest.mark.parametrize(
    "words",
    [
        ["count", "--\x1b[2J", "relu"],
        ["count\x1b[2J"],
        ["--\x1b[2J"],
        ["count", "relu", "--width", "\x1b[2J" * 1000],
    ],
)
def test_what_click_says_is_escaped_too(words):
    done = CliRunner().invoke(command.cli, words)
    assert done.exit_code == 2
    assert "\\x1b[2J" in done.output
    assert "\x1b" not in done.output
    assert len(done.output) < 1500


def test_a_file_that_cannot_be_written_is_named(monkeypatch, capsys, tmp_path):
    path = str(tmp_path / "missing" / "cost.json")
    monkeypatch.setattr(sys, "argv", ["convparity", "count", TUTORIAL, "--json", path])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 2
    assert f"error: cannot write {path}: No such file" in capsys.readouterr().err


def test_an_error_that_is_not_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["convparity", "count", TUTORIAL])
    monkeypatch.setattr(shared, "from_line", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command.main()


def test_errors_of_several_lines_are_printed_on_one(monkeypatch, capsys):
    def broken(_):
        raise ConvparityError("two\nlines")

    monkeypatch.setattr(shared, "from_line", broken)
    assert fail(monkeypatch, capsys, "count", TUTORIAL) == "error: two lines\n"


# ---------------------------------------------------------------- how it starts


def test_help_imports_neither_tables_nor_frameworks():
    code = (
        "import sys, convparity.analysis.cli\n"
        "sys.argv = ['convparity', '--help']\n"
        "try:\n    convparity.analysis.cli.main()\nexcept SystemExit:\n    pass\n"
        "slow = {'rich', 'torch', 'jax', 'flax', 'keras', 'tensorflow', 'scipy', 'PIL'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "count" in done.stdout


def test_help_of_count_shows_lines_to_copy():
    output = CliRunner().invoke(command.cli, ["count", "--help"]).output
    for line in output.splitlines():
        if line.strip().startswith("convparity count "):
            what = line.split('"')[1] if '"' in line else line.split()[2]
            assert run(what)
    assert output.count("convparity count ") == 5
