"""A PyTorch layer that resizes, channels-first, at exact positions. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S one to three spatial axes (L, HW or DHW).
"""

from typing import Any

import torch
from torch import Tensor, nn

from convparity.impls.pytorch.layers import Ints


class Resize(nn.Module):
    """``nn.Upsample``, which finds positions in float32, at positions found exactly.

    Args:
        size: Size of the output along each spatial axis.
        scale: Or how many times as large it is as the input, a number an axis; a fraction scales
            positions, too.
        method: "nearest", pixel ``floor(i * n / m)``, "nearest-exact", "linear", "cubic" (Keys'
            kernel with a = -0.75) or "area".
        align_corners: Whether the corner pixels of "linear" and "cubic" keep their places.
        antialias: Whether "linear" and "cubic" (then with a = -0.5) take all pixels that a smaller
            image leaves out into their means.

    Shapes:
        x_NCS: any C
        y_NCS: that C
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale: tuple[int | float, ...] | None = None,
        method: str = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.size: Any = size
        self.scale: Any = scale
        self.method, self.align_corners, self.antialias = method, align_corners, antialias

    def forward(self, x_NCS: Tensor) -> Tensor:
        for axis in range(2, x_NCS.ndim):
            n = x_NCS.shape[axis]
            by = 1 if self.scale is None else self.scale[axis - 2]
            fraction = by if isinstance(by, float) else None
            m = n * by if fraction is None else int(n * by)
            if self.size is not None:
                m = self.size[axis - 2]
            x_NCS = self.along(x_NCS, axis, n, m, fraction)
        return x_NCS

    def along(self, x_NCS: Tensor, axis: int, n: int, m: int, by: float | None) -> Tensor:
        """With m pixels along an axis of n; ``by`` is a scale that is a fraction."""
        places = torch.arange(m, device=x_NCS.device)
        if self.method.startswith("nearest"):
            return x_NCS.index_select(axis, self.nearest(places, n, m, by))
        if self.method == "area":
            taps, shares = means(places, n, m)
        elif self.antialias:
            wide = max(n / m if by is None else 1 / by, 1.0)
            taps, shares = smoothed(self.at(places, n, m, by), n, wide, self.method)
        else:
            taps, shares = between(self.at(places, n, m, by), n, self.method)
        wide_type = torch.promote_types(x_NCS.dtype, torch.float32)
        before, behind = x_NCS.shape[:axis], x_NCS.shape[axis + 1 :]
        seen = x_NCS.to(wide_type).index_select(axis, taps.clamp(0, n - 1).flatten())
        seen = seen.reshape(*before, *taps.shape, *behind)
        weights = shares.to(wide_type).reshape(*taps.shape, *[1] * len(behind))
        return (seen * weights).sum(axis + 1).to(x_NCS.dtype)

    def nearest(self, places: Tensor, n: int, m: int, by: float | None) -> Tensor:
        """The pixel of each place: of a fraction as torch finds it, in float32."""
        exact = self.method == "nearest-exact"
        if by is None or (not exact and m in (n, 2 * n)):
            return (2 * places + 1) * n // (2 * m) if exact else places * n // m
        step = torch.tensor(1 / by, dtype=torch.float32, device=places.device)
        at = (places + 0.5).double() * step.double() if exact else places.float() * step
        return at.float().floor().long().clamp(max=n - 1)

    def at(self, places: Tensor, n: int, m: int, by: float | None) -> Tensor:
        """Where each place lies among the pixels."""
        if self.align_corners:
            return (places * (n - 1)).double() / max(m - 1, 1)
        as_it_is = m == n and (self.method == "linear" or self.antialias)  # as torch leaves it
        if by is None or as_it_is:
            return ((2 * places + 1) * n - m).double() / (2 * m)
        return (places + 0.5).double() / by - 0.5

    def extra_repr(self) -> str:
        how = f"size={self.size}" if self.scale is None else f"scale={self.scale}"
        smooth = ", antialias=True" if self.antialias else ""
        return f"{how}, method={self.method!r}, align_corners={self.align_corners}{smooth}"


# ---------------------------------------------------------------- which pixels, and their shares


def between(at: Tensor, n: int, method: str) -> tuple[Tensor, Tensor]:
    """The two pixels around each position, or four; beyond the border the last one."""
    if method == "linear":
        at = at.clamp(0, n - 1)
    low = at.floor()
    taps = (
        torch.arange(2, device=at.device)
        if method == "linear"
        else torch.arange(-1, 3, device=at.device)
    )
    seen = low[:, None] + taps
    distance = (at[:, None] - seen).abs()
    return seen.long(), 1 - distance if method == "linear" else keys(distance, -0.75)


def smoothed(at: Tensor, n: int, wide: float, method: str) -> tuple[Tensor, Tensor]:
    """All pixels under a kernel that is so many times as wide; their shares add up to 1."""
    reach = wide if method == "linear" else 2 * wide
    first = (at - reach).ceil()
    seen = first[:, None] + torch.arange(int(2 * reach) + 1, device=at.device)
    distance = (at[:, None] - seen).abs() / wide
    shares = (1 - distance).clamp(min=0) if method == "linear" else keys(distance, -0.5)
    shares = torch.where((seen >= 0) & (seen < n), shares, 0.0)
    return seen.long(), shares / shares.sum(1, keepdim=True)


def means(places: Tensor, n: int, m: int) -> tuple[Tensor, Tensor]:
    """The pixels of each window of ``nn.AdaptiveAvgPool2d``."""
    start, stop = places * n // m, -(-(places + 1) * n // m)
    seen = start[:, None] + torch.arange(n // m + 2, device=places.device)
    return seen, (seen < stop[:, None]).double() / (stop - start)[:, None]


def keys(distance: Tensor, a: float) -> Tensor:
    """Keys' cubic kernel."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))
