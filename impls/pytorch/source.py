"""PyTorch layers that give values of their own, whatever they are called with. A page to copy from.

Shapes: x_NCS any input, y_NCS the output, S any number of spatial axes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def channels_first(shape: Iterable[int]) -> tuple[int, ...]:
    """The shape of an example, channels last, as PyTorch stores it."""
    *spatial, channels = shape
    return channels, *spatial


def for_each(value: Tensor, x_NCS: Tensor) -> Tensor:
    """One value for every example; none is copied."""
    return value.expand(len(x_NCS), *value.shape)


class Parameter(nn.Module):
    """An ``nn.Parameter`` as a layer, the same for every example; it starts as zeros.

    Args:
        shape: Of one example, channels last, as in every framework.

    Shapes:
        x_NCS: any; N alone counts
        y_NCS: C, S are those of the shape
        value: (C, *S)
    """

    def __init__(self, shape: Iterable[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.value = nn.Parameter(torch.zeros(channels_first(self.shape)))

    def forward(self, x_NCS: Tensor) -> Tensor:
        return for_each(self.value, x_NCS)

    def extra_repr(self) -> str:
        return f"{self.shape}"


class Constant(nn.Module):
    """Numbers as a layer, the same for every example, in the dtype of what it is called with.

    Args:
        values: The numbers in the order of a channels-last array.
        shape: Of one example, channels last, as in every framework.

    Shapes:
        x_NCS: any; N alone counts
        y_NCS: C, S are those of the shape
    """

    def __init__(self, values: Iterable[float], shape: Iterable[int]) -> None:
        super().__init__()
        self.values, self.shape = tuple(values), tuple(shape)

    def forward(self, x_NCS: Tensor) -> Tensor:
        value_SC = torch.tensor(self.values, dtype=x_NCS.dtype, device=x_NCS.device)
        value_SC = value_SC.reshape(self.shape)
        return for_each(value_SC.movedim(-1, 0), x_NCS)

    def extra_repr(self) -> str:
        return f"{len(self.values)} numbers, {self.shape}"
