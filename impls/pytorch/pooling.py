"""PyTorch pools, channels-first: what ``torch.nn`` lacks to say every spec. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S one to three spatial axes (L, HW or DHW).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convparity.impls.pytorch.layers import (
    Ints,
    PadsFirst,
    Pairs,
    both_sides,
    pad,
    pairs_for,
    per_axis,
)


class PoolNd(PadsFirst):
    """What the pools share. torch takes pads of half the kernel at most; others come first.

    Args:
        kernel_size: Size of the window along each spatial axis; an int stands for every axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: "valid", "same" (at any stride) or a (low, high) pair an axis.
        **options: What the pool of ``torch.nn`` takes besides.

    Shapes:
        x_NCS: any C
        y_NCS: that C
    """

    torch_pads = True  # wherever it can

    def __init__(
        self,
        kernel_size: int | Ints,
        stride: int | Ints | None = None,
        padding: str | Pairs = "valid",
        **options: Any,
    ) -> None:
        native = both_sides(padding)
        if isinstance(native, tuple):
            kernel = per_axis(kernel_size, len(native))
            half = all(2 * n <= k for n, k in zip(native, kernel, strict=True))
            if not (half and self.torch_pads):
                native = None
        super().__init__(kernel_size, stride, 0 if native is None else native, **options)
        self.pad_first = padding if native is None else None

    def pairs(self, x_NCS: Tensor) -> Pairs:
        """The (low, high) pads that come before the pool."""
        rank = x_NCS.ndim - 2
        window = (per_axis(each, rank) for each in (self.kernel_size, self.stride, 1))
        return pairs_for(x_NCS, self.pad_first or "valid", *window)


class MaxPoolNd(PoolNd):
    """The largest value of each window: the padding is -inf, which never wins."""

    def forward(self, x_NCS: Tensor) -> Tensor:
        return super().forward(pad(x_NCS, self.pairs(x_NCS), value=-torch.inf))


class MaxPool1d(MaxPoolNd, nn.MaxPool1d):
    """``nn.MaxPool1d`` with every padding."""


class MaxPool2d(MaxPoolNd, nn.MaxPool2d):
    """``nn.MaxPool2d`` with every padding."""


class MaxPool3d(MaxPoolNd, nn.MaxPool3d):
    """``nn.MaxPool3d`` with every padding."""


class AvgPoolNd(PoolNd):
    """The mean of each window.

    Args:
        kernel_size, stride, padding: As in ``PoolNd``.
        count_include_pad: Whether the zeros of the padding count, as they do in PyTorch.
    """

    def __init__(
        self,
        kernel_size: int | Ints,
        stride: int | Ints | None = None,
        padding: str | Pairs = "valid",
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, count_include_pad=count_include_pad)

    def forward(self, x_NCS: Tensor) -> Tensor:
        counts_itself = self.pad_first is not None and not self.count_include_pad
        if x_NCS.dtype in (torch.float16, torch.bfloat16) and (counts_itself or x_NCS.ndim == 5):
            # torch has no avg_pool3d of these on a CPU; sums of them would be rounded, or overflow
            return self.forward(x_NCS.float()).to(x_NCS.dtype)
        pairs = self.pairs(x_NCS)
        if not counts_itself:
            return super().forward(pad(x_NCS, pairs))
        ones = x_NCS.new_ones((1, 1, *x_NCS.shape[2:]))  # torch would count the padding too
        return self._sums(pad(x_NCS, pairs)) / self._sums(pad(ones, pairs))

    def _sums(self, x_NCS: Tensor) -> Tensor:
        rank = x_NCS.ndim - 2
        kernel, stride = per_axis(self.kernel_size, rank), per_axis(self.stride, rank)
        if rank == 1:  # F.avg_pool1d has no divisor: a sequence is an image of one row
            x_NCHW = x_NCS.unsqueeze(2)
            return F.avg_pool2d(x_NCHW, (1, *kernel), (1, *stride), divisor_override=1).squeeze(2)
        pool = F.avg_pool2d if rank == 2 else F.avg_pool3d
        return pool(x_NCS, kernel, stride, divisor_override=1)


class AvgPool1d(AvgPoolNd, nn.AvgPool1d):
    """``nn.AvgPool1d`` with every padding."""


class AvgPool2d(AvgPoolNd, nn.AvgPool2d):
    """``nn.AvgPool2d`` with every padding."""


class AvgPool3d(AvgPoolNd, nn.AvgPool3d):
    """``nn.AvgPool3d`` with every padding.

    torch compares its kernel with the image as it is before padding, so that all padding is first.
    """

    torch_pads = False


class GlobalAvgPool(nn.Module):
    """The mean over the spatial axes.

    Shapes:
        x_NCS: any C
        y_NC: that C
    """

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS.mean(dim=tuple(range(2, x_NCS.ndim)))


class GlobalMaxPool(nn.Module):
    """The largest value over the spatial axes.

    Shapes:
        x_NCS: any C
        y_NC: that C
    """

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS.amax(dim=tuple(range(2, x_NCS.ndim)))
