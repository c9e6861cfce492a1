"""PyTorch pools, channels-first: what ``torch.nn`` lacks to say every spec. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S one to three spatial axes (L, HW or DHW).
"""

import math
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
        ceil_mode: Whether what the stride leaves over at the end has a window, too; one that would
            start behind the last pixel is left out.
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
        ceil_mode: bool = False,
        **options: Any,
    ) -> None:
        native = both_sides(padding)
        if isinstance(native, tuple):
            kernel = per_axis(kernel_size, len(native))
            half = all(2 * n <= k for n, k in zip(native, kernel, strict=True))
            if not (half and self.torch_pads):
                native = None
        if ceil_mode and not self.torch_pads:
            native = None
        padded = 0 if native is None else native
        super().__init__(kernel_size, stride, padded, ceil_mode=ceil_mode, **options)
        self.pad_first = padding if native is None else None

    def pairs(self, x_NCS: Tensor) -> Pairs:
        """The (low, high) pads that come before the pool: without what ``ceil_mode`` adds."""
        rank = x_NCS.ndim - 2
        dilation = getattr(self, "dilation", 1)
        window = (per_axis(each, rank) for each in (self.kernel_size, self.stride, dilation))
        return pairs_for(x_NCS, self.pad_first or "valid", *window)

    def rest(self, x_NCS: Tensor) -> Pairs:
        """What a padded input lacks for the last window, or has beyond it.

        Only where torch does not pad: it would take the padding for pixels.
        """
        rank = x_NCS.ndim - 2
        if not self.ceil_mode or self.pad_first is None:
            return ((0, 0),) * rank
        dilation = getattr(self, "dilation", 1)
        window = (per_axis(each, rank) for each in (self.kernel_size, self.stride, dilation))
        pairs = []
        for n, (low, high), k, s, d in zip(
            x_NCS.shape[2:], self.pairs(x_NCS), *window, strict=True
        ):
            extent = (k - 1) * d + 1
            # where the last window starts
            last = min(-(-(n + low + high - extent) // s), (n + low - 1) // s) * s
            pairs.append((0, last + extent - n - low - high))
        return tuple(pairs)

    def whole(self, x_NCS: Tensor) -> Pairs:
        """The (low, high) pads that come before the pool, with what ``ceil_mode`` adds."""
        pairs = zip(self.pairs(x_NCS), self.rest(x_NCS), strict=True)
        return tuple((low, high + more) for (low, high), (_, more) in pairs)


class MaxPoolNd(PoolNd):
    """The largest value of each window: the padding is -inf, which never wins.

    Args:
        kernel_size, stride, padding, ceil_mode: As in ``PoolNd``.
        dilation: Pixels from one value of the window to the next.
    """

    def forward(self, x_NCS: Tensor) -> Tensor:
        return super().forward(pad(x_NCS, self.whole(x_NCS), value=-torch.inf))


class MaxPool1d(MaxPoolNd, nn.MaxPool1d):
    """``nn.MaxPool1d`` with every padding."""


class MaxPool2d(MaxPoolNd, nn.MaxPool2d):
    """``nn.MaxPool2d`` with every padding."""


class MaxPool3d(MaxPoolNd, nn.MaxPool3d):
    """``nn.MaxPool3d`` with every padding."""


class AvgPoolNd(PoolNd):
    """The mean of each window.

    Args:
        kernel_size, stride, padding, ceil_mode: As in ``PoolNd``.
        count_include_pad: Whether the zeros of the padding count, as they do in PyTorch; what
            ``ceil_mode`` adds never does.
        divisor_override: What the sum of each window is divided by; None is how many values count.
    """

    def __init__(
        self,
        kernel_size: int | Ints,
        stride: int | Ints | None = None,
        padding: str | Pairs = "valid",
        count_include_pad: bool = True,
        ceil_mode: bool = False,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(
            kernel_size, stride, padding, ceil_mode, count_include_pad=count_include_pad
        )
        self.divisor_override = divisor_override

    def forward(self, x_NCS: Tensor) -> Tensor:
        counts_itself = self.divisor_override is not None or (
            self.pad_first is not None and (self.ceil_mode or not self.count_include_pad)
        )
        if x_NCS.dtype in (torch.float16, torch.bfloat16) and (counts_itself or x_NCS.ndim == 5):
            # torch has no avg_pool3d of these on a CPU; sums of them would be rounded, or overflow
            return self.forward(x_NCS.float()).to(x_NCS.dtype)
        pairs, rest = self.pairs(x_NCS), self.rest(x_NCS)
        if not counts_itself:
            return super().forward(pad(x_NCS, pairs))
        total = self._sums(pad(pad(x_NCS, pairs), rest))
        if self.divisor_override is not None:
            return total / self.divisor_override
        ones = x_NCS.new_ones((1, 1, *x_NCS.shape[2:]))  # torch would count the padding too
        ones = pad(ones, pairs, value=float(self.count_include_pad))
        return total / self._sums(pad(ones, rest))

    def _sums(self, x_NCS: Tensor) -> Tensor:
        rank = x_NCS.ndim - 2
        window: Any = (self.kernel_size, self.stride, self.padding)
        kernel, stride, pads = (per_axis(each, rank) for each in window)
        if rank == 1:  # F.avg_pool1d has no divisor: a sequence is an image of one row
            x_NCHW, window = x_NCS.unsqueeze(2), ((1, *kernel), (1, *stride), (0, *pads))
            return F.avg_pool2d(x_NCHW, *window, self.ceil_mode, divisor_override=1).squeeze(2)
        pool = F.avg_pool2d if rank == 2 else F.avg_pool3d
        return pool(x_NCS, kernel, stride, pads, self.ceil_mode, divisor_override=1)

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        by = self.divisor_override
        return shown if by is None else f"{shown}, divisor_override={by}"


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


# ---------------------------------------------------------------- where the largest values lie


class MaxPoolIndicesNd(PoolNd):
    """Where the largest value of each window lies among the pixels of the input, row by row.

    A place is a number of the input's dtype. Padding that comes first is not counted.

    Args:
        kernel_size, stride, padding, ceil_mode: As in ``PoolNd``.
        dilation: Pixels from one value of the window to the next.
    """

    def __init__(
        self,
        kernel_size: int | Ints,
        stride: int | Ints | None = None,
        padding: str | Pairs = "valid",
        ceil_mode: bool = False,
        dilation: int | Ints = 1,
    ) -> None:
        super().__init__(
            kernel_size, stride, padding, ceil_mode, dilation=dilation, return_indices=True
        )

    def forward(self, x_NCS: Tensor) -> Tensor:
        pixels, most = x_NCS[0, 0].numel(), int(2 / torch.finfo(x_NCS.dtype).eps)
        if pixels > most:
            raise ValueError(
                f"an input of {pixels} pixels has more places than the {most} that "
                f"{x_NCS.dtype} counts without a gap: use a wider dtype"
            )
        pads = self.whole(x_NCS)
        _, places_NCS = super().forward(pad(x_NCS, pads, value=-torch.inf))
        if self.pad_first is not None:
            places_NCS = self.unpadded(places_NCS, x_NCS.shape[2:], pads)
        return places_NCS.to(x_NCS.dtype)

    def unpadded(self, places_NCS: Tensor, sizes: Ints, pads: Pairs) -> Tensor:
        """The same places, counted without the padding.

        Padding is chosen at the first place of a window that holds -inf alone: of its pixels the
        first one counts.
        """
        found, step = torch.zeros_like(places_NCS), 1
        dilation = per_axis(self.dilation, len(sizes))
        for n, (low, high), d in reversed([*zip(sizes, pads, dilation, strict=True)]):
            at = places_NCS % (low + n + high) - low
            found = found + step * torch.where(at < 0, at % d, at)
            places_NCS, step = places_NCS // (low + n + high), step * n
        return found


class MaxPoolIndices1d(MaxPoolIndicesNd, nn.MaxPool1d):
    """The places that ``nn.MaxPool1d`` gives with ``return_indices``, with every padding."""


class MaxPoolIndices2d(MaxPoolIndicesNd, nn.MaxPool2d):
    """The places that ``nn.MaxPool2d`` gives with ``return_indices``, with every padding."""


class MaxPoolIndices3d(MaxPoolIndicesNd, nn.MaxPool3d):
    """The places that ``nn.MaxPool3d`` gives with ``return_indices``, with every padding."""


# ---------------------------------------------------------------- values back in their places


class MaxUnpoolNd(nn.Module):
    """Each value back at its place among the pixels, and 0 elsewhere, to a size of its own.

    Args:
        kernel_size: Size of the pool's window along each spatial axis.
        stride: Pixels from one window to the next; None is the size of the window.
        padding: What the pool padded on both sides of each axis.
        output_size: The pixels along each axis; None is what follows of the others.

    Shapes:
        x_NCS, places_NCS: any C
        y_NCS: that C
    """

    def __init__(
        self,
        kernel_size: int | Ints,
        stride: int | Ints | None = None,
        padding: int | Ints = 0,
        output_size: Ints | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.output_size = output_size

    def forward(self, x_NCS: Tensor, places_NCS: Tensor) -> Tensor:
        n, c, *spatial = x_NCS.shape
        window = (per_axis(each, len(spatial)) for each in (self.stride, self.padding))
        kernel = per_axis(self.kernel_size, len(spatial))
        axes = zip(spatial, *window, kernel, strict=True)
        sizes = self.output_size or [(i - 1) * s - 2 * p + k for i, s, p, k in axes]
        pixels = math.prod(sizes)
        inside = (places_NCS >= 0) & (places_NCS < pixels)
        at_NCP = places_NCS.to(torch.int64).where(inside, pixels).flatten(2)
        y_NCP = x_NCS.new_zeros(n, c, pixels + 1)  # the last of them is none of the output
        return y_NCP.scatter(2, at_NCP, x_NCS.flatten(2))[..., :-1].reshape(n, c, *sizes)


class MaxUnpool1d(MaxUnpoolNd, nn.MaxUnpool1d):
    """``nn.MaxUnpool1d`` with its output size, of places in any dtype, of which none fails."""


class MaxUnpool2d(MaxUnpoolNd, nn.MaxUnpool2d):
    """``nn.MaxUnpool2d`` with its output size, of places in any dtype, of which none fails."""


class MaxUnpool3d(MaxUnpoolNd, nn.MaxUnpool3d):
    """``nn.MaxUnpool3d`` with its output size, of places in any dtype, of which none fails."""
