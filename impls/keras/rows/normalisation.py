"""Keras's rows of normalisation."""

from typing import Any

import keras

from convparity.impls.bindings import OF_THE_OLD, Field, Fields, Row, Weight
from convparity.impls.errors import quoted
from convparity.impls.keras import layers, normalisation
from convparity.impls.keras.rows.common import check_built, refused
from convparity.impls.spec import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale


def _axes(module: Any) -> int:
    """How many axes the input has; ours, which takes (N, C) too, does not say: as (N, W, C)."""
    return module.input_spec.ndim or 3


def _check_batch_norm(module: Any) -> None:
    check_built(module)
    if module.axis not in (-1, _axes(module) - 1):
        raise refused(module, f"it normalises axis {quoted(module.axis)}, not the last")


def _built_for(module: Any) -> Any:
    """The shape of the input that a layer was built for."""
    return module.get_build_config()["input_shape"]


def _over(module: Any) -> list[int]:
    """What a norm of Keras is over: -1 where that is the last axis."""
    axes = module.axis if isinstance(module.axis, list | tuple) else [module.axis]
    n = len(_built_for(module))
    return [-1 if axis % n == n - 1 else axis % n for axis in axes]


def _check_over_axes(module: Any) -> None:
    """Keras sorts the axes as they are written, and its parameters are in that order."""
    check_built(module)
    axes = _over(module)
    if sorted(axes, key=lambda axis: (axis < 0, axis)) != axes or 0 in axes:
        raise refused(
            module,
            f"it normalises axes {quoted(module.axis)}: write them as positive numbers, in "
            "ascending order and without the batch",
        )


FEATURES: Fields = {"num_features": Field(None, lambda module: _built_for(module)[-1])}
NORM: Fields = {**FEATURES, "eps": "epsilon", "scale": "scale", "offset": "center"}
BATCH_NORM: Fields = {**NORM, "momentum": OF_THE_OLD}
SCALED = {"scale": Weight("gamma", when="scale"), "offset": Weight("beta", when="offset")}
SIZED: Fields = {"num_features": "sizes", "axes": "axis", "eps": "epsilon", "scale": "scale"}
OVER_AXES: Fields = {
    "num_features": Field(None, lambda m: [_built_for(m)[axis] for axis in _over(m)]),
    "axes": Field(None, _over),
    "eps": "epsilon",
}
STATISTICS = {"mean": Weight("moving_mean"), "variance": Weight("moving_variance")}

ROWS = [
    Row(  # of (N, C), too
        BatchNorm,
        normalisation.BatchNormalization,
        BATCH_NORM,
        {**SCALED, **STATISTICS},
        says={"rank": 1},
        check=_check_batch_norm,
    ),
    Row(
        BatchNorm,
        keras.layers.BatchNormalization,
        {**BATCH_NORM, "rank": Field(None, lambda module: max(_axes(module) - 2, 1))},
        {**SCALED, **STATISTICS},
        check=_check_batch_norm,
    ),
    Row(
        LayerNorm,
        keras.layers.LayerNormalization,
        {**OVER_AXES, "scale": "scale", "offset": "center"},
        SCALED,
        says={"axes": -1},
        needs={"rms_scaling": False},
        check=_check_over_axes,
    ),
    Row(
        LayerNorm,
        normalisation.LayerNormalization,
        {**SIZED, "offset": "center"},
        SCALED,
        check=check_built,
    ),
    Row(
        GroupNorm,
        normalisation.GroupNormalization,
        {**NORM, "num_groups": "groups"},
        SCALED,
        needs={"axis": -1},
        check=check_built,
        also=(keras.layers.GroupNormalization,),
    ),
    Row(Scale, layers.Scale, FEATURES, {"scale": Weight("gamma")}, check=check_built),
    Row(InstanceNorm, normalisation.InstanceNormalization, NORM, SCALED, check=check_built),
    Row(
        RMSNorm,
        normalisation.RMSNormalization,
        SIZED,
        {"scale": SCALED["scale"]},
        check=check_built,
    ),
    Row(  # read and never made
        RMSNorm,
        keras.layers.RMSNormalization,
        OVER_AXES,
        {"scale": Weight("scale")},
        check=_check_over_axes,
    ),
]
