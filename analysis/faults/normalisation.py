"""Normalisation: which statistics, over what, and what is done with them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, own, pixels
from convparity.impls.reference import Implementation
from convparity.impls.reference_normalisation import normalised
from convparity.impls.spec import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    Sequential,
    Shape,
    parameter_axes,
)
from convparity.impls.weights import Arrays, affine

WITH_MEAN = (LayerNorm, GroupNorm, InstanceNorm)
BY_INPUT = (*WITH_MEAN, RMSNorm)
NORMS = (BatchNorm, *BY_INPUT)


def _values(spec: Any, shape: Shape) -> int:
    """How many values are normalised together."""
    form, axes = normalised(spec, shape)
    return math.prod(form[axis] for axis in axes)


def _is_its_mean(spec: Any, shape: Shape) -> bool:
    """Nothing is left of one value without its mean."""
    return not isinstance(spec, RMSNorm) and _values(spec, shape) == 1


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
    hides="one value to normalise by a mean",
    hidden=lambda spec, shape: _is_its_mean(spec, shape),
    reference="candle #271",
)
def input_epsilon(spec: Any, shape: Shape) -> Faulty | None:
    eps = 1e-5 if spec.eps != 1e-5 else 1e-3
    return Faulty(replace(spec, eps=eps), f"eps {eps:g} instead of {spec.eps:g}")


@fault("normalisation-06", "scale and offset exchanged", BatchNorm, *WITH_MEAN, hides="equal ones")
def scale_and_offset_exchanged(spec: Any, shape: Shape) -> Faulty | None:
    if not (spec.scale and getattr(spec, "offset", False)):
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
    return _of_the_batch(spec, spec)


def _of_the_batch(spec: Any, norm: BatchNorm) -> Faulty:
    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        axes = tuple(range(x.ndim - 1))
        wide = x.astype(np.float64)
        mean, variance = (f(wide, axis=axes).astype(np.float32) for f in (np.mean, np.var))
        y: np.ndarray = right(norm, {**weights, "mean": mean, "variance": variance}, x)
        return y

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
    *WITH_MEAN,
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


@fault(
    "normalisation-19",
    "instance normalisation by statistics of the batch",
    InstanceNorm,
    hides="batches of one",
)
def instances_together(spec: InstanceNorm, shape: Shape) -> Faulty | None:
    if shape[0] == 1 or len(shape) > 5:
        return None
    n, rank = spec.num_features, len(shape) - 2
    norm = BatchNorm(n, spec.eps, rank=rank, scale=spec.scale, offset=spec.offset)
    return _of_the_batch(spec, norm)


@fault(
    "normalisation-20",
    "layer normalisation of each pixel for instance normalisation",
    InstanceNorm,
    hides="one pixel of one channel",
    hidden=lambda spec, shape: pixels(shape) * shape[-1] == 1,
)
def pixels_normalised(spec: InstanceNorm, shape: Shape) -> Faulty | None:
    other = LayerNorm(spec.num_features, spec.eps, spec.scale, spec.offset)
    return Faulty(other, f"over {spec.num_features} channels of each pixel")


@fault(
    "normalisation-21",
    "instance normalisation of all channels together",
    InstanceNorm,
    hides="one channel",
)
def channels_together(spec: InstanceNorm, shape: Shape) -> Faulty | None:
    n = spec.num_features
    other = GroupNorm(1, n, spec.eps, spec.scale, spec.offset)
    return None if n == 1 else Faulty(other, f"one group of {n} channels")


@fault("normalisation-22", "RMS normalisation that subtracts the mean", RMSNorm)
def mean_subtracted(spec: RMSNorm, shape: Shape) -> Faulty | None:
    other = LayerNorm(spec.num_features, spec.eps, spec.scale, offset=False, axes=spec.axes)
    return Faulty(other, "LayerNorm for RMSNorm")


@fault("normalisation-23", "layer normalisation that subtracts no mean", LayerNorm)
def mean_kept(spec: LayerNorm, shape: Shape) -> Faulty | None:
    other = RMSNorm(spec.num_features, spec.eps, scale=False, axes=spec.axes)
    return _scaled_by_hand(spec, "RMSNorm for LayerNorm", lambda right, x: right(other, {}, x))


def _scaled_by_hand(spec: Any, detail: str, normalise: Any) -> Faulty:
    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        scale, offset = affine(spec, weights, x.ndim)
        y: np.ndarray = normalise(right, x) * scale + offset
        return y.astype(x.dtype)

    return Faulty(spec, detail, run=run)


def _divided_by(spec: Any, detail: str, root: Any) -> Faulty:
    """As its definition has it, but for the root."""

    def normalise(right: Implementation, x: np.ndarray) -> np.ndarray:
        form, axes = normalised(spec, x.shape)
        centred = x.astype(np.float64).reshape(form)
        if not isinstance(spec, RMSNorm):
            centred = centred - centred.mean(axis=axes, keepdims=True)
        square = (centred**2).mean(axis=axes, keepdims=True)
        y: np.ndarray = (centred / root(square)).reshape(x.shape)
        return y

    return _scaled_by_hand(spec, detail, normalise)


@fault(
    "normalisation-24",
    "epsilon of a norm of its input added behind the root",
    *BY_INPUT,
    hides="one value to normalise by a mean",
    hidden=_is_its_mean,
    reference="gpt-neox #1342",
)
def input_epsilon_behind_the_root(spec: Any, shape: Shape) -> Faulty | None:
    return _divided_by(spec, "sqrt(v) + eps for sqrt(v + eps)", lambda v: np.sqrt(v) + spec.eps)


@fault("normalisation-25", "epsilon of a norm of its input left out", *BY_INPUT)
def input_epsilon_left_out(spec: Any, shape: Shape) -> Faulty | None:
    return _divided_by(spec, "sqrt(v) for sqrt(v + eps)", np.sqrt)


def _without(spec: Any, name: str) -> Faulty | None:
    if not getattr(spec, name, False):
        return None
    return Faulty(
        replace(spec, **{name: False}),
        f"no {name}",
        lambda weights: {n: w for n, w in weights.items() if n != name},
    )


@fault("normalisation-26", "scale of a norm left out", *NORMS, hides="a scale of 1, no scale")
def scale_left_out(spec: Any, shape: Shape) -> Faulty | None:
    return _without(spec, "scale")


@fault(
    "normalisation-27",
    "offset of a norm left out",
    BatchNorm,
    *WITH_MEAN,
    hides="an offset of 0, no offset",
)
def offset_left_out(spec: Any, shape: Shape) -> Faulty | None:
    return _without(spec, "offset")


@fault(
    "normalisation-28",
    "another axis of the same size normalised",
    LayerNorm,
    RMSNorm,
    hides="sizes that differ, axes of one entry",
)
def another_axis_normalised(spec: Any, shape: Shape) -> Faulty | None:
    own = [axis % len(shape) for axis in parameter_axes(spec)[0]]
    alike = (
        (axis, other)
        for axis in own
        for other in range(1, len(shape))
        if other not in own and shape[axis] == shape[other] > 1
    )
    found = next(alike, None)
    if found is None:
        return None

    def exchange(x: np.ndarray) -> np.ndarray:
        return x.swapaxes(*found)

    return Faulty(spec, f"axis {found[1]}, not {found[0]}", before=exchange, after=exchange)
