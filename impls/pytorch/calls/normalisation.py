"""The plain calls of normalisations."""

from convparity.impls.pytorch.calls.common import dim_of, write_layer
from convparity.impls.script_writer import Writer, affine_of
from convparity.impls.spec import (
    BatchNorm,
    GroupNorm,
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
    mean, variance = (out.array(name, weights[name], "C") for name in spec.statistics)
    affine = _affine(weights, out)
    out.call("y = F.batch_norm", "y", mean, variance, *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: LayerNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _over_axes(spec, shape, out, "layer_norm", *_affine(weights, out))


def _affine(weights: Arrays, out: Writer) -> list[str]:
    """The scale and the offset of a norm, by position."""
    found = affine_of(weights, out)
    return [found.get(name, "None") for name in ("scale", "offset")]


def _over_axes(
    spec: LayerNorm | RMSNorm, shape: Shape, out: Writer, name: str, *affine: str
) -> None:
    """A norm of the last axes, to which its axes are moved."""
    axes, sizes = parameter_axes(spec)
    moved, last = "y", tuple(range(-len(axes), 0))
    dims = tuple(dim_of(axis, len(shape)) for axis in axes)
    if dims != tuple(n + len(shape) for n in last):
        moved = f"y.movedim({dims}, {last})" if len(dims) > 1 else f"y.movedim({dims[0]}, -1)"
    out.call(f"y = F.{name}", moved, str(sizes), *affine, f"eps={spec.eps}")
    if moved != "y":
        out.say(
            f"y = y.movedim({last}, {dims})" if len(dims) > 1 else f"y = y.movedim(-1, {dims[0]})"
        )


@write_layer.register
def _(spec: GroupNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    affine = _affine(weights, out)
    out.call("y = F.group_norm", "y", str(spec.num_groups), *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: InstanceNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    affine = _affine(weights, out)
    out.say("# a group a channel: F.instance_norm refuses images of one pixel")
    out.call("y = F.group_norm", "y", str(spec.num_features), *affine, eps=(spec.eps, 1e-5))


@write_layer.register
def _(spec: RMSNorm, weights: Arrays, shape: Shape, out: Writer) -> None:
    _over_axes(spec, shape, out, "rms_norm", _affine(weights, out)[0])


@write_layer.register
def _(spec: Scale, weights: Arrays, shape: Shape, out: Writer) -> None:
    scale = out.array("scale", weights["scale"], "C")
    ones = ", 1" * (len(shape) - 2)
    out.say(f"y = y * {scale}.reshape(-1{ones})")
