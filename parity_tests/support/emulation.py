"""Linear layers in emulated arithmetic, right and wrong, and how often the verdict names it.

    python -m parity_tests.support.emulation --faults 100 --correct 10000 --seed 0

Every product of an output is laid out, so that they can be summed in any order and rounded after
each. Layers are drawn at random from all kinds, ranks, paddings and modes.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from convparity import (
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Spec,
    SpecError,
    output_shape,
    reference,
)
from convparity.analysis.proof.compare import Verdict, judge
from convparity.analysis.proof.emulation import (
    bfloat16,
    bfloat16_cut,
    emulated,
    float16,
    products,
    sources,
    tf32,
    tf32_rounded,
)
from convparity.analysis.proof.linear_form import filters_shape
from convparity.impls.notation import to_line
from convparity.impls.reference import Implementation
from convparity.impls.weights import Arrays
from parity_tests.support.transforms import fft, winograd


def pairwise(layer: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """Every product rounded to float32, then summed by NumPy: in blocks, the blocks in pairs."""
    y = np.sum(products(layer, weights["kernel"], x).astype(np.float32), axis=-1)
    return y + weights["bias"] if layer.bias else y


def rounded_reference(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return reference(spec, weights, x).astype(np.float32)


# ---------------------------------------------------------------- random layers


def draw(rng: np.random.Generator, bias: bool | None = None, products: int = 1) -> tuple[Any, Any]:
    """A layer of any kind with an input shape, each output a sum of ``products`` or more."""
    while True:
        try:
            layer, shape = _draw(rng, bias)
            output_shape(layer, shape)
        except SpecError:
            continue
        met = sources(layer, (1, *shape[1:])) >= 0
        if met.sum(axis=0).max() * filters_shape(layer)[1] >= products:
            return layer, shape


def _draw(rng: np.random.Generator, bias: bool | None) -> tuple[Any, tuple[int, ...]]:
    def some(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    rank, groups = some(1, 3), some(1, 3)
    bias = bool(rng.integers(2)) if bias is None else bias
    kernel = tuple(some(1, 5 - rank) for _ in range(rank))
    stride = tuple(some(1, 3) for _ in range(rank))
    dilation = tuple(some(1, 2) for _ in range(rank))
    pairs = tuple((some(0, 2), some(0, 2)) for _ in range(rank))
    options = ["valid", "same", pairs] + ["causal"] * (rank == 1)
    padding = options[some(0, len(options) - 1)]
    mode = str(rng.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
    channels = groups * some(1, 12 // rank)
    shape = (some(1, 2), *(some(1, 16 // rank) for _ in range(rank)), channels)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "rank": rank}
    match some(0, 6):
        case 0:
            return Dense(channels * 8, some(1, 9), bias), (shape[0], channels * 8)
        case 1:
            return DepthwiseConv(
                channels,
                kernel,
                depth_multiplier=some(1, 3),
                bias=bias,
                padding_mode=mode,
                **window,
            ), shape
        case 2 | 3:
            return ConvTranspose(
                channels, groups * some(1, 4), kernel, groups=groups, bias=bias, **window
            ), shape
        case _:
            return Conv(
                channels,
                groups * some(1, 4),
                kernel,
                groups=groups,
                bias=bias,
                padding_mode=mode,
                **window,
            ), shape


def draw_winograd(rng: np.random.Generator) -> tuple[Any, Any]:
    spatial = (2 * int(n) for n in rng.integers(2, 6, 2))
    channels = int(rng.integers(1, 65))
    layer = Conv(channels, int(rng.integers(1, 9)), 3, bias=bool(rng.integers(2)))
    return layer, (int(rng.integers(1, 3)), *spatial, channels)


def draw_conv(rng: np.random.Generator) -> tuple[Any, Any]:
    while True:
        layer, shape = draw(rng)
        if isinstance(layer, Conv) and layer.groups == 1:
            return layer, shape


# ---------------------------------------------------------------- the two tables

Make = Callable[[np.random.Generator], Implementation]

# name -> (a candidate, what its layers are drawn with, the name that it must get)
FAULTS: dict[str, tuple[Make, dict[str, Any], str]] = {
    "TF32 operands, cut": (lambda rng: emulated(rng, tf32, tf32), {}, "tf32"),
    "TF32 operands, rounded": (lambda rng: emulated(rng, tf32_rounded, tf32_rounded), {}, "tf32"),
    "TF32 inputs": (lambda rng: emulated(rng, x_as=tf32), {}, "tf32"),
    "TF32 kernels": (lambda rng: emulated(rng, kernel_as=tf32_rounded), {}, "tf32"),
    "bfloat16 operands": (lambda rng: emulated(rng, bfloat16, bfloat16), {}, "bfloat16"),
    "bfloat16 operands, cut": (
        lambda rng: emulated(rng, bfloat16_cut, bfloat16_cut),
        {},
        "bfloat16",
    ),
    "float16 operands": (lambda rng: emulated(rng, float16, float16), {}, "float16"),
    "bfloat16 bias": (
        lambda rng: emulated(rng, bias_as=bfloat16),
        {"bias": True},
        "bfloat16 bias",
    ),
    "float16 bias": (lambda rng: emulated(rng, bias_as=float16), {"bias": True}, "float16 bias"),
    "float16 accumulation": (
        lambda rng: emulated(rng, sum_as=float16),
        {},
        "float16 accumulation",
    ),
    "float16 operands and accumulation": (
        lambda rng: emulated(rng, float16, float16, sum_as=float16),
        {},
        "float16 accumulation",
    ),
    "bfloat16 accumulation": (
        lambda rng: emulated(rng, sum_as=bfloat16),
        {},
        "bfloat16 accumulation",
    ),
    # of one product, an accumulator's rounding and an output's are the same
    "bfloat16 output": (
        lambda rng: emulated(rng, output_as=bfloat16),
        {"products": 2},
        "bfloat16 output",
    ),
    "float16 output": (
        lambda rng: emulated(rng, output_as=float16),
        {"products": 2},
        "float16 output",
    ),
}

# name -> (a candidate, a layer's drawing, whether it sums products as they are)
CORRECT: dict[str, tuple[Make, Callable[[np.random.Generator], tuple[Any, Any]], bool]] = {
    "the reference, rounded": (lambda rng: rounded_reference, draw, True),
    "float32 sums in random order": (lambda rng: emulated(rng), draw, True),
    "pairwise float32 sums": (lambda rng: pairwise, draw, True),
    "Winograd F(2x2, 3x3)": (lambda rng: winograd, draw_winograd, False),
    "FFT": (lambda rng: fft, draw_conv, False),
}


def fault_case(name: str, seed: int) -> tuple[Verdict, str]:
    """The verdict on one random layer with a fault, and the layer."""
    make, options, _ = FAULTS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    layer, shape = draw(rng, **options)
    return judge(make(rng), layer, input_shape=shape, seed=seed), to_line(layer, shape)


def correct_case(name: str, seed: int) -> tuple[Verdict, str]:
    """The verdict on one random layer in correct arithmetic, and the layer."""
    make, drawn, direct = CORRECT[name]
    rng = np.random.default_rng([seed, *name.encode()])
    layer, shape = drawn(rng)
    verdict = judge(make(rng), layer, input_shape=shape, seed=seed, direct=direct)
    return verdict, to_line(layer, shape)


def main() -> None:
    """Count, and print every case that was judged wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100, help="random cases of each fault")
    parser.add_argument("--correct", type=int, default=1000, help="correct cases in all")
    parser.add_argument("--seed", type=int, default=0, help="of the first case of each kind")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.faults)
    for name, (_, _, expected) in FAULTS.items():
        named: Counter[str] = Counter()
        for seed in seeds:
            verdict, line = fault_case(name, seed)
            named[verdict.arithmetic] += not verdict.ok
            if verdict.arithmetic != expected or verdict.ok:
                print(f"  seed {seed}: {line}: {verdict}", flush=True)
        print(f"{name}: {named[expected]} of {asked.faults}; {json.dumps(named)}", flush=True)
    for name in CORRECT:
        count, alarms, worst, bits = math.ceil(asked.correct / len(CORRECT)), 0, 0.0, math.inf
        for seed in range(asked.seed, asked.seed + count):
            verdict, line = correct_case(name, seed)
            worst = max(worst, verdict.precision.rho)
            bits = min(bits, verdict.precision.effective_bits)
            if not verdict.ok or verdict.arithmetic != "float32":
                alarms += 1
                print(f"  seed {seed}: {line}: {verdict}", flush=True)
        print(f"{name}: {alarms} alarms in {count}; rho up to {worst:.1f}, {bits:.1f} bits")


if __name__ == "__main__":
    main()
