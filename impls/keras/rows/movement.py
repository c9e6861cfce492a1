"""Keras's rows of what moves values."""

from collections.abc import Sequence
from typing import Any

import keras

from convparity.impls.axis_patterns import NAMES, reshape_pattern
from convparity.impls.bindings import Field, Row, same
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import movement
from convparity.impls.keras.rows.common import CHANNELS_LAST, refused, said
from convparity.impls.spec import Pad, Rearrange, Slice


def _pairs(pairs: Any) -> list[tuple[int, int]]:
    """Those of each axis; of one axis Keras has the pair alone."""
    return [pairs] if isinstance(pairs[0], int) else list(pairs)


def reshaped(module: Any, before: Any, after: Any) -> Rearrange:
    """What leaves values in their order: of one shape, with the batch, to another."""
    found = None
    if before[0] is None and after[:1] == (None,) and len(after) > 1:
        found = reshape_pattern(before[1:], after[1:])
    if found is None:
        raise refused(
            module,
            f"no pattern of axes, with the batch by itself, makes {quoted(tuple(after))} of "
            f"{quoted(tuple(before))}",
        )
    pattern, sizes = found
    return Rearrange(pattern, sizes=sizes)


def permuted(module: Any, order: Sequence[int]) -> Rearrange:
    """What brings axes, with the batch, into another order."""
    if order[0] != 0 or len(order) > len(NAMES) + 1:
        raise refused(module, f"it moves the batch: axes {quoted(tuple(order))}")
    names = ("n", *NAMES[len(NAMES) - len(order) + 1 :])
    return Rearrange(f"{' '.join(names)} -> {' '.join(names[axis] for axis in order)}")


def _reshape(module: Any) -> Rearrange:
    """That of ``keras.layers.Reshape``, which knows no shape until it is called."""
    if not module._inbound_nodes:
        raise UnsupportedError(
            f"keras: {said(module)} was not called on an input that a model knows: put it into a "
            "model, and build that"
        )
    return reshaped(module, module.input.shape, module.output.shape)


def _permute(module: Any) -> Rearrange:
    return permuted(module, (0, *module.dims))


def _as_pattern(read: Any) -> dict[str, Field]:
    return {
        "pattern": Field(None, lambda module: read(module).pattern),
        "sizes": Field(None, lambda module: read(module).sizes),
    }


ROWS = [
    Row(Pad, movement.Pad, same("pads", "mode", "value", "channels")),
    Row(  # read and never made, as the next one
        Pad,
        keras.layers.ZeroPadding1D,
        {"pads": Field(None, lambda module: _pairs(module.padding))},
        needs=CHANNELS_LAST,
        also=(keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D),
    ),
    Row(
        Pad,
        keras.layers.Cropping1D,
        {"pads": Field(None, lambda module: [(-a, -b) for a, b in _pairs(module.cropping)])},
        needs=CHANNELS_LAST,
        also=(keras.layers.Cropping2D, keras.layers.Cropping3D),
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
    # read and never made
    Row(Rearrange, keras.layers.Reshape, _as_pattern(_reshape)),
    Row(Rearrange, keras.layers.Permute, _as_pattern(_permute)),
]
