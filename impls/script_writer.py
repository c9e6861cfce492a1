"""What each framework's ``script.py`` and ``calls/`` write with: a stand-alone script of one case.

Such a ``script.py`` has, as text, ``PACKAGE`` (what users import), ``IMPORTS`` (the head of the
script), ``TENSOR`` and ``NUMPY`` (what makes a tensor of an array, and an array of a tensor);
``native(array)`` and ``axes(ndim)``, an input as the framework lays it out and the names of its
axes; ``start(out)``, the lines that the weights need; ``concat(values, axis, ndim)``, the call that
joins values along a canonical axis; and ``write_layer(spec, weights, shape, out)``, which adds the
calls of one layer to make a new ``y`` of ``y``.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from convparity.impls.errors import UnsupportedError
from convparity.impls.spec import (
    Activation,
    Constant,
    ConvTranspose,
    MaxPoolIndices,
    Reduce,
    Rescale,
    Shape,
    Slice,
    Source,
    output_shape,
    padding_pairs,
    transposed_crop,
    window_extent,
)

WIDTH = 96


class Writer:
    """The arrays of a script while it is written, and the lines that use them."""

    def __init__(self, composite: bool) -> None:
        self.composite = composite  # the weights of several layers need several names
        self.arrays: dict[str, tuple[np.ndarray, str]] = {}
        self.lines: list[str] = []
        self.layers = 0

    def array(self, name: str, value: np.ndarray, axes: str) -> str:
        """Keep a weight of the present layer; the variable that holds it."""
        variable = f"{name}_{self.layers}" if self.composite else name
        self.arrays[variable] = (np.asarray(value, dtype=np.float32), axes)
        return variable

    def say(self, *lines: str) -> None:
        """Add lines as they are."""
        self.lines += lines

    def call(self, target: str, *arguments: str, **options: tuple[Any, Any]) -> None:
        """Add ``target(arguments, ...)``; each option is its value and its default, left out."""
        given = [
            f"{name}={value!r}" for name, (value, default) in options.items() if value != default
        ]
        words = [*arguments, *given]
        line = f"{target}({', '.join(words)})"
        if len(line) > WIDTH:
            line = "\n".join([f"{target}(", *(f"    {word}," for word in words), ")"])
        self.say(line)


def crop(spec: ConvTranspose, shape: Shape) -> str:
    """The index that crops the whole spatial output of a transposed convolution."""
    pairs, _ = transposed_crop(spec)
    sizes = output_shape(spec, shape)[1:-1]
    return ", ".join(f"{low}:{low + n}" for (low, _), n in zip(pairs, sizes, strict=True))


def affine_of(weights: Mapping[str, np.ndarray], out: Writer, axes: str = "C") -> dict[str, str]:
    """The variables of a norm's scale and offset, as far as it has them."""
    names = [name for name in ("scale", "offset") if name in weights]
    return {name: out.array(name, weights[name], axes) for name in names}


def slice_of(spec: Slice) -> str:
    """A slice as Python writes it."""
    stop = "" if spec.stop is None else spec.stop
    return f"{spec.start or ''}:{stop}" + (f":{spec.step}" if spec.step > 1 else "")


def power_of(exponent: float) -> str:
    """``y`` to a power, as every framework takes it; a whole one by products, which are exact."""
    if not exponent.is_integer():
        return f"y ** {exponent}"
    product = " * ".join(["y"] * int(abs(exponent))) or "y * 0 + 1"
    return f"1 / ({product})" if exponent < 0 else product


def numbers_of(spec: Rescale, out: Writer) -> tuple[str, str]:
    """The factor and the offset: a number as it is, and one a channel as an array."""
    scale, offset = (
        out.array(name, np.array(each), "C") if isinstance(each, tuple) else str(each)
        for name, each in (("scale", spec.scale), ("offset", spec.offset))
    )
    return scale, offset


def own_value(spec: Source, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a network holds by itself, of one example."""
    return np.reshape(spec.values, spec.shape) if isinstance(spec, Constant) else weights["value"]


def reduces(spec: Reduce, shape: Shape, library: str) -> list[str]:
    """The lines of a reduction in a library that calls its functions as NumPy does."""
    how = f"axis={spec.places(shape)}" + (", keepdims=True" if spec.keepdims else "")
    count = spec.count(shape) - spec.correction
    text = {
        "norm": f"@sqrt(@sum(y * y, {how}))",
        "norm1": f"@sum(@abs(y), {how})",
        "var": f"@sum(off * off, {how}) / {count}",
        "std": f"@sqrt(@sum(off * off, {how}) / {count})",
    }.get(spec.function, f"@{spec.function}(y, {how})")
    lines = [f"y = {text}"]
    if spec.function in ("var", "std"):
        lines.insert(0, f"off = y - @mean(y, axis={spec.places(shape)}, keepdims=True)")
    return [line.replace("@", f"{library}.") for line in lines]


def function_call(calls: Mapping[str, str], spec: Activation, axis: int | None = None) -> str:
    """The call of an activation's function, of a framework's table of them, along its ``axis``."""
    if spec.function not in calls:
        raise UnsupportedError(f"no script is known for the activation {spec.function!r}")
    return calls[spec.function].format(alpha=spec.alpha, axis=axis)


def places_of_largest(
    spec: MaxPoolIndices, shape: Shape, out: Writer, *, y: str, first: int
) -> None:
    """Lines of NumPy that make ``places`` of ``y``, whose spatial axes begin at ``first``."""
    sizes, axes = shape[1:-1], tuple(range(first, first + spec.rank))
    form = [1] * len(shape)
    form[first : first + spec.rank] = sizes
    ends = [(0, 0)] * len(shape)
    ends[first : first + spec.rank] = padding_pairs(spec, sizes)
    steps = [":"] * len(shape)
    steps[first : first + spec.rank] = [f"::{s}" for s in spec.stride]
    index = ", ".join([*steps, *(f"::{d}" for d in spec.dilation)])
    last, pixels = tuple(range(-spec.rank, 0)), math.prod(sizes)
    out.say(
        f"seen = np.pad({y}, {ends}, constant_values=-np.inf)",
        f"places = np.pad(np.arange({pixels}).reshape({form}), {ends}, constant_values=-1)",
        "windows = np.lib.stride_tricks.sliding_window_view",
        f"seen = windows(seen, {window_extent(spec)}, {axes})[{index}]",
        f"places = windows(places, {window_extent(spec)}, {axes})[{index}]",
    )
    out.say(
        f"largest = seen.max(axis={last}, keepdims=True)",
        "# of equal values the first one, which is never padding",
        "chosen = (seen == largest) & (places >= 0)",
        f"places = np.where(chosen, places, {pixels}).min(axis={last})",
    )
