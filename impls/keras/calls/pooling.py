"""The plain calls of pools."""

from typing import Any

import numpy as np

from convparity.impls.keras.calls.common import pad, write_layer
from convparity.impls.script_writer import Writer, places_of_largest
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxPoolIndices,
    Shape,
    adaptive_windows,
    asked_pairs,
    padding_pairs,
)
from convparity.impls.weights import Arrays


def _pool(spec: MaxPool | AvgPool, name: str, padding: Any, out: Writer, y: str = "y") -> None:
    out.call(
        f"pool = keras.layers.{name}Pooling{spec.rank}D",
        str(spec.kernel_size),
        strides=(spec.stride, spec.kernel_size),
        padding=(padding, "valid"),
    )
    out.say(f"{y} = pool({y})")


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    padding = spec.padding
    pairs = padding_pairs(spec, shape[1:-1])
    if not isinstance(padding, str) or spec.ceil_mode or max(spec.dilation) > 1:
        pad(pairs, out, "keras.layers has no such padding", ", constant_values=-np.inf")
        padding = "valid"
    if max(spec.dilation) > 1:
        out.say("# keras.layers has no dilated pool: the largest of slices")
        for axis, (k, d, s) in enumerate(
            zip(spec.kernel_size, spec.dilation, spec.stride, strict=True), 1
        ):
            whole, reach = ":, " * axis, f"(y.shape[{axis}] - {(k - 1) * d + 1}) // {s} * {s} + 1"
            out.say(f"reach = {reach}")
            out.say(f"parts = [y[{whole}t : t + reach : {s}] for t in {[t * d for t in range(k)]}]")
            out.say("y = np.max(parts, axis=0)")
        return
    _pool(spec, "Max", padding, out)


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, own = (f(spec, shape[1:-1]) for f in (padding_pairs, asked_pairs))
    size, by = int(np.prod(spec.kernel_size)), spec.divisor_override
    even = pairs == own and (spec.count_include_pad or not any(map(any, pairs)))
    if even or by is not None:
        if any(map(any, pairs)):
            pad(pairs, out, "keras.layers does not count the padding, and has no pairs")
        _pool(spec, "Average", "valid", out)
        if by is not None:
            out.say(f"y = y * {size} / {by}")
    elif spec.padding == "same" and not spec.count_include_pad:
        _pool(spec, "Average", "same", out)
    else:
        pad(pairs, out, "keras.layers has no such padding")
        widths = [(0, 0), *pairs, (0, 0)]
        inside = f"np.ones({(1, *shape[1:-1], 1)}, np.float32)"
        if spec.count_include_pad:
            ones = [(0, 0), *own, (0, 0)]
            inside = f"np.pad({inside}, {ones}, constant_values=1)"
            rest = [(0, a - b) for (_, a), (_, b) in zip(pairs, own, strict=True)]
            widths = [(0, 0), *rest, (0, 0)]
        out.say(f"inside = np.pad({inside}, {widths})")
        _pool(spec, "Average", "valid", out)
        out.say(f"counts = np.rint({size} * keras.ops.convert_to_numpy(pool(inside)))")
        out.say(f"y = y * ({size} / counts)  # a mean over the pixels, without the padding")


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.GlobalAveragePooling{len(shape) - 2}D()(y)")


def _adaptive(
    spec: AdaptiveAvgPool | AdaptiveMaxPool, shape: Shape, out: Writer, together: str
) -> None:
    """Each window by itself, along one axis after another: older releases have no such pool."""
    out.say("# each window by itself, along one axis after another")
    for axis, places in enumerate(spec.output_size, 1):
        windows = list(adaptive_windows(shape[axis], places))
        whole = ":, " * axis
        part = f"keras.ops.{together}(y[{whole}start:stop], axis={axis}, keepdims=True)"
        out.say(f"parts = [{part} for start, stop in {windows}]")
        out.say(f"y = keras.ops.concatenate(parts, axis={axis})")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "mean")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "max")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = keras.layers.GlobalMaxPooling{len(shape) - 2}D()(y)")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# keras has no such pool: NumPy counts the pixels")
    places_of_largest(spec, shape, out, y="keras.ops.convert_to_numpy(y)", first=1)
    out.say("y = keras.ops.convert_to_tensor(places, dtype=y.dtype)")
