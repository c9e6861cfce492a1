"""What every layer means: NumPy float64, plain loops over kernel taps, no framework.

Slow and obvious on purpose; ``parity_tests/test_reference.py`` holds it against a second oracle
that shares no code with it.
"""

from collections.abc import Mapping
from functools import singledispatch
from itertools import product

import numpy as np

from impls.shapes import Shape, output_shape, padding_pairs
from impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
)
from impls.weights import check_weights

Arrays = Mapping[str, np.ndarray]

_NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def reference(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """The output of ``spec`` at inference for a channels-last ``x``, in float64.

    Raises ``SpecError`` when ``x`` does not fit the spec, ``WeightError`` when the weights do not.
    """
    output_shape(spec, np.shape(x))
    check_weights(spec, weights)
    return run(spec, weights, np.asarray(x, dtype=np.float64))


def child_weights(weights: Arrays, name: str) -> dict[str, np.ndarray]:
    """The weights of the child ``name``, under the child's own names."""
    prefix = name + "."
    return {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}


def as_grouped(spec: DepthwiseConv) -> Conv:
    """The grouped convolution that a depthwise one is: one group a channel."""
    return Conv(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.in_channels,
        spec.bias,
        spec.padding_mode,
        spec.rank,
    )


def convolve(spec: Conv, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The convolution without its bias: ``x`` (N, *spatial, I), ``kernel`` (*k, I/groups, O)."""
    pairs = padding_pairs(spec, x.shape[1:-1])
    mode = _NUMPY_MODES[spec.padding_mode]
    padded = np.pad(x, ((0, 0), *pairs, (0, 0)), mode=mode)  # type: ignore[call-overload]
    out = output_shape(spec, x.shape)
    y_NPGO = np.zeros((out[0], int(np.prod(out[1:-1])), spec.groups, out[-1] // spec.groups))
    # one group axis on both: (k, I/g, O) -> (k, g, I/g, O/g)
    kernel_kIGO = kernel.astype(np.float64).reshape(*kernel.shape[:-1], spec.groups, -1)
    for tap in product(*map(range, spec.kernel_size)):
        window = padded[(slice(None), *_window(spec, tap, out[1:-1]))]
        window_NPGI = window.reshape(*y_NPGO.shape[:3], -1)
        kernel_GIO = np.moveaxis(kernel_kIGO[tap], 1, 0)
        y_NPGO += np.einsum("npgi,gio->npgo", window_NPGI, kernel_GIO, optimize=True)
    return y_NPGO.reshape(out)


def _window(spec: Conv, tap: Shape, out: Shape) -> tuple[slice, ...]:
    """The padded pixels that meet one kernel tap, for every output pixel at once."""
    start = (t * d for t, d in zip(tap, spec.dilation, strict=True))
    return tuple(
        slice(at, at + (n - 1) * s + 1, s) for at, n, s in zip(start, out, spec.stride, strict=True)
    )


# ---------------------------------------------------------------- one meaning a layer


@singledispatch
def run(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """``reference`` without its checks: the meaning of each layer, and nothing else."""
    raise NotImplementedError(f"the reference does not know {type(spec).__name__}")


@run.register
def _(spec: Conv, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = convolve(spec, weights["kernel"], x)
    return y + weights["bias"] if spec.bias else y


@run.register
def _(spec: DepthwiseConv, weights: Arrays, x: np.ndarray) -> np.ndarray:
    kernel = weights["kernel"].reshape(*spec.kernel_size, 1, spec.out_channels)
    return run(as_grouped(spec), {**weights, "kernel": kernel}, x)


@run.register
def _(spec: Dense, weights: Arrays, x: np.ndarray) -> np.ndarray:
    y = x @ weights["kernel"].astype(np.float64)
    return y + weights["bias"] if spec.bias else y


@run.register
def _(spec: BatchNorm, weights: Arrays, x: np.ndarray) -> np.ndarray:
    scale, offset, mean, variance = (
        weights[name].astype(np.float64) for name in ("scale", "offset", "mean", "variance")
    )
    return (x - mean) * (scale / np.sqrt(variance + spec.eps)) + offset


@run.register
def _(spec: Activation, weights: Arrays, x: np.ndarray) -> np.ndarray:
    match spec.function:
        case "relu":
            return np.maximum(x, 0)
        case "relu6":
            return np.clip(x, 0, 6)
    raise NotImplementedError(f"the reference does not know the activation {spec.function!r}")


@run.register
def _(spec: GlobalAvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
    mean: np.ndarray = x.mean(axis=tuple(range(1, x.ndim - 1)))
    return mean


@run.register
def _(spec: Flatten, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[0], -1)


@run.register
def _(spec: Dropout, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x


@run.register(Sequential)
@run.register(SeparableConv)
def _(spec: Sequential | SeparableConv, weights: Arrays, x: np.ndarray) -> np.ndarray:
    for name, child in spec.children:
        x = run(child, child_weights(weights, name), x)
    return x


@run.register
def _(spec: Residual, weights: Arrays, x: np.ndarray) -> np.ndarray:
    shortcut = x
    if spec.shortcut is not None:
        shortcut = run(spec.shortcut, child_weights(weights, "shortcut"), x)
    return run(spec.body, child_weights(weights, "body"), x) + shortcut
