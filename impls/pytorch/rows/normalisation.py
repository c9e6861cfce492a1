"""PyTorch's rows of normalisation."""

from typing import Any

import numpy as np
import torch
from torch import nn

from convparity.impls.bindings import Field, Fields, Row, Weight, same
from convparity.impls.errors import UnsupportedError
from convparity.impls.layouts import SAME, Layout
from convparity.impls.pytorch import layers, normalisation
from convparity.impls.pytorch.rows.common import AXES, refuse_unless, said
from convparity.impls.spec import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale

BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
INSTANCE_NORM = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def _check_running(module: Any) -> None:
    refuse_unless(
        module.track_running_stats or module.running_mean is not None,
        module,
        "running statistics: without them (track_running_stats=False) it normalises by those of "
        "each batch, at inference too, so that an output depends on the other examples",
    )
    refuse_unless(module.momentum is not None, module, "a momentum, not None")


MOST_AXES = 5  # of a volume


def _last_dims(module: Any) -> range:
    """The dims that a norm of torch is over: the last ones."""
    sizes = module.normalized_shape
    n = AXES.get(module, MOST_AXES if len(sizes) == MOST_AXES - 1 else None)
    if n is None:
        raise UnsupportedError(
            f"pytorch: {said(module)} normalises the last axes, which are spatial in (N, C, H, W), "
            "and no layer before it says how many axes its input has: use the "
            f"{type(module).__name__} of convparity.impls.pytorch.normalisation, with the same "
            "weights, which is over the channels unless it is given axes"
        )
    refuse_unless(len(sizes) < n, module, f"fewer sizes than the {n} axes of what reaches it")
    return range(n - len(sizes), n)


def _over(module: Any) -> list[int]:
    """The axes of these dims: spatial ones, then that of the channels, which torch has at 1."""
    dims = _last_dims(module)
    return [dim - 1 for dim in dims if dim > 1] + [-1] * (1 in dims)


def _sizes(module: Any) -> tuple[int, ...]:
    sizes = tuple(module.normalized_shape)
    return sizes[1:] + sizes[:1] if 1 in _last_dims(module) else sizes


def _channels_to_the_end(module: Any) -> Layout:
    """The layout of a parameter over these dims."""
    if 1 not in _last_dims(module):
        return SAME
    return Layout(lambda array: np.moveaxis(array, -1, 0), lambda array: np.moveaxis(array, 0, -1))


def _rms_eps(module: Any) -> float:
    """None is the machine epsilon of what torch computes in."""
    if module.eps is not None:
        return float(module.eps)
    refuse_unless(
        module.weight is not None,
        module,
        "an eps: None depends on the dtype of the input, which no weight tells",
    )
    wide = module.weight.dtype == torch.float64
    return torch.finfo(torch.float64 if wide else torch.float32).eps


AFFINE: Fields = {
    "scale": Field("scale", lambda module: module.weight is not None),
    "offset": Field("offset", lambda module: module.bias is not None),
}
BOTH: Fields = {  # which a class of torch has by default
    "scale": Field(None, lambda module: module.weight is not None),
    "offset": Field(None, lambda module: module.bias is not None),
}
SCALED = {"scale": Weight("weight", when="scale"), "offset": Weight("bias", when="offset")}
LAST_AXES: Fields = {"num_features": Field(None, _sizes), "axes": Field(None, _over)}
LAST_SCALED = {
    "scale": Weight("weight", _channels_to_the_end, when="scale"),
    "offset": Weight("bias", _channels_to_the_end, when="offset"),
}
STATISTICS = {"mean": Weight("running_mean"), "variance": Weight("running_var")}
RUNNING: Fields = same("num_features", "eps", "momentum")
OVER_AXES: Fields = {
    "num_features": Field("num_features", "normalized_shape"),
    **same("eps", "axes"),
}

ROWS = [
    Row(
        BatchNorm,
        BATCH_NORM,
        {**RUNNING, **BOTH},
        {**SCALED, **STATISTICS},
        says={"scale": True, "offset": True},
        check=_check_running,
    ),
    Row(
        BatchNorm,
        (normalisation.BatchNorm1d, normalisation.BatchNorm2d, normalisation.BatchNorm3d),
        {**RUNNING, **AFFINE},
        {**SCALED, **STATISTICS},
        check=_check_running,
    ),
    Row(LayerNorm, normalisation.LayerNorm, {**OVER_AXES, **AFFINE}, SCALED),
    Row(LayerNorm, nn.LayerNorm, {**LAST_AXES, "eps": "eps", **BOTH}, LAST_SCALED),
    Row(
        GroupNorm,
        normalisation.GroupNorm,
        {"num_groups": "num_groups", "num_features": "num_channels", "eps": "eps", **AFFINE},
        SCALED,
        also=(nn.GroupNorm,),
    ),
    Row(Scale, layers.Scale, same("num_features"), {"scale": Weight("weight")}),
    Row(
        InstanceNorm,
        normalisation.InstanceNorm,
        {**same("num_features", "eps"), **AFFINE},
        SCALED,
        needs={"track_running_stats": False},
        also=INSTANCE_NORM,
    ),
    Row(  # read and never made: at inference it has the running statistics
        BatchNorm,
        INSTANCE_NORM,
        {**RUNNING, **BOTH},
        {**SCALED, **STATISTICS},
        needs={"track_running_stats": True},
        check=_check_running,
    ),
    Row(
        RMSNorm,
        normalisation.RMSNorm,
        {**OVER_AXES, "scale": AFFINE["scale"]},
        {"scale": SCALED["scale"]},
    ),
    Row(
        RMSNorm,
        nn.RMSNorm,
        {**LAST_AXES, "eps": Field(None, _rms_eps), "scale": BOTH["scale"]},
        {"scale": LAST_SCALED["scale"]},
    ),
]
