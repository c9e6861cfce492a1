"""A PyTorch layer of sums of products along named axes. A page to copy from."""

import re

import torch
from torch import Tensor, nn


def letters(pattern: str) -> str:
    """The pattern in letters, with the axes in PyTorch's order: the last one behind the batch."""
    first, second, result = (side.split() for side in re.split(",|->", pattern))
    letter = {name: chr(ord("a") + i) for i, name in enumerate(dict.fromkeys([*first, *second]))}

    def stored(names: list[str]) -> str:
        if len(names) > 2:
            names = [names[0], names[-1], *names[1:-1]]
        return "".join(letter[name] for name in names)

    return f"{stored(first)},{stored(second)}->{stored(result)}"


class Einsum(nn.Module):
    """Products of two values, summed over the axes that the result does not have.

    The letters are permuted to where PyTorch has the axes: nothing is transposed for it.

    Args:
        pattern: The axes of channels-last arrays: "n q c, n k c -> n q k".
    """

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern

    def forward(self, first_NCS: Tensor, second_NCS: Tensor) -> Tensor:
        return torch.einsum(letters(self.pattern), first_NCS, second_NCS)

    def extra_repr(self) -> str:
        return repr(self.pattern)
