"""Doubles: every layer right, and off as another library or processor might be."""

import dataclasses
import itertools

import numpy as np

from impls.spec import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    Residual,
    Spec,
    walk,
)
from parity_tests.meta import transforms
from parity_tests.meta.executor import (
    COUNTS,
    LEANS,
    MARGIN,
    NORMS,
    ORDERS,
    ROOTS,
    Arithmetic,
)

# name -> what it does in another way; it differs from the plain one in this alone
DOUBLES = {
    "plain": Arithmetic(),
    **{f"{order} sums": Arithmetic(order=order) for order in ORDERS[1:]},
    "bias first": Arithmetic(bias_first=True),
    "fused": Arithmetic(fused=True),
    "flushed": Arithmetic(flushed=True),
    **{
        f"{root} {lean}": Arithmetic(root=root, root_lean=lean)
        for root, lean in itertools.product(("rsqrt", "1/sqrt"), LEANS[1:])
    },
    "rsqrt by Newton": Arithmetic(root="newton"),
    **{f"by the root, {lean}": Arithmetic(norm="divided", root_lean=lean) for lean in LEANS},
    "folded": Arithmetic(norm="folded"),
    **{
        f"count's reciprocal {lean}": Arithmetic(count="reciprocal", count_lean=lean)
        for lean in LEANS
    },
    **{f"library {lean}": Arithmetic(library_lean=lean) for lean in LEANS[1:]},
    "Winograd": Arithmetic(algorithm="winograd"),
    "FFT": Arithmetic(algorithm="fft"),
}

_LINEAR = (Conv, ConvTranspose, DepthwiseConv, Dense)
_MEANS = (AvgPool, GlobalAvgPool, LayerNorm, GroupNorm)
_NORMS = (BatchNorm, LayerNorm, GroupNorm)


def draw_double(rng: np.random.Generator) -> Arithmetic:
    """A choice of each: orders of sums, roots, and what the others are."""
    return Arithmetic(
        order=str(rng.choice(ORDERS)),
        fused=bool(rng.integers(2)),
        bias_first=bool(rng.integers(2)),
        flushed=bool(rng.integers(2)),
        root=str(rng.choice(ROOTS)),
        root_lean=str(rng.choice(LEANS)),
        library_lean=str(rng.choice(LEANS)),
        norm=str(rng.choice(NORMS)),
        count=str(rng.choice(COUNTS)),
        count_lean=str(rng.choice(LEANS)),
        seed=int(rng.integers(2**31)),
    )


def concerns(double: Arithmetic, spec: Spec) -> bool:
    """Whether the spec has a layer that computes with what the double does in another way.

    Winograd and Fourier are of one layer alone: of several, nobody knows their margin.
    """
    if double.algorithm != "direct":
        has = transforms.has_fft if double.algorithm == "fft" else transforms.has_winograd
        return has(spec)
    layers = [layer for _, layer in walk(spec)]
    kinds = {type(layer) for layer in layers}
    library = any(isinstance(layer, Activation) and layer.function in MARGIN for layer in layers)
    sums = bool(kinds & {*_LINEAR, *_MEANS})
    bias = any(isinstance(layer, _LINEAR) and layer.bias for layer in layers)
    asked = {
        "order": sums,
        "fused": sums or bool(kinds & {*_NORMS}),
        "bias_first": bias,
        "root": bool(kinds & {*_NORMS}),
        "root_lean": bool(kinds & {*_NORMS}),
        "library_lean": library,
        "norm": bool(kinds & {*_NORMS}),
        "count": bool(kinds & {*_MEANS}),
        "count_lean": bool(kinds & {*_MEANS}),
    }
    return all(
        asked.get(field.name, True)
        for field in dataclasses.fields(double)
        if getattr(double, field.name) != field.default
    )


def is_single(spec: Spec) -> bool:
    """One layer, or the two steps of a separable convolution."""
    return type(spec).__name__ != "Sequential" and not isinstance(spec, Residual)
