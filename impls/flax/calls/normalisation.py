"""The plain calls of normalisations."""

import math

from convparity.impls.flax.calls.common import RNGS, set_weights, write_layer
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
    names = {"mean": "mean", "variance": "var"}
    variables = {native: out.array(name, weights[name], "C") for name, native in names.items()}
    out.call(
        "layer = nnx.BatchNorm",
        str(spec.num_features),
        "use_running_average=True",
        epsilon=(spec.eps, 1e-5),
        use_scale=(spec.scale, True),
        use_bias=(spec.offset, True),
        rngs=RNGS,
    )
    set_weights(out, **_affine(weights, out), **variables)


def _affine(weights: Arrays, out: Writer, axes: str = "C") -> dict[str, str]:
    """The parameters of a norm by their names in nnx."""
    names = {"scale": "scale", "offset": "bias"}
    return {names[name]: array for name, array in affine_of(weights, out, axes).items()}


def _norm(spec: InputNorm, weights: Arrays, name: str, out: Writer, *more: str) -> None:
    axes, sizes = parameter_axes(spec)
    if axes != (-1,):
        more = (f"reduction_axes={axes}", f"feature_axes={axes}")
        weights = {name: array.ravel() for name, array in weights.items()}
    out.call(
        f"layer = nnx.{name}",
        str(math.prod(sizes)),
        *more,
        f"epsilon={spec.eps}",
        "use_fast_variance=False",
        use_scale=(spec.scale, True),
        use_bias=(getattr(spec, "offset", True), True),
        rngs=RNGS,
    )
    set_weights(out, **_affine(weights, out, "C" if axes == (-1,) else "flat"))


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "LayerNorm", out)


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "GroupNorm", out, f"num_groups={spec.num_groups}")


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "InstanceNorm", out)


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _norm(spec, weights, "RMSNorm", out)


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y * {out.array('scale', weights['scale'], 'C')}")
