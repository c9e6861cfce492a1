"""Linear layers in emulated arithmetic: narrow operands, sums, biases and outputs.

Every product of an output is laid out, so that they can be summed in any order and rounded after
each.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from convparity.analysis.proof.linear_form import (
    along,
    features_last,
    filters_shape,
    groups_of,
    tap_sources,
    to_filters,
)
from convparity.analysis.proof.rounded import round_to
from convparity.impls.reference import Implementation, run
from convparity.impls.spec import Composite, Dense, Step, fold_steps, output_shape
from convparity.impls.weights import Arrays

Narrow = Callable[[np.ndarray], np.ndarray]

sources = lru_cache(maxsize=16)(tap_sources)


# ---------------------------------------------------------------- formats


def _single(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, dtype=np.float32)


def exactly(array: np.ndarray) -> np.ndarray:
    """As it is."""
    return array


def tf32(array: np.ndarray) -> np.ndarray:
    """The 13 lowest bits of the mantissa dropped, as tensor cores read float32."""
    return (_single(array).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def tf32_rounded(array: np.ndarray) -> np.ndarray:
    """To the nearest TF32, ties away from zero, as cuBLAS converts."""
    return tf32((_single(array).view(np.uint32) + np.uint32(0x1000)).view(np.float32))


def bfloat16(array: np.ndarray) -> np.ndarray:
    """To the nearest bfloat16, ties to even."""
    return round_to(array, "bfloat16")


def bfloat16_cut(array: np.ndarray) -> np.ndarray:
    """The 16 lowest bits of the mantissa dropped."""
    return (_single(array).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def float16(array: np.ndarray) -> np.ndarray:
    """To the nearest float16; infinity beyond its range."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


# ---------------------------------------------------------------- sums


def products(layer: Any, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Every product of every output, in float64, which holds them: ``(N, *output, products)``."""
    groups = groups_of(layer)
    taps, channels, _ = filters_shape(layer)
    met, x = sources(layer, (1, *x.shape[1:])), features_last(layer, x)
    pixels = x.astype(np.float64).reshape(len(x), -1, groups, channels)
    x_NTPGC = np.where((met >= 0)[..., None, None], pixels[:, met], 0)
    w_TGCO = to_filters(layer, kernel.astype(np.float64)).reshape(taps, channels, groups, -1)
    with np.errstate(invalid="ignore"):  # an infinity, of what float16 has no number for
        terms = np.einsum("ntpgc,tcgo->npgotc", x_NTPGC, w_TGCO)
    if isinstance(layer, Dense):
        features = terms.reshape(*x.shape[:-1], layer.out_features, taps * channels)
        return np.moveaxis(features, -2, layer.axis % x.ndim)
    return terms.reshape(*output_shape(layer, x.shape), taps * channels)


def summed(terms: np.ndarray, narrow: Narrow, rng: np.random.Generator | None) -> np.ndarray:
    """The running sum, rounded to float32 and by ``narrow`` after each term, in random order."""
    order = range(terms.shape[-1]) if rng is None else rng.permutation(terms.shape[-1])
    total = np.zeros(terms.shape[:-1], dtype=np.float32)
    with np.errstate(invalid="ignore"):
        for i in order:
            total = narrow(_single(total + terms[..., i])).astype(np.float32)
    return total


def emulated(
    rng: np.random.Generator | None = None,
    x_as: Narrow = exactly,
    kernel_as: Narrow = exactly,
    bias_as: Narrow = exactly,
    sum_as: Narrow = exactly,
    output_as: Narrow = exactly,
) -> Implementation:
    """A direct float32 implementation with some of its steps narrowed; as ``rng`` orders sums."""

    def visit(weights: Arrays, step: Step, values: list[np.ndarray]) -> np.ndarray:
        if step.joins:
            return run(step.spec, {}, *values)
        return candidate(step.spec, step.weights(weights), *values)

    def candidate(layer: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
        if isinstance(layer, Composite):
            return fold_steps(layer, [x], partial(visit, weights))
        with np.errstate(over="ignore"):
            y = summed(products(layer, kernel_as(weights["kernel"]), x_as(x)), sum_as, rng)
        if layer.bias:
            y = _single(y + along(layer, bias_as(weights["bias"]), y.ndim))
        return output_as(y).astype(np.float32)

    return candidate
