"""Keras's rows of arithmetic of numbers one by one."""

from typing import Any

import keras
import numpy as np

from convparity.impls.bindings import Field, Row, same
from convparity.impls.errors import quoted
from convparity.impls.keras import arithmetic
from convparity.impls.keras.rows.common import check_built, refused
from convparity.impls.spec import Average, Divide, Maximum, Minimum, Power, Rescale


def numbers(module: Any, value: Any) -> float | tuple[float, ...]:
    """A number, or one a channel: those of an array along its last axis."""
    found = np.asarray(value, dtype=np.float64)
    if found.ndim and found.size != found.shape[-1]:
        raise refused(
            module, f"it has numbers of shape {quoted(found.shape)}: a spec has one a channel"
        )
    return tuple(found.ravel().tolist()) if found.size > 1 else float(found.item())


def _rescaling(name: str) -> Field:
    return Field(None, lambda module: numbers(module, getattr(module, name)))


def _check_rescaling(module: Any) -> None:
    several = np.ndim(module.scale) or np.ndim(module.offset)
    if several and keras.config.image_data_format() != "channels_last":
        raise refused(module, 'its channels are where keras.config says: "channels_last"')


def _check_normalization(module: Any) -> None:
    check_built(module)
    if module.mean is None:
        raise refused(module, "its mean is not known: call adapt(), or give mean= and var=")


def _normalization(module: Any) -> tuple[Any, Any]:
    """The factor and the offset of ``(x - mean) / root``, or of its inverse."""
    mean, variance = (
        keras.ops.convert_to_numpy(each).astype(np.float64)
        for each in (module.mean, module.variance)
    )
    root = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return (root, mean) if module.invert else (1 / root, -mean / root)


ROWS = [
    Row(Divide, arithmetic.Divide),
    Row(Maximum, keras.layers.Maximum),
    Row(Minimum, keras.layers.Minimum),
    Row(Average, keras.layers.Average),
    Row(Rescale, arithmetic.Rescale, same("scale", "offset")),
    Row(  # read and never made, as the next one
        Rescale,
        keras.layers.Rescaling,
        {"scale": _rescaling("scale"), "offset": _rescaling("offset")},
        check=_check_rescaling,
    ),
    Row(
        Rescale,
        keras.layers.Normalization,
        {
            "scale": Field(None, lambda module: numbers(module, _normalization(module)[0])),
            "offset": Field(None, lambda module: numbers(module, _normalization(module)[1])),
        },
        check=_check_normalization,
    ),
    Row(Power, arithmetic.Power, same("exponent")),
]
