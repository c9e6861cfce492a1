"""The reference against a second oracle, which shares no code with ``impls`` but the specs.

The oracle has its own padding arithmetic (TensorFlow's documented formula), lets SciPy correlate
each pair of channels, dilates by putting zeros into the kernel, strides by slicing, and loops over
everything else. On integers float64 rounds nothing, so both must agree exactly.
"""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from impls import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    reference,
)
from impls.errors import SpecError, WeightError
from impls.shapes import Shape
from parity_tests.asserts import coverage, note_cells, replay
from parity_tests.strategies import (
    HARD_CELLS,
    Case,
    batches,
    cases,
    chain_cases,
    layer_cases,
    seeds,
    windows,
)

# ---------------------------------------------------------------- the second oracle


def oracle(spec: Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    match spec:
        case Conv():
            y = convolved(spec, weights["kernel"], spec.groups, x)
            return y + weights["bias"] if spec.bias else y
        case DepthwiseConv():
            y = convolved(spec, one_group_a_channel(weights["kernel"]), spec.in_channels, x)
            return y + weights["bias"] if spec.bias else y
        case SeparableConv():
            kernel = one_group_a_channel(weights["depthwise.kernel"])
            y = convolved(spec, kernel, spec.in_channels, x)
            if spec.depthwise_bias:
                y = y + weights["depthwise.bias"]
            y = matmul(y, weights["pointwise.kernel"].reshape(y.shape[-1], -1))
            return y + weights["pointwise.bias"] if spec.pointwise_bias else y
        case Dense():
            y = matmul(x, weights["kernel"])
            return y + weights["bias"] if spec.bias else y
        case BatchNorm():
            y = np.empty(x.shape)
            for c in range(x.shape[-1]):
                scale, offset, mean, variance = (
                    float(weights[name][c]) for name in ("scale", "offset", "mean", "variance")
                )
                y[..., c] = scale * (x[..., c] - mean) / (variance + spec.eps) ** 0.5 + offset
            return y
        case Activation():
            top = {"relu": np.inf, "relu6": 6}[spec.function]
            values = [min(max(value, 0), top) for value in x.flat]
            return np.array(values).reshape(x.shape)
        case Dropout():
            return x
        case GlobalAvgPool():
            batch, *spatial, channels = x.shape
            total = np.zeros((batch, channels))
            for pixel in product(*map(range, spatial)):
                total += x[(slice(None), *pixel)]
            return total / np.prod(spatial)
        case Flatten():  # the last axis runs fastest: channels, then W, then H
            indices = list(product(*map(range, x.shape[1:])))
            return np.array([[sample[index] for index in indices] for sample in x])
        case Sequential():
            for name, child in spec.layers:
                x = oracle(child, inside(weights, name), x)
            return x
        case Residual():
            across = x
            if spec.shortcut is not None:
                across = oracle(spec.shortcut, inside(weights, "shortcut"), x)
            return oracle(spec.body, inside(weights, "body"), x) + across
    raise AssertionError(f"the oracle does not know {spec}")


def inside(weights: dict[str, np.ndarray], child: str) -> dict[str, np.ndarray]:
    return {
        name[len(child) + 1 :]: array
        for name, array in weights.items()
        if name.split(".")[0] == child
    }


def matmul(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Over the last axis, term by term."""
    y = np.zeros((*x.shape[:-1], kernel.shape[-1]))
    for i, o in np.ndindex(*kernel.shape):
        y[..., o] += x[..., i] * float(kernel[i, o])
    return y


def one_group_a_channel(kernel: np.ndarray) -> np.ndarray:
    """(*k, C, M) to (*k, 1, C * M)."""
    channels, multiplier = kernel.shape[-2:]
    filters = [kernel[..., [c], m] for c in range(channels) for m in range(multiplier)]
    return np.stack(filters, axis=-1)


def convolved(spec: Any, kernel: np.ndarray, groups: int, x: np.ndarray) -> np.ndarray:
    """``kernel`` is (*k, in/groups, out)."""
    every = tuple(slice(None, None, step) for step in spec.stride)
    dilated = np.zeros(
        [(k - 1) * d + 1 for k, d in zip(spec.kernel_size, spec.dilation, strict=True)]
        + list(kernel.shape[-2:])
    )
    dilated[tuple(slice(None, None, step) for step in spec.dilation)] = kernel
    padded = x.astype(float)
    for axis, size in enumerate(x.shape[1:-1]):
        low, high = pads(spec, axis, size)
        padded = lengthened(padded, axis + 1, low, high, spec.padding_mode)
    taken, made = kernel.shape[-2], kernel.shape[-1] // groups
    samples = []
    for sample in padded:
        channels = []
        for out in range(groups * made):
            first = out // made * taken  # of the channels that this output's group takes
            dense = sum(
                correlate(sample[..., first + i], dilated[..., i, out], "valid", "direct")
                for i in range(taken)
            )
            channels.append(dense[every])
        samples.append(np.stack(channels, axis=-1))
    return np.stack(samples)


def pads(spec: Any, axis: int, size: int) -> tuple[int, int]:
    """https://www.tensorflow.org/api_docs/python/tf/nn, "Notes on padding"."""
    stride, filter_size = spec.stride[axis], spec.kernel_size[axis]
    filter_size += (filter_size - 1) * (spec.dilation[axis] - 1)
    match spec.padding:
        case "valid":
            return 0, 0
        case "causal":  # no output sees a later input
            return filter_size - 1, 0
        case "same":
            rest = size % stride
            total = max(filter_size - (rest or stride), 0)
            return total // 2, total - total // 2
    return spec.padding[axis]


def lengthened(x: np.ndarray, axis: int, low: int, high: int, mode: str) -> np.ndarray:
    """``x`` with ``low`` and ``high`` more entries along ``axis``, each looked up in ``x``."""
    n = x.shape[axis]
    entries = []
    for place in range(-low, n + high):
        match mode:
            case "reflect":  # there and back again, the borders once each
                source = place % max(2 * n - 2, 1)
                source = min(source, 2 * n - 2 - source)
            case "circular":
                source = place % n
            case _:
                source = min(max(place, 0), n - 1)
        entry = np.take(x, source, axis)
        entries.append(0 * entry if mode == "zeros" and source != place else entry)
    return np.stack(entries, axis)


# ---------------------------------------------------------------- data


def integers(spec: Spec, seed: int) -> dict[str, np.ndarray]:
    """Integer weights in the shapes that the specs' docstrings promise, under their names."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}

    def add(path: str, **shapes: Any) -> None:
        for name, shape in shapes.items():
            weights[path + name] = rng.integers(-5, 5, shape, endpoint=True)

    def visit(spec: Spec, path: str, after_mean: bool = False) -> None:
        match spec:
            case Conv(in_channels=i, out_channels=o):
                add(path, kernel=(*spec.kernel_size, i // spec.groups, o))
                add(path, **{"bias": o} if spec.bias else {})
            case DepthwiseConv(in_channels=c, depth_multiplier=m):
                add(path, kernel=(*spec.kernel_size, c, m), **{"bias": c * m} if spec.bias else {})
            case SeparableConv(in_channels=c, out_channels=o, depth_multiplier=m, rank=rank):
                add(path + "depthwise.", kernel=(*spec.kernel_size, c, m))
                add(path + "depthwise.", **{"bias": c * m} if spec.depthwise_bias else {})
                add(path + "pointwise.", kernel=(*[1] * rank, c * m, o))
                add(path + "pointwise.", **{"bias": o} if spec.pointwise_bias else {})
            case Dense(in_features=i, out_features=o):
                add(path, kernel=(i, o), **{"bias": o} if spec.bias else {})
                if after_mean:  # a mean may round, and a sum of such terms would depend on order
                    kernel = np.zeros((i, o))
                    kernel[rng.integers(0, i, o), range(o)] = rng.choice([-2, 1, 4], o)
                    weights[path + "kernel"] = kernel
            case BatchNorm(num_features=n, eps=eps):
                add(path, offset=n, mean=n)
                root = rng.choice([0.5, 1, 2], n)  # variance + eps is a power of four, exactly
                weights[path + "variance"] = root**2 - eps
                weights[path + "scale"] = root * rng.choice([-1, 1, 2], n)
            case Sequential(layers=layers):
                for name, child in layers:
                    visit(child, f"{path}{name}.", after_mean)
                    after_mean = after_mean or child == GlobalAvgPool()
            case Residual(body=body, shortcut=shortcut):
                visit(body, path + "body.")
                if shortcut is not None:
                    visit(shortcut, path + "shortcut.")

    visit(spec, "")
    return weights


def assert_agree(case: Case) -> None:
    spec, shape, seed = case
    x = np.random.default_rng([seed, 1]).integers(-9, 9, shape, endpoint=True)
    weights = integers(spec, seed)
    found, expected = reference(spec, weights, x), oracle(spec, weights, x)
    assert found.dtype == np.float64
    assert found.shape == expected.shape, f"{found.shape}, not {expected.shape}\n{replay(case)}"
    wrong = np.argwhere(found != expected)
    assert not wrong.size, (
        f"{len(wrong)} of {found.size} wrong, first y{wrong[0].tolist()} = "
        f"{found[tuple(wrong[0])]:g}, not {expected[tuple(wrong[0])]:g}\n{replay(case)}"
    )


# ---------------------------------------------------------------- what networks are made of


def test_layers() -> None:
    with coverage(HARD_CELLS) as seen:

        @given(layer_cases)
        def agree(case: Case) -> None:
            note_cells(case, seen)
            assert_agree(case)

        agree()


@given(chain_cases)
def test_chains(case: Case) -> None:
    assert_agree(case)


# ---------------------------------------------------------------- what no framework builds yet


@st.composite
def unusual_convolutions(draw: Any) -> tuple[Spec, Shape]:
    """Any rank, causal padding, and every padding mode."""
    rank, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    window, sizes = draw(windows(channels, rank))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    if rank == 1 and draw(st.booleans()):
        window["padding"] = "causal"
    if mode == "reflect":  # one pixel cannot be reflected
        sizes = tuple(max(2, size) for size in sizes)
    common = {**window, "padding_mode": mode, "rank": rank}
    spec = draw(
        st.sampled_from(
            [
                Conv(channels, 2, **common),
                Conv(2 * channels, 4, groups=2, bias=False, **common),
                DepthwiseConv(channels, depth_multiplier=2, **common),
                SeparableConv(channels, 3, depth_multiplier=2, **common),
            ]
        )
    )
    return spec, (draw(batches), *sizes, spec.in_channels)


def unusual_cells(case: Case) -> set[str]:
    spec, (_, *spatial, _) = case.spec, case.input_shape
    pairs = [pads(spec, axis, size) for axis, size in enumerate(spatial)]
    found = {f"rank {spec.rank}", type(spec).__name__}
    if any(map(any, pairs)):
        found.add(spec.padding_mode)
    if any(max(pair) > size for pair, size in zip(pairs, spatial, strict=True)):
        found.add(f"{spec.padding_mode} beyond the size")
    if spec.padding == "causal" and any(pairs[0]):
        found.add("causal")
    return found


def test_every_rank_padding_and_mode() -> None:
    modes = {"zeros", "reflect", "replicate", "circular"}
    wanted = {"rank 1", "rank 2", "rank 3", "causal", "Conv", "DepthwiseConv", "SeparableConv"}
    with coverage(wanted | modes | {f"{mode} beyond the size" for mode in modes}) as seen:

        @given(cases(unusual_convolutions()))
        def agree(case: Case) -> None:
            for cell in unusual_cells(case):
                seen[cell] += 1
                event(cell)
            assert_agree(case)

        agree()


@settings(max_examples=30)
@given(st.integers(1, 3), seeds)
def test_batch_norm_flatten_and_pool_at_every_rank(rank: int, seed: int) -> None:
    shape = (2, *range(2, 2 + rank), 3)
    for head in (Flatten(), GlobalAvgPool(), Activation("relu6"), Dropout()):
        assert_agree(Case(Sequential(BatchNorm(3, rank=rank), head), shape, seed))


# ---------------------------------------------------------------- both against pen and paper


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [321, 432]),  # a correlation: the first tap meets the first pixel
        ({"padding": "same"}, [210, 321, 432, 43]),
        ({"padding": "same", "stride": 2}, [321, 43]),  # the odd pixel of padding at the end
        ({"padding": "causal"}, [100, 210, 321, 432]),
        ({"padding": ((2, 1),), "stride": 3}, [100, 432]),
        ({"padding": ((1, 1),), "dilation": 2}, [420, 31]),
        ({"padding": ((2, 0),), "padding_mode": "reflect"}, [123, 212, 321, 432]),
        ({"padding": ((2, 0),), "padding_mode": "replicate"}, [111, 211, 321, 432]),
        ({"padding": ((2, 0),), "padding_mode": "circular"}, [143, 214, 321, 432]),
        ({"padding": ((0, 5),), "padding_mode": "reflect", "stride": 3}, [321, 234, 321]),
    ],
)
def test_four_pixels_worked_out_by_hand(judge, options, expected):
    spec = Conv(1, 1, 3, bias=False, rank=1, **options)
    kernel = np.array([1, 10, 100]).reshape(3, 1, 1)
    x = np.array([1, 2, 3, 4]).reshape(1, 4, 1)
    assert judge(spec, {"kernel": kernel}, x).ravel().tolist() == expected


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("spec", "kernel", "expected"),
    [
        (Conv(4, 2, 1, groups=2, bias=False), [[1, 3], [2, 4]], [1 + 20, 300 + 4000]),
        (DepthwiseConv(2, 1, depth_multiplier=2, bias=False), [[1, 2], [3, 4]], [1, 2, 30, 40]),
        (Dense(2, 3, bias=False), [[1, 2, 3], [4, 5, 6]], [41, 52, 63]),
    ],
)
def test_the_order_of_channels_worked_out_by_hand(judge, spec, kernel, expected):
    pixel = () if isinstance(spec, Dense) else (1, 1)
    kernel = np.reshape(kernel, (*pixel, *np.shape(kernel)))
    channels = getattr(spec, "in_channels", 2)
    x = np.array([1, 10, 100, 1000])[:channels].reshape(1, *pixel, channels)
    assert judge(spec, {"kernel": kernel}, x).ravel().tolist() == expected


# ---------------------------------------------------------------- what it refuses


def test_what_does_not_fit_is_refused():
    spec = Dense(2, 1)
    weights = {"kernel": np.ones((2, 1)), "bias": np.ones(1)}
    with pytest.raises(SpecError, match="2 channels"):
        reference(spec, weights, np.ones((1, 3)))
    with pytest.raises(WeightError, match="missing bias"):
        reference(spec, {"kernel": weights["kernel"]}, np.ones((1, 2)))
