"""PyTorch's rows of what moves values."""

from typing import Any

from torch import nn

from convparity.impls.bindings import Field, Row, same
from convparity.impls.pytorch import movement
from convparity.impls.pytorch.rows.common import refuse_unless
from convparity.impls.spec import Pad, Rearrange, Slice

NATIVE_PADS: dict[str, tuple[type, ...]] = {
    "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
}


def _pads(module: Any) -> list[tuple[int, int]]:
    """Torch counts the axes from the last one."""
    flat = tuple(module.padding)
    return list(zip(flat[::2], flat[1::2], strict=True))[::-1]


def _check_fills(module: Any) -> None:
    refuse_unless(
        min(module.padding) >= 0,
        module,
        "no negative padding: torch fills from the pixels that it crops, where a spec crops first. "
        "Crop by a slice, or a ConstantPad",
    )


ROWS = [
    Row(Pad, movement.Pad, same("pads", "mode", "value", "channels")),
    # these are read and never made
    *(
        Row(
            Pad,
            kinds[0],
            {"pads": Field(None, _pads)},
            says={"mode": mode},
            check=_check_fills,
            also=kinds[1:],
        )
        for mode, kinds in NATIVE_PADS.items()
    ),
    Row(
        Pad,
        nn.ConstantPad1d,
        {"pads": Field(None, _pads), "value": Field(None, "value")},
        also=(nn.ConstantPad2d, nn.ConstantPad3d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]
