"""PyTorch layers that compute number by number. A page to copy from.

Shapes: x_NCS the input, S any number of spatial axes; x_NC, without one, is taken, too.
"""

from functools import reduce

import torch
from torch import Tensor, nn

from convparity.impls.pytorch.layers import add


class Divide(nn.Module):
    """The first value by the second, as a layer."""

    def forward(self, first_NCS: Tensor, second_NCS: Tensor) -> Tensor:
        return first_NCS / second_NCS


class Maximum(nn.Module):
    """The largest of values, place by place, as a layer."""

    def forward(self, *values_NCS: Tensor) -> Tensor:
        return reduce(torch.maximum, values_NCS)


class Minimum(nn.Module):
    """The smallest of values, place by place, as a layer."""

    def forward(self, *values_NCS: Tensor) -> Tensor:
        return reduce(torch.minimum, values_NCS)


class Average(nn.Module):
    """The mean of values, place by place, as a layer."""

    def forward(self, *values_NCS: Tensor) -> Tensor:
        return add(*values_NCS) / len(values_NCS)


Numbers = float | tuple[float, ...]


def per_channel(numbers: Numbers, x_NCS: Tensor) -> float | Tensor:
    """A number as it is; one a channel where PyTorch has the channels."""
    if isinstance(numbers, float):
        return numbers
    return x_NCS.new_tensor(numbers).reshape(-1, *[1] * (x_NCS.ndim - 2))


class Rescale(nn.Module):
    """x * scale + offset, by numbers that no training changes.

    Args:
        scale: A number, or one a channel.
        offset: The same.
    """

    def __init__(self, scale: Numbers = 1.0, offset: Numbers = 0.0) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS * per_channel(self.scale, x_NCS) + per_channel(self.offset, x_NCS)

    def extra_repr(self) -> str:
        return f"scale={self.scale}, offset={self.offset}"


class Power(nn.Module):
    """x ** exponent: of a whole exponent by products, since torch.pow may err on integers.

    Args:
        exponent: Any number.
    """

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x_NCS: Tensor) -> Tensor:
        if not self.exponent or not float(self.exponent).is_integer():
            return x_NCS**self.exponent
        y_NCS, square_NCS, left = torch.ones_like(x_NCS), x_NCS, abs(int(self.exponent))
        while left:
            if left % 2:
                y_NCS = y_NCS * square_NCS
            left //= 2
            if left:
                square_NCS = square_NCS * square_NCS
        return 1 / y_NCS if self.exponent < 0 else y_NCS

    def extra_repr(self) -> str:
        return f"exponent={self.exponent}"
