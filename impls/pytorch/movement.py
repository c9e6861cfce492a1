"""PyTorch layers that move values and compute nothing. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S any number of spatial axes. The axes that a layer is
told are those of channels-last arrays, as in every framework; ``dim_of`` says where PyTorch has
them.
"""

from torch import Tensor, nn

from convparity.impls.pytorch.layers import dim_of


class Slice(nn.Module):
    """Every ``step``-th entry of a range of an axis.

    Args:
        axis: The axis as of channels-last arrays: -1 is that of the channels, 1 the first spatial
            one, wherever PyTorch has them.
        start: The first entry; a negative one counts from the end.
        stop: The entry behind the last; a negative one counts from the end, None is the end.
        step: From one entry to the next.
    """

    def __init__(self, axis: int, start: int = 0, stop: int | None = None, step: int = 1) -> None:
        super().__init__()
        self.axis, self.start, self.stop, self.step = axis, start, stop, step

    def forward(self, x_NCS: Tensor) -> Tensor:
        before = (slice(None),) * dim_of(self.axis, x_NCS.ndim)
        return x_NCS[(*before, slice(self.start, self.stop, self.step))]

    def extra_repr(self) -> str:
        return f"axis={self.axis}, start={self.start}, stop={self.stop}, step={self.step}"
