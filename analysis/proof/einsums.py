"""Sums of products of two values: what they make of rounding errors, and their backward pass."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from convparity.analysis.proof.arithmetic_bounds import weakest_basis
from convparity.analysis.proof.rounded import Rounded
from convparity.impls.reference import einsum
from convparity.impls.spec import Einsum


def sum_of_products(spec: Einsum, a: Rounded, b: Rounded) -> Rounded:
    """What ``spec`` makes of two values and their errors."""

    def of(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return einsum(spec.axes, first, second)

    value = of(a.value, b.value)
    sizes = of(abs(a.value), abs(b.value))
    inherited = of(abs(a.value), b.bound) + of(a.bound, abs(b.value)) + of(a.bound, b.bound)
    noise = of(a.disturbed, b.disturbed) - value
    own = np.sqrt(of(a.own**2, b.value**2) + of(a.value**2, b.own**2))
    both = dataclasses.replace(
        a, value=value, bound=inherited, noise=noise, own=own, basis=weakest_basis((a, b))
    )
    return both.then(
        value,
        sizes + inherited,
        inherited=inherited,
        noise=lambda disturbed: disturbed,
        variance=lambda: of(a.value**2, b.value**2),
        roundings=spec.terms(a.value.shape, b.value.shape) + 1,
        unit=None if a.unit is None or b.unit is None else a.unit * b.unit,
        flushed=of(a.small, abs(b.value)) + of(abs(a.value), b.small),
    )


def backward(spec: Einsum, inputs: Sequence[np.ndarray], g: np.ndarray) -> tuple[np.ndarray, ...]:
    """The gradients by both inputs, of ``g`` by the output."""
    first, second, result = spec.axes
    a, b = inputs
    return _by(first, second, result, a.shape, b, g), _by(second, first, result, b.shape, a, g)


def _by(
    own: tuple[str, ...],
    other: tuple[str, ...],
    result: tuple[str, ...],
    shape: tuple[int, ...],
    value: np.ndarray,
    g: np.ndarray,
) -> np.ndarray:
    """An axis that neither the other value nor the result has was summed: each entry counts."""
    met = tuple(name for name in own if name in other or name in result)
    found = einsum((result, other, met), g, value)
    form = [n if name in met else 1 for name, n in zip(own, shape, strict=True)]
    return np.broadcast_to(found.reshape(form), shape)
