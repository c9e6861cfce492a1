"""The reference against a second oracle, which shares no code with it.

On integers float64 rounds nothing in most layers, so both must agree exactly; where it rounds (a
mean, a norm, an exponential), they may differ by twice the proved bound of float64.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    Parameter,
    PReLU,
    Residual,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Spec,
    reference,
)
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.errors import SpecError, WeightError
from parity_tests.support.asserts import coverage, note_cells, replay
from parity_tests.support.cells import FAMILIES
from parity_tests.support.drawing import seeds
from parity_tests.support.oracle import oracle
from parity_tests.support.strategies import Case, transposed_cases

# ---------------------------------------------------------------- data


def integers(spec: Spec, seed: int) -> dict[str, np.ndarray]:
    """Integer weights in the shapes that the specs' docstrings promise, under their names."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}

    def add(path: str, **shapes: Any) -> None:
        for name, shape in shapes.items():
            weights[path + name] = rng.integers(-5, 5, shape, endpoint=True)

    def visit(spec: Spec, path: str) -> None:
        match spec:
            case Conv(in_channels=i, out_channels=o):
                add(path, kernel=(*spec.kernel_size, i // spec.groups, o))
                add(path, **{"bias": o} if spec.bias else {})
            case DepthwiseConv(in_channels=c, depth_multiplier=m):
                add(path, kernel=(*spec.kernel_size, c, m), **{"bias": c * m} if spec.bias else {})
            case ConvTranspose(in_channels=i, out_channels=o):
                add(path, kernel=(*spec.kernel_size, o // spec.groups, i))
                add(path, **{"bias": o} if spec.bias else {})
            case SeparableConv(in_channels=c, out_channels=o, depth_multiplier=m, rank=rank):
                add(path + "depthwise.", kernel=(*spec.kernel_size, c, m))
                add(path + "depthwise.", **{"bias": c * m} if spec.depthwise_bias else {})
                add(path + "pointwise.", kernel=(*[1] * rank, c * m, o))
                add(path + "pointwise.", **{"bias": o} if spec.pointwise_bias else {})
            case Dense(in_features=i, out_features=o):
                add(path, kernel=(i, o), **{"bias": o} if spec.bias else {})
            case BatchNorm(num_features=n, eps=eps):
                add(path, **{"offset": n} if spec.offset else {}, mean=n)
                root = rng.choice([0.5, 1, 2], n)  # variance + eps is a power of four, exactly
                weights[path + "variance"] = root**2 - eps
                if spec.scale:
                    weights[path + "scale"] = root * rng.choice([-1, 1, 2], n)
            case (
                LayerNorm(num_features=n) | GroupNorm(num_features=n) | InstanceNorm(num_features=n)
            ):
                add(path, **{"scale": n} if spec.scale else {})
                add(path, **{"offset": n} if spec.offset else {})
            case RMSNorm(num_features=n):
                add(path, **{"scale": n} if spec.scale else {})
            case Scale(num_features=n):
                add(path, scale=n)
            case PReLU(num_parameters=n):
                add(path, slope=n)
            case Parameter(shape=sizes):
                add(path, value=sizes)
            case Sequential(layers=layers):
                for name, child in layers:
                    visit(child, f"{path}{name}.")
            case Residual(body=body, shortcut=shortcut):
                visit(body, path + "body.")
                if shortcut is not None:
                    visit(shortcut, path + "shortcut.")
            case Graph(nodes=nodes):
                for name, node, _, child in nodes:
                    if child == name:
                        visit(node, f"{path}{name}.")

    visit(spec, "")
    return weights


def assert_agree(case: Case) -> None:
    spec, shape, seed = case
    x = np.random.default_rng([seed, 1]).integers(-9, 9, shape, endpoint=True)
    weights = integers(spec, seed)
    found, expected = reference(spec, weights, x), oracle(spec, weights, x)
    assert found.dtype == np.float64
    assert found.shape == expected.shape, f"{found.shape}, not {expected.shape}\n{replay(case)}"
    slack = 2 * trace(spec, weights, exact_input(x, "float64")).bound  # 0 where nothing rounds
    with np.errstate(invalid="ignore"):  # of equal infinities, which powers of 0 are
        near = abs(found - expected) <= slack
    wrong = np.argwhere(~(near | (found == expected)))
    assert not wrong.size, (
        f"{len(wrong)} of {found.size} wrong, first y{wrong[0].tolist()} = "
        f"{found[tuple(wrong[0])]:g}, not {expected[tuple(wrong[0])]:g}\n{replay(case)}"
    )


# ---------------------------------------------------------------- the whole surface


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str) -> None:
    family = FAMILIES[name]
    with coverage(family.cells) as seen:

        @settings(max_examples=family.examples)
        @given(family.cases)
        def agree(case: Case) -> None:
            note_cells(case, seen)
            assert_agree(case)

        agree()


@settings(max_examples=30)
@given(st.integers(1, 3), seeds)
def test_what_keeps_its_values_at_every_rank(rank: int, seed: int) -> None:
    shape = (2, *range(2, 2 + rank), 3)
    for head in (Flatten(), GlobalAvgPool(), Activation("relu6"), Dropout()):
        assert_agree(Case(Sequential(BatchNorm(3, rank=rank), head), shape, seed))


@given(transposed_cases)
def test_a_transposed_convolution_is_the_transpose(case: Case) -> None:
    """<convolution(y), x> = <y, transposed(x)> for every y and x: the definition of a transpose."""
    spec = dataclasses.replace(case.spec, bias=False)
    weights = integers(spec, case.seed)
    rng = np.random.default_rng(case.seed)
    x = rng.integers(-9, 9, case.input_shape, endpoint=True)
    transposed = reference(spec, weights, x)
    y = rng.integers(-9, 9, transposed.shape, endpoint=True)
    forward = oracle(spec.conv, weights, y)
    assert forward.shape == x.shape, replay(case)
    assert np.vdot(forward, x) == np.vdot(y, transposed), replay(case)


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
    ("options", "expected"),
    [
        ({}, [1, 10, 102, 20, 203, 30, 300]),
        ({"padding": "same"}, [1, 10, 102, 20, 203, 30]),  # the odd pixel is cut off at the end
        ({"padding": 1}, [10, 102, 20, 203, 30]),
        ({"padding": 1, "output_padding": 1}, [10, 102, 20, 203, 30, 300]),
        ({"output_padding": 1}, [1, 10, 102, 20, 203, 30, 300, 0]),
        ({"padding": ((0, 5),)}, [1, 10]),
        ({"dilation": 2}, [1, 0, 12, 0, 123, 0, 230, 0, 300]),
    ],
)
def test_three_pixels_transposed_by_hand(judge, options, expected):
    spec = ConvTranspose(1, 1, 3, 2, bias=False, rank=1, **options)
    kernel = np.array([1, 10, 100]).reshape(3, 1, 1)
    x = np.array([1, 2, 3]).reshape(1, 3, 1)
    assert judge(spec, {"kernel": kernel}, x).ravel().tolist() == expected


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (MaxPool(2, rank=1), [-1, -3]),
        (MaxPool(2, 1, "same", rank=1), [-1, -2, -3, -4]),  # padding never wins
        (MaxPool(3, 2, 1, rank=1), [-1, -2]),
        (AvgPool(2, rank=1), [-1.5, -3.5]),
        (AvgPool(4, 1, "same", rank=1), [-1.5, -2.5, -2.25, -1.75]),
        (AvgPool(4, 1, "same", False, rank=1), [-2, -2.5, -3, -3.5]),
        (AvgPool(2, 2, ((1, 1),), False, rank=1), [-1, -2.5, -4]),
        (AdaptiveAvgPool(2, rank=1), [-1.5, -3.5]),
        (AdaptiveAvgPool(3, rank=1), [-1.5, -2.5, -3.5]),
        (AdaptiveMaxPool(3, rank=1), [-1, -2, -3]),
        (GlobalMaxPool(), [-1]),
        (Activation("relu6"), [0, 0, 0, 0]),
        (Activation("leaky_relu", 0.5), [-0.5, -1, -1.5, -2]),
        (Activation("hard_sigmoid"), [2 / 6, 1 / 6, 0, 0]),
        (Activation("hard_swish"), [-2 / 6, -2 / 6, 0, 0]),
        (Activation("softmax"), [1, 1, 1, 1]),  # of one channel
    ],
)
def test_four_negative_pixels_worked_out_by_hand(judge, spec, expected):
    x = np.array([-1, -2, -3, -4]).reshape(1, 4, 1)
    assert judge(spec, {}, x).ravel().tolist() == expected


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (LayerNorm(4, 0.75), [0.5, -0.5, 0.5, -0.5]),  # variance 1/4, root of it and eps 1
        (GroupNorm(2, 4, 0.75), [0.5, -0.5, 0.5, -0.5]),
        (GroupNorm(4, 4, 0.75), [0, 0, 0, 0]),  # each value is its group's mean
    ],
)
def test_norms_worked_out_by_hand(judge, spec, expected):
    weights = {"scale": np.ones(4), "offset": np.zeros(4)}
    assert judge(spec, weights, np.array([[3, 2, 3, 2]])).ravel().tolist() == expected


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize("spatial", [(), (1,), (1, 1), (1, 1, 1)])
def test_a_scale_worked_out_by_hand(judge, spatial):
    x = np.reshape([3, 2, 5, -1], (2, *spatial, 2))
    y = judge(Scale(2), {"scale": np.array([10, -2])}, x)
    assert y.ravel().tolist() == [30, -4, 50, 2]


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("spec", "kernel", "expected"),
    [
        (Conv(4, 2, 1, groups=2, bias=False), [[1, 3], [2, 4]], [1 + 20, 300 + 4000]),
        (DepthwiseConv(2, 1, depth_multiplier=2, bias=False), [[1, 2], [3, 4]], [1, 2, 30, 40]),
        (ConvTranspose(2, 3, 1, bias=False), [[1, 2], [3, 4], [5, 6]], [21, 43, 65]),
        (
            ConvTranspose(4, 2, 1, groups=2, bias=False),
            [[1, 2, 3, 4]],
            [1 + 20, 300 + 4000],
        ),
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
