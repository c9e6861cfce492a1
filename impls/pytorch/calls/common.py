"""What the calls of several families have in common: ``write_layer``, which each adds to."""

from collections.abc import Iterable
from functools import singledispatch

from convparity.impls.errors import UnsupportedError
from convparity.impls.script_writer import Writer
from convparity.impls.spec import NUMPY_MODES, PaddingMode, Pairs, Shape, Spec
from convparity.impls.weights import Arrays


def dim_of(axis: int, ndim: int) -> int:
    """Where a canonical axis is: the channels lie at 1, the spatial axes behind them.

    As ``dim_of`` of ``layers.py``, which imports torch: what writes scripts may not.
    """
    at = axis % ndim
    if ndim < 3:
        return at
    return 1 if at == ndim - 1 else at + 1


@singledispatch
def write_layer(spec: Spec, weights: Arrays, shape: Shape, out: Writer) -> None:
    """Add the calls of one layer."""
    raise UnsupportedError(f"no script is known for {type(spec).__name__}")


def symmetric(pairs: Pairs) -> tuple[int, ...] | None:
    """What ``padding=`` takes, if the pairs are so."""
    lows = tuple(low for low, _ in pairs)
    return lows if all(low == high for low, high in pairs) else None


def pad(pairs: Pairs, out: Writer, *options: str) -> None:
    """Pad the spatial axes."""
    out.call("y = F.pad", "y", str(from_last(pairs)), *options)


def from_last(pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Pairs as ``F.pad`` takes them."""
    return [each for pair in reversed(list(pairs)) for each in pair]


def pad_mode(mode: PaddingMode, pairs: Pairs, sizes: Shape, out: Writer) -> None:
    """Pad the spatial axes, of these sizes, in another mode than zeros."""
    room = 0 if mode == "circular" else -1
    fits = all(max(pair) <= n + room for n, pair in zip(sizes, pairs, strict=True))
    if fits or mode == "replicate":
        pad(pairs, out, f'mode="{mode}"')
        return
    out.say(f"# F.pad refuses so much {mode} padding: NumPy repeats it")
    widths = [(0, 0), (0, 0), *pairs]
    out.say(f'y = torch.from_numpy(np.pad(y.numpy(), {widths}, mode="{NUMPY_MODES[mode]}"))')
