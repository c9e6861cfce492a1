"""Checks of a spec's fields: each error names the layer, the field, and what it may be.

Each function takes the layer that asks, for the error, and gives the value in its normal form.
"""

import numbers
import operator
from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal, SupportsIndex, get_args

from convparity.impls.errors import FROM_USER_CODE, SpecError, quoted, unknown_name

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
Scales = tuple[int | float, ...]
PerAxis = SupportsIndex | Iterable[SupportsIndex]  # one int for every spatial axis, or one an axis
PaddingName = Literal["valid", "same", "causal"]
Padding = PaddingName | Pairs  # as it is stored
PaddingLike = PaddingName | SupportsIndex | Iterable[SupportsIndex | Iterable[SupportsIndex]]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

MOST_AXES = 32
LARGEST = 2**31 - 1  # of a size: what the frameworks count with

PADDINGS: tuple[PaddingName, ...] = get_args(PaddingName)
PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
# NumPy's names of them, which are JAX's too
NUMPY_MODES: dict[PaddingMode, Literal["constant", "reflect", "edge", "wrap"]] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def fail(owner: object, message: str) -> SpecError:
    """The error, to be raised, that names the kind of layer."""
    return SpecError(f"{type(owner).__name__}: {message}")


def set_fields(owner: object, **values: object) -> None:
    """Store the fields of a frozen dataclass, from its ``__init__``."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def integer(owner: object, name: str, value: Any, least: int = 1) -> int:
    """An integer of at least ``least``; NumPy's count, booleans do not."""
    try:
        if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
            raise TypeError
        found = operator.index(value)
    except FROM_USER_CODE:
        raise fail(owner, f"{name} must be an integer, not {quoted(value)}") from None
    if found < least:
        raise fail(owner, f"{name} must be at least {least}, not {quoted(found)}")
    if found > LARGEST:
        raise fail(owner, f"{name} must be at most {LARGEST}, not {quoted(found)}")
    return found


def boolean(owner: object, name: str, value: Any) -> bool:
    """True or False, nothing that merely acts like it."""
    if not isinstance(value, bool):
        raise fail(owner, f"{name} must be True or False, not {quoted(value)}")
    return value


def number(owner: object, name: str, value: Any) -> float:
    """A real number, Python's or NumPy's; no text, no boolean."""
    try:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError
        return float(value)
    except FROM_USER_CODE:
        raise fail(owner, f"{name} must be a number, not {quoted(value)}") from None


def shape_of(value: Any) -> Shape:
    """The shape of an input, as a tuple of integers; how many axes it has, the layers say."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        shape = tuple(map(operator.index, islice(value, MOST_AXES + 1)))
        if len(shape) > MOST_AXES:
            raise TypeError
    except FROM_USER_CODE:
        raise SpecError(
            f"the shape of an input is a tuple of integers (N, *spatial, C), not {quoted(value)}"
        ) from None
    if max(shape, default=0) > LARGEST:
        raise SpecError(f"a size of an input is at most {LARGEST}, not {quoted(max(shape))}")
    return shape


def rank_of(owner: object, value: Any) -> int:
    """The number of spatial axes: 1, 2 or 3."""
    rank = integer(owner, "rank", value)
    if rank > 3:
        raise fail(owner, f"rank must be 1, 2 or 3, not {rank}")
    return rank


def _entries(value: Any) -> list[Any] | None:
    """The first entries of what has some, more than any field takes; None for a scalar."""
    try:
        return None if isinstance(value, str) else list(islice(value, 9))
    except FROM_USER_CODE:
        return None


def per_axis(owner: object, name: str, value: Any, rank: int, least: int = 1) -> Shape:
    """One integer a spatial axis; a scalar stands for all of them."""
    given = _entries(value)
    if given is None:
        return (integer(owner, name, value, least),) * rank
    numbers = tuple(integer(owner, name, each, least) for each in given)
    if len(numbers) != rank:
        raise fail(owner, f"{name} must have {rank} entries (rank {rank}), not {numbers}")
    return numbers


def scales_of(owner: object, name: str, value: Any, rank: int) -> Scales:
    """One positive number a spatial axis, a whole one as an int; a scalar stands for all."""
    given = _entries(value)
    entries = [value] * rank if given is None else given
    if len(entries) != rank:
        raise fail(owner, f"{name} must have {rank} entries (rank {rank}), not {quoted(value)}")
    return tuple(_scale(owner, name, each) for each in entries)


def _scale(owner: object, name: str, value: Any) -> int | float:
    if isinstance(value, SupportsIndex):
        return integer(owner, name, value)
    found = number(owner, name, value)
    if not 0 < found <= LARGEST:
        raise fail(owner, f"{name} must be above 0 and at most {LARGEST}, not {found}")
    return int(found) if found.is_integer() else found


def padding_of(owner: object, value: Any, rank: int) -> Padding:
    """A name, or a (low, high) pair a spatial axis; no padding at all is "valid"."""
    if isinstance(value, str):
        if value not in PADDINGS:
            raise fail(owner, unknown_name("padding", value, PADDINGS))
        if value == "causal" and rank != 1:
            raise fail(owner, f"causal padding needs rank 1, not rank {rank}: give pairs instead")
        return value
    entries = _entries(value)
    if entries is None:
        entries = [value] * rank
    if len(entries) != rank:
        raise fail(
            owner,
            f"padding must be a name, an int, {rank} ints or {rank} (low, high) pairs "
            f"(rank {rank}), not {quoted(value)}",
        )
    pairs = []
    for entry in entries:
        low_high = _entries(entry)
        if low_high is None:
            low_high = [entry, entry]
        if len(low_high) != 2:
            raise fail(owner, f"a padding pair is (low, high), not {quoted(entry)}")
        low, high = (integer(owner, "padding", each, 0) for each in low_high)
        pairs.append((low, high))
    return tuple(pairs) if any(map(any, pairs)) else "valid"


def pad_pairs(owner: object, value: Any) -> Pairs:
    """A pair for each spatial axis, of which there are as many; a negative number crops."""
    entries = _entries(value)
    if entries is None or not 1 <= len(entries) <= 3:
        raise fail(owner, f"pads are one (low, high) pair an axis, of 1 to 3, not {quoted(value)}")
    pairs = []
    for entry in entries:
        low_high = _entries(entry)
        if low_high is None:
            low_high = [entry, entry]
        if len(low_high) != 2:
            raise fail(owner, f"a pair is (low, high), not {quoted(entry)}")
        low, high = (integer(owner, "pads", each, -LARGEST) for each in low_high)
        pairs.append((low, high))
    return tuple(pairs)


def padding_mode_of(owner: object, value: Any) -> PaddingMode:
    """What the padding is filled with."""
    if not isinstance(value, str) or value not in PADDING_MODES:
        raise fail(owner, unknown_name("padding_mode", value, PADDING_MODES))
    mode: PaddingMode = value
    return mode


def axis_of(owner: object, value: Any) -> int:
    """An axis other than the batch: -1 is the last; from the front, 1 is the first behind it."""
    axis = integer(owner, "axis", value, -MOST_AXES)
    if axis == 0 or axis >= MOST_AXES:
        raise fail(owner, f"axis is -1, 1 or another one that is not the batch, not {axis}")
    return axis


def axis_in(owner: object, axis: int, shape: Shape) -> int:
    """Which of the axes of ``shape``, counted from 0, is meant."""
    at = axis % len(shape) if -len(shape) < axis < len(shape) else 0
    if at == 0:
        raise fail(owner, f"axis {axis} is none of an input of shape {quoted(shape)}")
    return at


def divisible(owner: object, name: str, size: int, by: str, groups: int) -> None:
    """Raise unless ``groups`` groups of equal size can be made of ``size`` channels."""
    if size % groups:
        raise fail(owner, f"{name}={size} is not divisible by {by}={groups}: change one of them")


def takes(
    owner: object, shape: Shape, ndim: int | None = None, channels: int | None = None
) -> None:
    """Raise unless an input's ``shape`` has so many axes, and so many channels on the last."""
    who, shape = type(owner).__name__, tuple(shape)
    if ndim is not None and len(shape) != ndim:
        form = "(N, features)" if ndim == 2 else f"(N, {ndim - 2} spatial sizes, C)"
        raise SpecError(f"{who} takes an input of {ndim} axes {form}, channels last, not {shape}")
    if len(shape) < 2:
        raise SpecError(f"{who} takes (N, ..., C), not {shape}")
    if any(n < 1 for n in shape):
        raise SpecError(f"{who}: every size of an input shape must be at least 1, not {shape}")
    if channels is not None and shape[-1] != channels:
        raise SpecError(
            f"{who} takes {channels} channels on the last axis, not {shape[-1]} in {shape}: "
            "move the channels last, or change the spec"
        )


def axes_and_sizes(owner: object, axes: Any, sizes: Any) -> tuple[int | Shape, int | Shape]:
    """Axes other than the batch, and the size of each: an int of one, else tuples."""
    given = _entries(axes)
    found = tuple(axis_of(owner, each) for each in ([axes] if given is None else given))
    given = _entries(sizes)
    each_size = [sizes] if given is None else given
    numbers = tuple(integer(owner, "num_features", each) for each in each_size)
    if not found or len(found) > 4:
        raise fail(owner, f"axes are an int or a tuple of 1 to 4 of them, not {quoted(axes)}")
    if len(numbers) != len(found):
        raise fail(owner, f"num_features has {len(numbers)} sizes, and axes={quoted(axes)}")
    for sign in (1, -1):
        same = [axis for axis in found if axis * sign > 0]
        if same != sorted(set(same)):
            raise fail(owner, f"axes must be in ascending order, each once, not {found}")
    return (found[0], numbers[0]) if len(found) == 1 else (found, numbers)
