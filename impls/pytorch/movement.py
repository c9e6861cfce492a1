"""PyTorch layers that move values and compute nothing. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S any number of spatial axes. The axes that a layer is
told are those of channels-last arrays, as in every framework; ``dim_of`` says where PyTorch has
them.
"""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from convparity.impls.axis_patterns import Axes, axes, moves
from convparity.impls.pytorch.layers import Pairs, dim_of, pad


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


def as_stored(found: Axes) -> Axes:
    """The axes of a channels-last array in PyTorch's order."""
    return found if len(found) < 3 else (found[0], found[-1], *found[1:-1])


class Rearrange(nn.Module):
    """A reshape and permute in the language of einops, written for channels-last arrays.

    A value's way from PyTorch's order of axes and back to it is part of the one permute: what only
    goes from (N, C, H, W) to (N, H, W, C) moves nothing.

    Args:
        pattern: The axes before and after, channels last: "n h w (g c) -> n h w (c g)".
        sizes: The sizes of factors that cannot be inferred: {"g": 4}.
    """

    def __init__(
        self, pattern: str, sizes: Mapping[str, int] | Iterable[tuple[str, int]] = ()
    ) -> None:
        super().__init__()
        self.pattern, self.sizes = pattern, tuple(sorted(dict(sizes).items()))

    def forward(self, x_NCS: Tensor) -> Tensor:
        before, after = map(as_stored, axes(self.pattern, x_NCS.ndim))
        split, order, merged = moves(before, after, x_NCS.shape, self.sizes)
        return x_NCS.reshape(split).permute(order).reshape(merged)

    def extra_repr(self) -> str:
        return ", ".join([repr(self.pattern), *(f"{name}={size}" for name, size in self.sizes)])


class Pad(nn.Module):
    """Pixels around the spatial axes, by any amount; a negative number crops first.

    Args:
        pads: One (low, high) pair a spatial axis.
        mode: "zeros" (or another value), "reflect", "replicate" or "circular".
        value: What "zeros" fills with.
        channels: The (low, high) pair of the channels, for "zeros" alone.
    """

    def __init__(
        self,
        pads: Pairs,
        mode: str = "zeros",
        value: float = 0.0,
        channels: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.pads = tuple((low, high) for low, high in pads)
        self.mode, self.value = mode, value
        low, high = channels
        self.channels = low, high

    def forward(self, x_NCS: Tensor) -> Tensor:
        if self.mode == "zeros":
            pairs = (self.channels, *self.pads) if any(self.channels) else self.pads
            return pad(x_NCS, pairs, value=self.value)
        for dim, (low, high) in enumerate(self.pads, 2):
            low, high = max(-low, 0), max(-high, 0)
            x_NCS = x_NCS.narrow(dim, low, x_NCS.shape[dim] - low - high)
        return pad(x_NCS, tuple((max(low, 0), max(high, 0)) for low, high in self.pads), self.mode)

    def extra_repr(self) -> str:
        channels = f", channels={self.channels}" if any(self.channels) else ""
        return f"{self.pads}, mode={self.mode!r}, value={self.value}{channels}"
