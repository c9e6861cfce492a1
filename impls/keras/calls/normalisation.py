"""The plain calls of normalisations."""

from typing import Any

import numpy as np

from convparity.impls.keras.calls.common import set_weights, write_layer
from convparity.impls.script_writer import Writer, affine_of
from convparity.impls.spec import (
    BatchNorm,
    GroupNorm,
    InputNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    Scale,
    Shape,
    parameter_axes,
)
from convparity.impls.weights import Arrays


@write_layer.register
def _(spec: BatchNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    statistics = [out.array(name, weights[name], "C") for name in spec.statistics]
    _norm(spec, weights, "BatchNormalization", out, *statistics)


def _norm(
    spec: BatchNorm | InputNorm,
    weights: Arrays,
    name: str,
    out: Writer,
    *statistics: str,
    **options: Any,
) -> None:
    out.call(
        f"layer = keras.layers.{name}",
        *(f"{option}={value}" for option, value in options.items()),
        f"epsilon={spec.eps}",
        scale=(spec.scale, True),
        center=(getattr(spec, "offset", True), True),
    )
    set_weights(out, *affine_of(weights, out).values(), *statistics)


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    axes = [axis % len(shape) for axis in parameter_axes(spec)[0]]
    options = {} if axes == [len(shape) - 1] else {"axis": axes}
    _norm(spec, weights, "LayerNormalization", out, **options)


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNormalization", out, groups=spec.num_groups)


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNormalization", out, groups=spec.num_features)


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    axes = [axis % len(shape) for axis in parameter_axes(spec)[0]]
    if not spec.scale:
        weights = {"scale": np.ones([shape[axis] for axis in axes])}
        out.say("# keras.layers.RMSNormalization has a scale always: of ones")
    scale = affine_of(weights, out, "sizes of the axes")["scale"]
    out.call("layer = keras.layers.RMSNormalization", f"axis={axes}", f"epsilon={spec.eps}")
    set_weights(out, scale)


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y * {out.array('scale', weights['scale'], 'C')}")
