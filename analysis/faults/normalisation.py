"""Normalisation: which statistics, over what, and what is done with them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, own, pixels
from convparity.impls.reference import Implementation
from convparity.impls.reference_normalisation import normalised
from convparity.impls.spec import BatchNorm, GroupNorm, LayerNorm, Sequential, Shape
from convparity.impls.weights import Arrays

NORMS = (BatchNorm, LayerNorm, GroupNorm)
BY_INPUT = (LayerNorm, GroupNorm)


def _values(spec: Any, shape: Shape) -> int:
    """How many values are normalised together."""
    form, axes = normalised(spec, shape)
    return math.prod(form[axis] for axis in axes)


@fault(
    "normalisation-02",
    "epsilon left at another framework's default",
    BatchNorm,
    hides="no layer of its kind",
    reference="nn-transfer #3",
)
def batch_epsilon(spec: BatchNorm, shape: Shape) -> Faulty | None:
    eps = 1e-5 if spec.eps == 1e-3 else 1e-3
    return Faulty(replace(spec, eps=eps), f"eps {eps:g} instead of {spec.eps:g}")


@fault(
    "normalisation-03",
    "epsilon of a norm of its input left at another framework's default",
    *BY_INPUT,
    hides="one value to normalise",
    hidden=lambda spec, shape: _values(spec, shape) == 1,
    reference="candle #271",
)
def input_epsilon(spec: Any, shape: Shape) -> Faulty | None:
    eps = 1e-5 if spec.eps != 1e-5 else 1e-3
    return Faulty(replace(spec, eps=eps), f"eps {eps:g} instead of {spec.eps:g}")


@fault("normalisation-06", "scale and offset exchanged", *NORMS, hides="equal ones")
def scale_and_offset_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    if not (spec.scale and spec.offset):
        return None

    def exchange(weights: Arrays) -> Arrays:
        return {**weights, "scale": weights["offset"], "offset": weights["scale"]}

    return Faulty(spec, "scale for offset, offset for scale", exchange)


@fault(
    "normalisation-07",
    "mean and variance exchanged",
    BatchNorm,
    hides="equal ones",
    reference="pytorch2keras #120",
)
def mean_and_variance_exchanged(spec: BatchNorm, shape: Shape) -> Faulty | None:
    def exchange(weights: Arrays) -> Arrays:  # the root of a negative variance would be NaN
        return {**weights, "mean": weights["variance"], "variance": abs(weights["mean"])}

    return Faulty(spec, "mean for variance, variance for mean", exchange)


@fault(
    "normalisation-08",
    "statistics of the batch at inference",
    BatchNorm,
    hides="batches that have the running statistics",
    reference="pytorch #52758",
)
def batch_statistics(spec: BatchNorm, shape: Shape) -> Faulty | None:
    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        axes = tuple(range(x.ndim - 1))
        wide = x.astype(np.float64)
        mean, variance = (f(wide, axis=axes).astype(np.float32) for f in (np.mean, np.var))
        return right(spec, {**weights, "mean": mean, "variance": variance}, x)

    return Faulty(spec, "mean and variance of the batch", run=run)


@fault(
    "normalisation-09",
    "folded into the layer before it, and kept",
    BatchNorm,
    hides="an identity",
)
def folded_twice(spec: BatchNorm, shape: Shape) -> Faulty | None:
    def twice(weights: Arrays) -> Arrays:
        return {f"{i}.{name}": array for i in "01" for name, array in weights.items()}

    return Faulty(Sequential(spec, spec), "normalised twice", twice)


def _variance(spec: BatchNorm, detail: str, root: Any) -> Faulty:
    """Divides by ``root(variance)`` instead of sqrt(variance + eps)."""

    def change(variance: np.ndarray) -> np.ndarray:
        return np.maximum(root(variance.astype(np.float64)) ** 2 - spec.eps, 0)

    return Faulty(spec, detail, own("variance", change))


@fault(
    "normalisation-10",
    "epsilon added behind the root",
    BatchNorm,
    hides="no layer of its kind",
    reference="Flux.jl #1187",
)
def epsilon_behind_the_root(spec: BatchNorm, shape: Shape) -> Faulty | None:
    return _variance(
        spec, "sqrt(variance) + eps for sqrt(variance + eps)", lambda v: np.sqrt(v) + spec.eps
    )


@fault("normalisation-11", "epsilon left out", BatchNorm, hides="no layer of its kind")
def epsilon_left_out(spec: BatchNorm, shape: Shape) -> Faulty | None:
    return _variance(spec, "sqrt(variance) for sqrt(variance + eps)", np.sqrt)


@fault("normalisation-12", "no root of the variance", BatchNorm, hides="a variance of 1")
def no_root(spec: BatchNorm, shape: Shape) -> Faulty | None:
    return _variance(spec, "variance + eps for its root", lambda v: v + spec.eps)


@fault("normalisation-13", "mean added, not subtracted", BatchNorm, hides="a mean of 0")
def mean_added(spec: BatchNorm, shape: Shape) -> Faulty | None:
    return Faulty(spec, "x + mean for x - mean", own("mean", np.negative))


@fault(
    "normalisation-14",
    "layer normalisation over the pixels, too",
    LayerNorm,
    hides="one pixel",
)
def over_the_pixels(spec: LayerNorm, shape: Shape) -> Faulty | None:
    if pixels(shape) == 1 or spec.axes != -1:
        return None
    everything = GroupNorm(1, shape[-1], spec.eps, spec.scale, spec.offset)
    return Faulty(everything, f"over {pixels(shape)} pixels and the channels")


@fault(
    "normalisation-15",
    "group normalisation of each channel by itself",
    GroupNorm,
    hides="one channel a group",
)
def instance_norm(spec: GroupNorm, shape: Shape) -> Faulty | None:
    n = spec.num_features
    if spec.num_groups == n:
        return None
    return Faulty(replace(spec, num_groups=n), f"{n} groups instead of {spec.num_groups}")


@fault(
    "normalisation-16",
    "channels of a norm dealt out over its groups",
    GroupNorm,
    hides="one group, one channel a group",
)
def groups_interleaved(spec: GroupNorm, shape: Shape) -> Faulty | None:
    g, n = spec.num_groups, spec.num_features
    if g in (1, n):
        return None
    order = np.arange(n).reshape(-1, g).T.ravel()  # channel c in group c % g

    def permute(weights: Arrays) -> Arrays:
        return {name: array[order] for name, array in weights.items()}

    return Faulty(
        spec,
        f"channel c in group c % {g}",
        permute,
        before=lambda x: x[..., order],
        after=lambda y: y[..., np.argsort(order)],
    )


@fault(
    "normalisation-17",
    "variance over n - 1 in a norm of its input",
    *BY_INPUT,
    hides="one value to normalise",
)
def input_variance_unbiased(spec: Any, shape: Shape) -> Faulty | None:
    n = _values(spec, shape)
    if n == 1 or not spec.scale:
        return None
    share = (n - 1) / n  # 1 / sqrt(v / share + eps) = sqrt(share) / sqrt(v + share * eps)
    return Faulty(
        replace(spec, eps=spec.eps * share),
        f"squares over {n - 1} instead of {n}",
        own("scale", lambda scale: scale * np.sqrt(share)),
    )


@fault("normalisation-18", "scale stored as its difference from 1", *NORMS, hides="no layer")
def scale_from_one(spec: Any, shape: Shape) -> Faulty | None:
    if not spec.scale:
        return None
    return Faulty(spec, "scale + 1 for scale", own("scale", lambda scale: scale + 1))
