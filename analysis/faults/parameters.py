"""Weights on their way into a module."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, own
from convparity.impls.spec import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GroupNorm,
    LayerNorm,
    SeparableConv,
    Sequential,
    Shape,
    parameter_shapes,
    walk,
)
from convparity.impls.weights import Arrays, init_weights

BIASED = (Conv, DepthwiseConv, ConvTranspose, Dense)
NORMS = (BatchNorm, LayerNorm, GroupNorm)


def _bias(spec: Any, detail: str, change: Any) -> Faulty | None:
    return Faulty(spec, detail, own("bias", change)) if spec.bias else None


@fault("parameters-01", "bias dropped", *BIASED, hides="no bias")
def bias_dropped(spec: Any, shape: Shape) -> Faulty | None:
    if not spec.bias:
        return None
    bare = replace(spec, bias=False)
    return Faulty(bare, "no bias", lambda weights: {"kernel": weights["kernel"]})


@fault("parameters-02", "bias added twice", *BIASED, hides="no bias")
def bias_doubled(spec: Any, shape: Shape) -> Faulty | None:
    return _bias(spec, "2 * bias", lambda b: 2 * b)


@fault("parameters-03", "bias subtracted", *BIASED, hides="no bias")
def bias_negated(spec: Any, shape: Shape) -> Faulty | None:
    return _bias(spec, "-bias", np.negative)


@fault("parameters-04", "bias off by one channel", *BIASED, hides="no bias, one output channel")
def bias_rolled(spec: Any, shape: Shape) -> Faulty | None:
    if parameter_shapes(spec).get("bias", (1,)) == (1,):
        return None
    return _bias(spec, "bias[c - 1] for bias[c]", lambda b: np.roll(b, 1))


@fault(
    "parameters-06",
    "two layers share one array",
    Sequential,
    SeparableConv,
    hides="no two layers with arrays of one shape",
)
def shared(spec: Any, shape: Shape) -> Faulty | None:
    first: dict[tuple[str, Shape], str] = {}
    same: dict[str, str] = {}
    for name, each in parameter_shapes(spec).items():
        kind = (name.rpartition(".")[2], each)
        if kind in first:
            same[name] = first[kind]
        first.setdefault(kind, name)
    if not same:
        return None
    name = next(iter(same))
    return Faulty(
        spec, f"{name} is {same[name]}", lambda weights: {**weights, name: weights[same[name]]}
    )


@fault(
    "parameters-07",
    "the last layer left at its initial values",
    Sequential,
    SeparableConv,
    hides="no weights",
)
def last_left_initial(spec: Any, shape: Shape) -> Faulty | None:
    owners = [path for path, layer in walk(spec) if parameter_shapes(layer)]
    if not owners:
        return None
    prefix = owners[-1] + "."

    def leave(weights: Arrays) -> Arrays:
        initial = init_weights(spec, 12345)
        return {n: initial[n] if n.startswith(prefix) else w for n, w in weights.items()}

    return Faulty(spec, f"{owners[-1]} was not loaded", leave)


@fault(
    "parameters-08",
    "the names gamma and beta ignored: scale stays 1, offset 0",
    *NORMS,
    hides="a scale of 1 and an offset of 0",
    reference="mxnet #15717",
)
def scale_and_offset_ignored(spec: Any, shape: Shape) -> Faulty | None:
    initial = {"scale": np.ones_like, "offset": np.zeros_like}
    if not initial.keys() & spec.parameters().keys():
        return None

    def leave(weights: Arrays) -> Arrays:
        return {n: initial[n](w) if n in initial else w for n, w in weights.items()}

    return Faulty(spec, "scale 1, offset 0", leave)


@fault(
    "parameters-09",
    "running statistics not loaded: mean 0, variance 1",
    BatchNorm,
    hides="a mean of 0 and a variance of 1",
)
def statistics_left_initial(spec: BatchNorm, shape: Shape) -> Faulty | None:
    def leave(weights: Arrays) -> Arrays:
        ones = np.ones_like(weights["variance"])
        return {**weights, "mean": 0 * ones, "variance": ones}

    return Faulty(spec, "mean 0, variance 1", leave)
