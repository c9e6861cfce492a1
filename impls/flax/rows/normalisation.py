"""Flax's rows of normalisation."""

from typing import Any

from flax import nnx

from convparity.impls.bindings import OF_THE_OLD, Field, Fields, Row, Weight, same
from convparity.impls.errors import quoted
from convparity.impls.flax import layers, normalisation
from convparity.impls.flax.rows.common import refused, said
from convparity.impls.spec import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale


def _axes(module: Any) -> tuple[int, ...]:
    """What a norm is over."""
    given = module.feature_axes
    return (given,) if isinstance(given, int) else tuple(given)


def _check_one_axis(module: Any) -> None:
    """Nnx keeps the parameters of several axes flat, and no sizes."""
    reduced = module.reduction_axes
    reduced = (reduced,) if isinstance(reduced, int) else tuple(reduced)
    if len(reduced) != 1 or reduced != _axes(module):
        raise refused(
            said(module),
            "it needs one axis, the same as reduction_axes and feature_axes, not "
            f"{quoted(module.reduction_axes)} and {quoted(module.feature_axes)}: over several, "
            f"write it as the {type(module).__name__} of convparity.impls.flax.normalisation, "
            "which is told their sizes",
        )


def _check_channels(module: Any) -> None:
    if _axes(module) != (-1,):
        raise refused(said(module), f"it needs feature_axes=-1, not {quoted(module.feature_axes)}")


NORM: Fields = {"num_features": "num_features", "eps": "epsilon"}
AFFINE: Fields = {"scale": "use_scale", "offset": "use_bias"}
SCALED = {"scale": Weight("scale", when="scale"), "offset": Weight("bias", when="offset")}
ONE_AXIS: Fields = {**NORM, "axes": Field(None, lambda module: _axes(module)[0])}
SEVERAL_AXES: Fields = {"num_features": "sizes", "eps": "epsilon", "axes": Field("axes", _axes)}
STATISTICS = {"mean": Weight("mean"), "variance": Weight("var")}
SLOW = {"use_fast_variance": False}  # see layers.BatchNorm
NORMALISED = ("param_dtype", "rngs")  # what a norm takes

ROWS = [
    Row(
        BatchNorm,
        layers.BatchNorm,
        {
            **NORM,
            **AFFINE,
            "momentum": OF_THE_OLD,
            "rank": Field("rank", lambda m: getattr(m, "rank", 2)),  # nnx's own has none
        },
        {**SCALED, **STATISTICS},
        needs={"axis": -1},
        also=(nnx.BatchNorm,),
        takes=NORMALISED,
    ),
    Row(
        LayerNorm,
        nnx.LayerNorm,
        {**ONE_AXIS, **AFFINE},
        SCALED,
        says={"axes": -1},
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_one_axis,
        takes=NORMALISED,
    ),
    Row(
        LayerNorm,
        normalisation.LayerNorm,
        {**SEVERAL_AXES, **AFFINE},
        SCALED,
        takes=NORMALISED,
    ),
    Row(
        GroupNorm,
        nnx.GroupNorm,
        {
            "num_groups": "num_groups",
            "num_features": Field("num_features", lambda m: m.num_groups * m.group_size),
            "eps": "epsilon",
            **AFFINE,
        },
        SCALED,
        gives=SLOW,
        needs={"reduction_axes": None, "axis_name": None},
        takes=NORMALISED,
    ),
    Row(
        Scale,
        layers.Scale,
        same("num_features"),
        {"scale": Weight("scale")},
        takes=("param_dtype",),
    ),
    Row(
        InstanceNorm,
        nnx.InstanceNorm,
        {**NORM, **AFFINE},
        SCALED,
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_channels,
        takes=NORMALISED,
    ),
    Row(
        RMSNorm,
        nnx.RMSNorm,
        {**ONE_AXIS, "scale": "use_scale"},
        {"scale": SCALED["scale"]},
        says={"axes": -1},
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_one_axis,
        takes=NORMALISED,
    ),
    Row(
        RMSNorm,
        normalisation.RMSNorm,
        {**SEVERAL_AXES, "scale": "use_scale"},
        {"scale": SCALED["scale"]},
        takes=NORMALISED,
    ),
]
