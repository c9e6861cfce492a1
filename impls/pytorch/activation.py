"""PyTorch activations, channels-first: what ``torch.nn`` lacks to say every spec.

A page to copy from. Shapes: x_NCS the input, y_NCS the output, S none to three spatial axes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convparity.impls.pytorch.layers import dim_of


class QuickGELU(nn.Module):
    """``x * sigmoid(1.702 x)``, which CLIP has for GELU."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ReLUSquared(nn.Module):
    """The square of ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()


class Abs(nn.Module):
    """The absolute value."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Clamp(nn.Module):
    """``nn.Hardtanh`` with a limit on one side, or on both.

    Args:
        low: What no value is below; None if there is no such limit.
        high: What no value is above; None if there is no such limit.
    """

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)

    def extra_repr(self) -> str:
        return f"low={self.low}, high={self.high}"


class Softmax(nn.Module):
    """``nn.Softmax`` along an axis that is said as of channels-last arrays.

    Args:
        axis: -1 is that of the channels, 1 the first spatial one, wherever PyTorch has them.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x_NCS: Tensor) -> Tensor:
        return torch.softmax(x_NCS, dim_of(self.axis, x_NCS.ndim))

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Softmax):
    """``nn.LogSoftmax`` along an axis that is said as of channels-last arrays, as ``Softmax``."""

    def forward(self, x_NCS: Tensor) -> Tensor:
        return torch.log_softmax(x_NCS, dim_of(self.axis, x_NCS.ndim))
