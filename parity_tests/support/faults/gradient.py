"""Gradients and what an optimizer does with them."""

from typing import Any

import numpy as np

from convparity.impls.spec import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GroupNorm,
    LayerNorm,
    SeparableConv,
    Shape,
    Spec,
    parameter_shapes,
)
from convparity.impls.weights import Arrays
from parity_tests.support.faults.fault import Misport, Step, misbehaviour

CONVS = (Conv, DepthwiseConv, ConvTranspose)
LINEAR = (*CONVS, Dense)
NORMS = (BatchNorm, LayerNorm, GroupNorm)


def _of(name: str, change: Any) -> Any:
    """The gradient by one weight changed, given it and the batch's size."""

    def gradients(found: Arrays, batch: int) -> Arrays:
        return {n: change(g, batch) if n == name else g for n, g in found.items()}

    return gradients


@misbehaviour(
    "gradient-01",
    "kernel gradient averaged over the batch",
    *LINEAR,
    hides="batches of one",
    operation="backward",
)
def averaged(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "1 / N of it", gradients=_of("kernel", lambda g, batch: g / batch))


@misbehaviour("gradient-02", "bias not trained", *LINEAR, hides="no bias", operation="backward")
def bias_untrained(spec: Any, shape: Shape) -> Misport | None:
    if not spec.bias:
        return None
    return Misport(spec, "zeros", gradients=_of("bias", lambda g, batch: 0 * g))


@misbehaviour(
    "gradient-03",
    "depthwise step cut off",
    SeparableConv,
    hides="no layer of its kind",
    operation="backward",
)
def cut_off(spec: SeparableConv, shape: Shape) -> Misport | None:
    def gradients(found: Arrays, batch: int) -> Arrays:
        return {n: g if n.startswith("pointwise") else 0 * g for n, g in found.items()}

    return Misport(spec, "zeros before the pointwise step", gradients=gradients)


@misbehaviour(
    "gradient-04",
    "kernel gradient flipped",
    *CONVS,
    hides="kernels of one pixel",
    operation="backward",
)
def flipped(spec: Any, shape: Shape) -> Misport | None:
    if max(spec.kernel_size) == 1:
        return None
    axes = tuple(range(spec.rank))
    return Misport(
        spec, "on every axis", gradients=_of("kernel", lambda g, batch: np.flip(g, axes))
    )


@misbehaviour(
    "gradient-05",
    "kernel gradient's in and out axes exchanged",
    *CONVS,
    hides="others than layers with as many inputs in a group as outputs",
    operation="backward",
)
def exchanged(spec: Any, shape: Shape) -> Misport | None:
    *_, i, o = parameter_shapes(spec)["kernel"]
    if i != o or o == 1:
        return None
    return Misport(
        spec,
        f"both {o}",
        gradients=_of("kernel", lambda g, batch: np.ascontiguousarray(g.swapaxes(-1, -2))),
    )


@misbehaviour(
    "gradient-06",
    "gradients added to those of the step before",
    *LINEAR,
    *NORMS,
    hides="no weights",
    operation="backward",
)
def accumulated(spec: Spec, shape: Shape) -> Misport | None:
    def gradients(found: Arrays, batch: int) -> Arrays:
        return {n: g if n == "x" else 2 * g for n, g in found.items()}

    return Misport(spec, "twice", gradients=gradients)


@misbehaviour(
    "gradient-07",
    "gradient by the input shifted by one pixel",
    *CONVS,
    hides="one pixel; behind a first layer, nobody looks at it",
    operation="backward",
)
def shifted(spec: Any, shape: Shape) -> Misport | None:
    return Misport(
        spec, "from the next pixel", gradients=_of("x", lambda g, batch: np.roll(g, 1, axis=1))
    )


@misbehaviour(
    "gradient-08",
    "gradient of an average not divided",
    AvgPool,
    hides="windows of one pixel; behind a first layer, nobody looks at it",
    operation="backward",
)
def undivided(spec: AvgPool, shape: Shape) -> Misport | None:
    k = int(np.prod(spec.kernel_size))
    if k == 1:
        return None
    return Misport(spec, f"{k} times", gradients=_of("x", lambda g, batch: k * g))


@misbehaviour(
    "gradient-09",
    "scale and offset of a norm not trained",
    *NORMS,
    hides="no layer of its kind",
    operation="backward",
)
def norm_frozen(spec: Any, shape: Shape) -> Misport | None:
    def gradients(found: Arrays, batch: int) -> Arrays:
        return {n: g if n == "x" else 0 * g for n, g in found.items()}

    return Misport(spec, "zeros", gradients=gradients)


# ---------------------------------------------------------------- optimizer steps


def _nesterov(step: Step) -> tuple[np.ndarray, np.ndarray]:
    _, velocity = step.right()
    gradient = step.gradient + step.decay * step.weight
    return step.weight - step.rate * (gradient + step.momentum * velocity), velocity


def _growth(step: Step) -> tuple[np.ndarray, np.ndarray]:
    velocity = step.momentum * step.velocity + step.gradient - step.decay * step.weight
    return step.weight - step.rate * velocity, velocity


def _dampened(step: Step) -> tuple[np.ndarray, np.ndarray]:
    gradient = step.gradient + step.decay * step.weight
    velocity = step.momentum * step.velocity + (1 - step.momentum) * gradient
    return step.weight - step.rate * velocity, velocity


@misbehaviour(
    "gradient-10",
    "Nesterov's momentum for the plain one",
    *LINEAR,
    hides="no momentum",
    reference="pytorch #887",
    operation="train",
)
def nesterov(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "one step ahead", step=_nesterov)


@misbehaviour(
    "gradient-11",
    "weight decay of the wrong sign",
    *LINEAR,
    hides="no decay",
    operation="train",
)
def decay_sign(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "weights grow", step=_growth)


@misbehaviour(
    "gradient-12",
    "momentum dampened",
    *LINEAR,
    hides="no momentum",
    reference="mlx #87",
    operation="train",
)
def dampened(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "1 - momentum of each gradient", step=_dampened)
