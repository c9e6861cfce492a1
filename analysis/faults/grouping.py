"""Which channels meet which: depthwise, separable and grouped convolutions."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, kernel, kernel_shape
from convparity.impls.spec import (
    Activation,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
    Sequential,
    Shape,
)
from convparity.impls.weights import Arrays

BOTH_GROUPED = (Conv, ConvTranspose)


def _interleaved(array: np.ndarray, groups: int) -> np.ndarray:
    """Channel g of each block, then channel g + 1 of each: what a channel shuffle gives."""
    blocks = array.reshape(*array.shape[:-1], groups, -1)
    return blocks.swapaxes(-1, -2).reshape(array.shape)


@fault(
    "grouping-01",
    "depthwise outputs in the order m * C + c for c * M + m",
    DepthwiseConv,
    hides="one channel, a multiplier of one",
)
def multiplier_major(spec: DepthwiseConv, shape: Shape) -> Faulty | None:
    c, m = spec.in_channels, spec.depth_multiplier
    if c == 1 or m == 1:
        return None
    return Faulty(
        spec, f"output channels m * {c} + c for c * {m} + m", after=lambda y: _interleaved(y, c)
    )


@fault(
    "grouping-02",
    "depthwise kernel read as (multiplier, channels)",
    DepthwiseConv,
    hides="one channel, a multiplier of one",
    reference="nobuco #2",
)
def depthwise_kernel_reshaped(spec: DepthwiseConv, shape: Shape) -> Faulty | None:
    c, m = spec.in_channels, spec.depth_multiplier
    if c == 1 or m == 1:
        return None
    return Faulty(
        spec,
        f"kernel[..., {m}, {c}] for [..., {c}, {m}]",
        kernel(lambda w: _interleaved(w.reshape(*w.shape[:-2], -1), c).reshape(w.shape)),
    )


@fault(
    "grouping-03",
    "only the first filter of each channel used",
    DepthwiseConv,
    hides="a multiplier of one",
)
def first_multiplier(spec: DepthwiseConv, shape: Shape) -> Faulty | None:
    m = spec.depth_multiplier
    if m == 1:
        return None
    return Faulty(
        spec, f"filter 0 of {m}, {m} times", kernel(lambda w: np.repeat(w[..., :1], m, axis=-1))
    )


@fault(
    "grouping-04",
    "groups in the reverse order",
    *BOTH_GROUPED,
    hides="one group",
)
def groups_reversed(spec: Any, shape: Shape) -> Faulty | None:
    g = spec.groups
    if g == 1:
        return None

    def reverse(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], g, -1)[..., ::-1, :].reshape(x.shape)

    return Faulty(spec, f"outputs of group 0 from inputs of group {g - 1}", before=reverse)


@fault(
    "grouping-05",
    "channels of a convolution dealt out over its groups",
    *BOTH_GROUPED,
    hides="one group, one channel a group",
)
def channels_dealt_out(spec: Any, shape: Shape) -> Faulty | None:
    g = spec.groups
    if g == 1 or spec.in_channels == g:
        return None
    return Faulty(
        spec,
        f"input channel c in group c % {g}, not c // {spec.in_channels // g}",
        before=lambda x: _interleaved(x, spec.in_channels // g),
    )


@fault(
    "grouping-06",
    "all groups share the first one's filters",
    *BOTH_GROUPED,
    hides="one group",
)
def first_group_shared(spec: Any, shape: Shape) -> Faulty | None:
    g = spec.groups
    if g == 1:
        return None
    each = kernel_shape(spec)[-1] // g
    return Faulty(
        spec, f"filters of group 0 for all {g}", kernel(lambda w: np.tile(w[..., :each], g))
    )


@fault(
    "grouping-07",
    "one input channel taken for depthwise: one filter for all outputs",
    Conv,
    hides="more than one input channel, one output channel",
    reference="pytorch2keras #42",
)
def one_channel_taken_for_depthwise(spec: Conv, shape: Shape) -> Faulty | None:
    if spec.in_channels > 1 or spec.out_channels == 1:
        return None
    return Faulty(
        spec,
        f"filter 0 of {spec.out_channels} for all",
        kernel(lambda w: np.repeat(w[..., :1], spec.out_channels, axis=-1)),
    )


@fault(
    "grouping-08",
    "pointwise step before the depthwise one",
    SeparableConv,
    hides="others than layers of as many outputs as inputs, without a multiplier, are refused",
)
def pointwise_first(spec: SeparableConv, shape: Shape) -> Faulty | None:
    if spec.depth_multiplier > 1 or spec.out_channels != spec.in_channels:
        return None
    steps = {"pointwise": spec.pointwise, "depthwise": spec.depthwise}
    return Faulty(Sequential(steps), "pointwise, then depthwise")


@fault(
    "grouping-09",
    "biases of the depthwise and the pointwise step exchanged",
    SeparableConv,
    hides="others than layers of as many outputs as depthwise channels, with both, are refused",
)
def biases_exchanged(spec: SeparableConv, shape: Shape) -> Faulty | None:
    if not (spec.depthwise_bias and spec.pointwise_bias):
        return None
    if spec.depthwise.out_channels != spec.out_channels:
        return None

    def exchange(weights: Arrays) -> Arrays:
        first, second = weights["depthwise.bias"], weights["pointwise.bias"]
        return {**weights, "depthwise.bias": second, "pointwise.bias": first}

    return Faulty(spec, "each step has the other's bias", exchange)


@fault(
    "grouping-10",
    "depthwise bias added behind the pointwise step",
    SeparableConv,
    hides="no depthwise bias; others than layers of as many outputs as depthwise channels",
)
def bias_behind_both(spec: SeparableConv, shape: Shape) -> Faulty | None:
    if not spec.depthwise_bias or spec.depthwise.out_channels != spec.out_channels:
        return None

    def move(weights: Arrays) -> Arrays:
        moved = dict(weights)
        bias = moved.pop("depthwise.bias")
        moved["pointwise.bias"] = bias + moved.get("pointwise.bias", np.zeros_like(bias))
        return moved

    bare = replace(spec, depthwise_bias=False, pointwise_bias=True)
    return Faulty(bare, "y = pointwise(depthwise(x)) + both biases", move)


@fault(
    "grouping-11",
    "depthwise bias dropped: the layer has but one",
    SeparableConv,
    hides="no depthwise bias",
)
def depthwise_bias_dropped(spec: SeparableConv, shape: Shape) -> Faulty | None:
    if not spec.depthwise_bias:
        return None
    return Faulty(
        replace(spec, depthwise_bias=False),
        f"{spec.depthwise.out_channels} biases dropped",
        lambda weights: {n: w for n, w in weights.items() if n != "depthwise.bias"},
    )


@fault(
    "grouping-12",
    "ReLU slipped in between the two steps",
    SeparableConv,
    hides="data that leave every value in between at least 0",
)
def relu_in_between(spec: SeparableConv, shape: Shape) -> Faulty | None:
    steps = {"depthwise": spec.depthwise, "act": Activation("relu"), "pointwise": spec.pointwise}
    return Faulty(Sequential(steps), "depthwise, relu, pointwise")


@fault(
    "grouping-13",
    "groups ignored: every filter sees every group",
    Conv,
    hides="one group",
)
def groups_ignored(spec: Conv, shape: Shape) -> Faulty | None:
    g = spec.groups
    if g == 1:
        return None
    return Faulty(
        replace(spec, groups=1),
        f"groups=1, not {g}: each filter repeated over {g} groups",
        kernel(lambda w: np.concatenate([w] * g, axis=-2)),
    )


@fault(
    "grouping-14",
    "outputs of the groups shuffled",
    *BOTH_GROUPED,
    hides="one group, one output channel a group",
)
def outputs_shuffled(spec: Any, shape: Shape) -> Faulty | None:
    g = spec.groups
    if g == 1 or spec.out_channels == g:
        return None
    return Faulty(
        spec, f"output channels of {g} groups in turn", after=lambda y: _interleaved(y, g)
    )
