"""A case in one line: stable, and shown in a script of its own."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given

from convparity import Conv, Sequential
from convparity.analysis.replay.replay import Replay, parse
from convparity.analysis.replay.scripts import LIMIT, write_script
from convparity.impls.errors import InputError, SpecError
from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.lines import GOLDEN
from parity_tests.support.strategies import chain_cases, layer_cases

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
