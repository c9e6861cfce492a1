"""Windows that slide over pixels: how far they reach, how many fit, what is padded first.

Shapes: x_NSC the input, channels-last, where S is one axis, two or three.
"""

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any

import keras
from keras import ops

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def per_axis(value: Any, rank: int) -> Ints:
    """One int an axis; a scalar stands for all of them."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def extent_of(kernel_size: Ints, dilation: Ints) -> Ints:
    """How far a dilated kernel reaches along each axis."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True))


def named_or_pairs(padding: Any, rank: int) -> str | Pairs:
    """The padding as it was asked for, or a ``ValueError``."""
    if padding in ("valid", "same") or (padding == "causal" and rank == 1):
        return padding
    if isinstance(padding, str) or len(padding) != rank or any(len(p) != 2 for p in padding):
        names = '"valid", "same"' + (', "causal"' if rank == 1 else "")
        raise ValueError(f"padding must be {names} or {rank} (low, high) pairs, not {padding!r}")
    return tuple((low, high) for low, high in padding)


def largest(*values: Any) -> Any:
    """The largest of several integers, or of tensors of them."""
    return max(values) if all(isinstance(n, int) for n in values) else reduce(ops.maximum, values)


def pairs_of(
    padding: str | Pairs, spatial: Any, extent: Ints, strides: Ints, ceil_mode: bool = False
) -> Any:
    """What to pad before and after each axis; "same" is TensorFlow's. Sizes may be tensors.

    With ``ceil_mode`` the last window may reach further, but starts at a pixel, as in PyTorch.
    """
    pairs: Any = padding
    if isinstance(padding, str):
        pairs = []
        for n, k, s in zip(spatial, extent, strides, strict=True):
            total = (-(-n // s) - 1) * s + k - n if padding == "same" else 0
            total = largest(total, 0)
            low = k - 1 if padding == "causal" else total // 2
            pairs.append((low, total - total // 2))
    if not ceil_mode:
        return tuple(pairs)
    longer = []
    for n, (low, high), k, s in zip(spatial, pairs, extent, strides, strict=True):
        # where the last window starts, backwards: the smaller of two is minus the larger
        last = -largest((n + low + high - k) // -s, -((n + low - 1) // s)) * s
        longer.append((low, largest(high, last + k - n - low)))
    return tuple(longer)


def windows_of(spatial: Any, pairs: Any, extent: Ints, strides: Ints) -> tuple[Any, ...]:
    """How many windows fit along each axis.

    None at all is a ``ValueError``: TensorFlow's convolution returns uninitialised memory for a
    kernel one larger than its input, and its max pooling kills the process.
    """
    sizes = []
    for n, (low, high), k, s in zip(spatial, pairs, extent, strides, strict=True):
        size = (n + low + high - k) // s + 1
        if isinstance(size, int) and size < 1:
            raise ValueError(f"a window of {k} does not fit into {n} + {low} + {high} pixels")
        sizes.append(size)
    return tuple(sizes)


def fit(
    x_NSC: Any, padding: str | Pairs, extent: Ints, strides: Ints, ceil_mode: bool = False
) -> tuple[Any, Any]:
    """The input and what to pad it with, or an error where no window fits."""
    batch, *spatial, channels = ops.shape(x_NSC)
    pairs = pairs_of(padding, spatial, extent, strides, ceil_mode)
    counts = (batch, *windows_of(spatial, pairs, extent, strides))
    misfits = [ops.cast(n < 1, "int32") for n in counts if not isinstance(n, int)]
    if misfits:
        # A traced function learns its sizes when it runs: TensorFlow then refuses to reshape, which
        # copies nothing, to one example too many.
        x_NSC = ops.reshape(x_NSC, (batch + sum(misfits), *spatial, channels))
    return x_NSC, pairs


def windows_shape(
    padding: str | Pairs,
    shape: Any,
    extent: Ints,
    strides: Ints,
    channels: int,
    ceil_mode: bool = False,
) -> tuple[int | None, ...]:
    """The output shape of sliding windows; None where a size is open."""
    known = [k if n is None else n for n, k in zip(shape[1:-1], extent, strict=True)]
    pairs = pairs_of(padding, known, extent, strides, ceil_mode)
    sizes = windows_of(known, pairs, extent, strides)
    spatial = (None if n is None else size for n, size in zip(shape[1:-1], sizes, strict=True))
    return (shape[0], *spatial, channels)


def pad(x_NSC: Any, pairs: Any, mode: str) -> Any:
    """Pad the spatial axes as ``numpy.pad`` does: any amount, repeating as often as it takes.

    ``keras.ops.pad`` has neither "edge" nor "wrap" on TensorFlow, and refuses to reflect more
    pixels than there are: here the pixels are looked up by their index.
    """
    if mode == "zeros":
        return ops.pad(x_NSC, ((0, 0), *pairs, (0, 0)))
    for axis, (low, high) in enumerate(pairs, start=1):
        if isinstance(low, int) and isinstance(high, int) and low == high == 0:
            continue
        n = ops.shape(x_NSC)[axis]
        at = ops.arange(-low, n + high)
        match mode:
            case "replicate":
                at = ops.clip(at, 0, n - 1)
            case "circular":
                at = at % n
            case "reflect":
                if isinstance(n, int) and n == 1:
                    raise ValueError("one pixel cannot be reflected")
                at = (n - 1) - ops.abs((n - 1) - at % (2 * (n - 1)))  # there and back again
        x_NSC = ops.take(x_NSC, at, axis=axis)
    return x_NSC


def without_examples(layer: Any, x_NSC: Any) -> Any:
    """The output for a batch of 0, for which TensorFlow returns garbage; else None."""
    if x_NSC.shape[0] != 0:
        return None
    return ops.zeros(layer.compute_output_shape(x_NSC.shape), dtype=layer.compute_dtype)


def convolve(x_NSC: Any, kernel_SIO: Any, strides: Ints, padding: str, dilation: Ints) -> Any:
    """``keras.ops.conv``, channels-last, which on TensorFlow compiles a grouped one once.

    TensorFlow has grouped convolutions on a CPU by XLA only, and Keras compiles one anew at every
    eager call: 20 to 100 milliseconds, whatever its size.
    """
    grouped = x_NSC.shape[-1] != kernel_SIO.shape[-2]
    if grouped and keras.backend.backend() == "tensorflow":
        import tensorflow

        if tensorflow.executing_eagerly():
            kernel_SIO = ops.convert_to_tensor(kernel_SIO)
            given = tuple((tuple(each.shape), each.dtype) for each in (x_NSC, kernel_SIO))
            return compiled(given, strides, padding, dilation)(x_NSC, kernel_SIO)
    return ops.conv(x_NSC, kernel_SIO, strides, padding, "channels_last", dilation)


@lru_cache(maxsize=256)
def compiled(given: Any, strides: Ints, padding: str, dilation: Ints) -> Callable[..., Any]:
    """A grouped convolution of tensors of the ``given`` shapes and types, compiled when called."""
    import tensorflow

    def conv(x_NSC: Any, kernel_SIO: Any) -> Any:
        return tensorflow.nn.convolution(
            x_NSC, kernel_SIO, strides, padding.upper(), dilations=dilation
        )

    return tensorflow.function(conv, jit_compile=True)
