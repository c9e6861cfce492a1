"""Probes: inputs on which correct arithmetic of a dtype is exact, and narrower arithmetic is not.

Each asks one question of one linear layer. Every entry is telling: the digits are chosen so that
rounding or truncating to any narrower format moves each of them by a quarter of its spacing.

- ``inputs``: every filter is one tap of +-1, the inputs have a full mantissa: is x read as it is?
- ``kernel``: the same with the roles swapped.
- ``bias``: the inputs are 0, the bias has a full mantissa: y must be the bias, bit for bit.
- ``product``: two factors that every format holds, of which bfloat16 and float16 cannot hold the
  product: is the accumulator, or the output, narrow?
- ``accumulator``: one product of 2**20, all others 1.
- ``cancellation``: two such products whose difference every format holds: a narrow output keeps
  it, a narrow accumulator has lost it on the way.

The inputs and kernels of the first two have the size of 2**20, which float16 has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from convparity.analysis.proof.linear_form import Linear, filters_shape, tap_sources, to_kernel
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, round_to
from convparity.impls.reference import run
from convparity.impls.spec import Shape, parameter_shapes
from convparity.impls.weights import Weights

# Significand bits, with the hidden one; float16 has those of tf32 and a smaller range.
SIGNIFICAND = {"float64": 53, "float32": 24, "tf32": 11, "bfloat16": 8}
PROBED = ("float32", "float64")  # the dtypes that hold what the probes are made of
LARGE = 2.0**20
SHORT_X, SHORT_W = 1 + 5 / 128, 1 + 11 / 128  # 55 / 2**14 remains below the eighth bit
NEXT_W = SHORT_W - 1 / 128

# Where the algorithm is not known to be direct: measured margins, in units of u and in ones.
# Winograd F(4x4) errs by 24 u and FFT by 10 u; the narrowest fault, TF32, by 4,096 u at least.
ROUNDINGS, ONES = 512, 16


class ProbeCase(NamedTuple):
    """What one probe runs, and how its outcome is judged."""

    name: str
    weights: Weights
    x: np.ndarray
    unit: float  # the deviation is counted in this
    limit: float  # and may be this, of an algorithm that is not known to be direct
    only: float | None = None  # judge the outputs of this exact value alone


@dataclass(frozen=True)
class Probe:
    """What one probe of a layer's arithmetic found.

    Attributes:
        name: "inputs", "kernel", "bias", "product", "accumulator" or "cancellation".
        layer: The step of a ``SeparableConv``; "" for the spec itself.
        deviation: The largest difference from the exact value, in units of roundoff (of the
            accumulator, in ones); NaN counts as infinite.
        limit: The largest deviation of correct arithmetic.
    """

    name: str
    layer: str  # the step of a SeparableConv; "" for the spec itself
    deviation: float  # from the exact value, at worst: in units of u, or in ones; NaN counts as inf
    limit: float

    @property
    def ok(self) -> bool:
        """Whether the layer computed as correct arithmetic does."""
        return self.deviation <= self.limit

    def __str__(self) -> str:
        where = f"{self.layer} " if self.layer else ""
        unit = "" if self.name == "accumulator" else " u"
        return f"{where}{self.name} {self.deviation:,.0f}{unit}"


def full_mantissa(rng: np.random.Generator, shape: Shape, dtype: str) -> np.ndarray:
    """Random +-[1, 2) of ``dtype``, each far from every number of a narrower format."""
    bits = SIGNIFICAND[dtype]
    digits = rng.integers(0, 2 ** (bits - 1), shape) | 1
    for narrower in SIGNIFICAND.values():
        if narrower < bits:  # what it drops lies between a quarter and three quarters
            half = 1 << (bits - narrower - 1)
            digits = np.where(digits & half, digits & ~(half >> 1), digits | (half >> 1))
    return signs(rng, shape) * (1 + digits * 2.0 ** (1 - bits))


def signs(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Random -1 and 1."""
    return rng.choice([-1.0, 1.0], shape)


def cases(layer: Linear, input_shape: Shape, seed: int, dtype: str) -> Iterator[ProbeCase]:
    """Every probe that ``layer`` allows.

    Without a bias there are fewer, and with one product an output; where no output sees anything
    but padding, there is nothing to ask but the bias.
    """
    rng = np.random.default_rng(seed)
    taps, channels, out = filters_shape(layer)
    u = UNIT_ROUNDOFF[dtype]
    met = tap_sources(layer, input_shape) >= 0
    live = np.flatnonzero(met.any(axis=1))  # the others see nothing but padding
    at = rng.choice(live, out) if live.size else 0, rng.integers(0, channels, out), np.arange(out)

    def case(name: str, filters: np.ndarray, x: np.ndarray, unit: float, limit: float) -> ProbeCase:
        weights = {"kernel": to_kernel(layer, filters)}
        if layer.bias:
            weights["bias"] = np.zeros(out)
        return ProbeCase(
            name,
            {k: round_to(w, dtype) for k, w in weights.items()},
            round_to(x, dtype),
            unit,
            limit,
        )

    def single(tap: np.ndarray) -> np.ndarray:
        """Filters with one tap each, at ``at``."""
        filters = np.zeros((taps, channels, out))
        filters[at] = tap
        return filters

    if layer.bias:
        none = np.zeros(input_shape)
        probe = case("bias", single(full_mantissa(rng, (out,), dtype)), none, u, 0)
        bias = round_to(full_mantissa(rng, parameter_shapes(layer)["bias"], dtype), dtype)
        yield probe._replace(weights=probe.weights | {"bias": bias})
    if not live.size:
        return
    x = LARGE * full_mantissa(rng, input_shape, dtype)
    yield case("inputs", single(signs(rng, (out,))), x, u * LARGE, ROUNDINGS)
    x = signs(rng, input_shape)
    w = LARGE * full_mantissa(rng, (out,), dtype)
    yield case("kernel", single(w), x, u * LARGE, ROUNDINGS)
    yield case("product", single(SHORT_W * signs(rng, (out,))), SHORT_X * x, u, ROUNDINGS)

    # x = 2**8 and w = 2**12: each is held by float16 and bfloat16, their product by float16 not
    together = np.flatnonzero(met[:, met.sum(axis=0).argmax()])  # the taps of the fullest output
    first, last = (together[0], 0), (together[-1], channels - 1)
    filters = np.full((taps, channels, out), 2.0**-8)
    filters[first] = 2.0**12
    yield case("accumulator", filters, np.full(input_shape, 2.0**8), 1, ONES)
    if first != last:
        filters = np.zeros((taps, channels, out))
        filters[first], filters[last] = SHORT_W, -NEXT_W
        probe = case("cancellation", filters, np.full(input_shape, SHORT_X), u, ROUNDINGS)
        yield probe._replace(only=SHORT_X * (SHORT_W - NEXT_W))


def outcome(case: ProbeCase, layer: Linear, path: str, output: np.ndarray, direct: bool) -> Probe:
    """Judge a probe's output; nothing may deviate where the algorithm is known to be direct."""
    expected = run(layer, case.weights, case.x.astype(np.float64))
    deviation = np.inf
    if output.shape == expected.shape:
        with np.errstate(invalid="ignore"):
            error = abs(output.astype(np.float64) - expected)
        if case.only is not None:
            error = error[expected == case.only]
        deviation = float(np.where(np.isnan(error), np.inf, error).max()) / case.unit
    return Probe(case.name, path, deviation, 0 if direct else case.limit)
