"""Arithmetic: operands, sums, biases and outputs in fewer bits, and values that vanish."""

from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, kernel, own
from convparity.analysis.proof.emulation import (
    Narrow,
    bfloat16,
    emulated,
    float16,
    tf32,
    tf32_rounded,
)
from convparity.analysis.proof.linear_form import LINEAR
from convparity.impls.reference import Implementation
from convparity.impls.reference_normalisation import normalised
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    LayerNorm,
    Shape,
)
from convparity.impls.weights import Arrays, affine

CONVS = (Conv, DepthwiseConv, ConvTranspose)


def _operands(spec: Any, detail: str, x_as: Narrow | None, kernel_as: Narrow | None) -> Faulty:
    return Faulty(spec, detail, None if kernel_as is None else kernel(kernel_as), before=x_as)


def _summed(spec: Any, detail: str, narrow: Narrow) -> Faulty:
    """Emulated: no framework sums in an arithmetic that we choose."""

    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return emulated(sum_as=narrow)(spec, weights, x)

    return Faulty(spec, detail, run=run)


def _output(spec: Any, detail: str, narrow: Narrow) -> Faulty:
    return Faulty(spec, detail, after=lambda y: narrow(y.astype(np.float32)).astype(np.float32))


def _half(array: np.ndarray) -> np.ndarray:
    return float16(array).astype(np.float32)


@fault(
    "precision-01",
    "TF32 operands, cut",
    *LINEAR,
    hides="integers below 2048",
    reference="pytorch #107514",
)
def tf32_operands(spec: Any, shape: Shape) -> Faulty | None:
    return _operands(spec, "13 bits of x and of the kernel dropped", tf32, tf32)


@fault(
    "precision-02",
    "TF32 operands, rounded",
    *LINEAR,
    hides="integers up to 2048",
    reference="jax #12008",
)
def tf32_rounded_operands(spec: Any, shape: Shape) -> Faulty | None:
    return _operands(spec, "x and the kernel rounded to 11 bits", tf32_rounded, tf32_rounded)


@fault("precision-03", "kernel alone in TF32", *LINEAR, hides="integers below 2048")
def tf32_kernel(spec: Any, shape: Shape) -> Faulty | None:
    return _operands(spec, "13 bits of the kernel dropped", None, tf32)


@fault("precision-04", "bfloat16 operands", *LINEAR, hides="integers up to 256")
def bfloat16_operands(spec: Any, shape: Shape) -> Faulty | None:
    return _operands(spec, "x and the kernel rounded to 8 bits", bfloat16, bfloat16)


@fault("precision-05", "float16 operands", *LINEAR, hides="integers up to 2048")
def float16_operands(spec: Any, shape: Shape) -> Faulty | None:
    return _operands(spec, "x and the kernel rounded to float16", _half, _half)


@fault("precision-06", "bfloat16 bias", *LINEAR, hides="no bias, integers up to 256")
def bfloat16_bias(spec: Any, shape: Shape) -> Faulty | None:
    return Faulty(spec, "bias in 8 bits", own("bias", bfloat16)) if spec.bias else None


@fault("precision-07", "float16 bias", *LINEAR, hides="no bias, integers up to 2048")
def float16_bias(spec: Any, shape: Shape) -> Faulty | None:
    return Faulty(spec, "bias in float16", own("bias", _half)) if spec.bias else None


@fault(
    "precision-08",
    "float16 accumulation",
    *LINEAR,
    hides="integers whose sums stay up to 2048",
)
def float16_sums(spec: Any, shape: Shape) -> Faulty | None:
    return _summed(spec, "running sums in float16", float16)


@fault("precision-09", "bfloat16 accumulation", *LINEAR, hides="integers, sums up to 256")
def bfloat16_sums(spec: Any, shape: Shape) -> Faulty | None:
    return _summed(spec, "running sums in bfloat16", bfloat16)


@fault("precision-10", "bfloat16 output, cast back", *LINEAR, hides="integers up to 256")
def bfloat16_output(spec: Any, shape: Shape) -> Faulty | None:
    return _output(spec, "y in bfloat16", bfloat16)


@fault("precision-11", "float16 output, cast back", *LINEAR, hides="integers up to 2048")
def float16_output(spec: Any, shape: Shape) -> Faulty | None:
    return _output(spec, "y in float16", float16)


@fault(
    "precision-12",
    "kernel stored in 8-bit integers",
    *LINEAR,
    hides="kernels of 127ths of their largest value",
)
def int8_kernel(spec: Any, shape: Shape) -> Faulty | None:
    def quantised(w: np.ndarray) -> np.ndarray:
        step = np.abs(w).max() / 127 or 1.0
        return (np.rint(w / step) * step).astype(np.float32)

    return Faulty(spec, "kernel in 255 steps", kernel(quantised))


@fault(
    "precision-13",
    "variance as the mean of squares less the square of the mean",
    LayerNorm,
    hides="values around 0",
    reference="flax #1491",
)
def fast_variance(spec: LayerNorm, shape: Shape) -> Faulty | None:
    _, axes = normalised(spec, shape)

    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        values = x.astype(np.float32)
        mean = values.mean(axis=axes, keepdims=True, dtype=np.float32)
        squares = (values * values).mean(axis=axes, keepdims=True, dtype=np.float32)
        variance = np.maximum(squares - mean * mean, np.float32(0))
        normal = (values - mean) / np.sqrt(variance + np.float32(spec.eps))
        scale, offset = (each.astype(np.float32) for each in affine(spec, weights, x.ndim))
        y: np.ndarray = normal * scale + offset
        return y

    return Faulty(spec, "E[x^2] - E[x]^2 in float32", run=run)


@fault(
    "precision-14",
    "reciprocal root of 12 bits",
    BatchNorm,
    hides="no layer of its kind",
)
def short_root(spec: BatchNorm, shape: Shape) -> Faulty | None:
    if not spec.scale:
        return None
    return Faulty(spec, "1 / sqrt off by 2^-12", own("scale", lambda w: w * (1 + 2.0**-12)))


@fault("precision-15", "activation in float16", Activation, hides="values that float16 holds")
def float16_activation(spec: Activation, shape: Shape) -> Faulty | None:
    return _output(spec, "y in float16", float16)


@fault("precision-16", "NaN to 0", *CONVS, hides="numbers")
def nan_to_zero(spec: Any, shape: Shape) -> Faulty | None:
    return Faulty(spec, "0 for NaN", after=lambda y: np.where(np.isnan(y), y.dtype.type(0), y))


@fault("precision-17", "infinity to the largest number", *CONVS, hides="finite numbers")
def infinity_clipped(spec: Any, shape: Shape) -> Faulty | None:
    largest = float(np.finfo(np.float32).max)
    return Faulty(
        spec, f"{largest:.1e} for infinity", after=lambda y: np.clip(y, -largest, largest)
    )


@fault("precision-18", "output of float64", *CONVS, hides="float64")
def output_double(spec: Any, shape: Shape) -> Faulty | None:
    return Faulty(spec, "float64", after=lambda y: y.astype(np.float64))
