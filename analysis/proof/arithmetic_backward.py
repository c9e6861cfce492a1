"""The backward pass of arithmetic of numbers one by one: ``adjoint`` asks it."""

import numpy as np

from convparity.impls.reference import run
from convparity.impls.spec import (
    Average,
    Divide,
    Maximum,
    Minimum,
    Power,
    Rescale,
    Shape,
)

Kinds = Divide | Maximum | Minimum | Average | Rescale | Power


def to_shape(g: np.ndarray, shape: Shape) -> np.ndarray:
    """The sum of ``g`` over the axes along which a value of ``shape`` stood for many."""
    axes = tuple(i for i, (n, own) in enumerate(zip(g.shape, shape, strict=True)) if n != own)
    return g.sum(axis=axes, keepdims=True)


def backward(spec: Kinds, inputs: list[np.ndarray], g: np.ndarray) -> tuple[np.ndarray, ...]:
    """The gradients by the inputs, of ``g`` by the output; of equal ones, the first is chosen."""
    match spec:
        case Divide():
            a, b = inputs
            by_each = [g / b, -g * a / b**2]
        case Average():
            by_each = [g / len(inputs)] * len(inputs)
        case Rescale():
            by_each = [g * np.array(spec.scale)]
        case Power():
            (x,) = inputs
            with np.errstate(divide="ignore", invalid="ignore"):
                by_each = [g * spec.exponent * np.power(x, spec.exponent - 1)]
        case Maximum() | Minimum():
            y, left, by_each = run(spec, {}, *inputs), np.ones(g.shape, bool), []
            for each in inputs:
                won = left & (each == y)
                left = left & ~won
                by_each.append(np.where(won, g, 0))
    return tuple(to_shape(each, x.shape) for each, x in zip(by_each, inputs, strict=True))
