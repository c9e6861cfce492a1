"""The plain calls of pools."""

import math
from typing import Any

from convparity.impls.flax.calls.common import write_layer
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


def _pool(
    spec: MaxPool | AvgPool, shape: Shape, name: str, out: Writer, **options: tuple[Any, Any]
) -> None:
    padding: Any = spec.padding.upper() if isinstance(spec.padding, str) else spec.padding
    if spec.ceil_mode:
        padding = padding_pairs(spec, shape[1:-1])
    out.call(
        f"y = nnx.{name}",
        "y",
        str(spec.kernel_size),
        strides=(spec.stride, (1,) * spec.rank),
        padding=(padding, "VALID"),
        **options,
    )


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    if max(spec.dilation) == 1:
        _pool(spec, shape, "max_pool", out)
        return
    out.say("# nnx.max_pool has no dilation")
    out.call(
        "y = jax.lax.reduce_window",
        "y",
        "-jnp.inf",
        "jax.lax.max",
        str((1, *spec.kernel_size, 1)),
        str((1, *spec.stride, 1)),
        str([(0, 0), *padding_pairs(spec, shape[1:-1]), (0, 0)]),
        window_dilation=((1, *spec.dilation, 1), None),
    )


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    size, by = math.prod(spec.kernel_size), spec.divisor_override
    if by is not None:
        _pool(spec, shape, "avg_pool", out)
        out.say(f"y = y * {size} / {by}")
    elif spec.ceil_mode and spec.count_include_pad:
        own, whole = (f(spec, shape[1:-1]) for f in (asked_pairs, padding_pairs))
        rest = [(0, a - b) for (_, a), (_, b) in zip(whole, own, strict=True)]
        out.say("# what ceil_mode adds does not count, where the padding does")
        out.say(f"inside = jnp.ones({(1, *shape[1:-1], 1)})")
        for pairs, fill in ((own, ", constant_values=1"), (rest, "")):
            out.say(f"inside = jnp.pad(inside, {[(0, 0), *pairs, (0, 0)]}{fill})")
        window = f"{spec.kernel_size}, {spec.stride}"
        out.say(f"counts = {size} * nnx.avg_pool(inside, {window})")
        _pool(spec, shape, "avg_pool", out)
        out.say(f"y = y * ({size} / counts.round())")
    else:
        _pool(spec, shape, "avg_pool", out, count_include_pad=(spec.count_include_pad, True))


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.mean(y, axis={tuple(range(1, len(shape) - 1))})")


def _adaptive(
    spec: AdaptiveAvgPool | AdaptiveMaxPool, shape: Shape, out: Writer, together: str
) -> None:
    """Each window by itself, along one axis after another: flax and jax have no such pool."""
    out.say("# each window by itself, along one axis after another")
    for axis, places in enumerate(spec.output_size, 1):
        windows = list(adaptive_windows(shape[axis], places))
        whole = ":, " * axis
        part = f"{together}(y[{whole}start:stop], axis={axis}, keepdims=True)"
        out.say(f"parts = [{part} for start, stop in {windows}]")
        out.say(f"y = jnp.concatenate(parts, axis={axis})")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "jnp.mean")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    _adaptive(spec, shape, out, "jnp.max")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = jnp.max(y, axis={tuple(range(1, len(shape) - 1))})")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say("# flax and jax have no such pool: NumPy counts the pixels")
    places_of_largest(spec, shape, out, y="np.asarray(y)", first=1)
    out.say("y = jnp.asarray(places, y.dtype)")
