"""A PyTorch layer that resizes, channels-first, at exact positions. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S one to three spatial axes (L, HW or DHW).
"""

from typing import Any

import torch
from torch import Tensor, nn

from convparity.impls.pytorch.layers import Ints


class Resize(nn.Module):
    """``nn.Upsample``, which finds positions in float32, at positions found in integers.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, an integer an axis.
        method: "nearest", pixel ``floor(i * n / m)``, or "linear".
        align_corners: Whether the corner pixels of "linear" keep their places.

    Shapes:
        x_NCS: any C
        y_NCS: that C
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale: Ints | None = None,
        method: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.size: Any = size
        self.scale: Any = scale
        self.method, self.align_corners = method, align_corners

    def forward(self, x_NCS: Tensor) -> Tensor:
        for axis in range(2, x_NCS.ndim):
            n = x_NCS.shape[axis]
            m = n * self.scale[axis - 2] if self.size is None else self.size[axis - 2]
            x_NCS = self.along(x_NCS, axis, n, m)
        return x_NCS

    def along(self, x_NCS: Tensor, axis: int, n: int, m: int) -> Tensor:
        """With m pixels along an axis of n."""
        places = torch.arange(m, device=x_NCS.device)
        if self.method == "nearest":
            return x_NCS.index_select(axis, places * n // m)
        # a position is at / parts
        if self.align_corners:
            at, parts = places * (n - 1), max(m - 1, 1)
        else:
            at, parts = ((2 * places + 1) * n - m).clamp(0, 2 * m * (n - 1)), 2 * m
        low = at // parts
        shape = [-1 if each == axis else 1 for each in range(x_NCS.ndim)]
        wide = torch.promote_types(x_NCS.dtype, torch.float32)
        share = ((at % parts).to(wide) / parts).reshape(shape)
        x_low = x_NCS.index_select(axis, low)
        x_high = x_NCS.index_select(axis, (low + 1).clamp(max=n - 1))
        return x_low * (1 - share).to(x_NCS.dtype) + x_high * share.to(x_NCS.dtype)

    def extra_repr(self) -> str:
        how = f"size={self.size}" if self.scale is None else f"scale={self.scale}"
        return f"{how}, method={self.method!r}, align_corners={self.align_corners}"
