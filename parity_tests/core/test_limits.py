"""What takes more than a machine has is one clear error, before any of it is done."""

import time
import tracemalloc

import numpy as np
import pytest

import convparity
from convparity import Conv, Dense, InputError, init_weights, reference
from convparity.analysis.replay.replay import parse
from convparity.impls import limits
from convparity.impls.limits import check_work, layer_work

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
X = np.random.default_rng(1).standard_normal((2, 6, 5, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("line", "numbers", "taps", "macs"),
    [
        (
            "conv2d c2>3 k3 p1 n2 hw4x5",
            2 * (20 * 2 + 6 * 7 * 2 + 20 * 3) + 9 * 20,
            9,
            2 * 20 * 3 * 9 * 2,
        ),
        ("transpose1d c2>3 k4 s3 w5", 5 * 2 + 16 * 3 + 16 * 3 + 4 * 16, 4, 5 * 3 * 4 * 2),
        ("maxpool2d k3x2 n1 hw4x5 c3", 60 + 60 + 2 * 3, 6, 2 * 3 * 6),
        ("dense c3>4 n5", 15 + 20, 1, 16 * 5),
    ],
)
def test_work_is_counted(line: str, numbers: int, taps: int, macs: int) -> None:
    spec, shape = convparity.from_line(line)
    assert shape is not None
    work = layer_work(spec, (shape,))
    assert (work.numbers, work.taps, work.macs) == (numbers, taps, macs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("conv2d c1>1 k3 d999999 same hw8", "numbers at once"),
        ("conv3d c1>1 k100 same dhw4", "taps of a window"),
        ("dense c99999>99999 n1", "weights"),
        ("conv2d c999>999 k9 p4 hw99", "multiplications"),
        ("transpose2d c4>6 k15536x2 s2x1 p1x0 op1x0 g2 hw4x5", "numbers at once"),
        ("depthwise2d c1 k170 p99 hw99", "numbers at once"),
        ("relu c1 hw4 | conv2d c1>1 k3 p40000 | gap", r"layer '1' takes .*numbers at once"),
    ],
)
def test_work_is_limited(line: str, message: str) -> None:
    spec, shape = convparity.from_line(line)
    assert shape is not None
    with pytest.raises(InputError, match=f"{message}.*are allowed.*set CONVPARITY_LIMIT=\\d+ in"):
        check_work(spec, shape)


def test_the_reference_and_black_boxes_are_limited() -> None:
    large = np.broadcast_to(np.float32(1), (2**10, 2**10, 2**8, 8))
    padded = Conv(1, 1, 1, padding=20_000)
    weights = {
        name: np.broadcast_to(np.float32(1), shape)
        for name, shape in convparity.parameter_shapes(Dense(2**16, 2**16)).items()
    }
    for call in (
        lambda: reference(convparity.Activation("relu"), {}, large),
        lambda: reference(padded, init_weights(padded, 0), X[..., :1]),
        lambda: convparity.save("nowhere", Dense(2**16, 2**16), weights),
        lambda: convparity.judge(reference, SPEC, input_shape=(2**16, 8, 8, 2)),
        lambda: convparity.compare_callables(np.tanh, np.tanh, (2**30, 2)),
        lambda: convparity.compare_callables(np.tanh, np.tanh, (-1, 2)),
        lambda: convparity.diagnose(large, SPEC, WEIGHTS, X),
    ):
        with pytest.raises(InputError, match="set CONVPARITY_LIMIT="):
            call()


def test_what_runs_several_times_is_limited_by_all_of_them() -> None:
    """One run of it would be allowed."""
    network, shape = (convparity.Activation("relu"), {}), (1, 2**12, 2**11, 1)
    check_work(network[0], shape)
    with pytest.raises(InputError, match=r"numbers at once.*CONVPARITY_LIMIT=2 "):
        convparity.first_divergence(network, network, input_shape=shape)


@pytest.mark.parametrize(
    "line",
    [
        "conv2d c1>1 k3 d999999 same hw8 n1 ints:1",
        "conv3d c1>1 k100 same dhw4 n1 ints:1",
        "relu w9999999 c1 n9 | gap ints:1",
        "maxpool2d k100000 p50000 hw9 c1 n1 ints:1",
    ],
)
def test_nothing_is_allocated_beyond_the_limit(line: str) -> None:
    """By a replay, by ``compare`` and by ``judge``: the error comes before any array."""
    spec, shape = convparity.from_line(line.rpartition(" ")[0])
    tracemalloc.start()
    try:
        for call in (
            lambda: parse(line),
            lambda: convparity.compare(spec, frameworks=[], input_shape=shape),
            lambda: convparity.judge(reference, spec, input_shape=shape),
        ):
            with pytest.raises(InputError, match="set CONVPARITY_LIMIT"):
                call()
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_thousands_of_layers_take_time_in_proportion() -> None:
    """Ten times as many take some ten times as long, not a hundred times."""

    def seconds(layers: int) -> float:
        start = time.process_time()
        line = " | ".join(["dense c2>2 n1", *["relu"] * layers])
        spec, shape = convparity.from_line(line)
        assert shape is not None
        assert convparity.output_shape(spec, shape) == (1, 2)
        reference(spec, init_weights(spec, 0), np.ones(shape))
        convparity.total_cost(spec, shape)
        return time.process_time() - start

    seconds(100)
    assert seconds(5000) < 40 * min(seconds(500) for _ in range(3))


def test_the_limit_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, shape = convparity.from_line("dense c20000>20000 n1")
    assert shape is not None
    with pytest.raises(InputError, match="CONVPARITY_LIMIT=2 in the environment"):
        check_work(spec, shape)
    monkeypatch.setenv(limits.VARIABLE, "2")
    check_work(spec, shape)
    for wrong in ("", "0", "many", "1.5", "9" * 99):
        monkeypatch.setenv(limits.VARIABLE, wrong)
        with pytest.raises(InputError, match="CONVPARITY_LIMIT is a number of at least 1"):
            check_work(spec, shape)
