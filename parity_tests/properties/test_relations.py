"""What holds for any convolution, whatever the reference says: six relations, exact on integers."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import Conv, ConvTranspose, DepthwiseConv, SeparableConv, Spec, output_shape
from convparity.analysis.proof.data import integer_case
from convparity.impls.adapter import Adapter
from convparity.impls.weights import Arrays
from parity_tests.support.asserts import replay
from parity_tests.support.strategies import Case, cases, layers, linear_cases

SOME = settings(max_examples=25)


def run(adapter: Adapter, spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return adapter.apply(adapter.build(spec, weights), spec, x)


def assert_equal(adapter: Adapter, case: Case, left: np.ndarray, right: np.ndarray) -> None:
    assert left.shape == right.shape, f"{adapter.name}\n{replay(case)}"
    wrong = np.count_nonzero(left != right)
    assert not wrong, f"{adapter.name}: {wrong} of {left.size} differ\n{replay(case)}"


@SOME
@given(case=linear_cases, exponent=st.integers(-3, 3))
def test_scale(adapter: Adapter, case: Case, exponent: int) -> None:
    """Without a bias, f(2**k x) = 2**k f(x)."""
    weights, x = integer_case(*case)
    weights = {name: w * (not name.endswith("bias")) for name, w in weights.items()}
    factor = np.float32(2.0**exponent)
    y = run(adapter, case.spec, weights, x)
    assert_equal(adapter, case, run(adapter, case.spec, weights, x * factor), y * factor)


@SOME
@given(case=linear_cases)
def test_batch(adapter: Adapter, case: Case) -> None:
    """Each example of a batch is treated by itself."""
    weights, x = integer_case(case.spec, (3, *case.input_shape[1:]), case.seed)
    parts = [run(adapter, case.spec, weights, part) for part in np.split(x, 3)]
    assert_equal(adapter, case, run(adapter, case.spec, weights, x), np.concatenate(parts))


@SOME
@given(case=cases(layers(Conv, ConvTranspose)))
def test_output_channels(adapter: Adapter, case: Case) -> None:
    """Filters in another order, within their groups, give the outputs in that order."""
    spec: Any = case.spec
    weights, x = integer_case(*case)
    rng, each = np.random.default_rng(case.seed), spec.out_channels // spec.groups
    blocks = [group * each + rng.permutation(each) for group in range(spec.groups)]
    order = np.concatenate(blocks)
    moved = dict(weights)
    if spec.bias:
        moved["bias"] = weights["bias"][order]
    if isinstance(spec, Conv):
        moved["kernel"] = weights["kernel"][..., order]
    else:  # (*k, out / groups, in): the outputs of each group stand beside its inputs alone
        groups = np.split(weights["kernel"], spec.groups, axis=-1)
        moved["kernel"] = np.concatenate(
            [part[..., block % each, :] for part, block in zip(groups, blocks, strict=True)], -1
        )
    y = run(adapter, spec, weights, x)
    assert_equal(adapter, case, run(adapter, spec, moved, x), y[..., order])


@SOME
@given(case=cases(layers(Conv, ConvTranspose, DepthwiseConv)))
def test_groups(adapter: Adapter, case: Case) -> None:
    """A grouped convolution is the concatenation of its groups."""
    spec: Any = case.spec
    weights, x = integer_case(*case)
    n = spec.in_channels if isinstance(spec, DepthwiseConv) else spec.groups
    kernel = weights["kernel"]
    if isinstance(spec, DepthwiseConv):  # (*k, C, M): group c is the ordinary kernel (*k, 1, M)
        fields = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
        del fields["depth_multiplier"]
        one: Spec = Conv(**{**fields, "in_channels": 1}, out_channels=spec.depth_multiplier)
        kernels = np.split(kernel, n, axis=-2)
    else:
        channels = {name: getattr(spec, name) // n for name in ("in_channels", "out_channels")}
        one = dataclasses.replace(spec, groups=1, **channels)
        kernels = np.split(kernel, n, axis=-1)
    biases = np.split(weights["bias"], n) if spec.bias else [None] * n
    outputs = [
        run(adapter, one, {"kernel": k} | ({} if b is None else {"bias": b}), part)
        for k, b, part in zip(kernels, biases, np.split(x, n, axis=-1), strict=True)
    ]
    assert_equal(adapter, case, run(adapter, spec, weights, x), np.concatenate(outputs, -1))


@SOME
@given(case=cases(layers(ConvTranspose)))
def test_transpose(adapter: Adapter, case: Case) -> None:
    """A transposed convolution is the gradient of the convolution with its kernel."""
    spec: Any = dataclasses.replace(case.spec, bias=False)
    weights, x = integer_case(spec, *case[1:])
    anything = np.zeros(output_shape(spec, x.shape), np.float32)
    gradient, _ = adapter.backward(adapter.build(spec.conv, weights), anything, x)
    assert_equal(adapter, case, run(adapter, spec, weights, x), gradient)


@SOME
@given(case=cases(layers(SeparableConv)))
def test_separable(adapter: Adapter, case: Case) -> None:
    """A separable convolution is the convolution with the product of its two kernels."""
    spec: Any = case.spec
    weights, x = integer_case(*case)
    c, m = spec.in_channels, spec.depth_multiplier
    pointwise = weights["pointwise.kernel"].reshape(c, m, spec.out_channels)
    bias = np.zeros(spec.out_channels, np.float32)
    if spec.depthwise_bias:  # it goes through the pointwise step, on every pixel
        bias += weights["depthwise.bias"] @ pointwise.reshape(c * m, -1)
    if spec.pointwise_bias:
        bias += weights["pointwise.bias"]
    window = ("kernel_size", "stride", "padding", "dilation", "padding_mode", "rank")
    conv = Conv(c, spec.out_channels, **{name: getattr(spec, name) for name in window})
    kernel = np.einsum("...cm,cmo->...co", weights["depthwise.kernel"], pointwise)
    y = run(adapter, conv, {"kernel": kernel, "bias": bias}, x)
    assert_equal(adapter, case, run(adapter, spec, weights, x), y)
