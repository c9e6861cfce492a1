"""PyTorch norms, channels-first: what ``torch.nn`` lacks to say every spec. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S none to three spatial axes. Each norm has a weight, a
bias, both or neither; that which it has not is None.
"""

import torch
from torch import Tensor, nn

from convparity.impls.pytorch.layers import Ints, dim_of


def keep(module: nn.Module, scale: bool, offset: bool = True) -> None:
    """Leave out the weight of a norm, or its bias."""
    for name, kept in (("weight", scale), ("bias", offset)):
        if not kept:
            module.register_parameter(name, None)


class BatchNormNd(nn.Module):
    """What the three ranks share; the class of ``torch.nn`` comes after it in their bases.

    ``torch.nn`` has both parameters or neither, in releases before 2.13.

    Args:
        num_features: Channels of the input.
        eps: What is added to the variance.
        momentum: Weight of the new batch in the running statistics.
        scale: Whether there is a weight, which multiplies.
        offset: Whether there is a bias, which is added.

    Shapes:
        x_NCS: C is num_features
        y_NCS: C is num_features
        weight, bias, running_mean, running_var: (num_features,)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        scale: bool = True,
        offset: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum)
        keep(self, scale, offset)


class BatchNorm1d(BatchNormNd, nn.BatchNorm1d):
    """``nn.BatchNorm1d`` with a weight, a bias, both or neither."""


class BatchNorm2d(BatchNormNd, nn.BatchNorm2d):
    """``nn.BatchNorm2d`` with a weight, a bias, both or neither."""


class BatchNorm3d(BatchNormNd, nn.BatchNorm3d):
    """``nn.BatchNorm3d`` with a weight, a bias, both or neither."""


class LayerNorm(nn.LayerNorm):
    """Normalises the channels of each position, or other axes; ``nn.LayerNorm`` takes the last.

    Args:
        num_features: Sizes of the axes: an int of one, a tuple of several.
        eps: What is added to the variance.
        scale: Whether there is a weight, which multiplies.
        offset: Whether there is a bias, which is added.
        axes: An axis or several, as of channels-last arrays: -1 is that of the channels, 1 the
            first spatial one, wherever PyTorch has them.

    Shapes:
        x_NCS: any C, or that of num_features
        y_NCS: that C
        weight, bias: the sizes in the order of the axes
    """

    def __init__(
        self,
        num_features: int | Ints,
        eps: float = 1e-5,
        scale: bool = True,
        offset: bool = True,
        axes: int | Ints = -1,
    ) -> None:
        super().__init__(num_features, eps)
        keep(self, scale, offset)
        self.axes = axes

    def forward(self, x_NCS: Tensor) -> Tensor:
        dims, last = places(self.axes, x_NCS.ndim)
        return super().forward(x_NCS.movedim(dims, last)).movedim(last, dims)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, axes={self.axes}"


class RMSNorm(nn.RMSNorm):
    """Divides by the root mean square over the channels, or other axes, as ``LayerNorm`` has them.

    Args:
        num_features: Sizes of the axes: an int of one, a tuple of several.
        eps: What is added to the mean square.
        scale: Whether there is a weight, which multiplies.
        axes: As in ``LayerNorm``.

    Shapes:
        x_NCS: any C, or that of num_features
        y_NCS: that C
        weight: the sizes in the order of the axes
    """

    def __init__(
        self, num_features: int | Ints, eps: float = 1e-6, scale: bool = True, axes: int | Ints = -1
    ) -> None:
        super().__init__(num_features, eps, elementwise_affine=scale)
        self.axes = axes

    def forward(self, x_NCS: Tensor) -> Tensor:
        dims, last = places(self.axes, x_NCS.ndim)
        return super().forward(x_NCS.movedim(dims, last)).movedim(last, dims)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, axes={self.axes}"


def places(axes: int | Ints, ndim: int) -> tuple[list[int], list[int]]:
    """Where axes of a channels-last array are, channels first, and as many at the end."""
    dims = [dim_of(axis, ndim) for axis in ((axes,) if isinstance(axes, int) else axes)]
    return dims, list(range(-len(dims), 0))


def group_norm(
    x_NCS: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """``torch.group_norm``, whose gradient fails where there is a bias without a weight."""
    if weight is None and bias is not None:
        y_NCS = torch.group_norm(x_NCS, groups, eps=eps)
        return y_NCS + bias.reshape(-1, *[1] * (x_NCS.ndim - 2))
    return torch.group_norm(x_NCS, groups, weight, bias, eps)


class GroupNorm(nn.GroupNorm):
    """``nn.GroupNorm``, which refuses a group of one value in a batch of one, at inference too.

    Args:
        num_groups: Blocks of channels that are normalised together.
        num_channels: Channels of the input.
        eps: What is added to the variance.
        scale: Whether there is a weight, which multiplies.
        offset: Whether there is a bias, which is added.

    Shapes:
        x_NCS: C is num_channels
        y_NCS: C is num_channels
        weight, bias: (num_channels,)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        scale: bool = True,
        offset: bool = True,
    ) -> None:
        super().__init__(num_groups, num_channels, eps)
        keep(self, scale, offset)

    def forward(self, x_NCS: Tensor) -> Tensor:
        return group_norm(x_NCS, self.num_groups, self.weight, self.bias, self.eps)


class InstanceNorm(nn.Module):
    """``nn.InstanceNorm2d`` of any number of spatial axes, and of images of one pixel.

    Args:
        num_features: Channels of the input.
        eps: What is added to the variance.
        scale: Whether there is a weight, which multiplies.
        offset: Whether there is a bias, which is added.

    Shapes:
        x_NCS: C is num_features
        y_NCS: C is num_features
        weight, bias: (num_features,)
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, scale: bool = True, offset: bool = True
    ) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        keep(self, scale, offset)

    def forward(self, x_NCS: Tensor) -> Tensor:
        return group_norm(x_NCS, self.num_features, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"
