"""A case in one line: stable, judged again in any framework, and shown in a script of its own."""

import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given

from convparity import Conv, Sequential
from convparity.analysis import cli as command
from convparity.analysis.replay.replay import Replay, judge, parse
from convparity.analysis.replay.scripts import LIMIT, write_script
from convparity.impls.errors import ConvparityError, InputError, SpecError
from convparity.impls.registry import FRAMEWORKS
from parity_tests.strategies import chain_cases, layer_cases

# Lines as they are printed. If one of them no longer says itself, so do those in old bug reports.
GOLDEN = [
    "conv2d c4>8 k3x2 s2x1 d1x2 same g2 n1 hw7x9 ints:17",
    "conv1d c2>4 k3 causal reflect g2 nobias n3 w7 ints:0",
    "conv3d c2>3 k3 p2:1x1:1x0:2 replicate n1 dhw4x3x2 reals:5",
    "depthwise2d c3 k3 s2x1 same m2 n1 hw7x6 ints:9223372036854775807",
    "separable2d c3>5 k3 s2 same m2 nodwbias n2 hw7 reals:1",
    "transpose2d c4>6 k3x2 s2x1 p1x0 op1x0 g2 n1 hw4x5 ints:3",
    "maxpool2d k3x2 s2x1 p1:2x0:1 n1 hw6x5 c3 reals:2",
    "avgpool1d k4 s3 p3:1 nocount n1 w6 c3 ints:4",
    "batchnorm2d c3 eps0.001 n1 hw4 ints:5",
    "conv2d c3>4 k3 same nobias n1 hw8 | batchnorm2d c4 | residual( conv2d c4>4 k3 same | relu ; "
    "depthwise2d c4 k1 ) | leaky_relu a0.2 | avgpool2d k2 nocount | gap | dense c4>2 ints:6",
]
NAMED = Replay(Sequential({"stem": Conv(1, 2, 2, rank=1)}), (1, 4, 1), "ints", 3)
NAMED_LINE = (
    '{"type": "Sequential", "layers": {"stem": {"type": "Conv", "in_channels": 1, "out_channels": '
    '2, "kernel_size": [2], "stride": [1], "padding": "valid", "dilation": [1], "groups": 1, '
    '"bias": true, "padding_mode": "zeros", "rank": 1}}, "input_shape": [1, 4, 1], "data": '
    '"ints:3"}'
)

# ---------------------------------------------------------------- the line


@pytest.mark.parametrize("line", [*GOLDEN, NAMED_LINE])
def test_a_line_says_itself(line):
    assert str(parse(line)) == line


def test_names_of_layers_need_json():
    assert str(NAMED) == NAMED_LINE
    assert parse(NAMED_LINE) == NAMED


@given(layer_cases | chain_cases)
def test_every_case_survives_its_line(case):
    for data in ("ints", "reals"):
        replay = Replay(*case[:2], data, case.seed)
        assert parse(str(replay)) == replay


def test_the_data_of_a_line_are_always_the_same():
    weights, x = parse(GOLDEN[0]).case()
    assert x.shape == (1, 7, 9, 4)
    assert x.ravel()[:8].tolist() == [6, -6, 1, -2, 4, -4, 6, -3]
    assert weights["kernel"].ravel()[:8].tolist() == [-1, -1, -7, 4, -7, -2, -5, 7]
    weights, x = parse(GOLDEN[0].replace("ints", "reals")).case()
    expected = np.float32([1.1012625, 0.33843127, -0.53997153, -1.2602419])
    np.testing.assert_array_equal(x.ravel()[:4], expected)
    expected = np.float32([0.27599818, 0.2971084, 0.07841, 0.22455783])
    np.testing.assert_array_equal(weights["kernel"].ravel()[:4], expected)


CONV = "conv2d c1>2 k3 hw5"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "data of a case"),
        ("   ", "data of a case"),
        ("ints:1", "expected a layer"),
        (CONV, "not 'hw5'"),
        (f"{CONV} ints", "not 'ints'"),
        (f"{CONV} ints:", "not 'ints:'"),
        (f"{CONV} ints:-1", "not 'ints:-1'"),
        (f"{CONV} ints:1.5", "not 'ints:1.5'"),
        (f"{CONV} ints:007", "not 'ints:007'"),
        (f"{CONV} ints:{'9' * 5000}", "data of a case"),
        (f"{CONV} floats:1", "not 'floats:1'"),
        (f"{CONV} ints:1 ints:2", "does not take 'ints:1'"),
        (f"{CONV} ints:1 | relu", "not 'relu'"),
        ("conv2d c1>2 k3 ints:1", "size of the input is missing"),
        ("conv2d c1>2 k3 hw2 ints:1", "larger than the padded input"),
        ("conv2d c1>2 k3 hw99999999 ints:1", "numbers at once.*are allowed.*CONVPARITY_LIMIT="),
        ("conv2d c1>2 k3 hw9999999999 ints:1", "at most 2147483647, not 9999999999"),
        (f"conv2d c1>2 k3 hw{'9' * 4300} ints:1", "at most 2147483647"),
        ("conv2d c1>1 k3 d999999 same hw8 ints:1", "numbers at once"),
        ("conv3d c1>1 k100 same dhw4 ints:1", "taps of a window"),
        ("maxpool2d k100000 p50000 hw8 c1 ints:1", "numbers at once|taps of a window"),
        ("conv9d c1>2 k3 hw5 ints:1", "unknown layer"),
        ("( " * 99 + "relu n1 c1" + " )" * 99 + " ints:1", "nests"),
        ("{" * 9999 + " ints:1", "not JSON"),
        ('{"a":' * 99999, "nests|not JSON"),
        (NAMED_LINE.replace('"ints:3"', "3"), '"data" is'),
        (NAMED_LINE.replace("ints:3", "ints"), "not 'ints'"),
        (NAMED_LINE.replace(', "data": "ints:3"', ""), "not ''"),
        (NAMED_LINE.replace('"data"', '"data": "ints:4", "data"'), "said twice"),
    ],
)
def test_a_wrong_line_is_one_clear_error(line, complaint):
    with pytest.raises((SpecError, InputError), match=complaint) as error:
        parse(line)
    assert len(str(error.value)) < 700


# ---------------------------------------------------------------- the scripts, as text


def imported(script):
    found = re.findall(r"^(?:import|from) ([a-z_0-9]+)", script, re.MULTILINE)
    return set(found) - set(sys.stdlib_module_names)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_script_imports_its_framework_alone(framework):
    for line in GOLDEN:
        others = imported(write_script(parse(line), framework)) - {"numpy"}
        assert FRAMEWORKS[framework].root in others
        assert others <= FRAMEWORKS[framework].packages


def test_a_script_has_the_line_the_call_and_the_numbers():
    script = write_script(parse(GOLDEN[0]), "pytorch")
    assert GOLDEN[0] in script
    call = "y = F.conv2d(y, kernel, bias, stride=(2, 1), padding=(1, 1), dilation=(1, 2), groups=2)"
    assert call in script
    assert "unpack" not in script
    assert max(map(len, script.splitlines())) <= 100


def test_many_numbers_are_packed_and_too_many_are_refused():
    assert "unpack(" in write_script(parse("conv2d c3>2 k3 hw30 ints:1"), "flax")
    for line in ("relu hw300 c1 ints:1", "conv2d c9>9 k3 hw20 reals:1"):
        with pytest.raises(InputError, match=f"too large for a bug report.*{LIMIT}"):
            write_script(parse(line), "flax")


def test_an_unknown_framework_is_named():
    with pytest.raises(InputError, match=r"unknown framework 'torches'.*pytorch"):
        write_script(parse(GOLDEN[0]), "torches")


# ---------------------------------------------------------------- the scripts, run


LINES = [  # with GOLDEN, every kind of layer, and every detour of one framework or another
    "conv2d c2>3 k3 s2 d2 same hw7x8 ints:1",
    "conv2d c2>3 k3 p4 circular hw3 ints:2",
    "conv2d c3>2 k3 hw30 ints:3",
    "depthwise2d c3 k3 s2 d2 same hw7x6 ints:4",
    "depthwise3d c2 k2 s2 m3 same dhw4x3x5 ints:5",
    "transpose2d c2>3 k3 s2 d2 p1:2x0:1 op1 nobias hw4 ints:6",
    "transpose2d c4>6 k4 s2 same g2 hw4 ints:7",
    "layernorm c3 hw4 reals:8",
    "groupnorm g2 c4 hw4 ints:9",
    "scale c3 n2 hw4 ints:9",
    "residual( separable2d c4>4 k3 same hw4 | gelu ) | flatten | dropout p0.3 | softmax reals:10",
]
RUN_ALL = """
import runpy, sys
for path in sys.argv[1:]:
    print(path, flush=True)
    runpy.run_path(path)
"""


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )


@pytest.mark.frameworks
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_scripts_pass(framework, tmp_path):
    paths = [tmp_path / f"{number}.py" for number in range(len(GOLDEN) + len(LINES))]
    for path, line in zip(paths, GOLDEN + LINES, strict=True):
        path.write_text(write_script(parse(line), framework))
    done = run("-c", RUN_ALL, *paths, cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]}\n{done.stderr[-2000:]}"
    assert done.stdout.count("right: ") == len(paths)


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("framework", "data"), [*((name, "ints") for name in FRAMEWORKS), ("pytorch", "reals")]
)
def test_a_script_fails_where_the_framework_does_not_give_the_expected(framework, data, tmp_path):
    script = write_script(parse(f"conv1d c2>3 k2 w4 {data}:1"), framework)
    before, _, after = script.partition("expected = np.array([")
    first, rest = after.split(",", 1)
    wrong = str(float(first) * (1 + 1e-4) + 1e-4)  # as little as TF32 would change it
    path = tmp_path / "case.py"
    path.write_text(f"{before}expected = np.array([{wrong},{rest}")
    done = run(path, cwd=tmp_path)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert "expected" in done.stderr
    assert "right: " not in done.stdout
    assert "numpy " in done.stdout


# ---------------------------------------------------------------- the command


def invoke(*arguments):
    return CliRunner().invoke(command.cli, ["replay", *arguments])


def test_the_command_writes_a_script(tmp_path):
    printed = invoke(GOLDEN[0], "--script", "keras")
    assert printed.exit_code == 0
    assert printed.output == write_script(parse(GOLDEN[0]), "keras")
    path = tmp_path / "case.py"
    assert invoke(GOLDEN[0], "--script", "keras", "--output", str(path)).output == ""
    assert path.read_text() == printed.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([CONV], "data of a case"),
        ([GOLDEN[0], "--script", "torches"], "unknown framework 'torches'"),
        ([GOLDEN[0], "--script", "keras", "--frameworks", "keras"], "not both"),
        ([GOLDEN[0], "--output", "case.py"], "say --script"),
        ([GOLDEN[0], "--script", "keras", "--output", "/nowhere/case.py"], "cannot write"),
        ([GOLDEN[0], "--frameworks", "torches"], "unknown framework 'torches'"),
    ],
)
def test_the_command_refuses(arguments, complaint):
    done = invoke(*arguments)
    assert isinstance(done.exception, ConvparityError)
    assert complaint in str(done.exception)


@pytest.mark.frameworks
@pytest.mark.parametrize("data", ["ints", "reals"])
def test_the_command_judges(data):
    done = invoke(f"conv2d c4>8 k3x2 s2x1 d1x2 same g2 hw7x9 {data}:17")
    assert done.exit_code == 0, done.output
    said = {"ints": "exact", "reals": "bits"}[data]
    for framework in FRAMEWORKS:
        assert re.search(f"^{framework}: ok: .*{said}", done.output, re.MULTILINE)


@pytest.mark.frameworks
@pytest.mark.parametrize("data", ["ints", "reals"])
def test_a_wrong_framework_is_told(data, monkeypatch):
    from convparity.impls.pytorch.adapter import PyTorchAdapter

    right = PyTorchAdapter.forward
    monkeypatch.setattr(PyTorchAdapter, "forward", lambda *a, **k: right(*a, **k)[..., ::-1])
    done = invoke(f"conv2d c2>3 k3 hw5 {data}:1", "--frameworks", "pytorch")
    assert done.exit_code == 1
    assert done.output.startswith("pytorch: WRONG: ")
    assert not judge(parse(f"conv2d c2>3 k3 hw5 {data}:1"), ["pytorch"])["pytorch"].ok
