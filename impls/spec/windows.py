"""Where windows lie: the arithmetic that convolutions and pools share."""

from functools import lru_cache
from typing import Protocol

from convparity.impls.errors import SpecError
from convparity.impls.spec.checks import Padding, Pairs, Shape


class Windowed(Protocol):
    """A layer that slides a window over its input: a convolution or a pool."""

    @property
    def kernel_size(self) -> Shape: ...
    @property
    def stride(self) -> Shape: ...
    @property
    def padding(self) -> Padding: ...
    @property
    def rank(self) -> int: ...


@lru_cache(maxsize=4096)
def effective_kernel(kernel_size: Shape, dilation: Shape) -> Shape:
    """The extent of a dilated kernel along each axis: ``(k - 1) * d + 1``."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True))


def window_dilation(spec: Windowed) -> Shape:
    """The dilation of a layer's window; an average pool has none."""
    dilation: Shape = getattr(spec, "dilation", (1,) * spec.rank)
    return dilation


def window_extent(spec: Windowed) -> Shape:
    """The extent of a layer's dilated window."""
    return effective_kernel(spec.kernel_size, window_dilation(spec))


def padding_pairs(spec: Windowed, spatial: Shape) -> Pairs:
    """What to pad before and after each spatial axis of size ``spatial``, as (low, high) pairs.

    It is ``asked_pairs``, and under ``ceil_mode`` what the last window needs beyond the high end.
    """
    pairs = asked_pairs(spec, spatial)
    if not getattr(spec, "ceil_mode", False):
        return pairs
    longer = []
    for n, (low, high), k, s in zip(spatial, pairs, window_extent(spec), spec.stride, strict=True):
        # where the last window starts; by PyTorch's rule not behind the pixels
        last = min(-(-(n + low + high - k) // s), (n + low - 1) // s) * s
        longer.append((low, max(high, last + k - n - low)))
    return tuple(longer)


def asked_pairs(spec: Windowed, spatial: Shape) -> Pairs:
    """What a layer's ``padding`` asks for, as (low, high) pairs.

    "same" is TensorFlow's rule: the output has ``ceil(n / stride)`` entries, and an odd total puts
    the extra one at the end.
    """
    extent = window_extent(spec)
    if spec.padding == "valid":
        return ((0, 0),) * spec.rank
    if spec.padding == "causal":
        return ((extent[0] - 1, 0),)
    if spec.padding == "same":
        totals = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, s, k in zip(spatial, spec.stride, extent, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    return spec.padding


def positions(spec: Windowed, spatial: Shape) -> Shape:
    """How many places the window has along each axis. Raises ``SpecError`` if it has none."""
    pairs = padding_pairs(spec, spatial)
    padded = tuple(n + low + high for n, (low, high) in zip(spatial, pairs, strict=True))
    extent = window_extent(spec)
    if any(k > n for k, n in zip(extent, padded, strict=True)):
        raise SpecError(
            f"{type(spec).__name__}: the dilated kernel {extent} is larger than the padded input "
            f"{padded}: pad more, or give a larger input than {spatial}"
        )
    if getattr(spec, "padding_mode", "zeros") == "reflect" and any(
        n == 1 and max(pair) > 0 for n, pair in zip(spatial, pairs, strict=True)
    ):
        raise SpecError(f"{type(spec).__name__}: one pixel cannot be reflected, input {spatial}")
    return tuple((n - k) // s + 1 for n, k, s in zip(padded, extent, spec.stride, strict=True))


def check_taps(spec: Windowed, spatial: Shape) -> None:
    """Raise ``SpecError`` for a dilated window of a pool whose taps all lie in the padding."""
    axes = zip(
        spatial, padding_pairs(spec, spatial), window_dilation(spec), spec.stride, strict=True
    )
    for n, (low, _), d, s in axes:
        # a window that starts before the pixels has its first tap behind their start there
        if any((o * s - low) % d >= n for o in range(min(-(-low // s), d))):
            raise SpecError(
                f"{type(spec).__name__}: with a dilation of {d}, all taps of a window lie in the "
                f"padding: pad less than {low}, or give a larger input than {spatial}"
            )


def adaptive_windows(size: int, places: int) -> tuple[tuple[int, int], ...]:
    """Where each of ``places`` windows that cover an axis of ``size`` starts and stops."""
    return tuple((i * size // places, -(-(i + 1) * size // places)) for i in range(places))
