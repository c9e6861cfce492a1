"""A spec is validated at birth; what means the same is the same spec; shapes follow from it."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from convparity import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Pad,
    Rearrange,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
    Slice,
    SpecError,
    output_shape,
    parameter_shapes,
)
from convparity.impls import spec as specs
from parity_tests.support.strategies import Case, chain_cases, layer_cases

# ---------------------------------------------------------------- normal forms


@pytest.mark.parametrize(
    "padding", [0, (0, 0), ((0, 0), (0, 0)), [0, (0, 0)], np.zeros((2, 2), int), "valid"]
)
def test_no_padding_is_valid_however_it_is_said(padding):
    assert Conv(1, 1, 3, padding=padding).padding == "valid"


@pytest.mark.parametrize(
    ("padding", "stored"),
    [
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ([(0, 1), (2, 0)], ((0, 1), (2, 0))),
        (np.array([[0, 1], [2, 0]]), ((0, 1), (2, 0))),
        ((1, (0, 2)), ((1, 1), (0, 2))),
        ("same", "same"),
    ],
)
@pytest.mark.parametrize("spec", [Conv(1, 1, 3), DepthwiseConv(1, 3), SeparableConv(1, 1, 3)])
def test_padding_is_stored_as_a_name_or_as_pairs(spec, padding, stored):
    assert dataclasses.replace(spec, padding=padding).padding == stored


@pytest.mark.parametrize(
    ("spec", "twin"),
    [
        (
            Conv(4, 8, 3, 2, 1),
            Conv(np.int64(4), np.int8(8), [3, 3], np.array([2, 2]), ((1, 1),) * 2),
        ),
        (Conv(4, 8, 3, padding="causal", rank=1), Conv(4, 8, (3,), (1,), "causal", (1,), rank=1)),
        (DepthwiseConv(4, 3, rank=3), DepthwiseConv(4, (3, 3, 3), 1, 0, rank=3)),
        (SeparableConv(4, 8, 3, dilation=2), SeparableConv(4, 8, (3, 3), dilation=iter((2, 2)))),
        (BatchNorm(4, 0.5), BatchNorm(np.uint8(4), np.float32(0.5))),
        (Sequential(Flatten(), Dense(4, 2)), Sequential([Flatten(), Dense(4, 2)])),
        (Sequential(Flatten(), Dropout()), Sequential({"0": Flatten(), 1: Dropout(0.5)})),
        (Residual(Flatten()), Residual(Flatten(), None)),
    ],
)
def test_what_means_the_same_is_equal(spec, twin):
    assert spec == twin
    assert repr(spec) == repr(twin)
    assert len({spec, twin}) == 1  # and has the same hash


def test_what_differs_is_not_equal():
    specs = [
        *(Conv(4, 8, 3, padding=padding) for padding in ("valid", "same", 1, ((1, 0), (0, 1)))),
        Conv(4, 8, 3, groups=2),
        Conv(4, 8, 3, bias=False),
        Conv(4, 8, 3, padding_mode="reflect"),
        Conv(4, 8, 3, rank=3),
        DepthwiseConv(4, 3),
        SeparableConv(4, 8, 3),
        Flatten(),
        GlobalAvgPool(),
        Activation("relu"),
        Activation("relu6"),
        Sequential(Flatten()),
        Sequential({"flat": Flatten()}),
        Residual(Flatten()),
        Sequential(Flatten(), Dropout()),
        Sequential(Dropout(), Flatten()),
    ]
    assert len(set(specs)) == len(specs)


def test_numpy_integers_do_not_survive():
    spec = Conv(np.int64(4), np.int8(8), np.array([3, 3]), padding=np.array([1, 2]))
    numbers = [spec.in_channels, spec.out_channels, *spec.kernel_size, *sum(spec.padding, ())]
    assert {type(number) for number in numbers} == {int}


@given(layer_cases | chain_cases)
def test_a_repr_evaluates_back(case: Case) -> None:
    assert eval(repr(case.spec), vars(specs)) == case.spec


def test_specs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Conv(1, 1, 3).bias = False


# ---------------------------------------------------------------- validation


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(4, 6, 3, groups=3), "Conv: in_channels=4 is not divisible by groups=3"),
        (lambda: Conv(6, 4, 3, groups=3), "Conv: out_channels=4 is not divisible by groups=3"),
        (lambda: Conv(0, 1, 3), "in_channels must be at least 1, not 0"),
        (lambda: Conv(1, -2, 3), "out_channels must be at least 1, not -2"),
        (lambda: Conv(1.0, 1, 3), "in_channels must be an integer, not 1.0"),
        (lambda: Conv(True, 1, 3), "in_channels must be an integer, not True"),
        (lambda: Conv(1, 1, 0), "kernel_size must be at least 1, not 0"),
        (lambda: Conv(1, 1, "33"), "kernel_size must be an integer, not '33'"),
        (lambda: Conv(1, 1, (3,)), r"kernel_size must have 2 entries \(rank 2\), not \(3,\)"),
        (lambda: Conv(1, 1, (3, 3), rank=1), r"kernel_size must have 1 entries \(rank 1\)"),
        (lambda: Conv(1, 1, 3, stride=0), "stride must be at least 1"),
        (lambda: Conv(1, 1, 3, stride=(1, None)), "stride must be an integer, not None"),
        (lambda: Conv(1, 1, 3, dilation=0), "dilation must be at least 1"),
        (lambda: Conv(1, 1, 3, groups=0), "groups must be at least 1"),
        (lambda: Conv(1, 1, 3, bias=1), "bias must be True or False, not 1"),
        (lambda: Conv(1, 1, 3, padding="sane"), "unknown padding 'sane'. Did you mean 'same'"),
        (lambda: Conv(1, 1, 3, padding="causal"), "causal padding needs rank 1, not rank 2"),
        (lambda: Conv(1, 1, 3, padding=-1), "padding must be at least 0, not -1"),
        (lambda: Conv(1, 1, 3, padding=0.5), "padding must be an integer, not 0.5"),
        (lambda: Conv(1, 1, 3, padding=(1,)), r"2 \(low, high\) pairs \(rank 2\), not \(1,\)"),
        (lambda: Conv(1, 1, 3, padding=((1, 2, 3), 1)), r"pair is \(low, high\), not \(1, 2, 3\)"),
        (
            lambda: Conv(1, 1, 3, padding_mode="wrap"),
            "unknown padding_mode 'wrap'.*Known: circular",
        ),
        (lambda: Conv(1, 1, 3, rank=4), "rank must be 1, 2 or 3, not 4"),
        (lambda: Conv(1, 1, 3, rank="2"), "rank must be an integer, not '2'"),
        (lambda: DepthwiseConv(1, 3, depth_multiplier=0), "DepthwiseConv: depth_multiplier must"),
        (lambda: DepthwiseConv(1, 3, bias=None), "DepthwiseConv: bias must be True or False"),
        (lambda: SeparableConv(1, 0, 3), "SeparableConv: out_channels must be at least 1"),
        (lambda: SeparableConv(1, 1, 3, pointwise_bias=2), "pointwise_bias must be True or False"),
        (lambda: SeparableConv(1, 1, 3, depthwise_bias=2), "depthwise_bias must be True or False"),
        (lambda: ConvTranspose(4, 6, 3, groups=4), "ConvTranspose: out_channels=6 is not divis"),
        (lambda: ConvTranspose(1, 1, 3, 2, output_padding=2), r"output_padding \(2, 2\) must be b"),
        (lambda: ConvTranspose(1, 1, 3, 2, "same", 1), "n . stride: drop output_padding"),
        (lambda: ConvTranspose(1, 1, 3, padding="causal", rank=1), "causal padding belongs to"),
        (lambda: MaxPool(2, padding=2), r"padding \(2, 2\) must be smaller than the kernel 2"),
        (lambda: AvgPool(2, padding="causal", rank=1), "AvgPool: causal padding belongs to Conv"),
        (lambda: AvgPool(2, count_include_pad=1), "count_include_pad must be True or False"),
        (lambda: LayerNorm(4, 0), "LayerNorm: eps must lie between 0 and 1"),
        (lambda: GroupNorm(3, 4), "GroupNorm: num_features=4 is not divisible by num_groups=3"),
        (lambda: Scale(0), "Scale: num_features must be at least 1, not 0"),
        (lambda: Scale(2.5), "Scale: num_features must be an integer, not 2.5"),
        (
            lambda: Activation("relu", 0.1),
            "relu takes no alpha; leaky_relu, elu, softplus, celu, soft_shrink, hard_shrink do",
        ),
        (lambda: Activation("elu", math.inf), "alpha must be a finite number from 0 on, not inf"),
        (lambda: BatchNorm(0), "BatchNorm: num_features must be at least 1"),
        (lambda: BatchNorm(1, eps=0), "eps must lie between 0 and 1, not 0"),
        (lambda: BatchNorm(1, eps=1), "eps must lie between 0 and 1, not 1"),
        (lambda: BatchNorm(1, eps=math.nan), "eps must lie between 0 and 1, not nan"),
        (lambda: BatchNorm(1, eps="small"), "eps must be a number, not 'small'"),
        (lambda: BatchNorm(1, momentum=-0.5), "momentum must lie between 0 and 1, not -0.5"),
        (lambda: BatchNorm(1, momentum=1.5), "momentum must lie between 0 and 1, not 1.5"),
        (lambda: Activation("relu7"), "Activation: unknown activation 'relu7'. Did you mean"),
        (lambda: Dropout(-0.5), r"p must lie in \[0, 1\), not -0.5"),
        (lambda: Dropout(1), r"Dropout: p must lie in \[0, 1\), not 1"),
        (lambda: Dropout("half"), "Dropout: p must be a number, not 'half'"),
        (lambda: Dense(1, 0), "Dense: out_features must be at least 1"),
        (lambda: Dense(0, 1), "Dense: in_features must be at least 1"),
        (lambda: Slice(0), "Slice: axis is -1, 1 or another one that is not the batch, not 0"),
        (lambda: Slice("c"), "Slice: axis must be an integer, not 'c'"),
        (lambda: Slice(1, 0.5), "Slice: start must be an integer, not 0.5"),
        (lambda: Slice(1, None), "Slice: start must be an integer, not None"),
        (lambda: Slice(1, stop="end"), "Slice: stop must be an integer, not 'end'"),
        (lambda: Slice(1, step=0), "Slice: step must be at least 1, not 0"),
        (lambda: Slice(1, step=-1), "Slice: step must be at least 1, not -1"),
        (lambda: Rearrange(3), "Rearrange: pattern must be a text, not 3"),
        (lambda: Rearrange("n h c"), "Rearrange: 'n h c': .*"),
        (lambda: Rearrange(""), "Rearrange: '': .*"),
        (lambda: Rearrange("n h c -> n c"), "Rearrange: 'n h c -> n c': .*one side.*'h'"),
        (
            lambda: Rearrange("n c -> n c 3"),
            "Rearrange: 'n c -> n c 3': Non-unitary anonymous axes",
        ),
        (lambda: Rearrange("n c -> n c c"), "Rearrange: 'n c -> n c c': .*duplicate dimension"),
        (lambda: Rearrange("n (c d) -> n c d"), r"'n \(c d\) -> n c d': Could not infer sizes for"),
        (lambda: Rearrange("n c -> n c", d=2), "Rearrange: 'n c -> n c': Axis d is not used in tr"),
        (lambda: Rearrange("n (c -> n c"), r"Rearrange: 'n \(c -> n c': .*"),
        (lambda: Rearrange("n c -> c n"), "'n c -> c n': the first axis is the batch, which has a"),
        (
            lambda: Rearrange("n h c -> (h n) c"),
            r"'n h c -> \(h n\) c': the first axis is the batch",
        ),
        (lambda: Rearrange("n c -> 1 n c"), "'n c -> 1 n c': the first axis is the batch"),
        (lambda: Rearrange("1 c -> 1 c"), "'1 c -> 1 c': the first axis is the batch"),
        (lambda: Rearrange("... c -> ... c"), "the first axis is the batch, which has a name"),
        (lambda: Rearrange("n c -> n c", n=2), "'n c -> n c': the batch, n, may have any size"),
        (
            lambda: Rearrange("n c -> n c", c=0),
            "Rearrange: the size of c must be at least 1, not 0",
        ),
        (lambda: Rearrange("n c -> n c", c="2"), "the size of c must be an integer, not '2'"),
        (
            lambda: Rearrange("n c -> n c", sizes=3),
            "sizes must be pairs of a name and a size, not 3",
        ),
        (lambda: Pad(1), r"Pad: pads are one \(low, high\) pair an axis, of 1 to 3, not 1"),
        (lambda: Pad([]), "Pad: pads are one .* not "),
        (lambda: Pad([1] * 4), "Pad: pads are one .* of 1 to 3"),
        (lambda: Pad([(1, 2, 3)]), r"Pad: a pair is \(low, high\), not \(1, 2, 3\)"),
        (lambda: Pad([0.5]), "Pad: pads must be an integer, not 0.5"),
        (lambda: Pad([1], "edge"), "Pad: unknown padding_mode 'edge'"),
        (lambda: Pad([1], value="x"), "Pad: value must be a number, not 'x'"),
        (lambda: Pad([1], value=math.inf), "Pad: value must be finite, not inf"),
        (lambda: Pad([1], "reflect", 2), "Pad: mode 'reflect' takes no value, and 2.0 is given"),
        (lambda: Sequential(), "Sequential: needs at least one layer"),
        (lambda: Sequential({}), "Sequential: needs at least one layer"),
        (lambda: Sequential("relu"), "takes specs, a list of specs or a mapping, not 'relu'"),
        (lambda: Sequential(Flatten), "takes specs, a list of specs or a mapping"),
        (lambda: Sequential(np.array(3)), r"takes specs, a list of specs.*not array\(3\)"),
        (lambda: Sequential(Flatten(), 3), "layer 1 must be a spec, not 3"),
        (lambda: Sequential({0: Flatten(), "0": Flatten()}), "two layers are called '0'"),
        (lambda: Sequential({"a.b": Flatten()}), "letters, digits and '_', not 'a.b'"),
        (lambda: Sequential({"": Flatten()}), "letters, digits and '_', not ''"),
        (lambda: Residual("relu"), "Residual: body must be a spec, not 'relu'"),
        (lambda: Residual(Flatten(), 3), "Residual: shortcut must be a spec, not 3"),
    ],
)
def test_a_contradiction_is_refused_at_birth(make, message):
    with pytest.raises(SpecError, match=message):
        make()


# ---------------------------------------------------------------- shapes

CHAIN = Sequential(
    {
        "conv": Conv(3, 8, (3, 2), 2, "same"),
        "block": Residual(
            Sequential({"norm": BatchNorm(8), "sep": SeparableConv(8, 8, 3, padding=1)}),
            Conv(8, 8, 1, bias=False),
        ),
        "flat": Flatten(),
        "dense": Dense(4 * 5 * 8, 10),
    }
)


@pytest.mark.parametrize(
    ("spec", "shape", "expected"),
    [
        (Conv(3, 64, 5, 2), (1, 228, 228, 3), (1, 112, 112, 64)),
        (SeparableConv(3, 64, 5, 2), (1, 228, 228, 3), (1, 112, 112, 64)),
        (Conv(1, 2, 3, (1, 2), "same"), (2, 4, 5, 1), (2, 4, 3, 2)),
        (Conv(1, 2, 3, 3, "same"), (2, 4, 7, 1), (2, 2, 3, 2)),
        (Conv(1, 2, 3, padding=((1, 0), (2, 2)), dilation=2), (1, 4, 5, 1), (1, 1, 5, 2)),
        (DepthwiseConv(4, 3, depth_multiplier=2), (1, 5, 6, 4), (1, 3, 4, 8)),
        (Conv(1, 2, 4, padding="causal", rank=1), (1, 3, 1), (1, 3, 2)),
        (Conv(1, 2, 3, rank=3), (1, 3, 4, 5, 1), (1, 1, 2, 3, 2)),
        (ConvTranspose(2, 3, 3, (2, 3), ((1, 0), 1), 1), (1, 4, 5, 2), (1, 9, 14, 3)),
        (ConvTranspose(2, 3, 2, 3, "same", rank=1), (1, 4, 2), (1, 12, 3)),
        (MaxPool((2, 3)), (1, 5, 7, 4), (1, 2, 2, 4)),
        (AvgPool(3, 2, "same"), (1, 5, 8, 4), (1, 3, 4, 4)),
        (LayerNorm(4), (2, 4), (2, 4)),
        (GroupNorm(2, 4), (1, 2, 3, 5, 4), (1, 2, 3, 5, 4)),
        (Scale(4), (2, 4), (2, 4)),
        (Scale(4), (1, 2, 3, 5, 4), (1, 2, 3, 5, 4)),
        (BatchNorm(4, rank=1), (1, 5, 4), (1, 5, 4)),
        (GlobalAvgPool(), (2, 3, 4, 5), (2, 5)),
        (Flatten(), (2, 3, 4, 5), (2, 60)),
        (Dense(5, 7), (2, 5), (2, 7)),
        (Dense(5, 7), (2, 3, 4, 5), (2, 3, 4, 7)),
        (Slice(-1, 1), (2, 4, 5), (2, 4, 4)),
        (Slice(1, -3, -1), (2, 4, 5), (2, 2, 5)),
        (Slice(1, 1, step=2), (2, 4, 5), (2, 2, 5)),
        (Slice(1, 1, 99, 2), (2, 5, 7), (2, 2, 7)),
        (Slice(-2, stop=1), (1, 3, 4, 5), (1, 3, 1, 5)),
        (Rearrange("n h w (g c) -> n h w (c g)", g=3), (2, 4, 5, 6), (2, 4, 5, 6)),
        (Rearrange("n h w c -> n (h w) c"), (2, 4, 5, 6), (2, 20, 6)),
        (Rearrange("n (h a) c -> n h (a c)", a=2), (2, 4, 5), (2, 2, 10)),
        (Rearrange("n h w c -> (n h) w c"), (2, 4, 5, 6), (8, 5, 6)),
        (Rearrange("(n t) c -> n t c", t=3), (6, 5), (2, 3, 5)),
        (Rearrange("n c -> n 1 () c"), (2, 5), (2, 1, 1, 5)),
        (Rearrange("n 1 1 c -> n c"), (2, 1, 1, 5), (2, 5)),
        (Rearrange("n ... c -> n c ..."), (2, 3, 4, 5), (2, 5, 3, 4)),
        (Rearrange("n ... -> n (...)"), (2, 3, 4, 5), (2, 60)),
        (Pad([(1, 2), (-1, 0)]), (2, 4, 5, 3), (2, 7, 4, 3)),
        (Pad([3], "circular"), (2, 1, 3), (2, 7, 3)),
        (Pad([(-2, 5), -1, 0], "replicate"), (1, 3, 3, 3, 1), (1, 6, 1, 3, 1)),
        (CHAIN, (2, 7, 9, 3), (2, 10)),
    ],
)
def test_output_shape(spec, shape, expected):
    assert output_shape(spec, shape) == expected


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        (
            Conv(3, 8, 3),
            (1, 8, 3),
            r"4 axes \(N, 2 spatial sizes, C\), channels last, not \(1, 8, 3",
        ),
        (
            Conv(3, 8, 3),
            (1, 3, 8, 8),
            r"3 channels on the last axis, not 8.*move the channels last",
        ),
        (Conv(3, 8, 3), (1, 2, 8, 3), r"kernel \(3, 3\) is larger than the padded input \(2, 8\)"),
        (Conv(3, 8, 3, dilation=4, padding=1), (1, 6, 9, 3), r"\(9, 9\).*padded input \(8, 11\)"),
        (SeparableConv(3, 8, 9), (1, 8, 8, 3), r"kernel \(9, 9\) is larger.*pad more"),
        (Conv(3, 8, 3, padding="same"), (1, 0, 8, 3), r"at least 1, not \(1, 0, 8, 3\)"),
        (Conv(3, 8, 3, padding=2, padding_mode="reflect"), (1, 1, 9, 3), "one pixel cannot be"),
        (BatchNorm(4), (1, 5, 4), "BatchNorm takes an input of 4 axes"),
        (BatchNorm(4), (1, 5, 5, 3), "BatchNorm takes 4 channels on the last axis, not 3"),
        (Scale(4), (1, 5, 5, 3), "Scale takes 4 channels on the last axis, not 3"),
        (GlobalAvgPool(), (2, 5), r"GlobalAvgPool takes \(N, \*spatial, C\), not \(2, 5\)"),
        (Dense(5, 7), (5,), r"Dense takes \(N, ..., C\)"),
        (Dense(5, 7), (2, 6), "Dense takes 5 channels on the last axis, not 6"),
        (
            CHAIN,
            (2, 7, 7, 3),
            "in layer 'dense': Dense takes 160 channels on the last axis, not 128",
        ),
        (Sequential({"a": CHAIN}), (1, 9, 9, 4), "in layer 'a': in layer 'conv': Conv takes 3"),
        (
            Residual(Conv(3, 4, 1)),
            (1, 5, 5, 3),
            r"where body and <input> meet: Add takes .* \(1, 5, 5, 4\) and \(1, 5, 5, 3\)",
        ),
        (Slice(1, 3), (1, 3, 2), "Slice: nothing is left of axis 1 of size 3 from 3 to the end"),
        (Slice(-1, 2, -2), (1, 4), "Slice: nothing is left of axis -1 of size 4 from 2 to -2"),
        (Slice(3), (1, 4, 4), r"Slice: axis 3 is none of an input of shape \(1, 4, 4\)"),
        (Slice(-3), (1, 4, 4), r"Slice: axis -3 is none of an input of shape \(1, 4, 4\)"),
        (
            Rearrange("n (g c) -> n g c", g=4),
            (2, 6),
            r"'n \(g c\) -> n g c': an axis of size 6 is not g=4 times any, in an .* \(2, 6\)",
        ),
        (Rearrange("n c -> n c", c=4), (2, 6), "an axis of size 6 is not c=4, in an input"),
        (Rearrange("n 1 c -> n c"), (2, 3, 6), "an axis of size 3 is not 1, in an input"),
        (Rearrange("n c -> n c"), (2, 3, 6), "'n c -> n c': it takes an input of 2 axes, not 3"),
        (Rearrange("n h w ... -> n h w ..."), (2, 3), "an input of at least 3 axes, not 2"),
        (Rearrange("(n t) c -> n t c", t=4), (6, 5), "an axis of size 6 is not t=4 times any"),
        (Rearrange("n c -> (n c)"), (2, 3), r"makes \(6,\) of \(2, 3\), the batch alone"),
        (Pad([1]), (1, 4, 4, 3), r"Pad takes an input of 3 axes \(N, 1 spatial sizes, C\)"),
        (
            Pad([(-2, -1)]),
            (1, 3, 2),
            r"Pad: cropped by \(\(2, 1\),\), nothing is left of \(1, 3, 2\)",
        ),
        (Pad([(9, -3)]), (1, 3, 2), "nothing is left"),
        (Pad([(-2, 1)], "reflect"), (1, 3, 2), "Pad: one pixel cannot be reflected, input"),
        (Flatten(), (), r"Flatten takes \(N, \.\.\., C\), not \(\)"),
        (Activation("relu"), (5,), r"Activation takes \(N, \.\.\., C\), not \(5,\)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(spec, shape, message):
    with pytest.raises(SpecError, match=message):
        output_shape(spec, shape)


def test_what_is_no_spec_is_named():
    for call in (parameter_shapes, lambda spec: output_shape(spec, (1, 2))):
        with pytest.raises(SpecError, match="'conv' is not a spec"):
            call("conv")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (Conv(6, 4, (3, 2), groups=2), {"kernel": (3, 2, 3, 4), "bias": (4,)}),
        (Conv(6, 4, 3, bias=False, rank=1), {"kernel": (3, 6, 4)}),
        (DepthwiseConv(4, (3, 2), depth_multiplier=2), {"kernel": (3, 2, 4, 2), "bias": (8,)}),
        (ConvTranspose(6, 4, (3, 2), groups=2), {"kernel": (3, 2, 2, 6), "bias": (4,)}),
        (GroupNorm(2, 4), {"scale": (4,), "offset": (4,)}),
        (Scale(4), {"scale": (4,)}),
        (MaxPool(2), {}),
        (Dense(5, 7), {"kernel": (5, 7), "bias": (7,)}),
        (BatchNorm(4), dict.fromkeys(("scale", "offset", "mean", "variance"), (4,))),
        (Flatten(), {}),
        (
            SeparableConv(3, 64, 5, depth_multiplier=2),
            {
                "depthwise.kernel": (5, 5, 3, 2),
                "depthwise.bias": (6,),
                "pointwise.kernel": (1, 1, 6, 64),
                "pointwise.bias": (64,),
            },
        ),
        (
            CHAIN,
            {
                "conv.kernel": (3, 2, 3, 8),
                "conv.bias": (8,),
                **{f"block.body.norm.{n}": (8,) for n in ("scale", "offset", "mean", "variance")},
                "block.body.sep.depthwise.kernel": (3, 3, 8, 1),
                "block.body.sep.depthwise.bias": (8,),
                "block.body.sep.pointwise.kernel": (1, 1, 8, 8),
                "block.body.sep.pointwise.bias": (8,),
                "block.shortcut.kernel": (1, 1, 8, 8),
                "dense.kernel": (160, 10),
                "dense.bias": (10,),
            },
        ),
    ],
)
def test_parameter_shapes(spec: Any, expected: dict[str, Any]) -> None:
    assert list(parameter_shapes(spec).items()) == list(expected.items())
