"""PyTorch layers, channels-first: what ``torch.nn`` lacks to say every spec. A page to copy from.

Shapes: x_NCHW the input, y_NCHW the output, weight_OIHW the kernel (I is in_channels / groups).
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def same_pairs(x: Tensor, kernel_size: Ints, stride: Ints, dilation: Ints) -> Pairs:
    """TensorFlow's "same": ceil(n / stride) outputs, and the odd pixel of padding at the end.

    ``nn.Conv2d(padding="same")`` refuses strides; ``padding=k // 2`` gives the same shape and,
    at stride 2 on an even size, other values.
    """
    pairs = []
    for n, k, s, d in zip(x.shape[2:], kernel_size, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` with "same" at any stride, and padding in (low, high) pairs."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | Pairs = "valid",
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        pairs = () if isinstance(padding, str) else padding
        symmetric = all(low == high for low, high in pairs)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            tuple(low for low, _ in pairs) if pairs and symmetric else 0,  # padded on the fly
            dilation,
            groups,
            bias,
        )
        self.pad_first: str | Pairs = padding if padding == "same" or not symmetric else "valid"

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if self.pad_first == "valid":
            return super().forward(x_NCHW)
        pairs = self.pad_first
        if isinstance(pairs, str):
            pairs = same_pairs(x_NCHW, self.kernel_size, self.stride, self.dilation)
        # F.pad counts the axes from the last one
        return super().forward(F.pad(x_NCHW, [n for pair in reversed(pairs) for n in pair]))

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        return shown if self.pad_first == "valid" else f"{shown}, pad_first={self.pad_first}"


class DepthwiseConv2d(Conv2d):
    """Each channel by itself, ``depth_multiplier`` times: one group a channel."""

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | Pairs = "valid",
        dilation: int | tuple[int, int] = 1,
        depth_multiplier: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            in_channels * depth_multiplier,
            kernel_size,
            stride,
            padding,
            dilation,
            groups=in_channels,
            bias=bias,
        )
        self.depth_multiplier = depth_multiplier


class SeparableConv2d(nn.Sequential):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | Pairs = "valid",
        dilation: int | tuple[int, int] = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
    ) -> None:
        depthwise = DepthwiseConv2d(
            in_channels, kernel_size, stride, padding, dilation, depth_multiplier, depthwise_bias
        )
        pointwise = Conv2d(depthwise.out_channels, out_channels, 1, bias=pointwise_bias)
        super().__init__(OrderedDict(depthwise=depthwise, pointwise=pointwise))


class GlobalAvgPool(nn.Module):
    """The mean over the spatial axes: (N, C, H, W) to (N, C)."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.mean(dim=tuple(range(2, x_NCHW.ndim)))


class Flatten(nn.Module):
    """To (N, H * W * C): the channels go last, so that one Dense kernel fits every framework.

    ``nn.Flatten`` orders the features C, H, W: weights trained behind it need permuting.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return torch.movedim(x_NCHW, 1, -1).flatten(1)


class Residual(nn.Module):
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))
