"""PyTorch layers that make one number of many. A page to copy from."""

from typing import Any

import torch
from torch import Tensor, nn

from convparity.impls.pytorch.layers import Ints, dim_of


class Reduce(nn.Module):
    """One number of all that lie along some axes.

    Args:
        function: "mean", "sum", "max", "min", "var", "std", "norm" or "norm1".
        axes: The axes as of channels-last arrays: -1 is that of the channels, 1 the first spatial
            one, wherever PyTorch has them.
        keepdims: Whether each remains as an axis of size 1.
        correction: What a variance divides by is their number less this.
    """

    def __init__(
        self, function: str, axes: Ints, keepdims: bool = False, correction: int = 0
    ) -> None:
        super().__init__()
        self.function, self.axes = function, tuple(axes)
        self.keepdims, self.correction = keepdims, correction

    def forward(self, x_NCS: Tensor) -> Tensor:
        dims = tuple(dim_of(axis, x_NCS.ndim) for axis in self.axes)
        how: dict[str, Any] = {"dim": dims, "keepdim": self.keepdims}
        match self.function:
            case "max" | "min":
                y_NCS = torch.amax(x_NCS, **how) if self.function == "max" else x_NCS.amin(**how)
            case "norm" | "norm1":
                order = 2 if self.function == "norm" else 1
                y_NCS = torch.linalg.vector_norm(x_NCS, order, **how)
            case "var":
                y_NCS = x_NCS.var(correction=self.correction, **how)
            case "std":
                y_NCS = x_NCS.var(correction=self.correction, **how).sqrt()
            case _:
                y_NCS = x_NCS.mean(**how) if self.function == "mean" else x_NCS.sum(**how)
        channels = 1 if x_NCS.ndim > 2 else x_NCS.ndim - 1
        if channels in dims and not self.keepdims and y_NCS.ndim > 2:
            return y_NCS.movedim(-1, 1)  # the last axis that is left lies where channels do
        return y_NCS

    def extra_repr(self) -> str:
        more = f", correction={self.correction}" if self.correction else ""
        return f"{self.function!r}, axes={self.axes}, keepdims={self.keepdims}{more}"
