"""Validation of a spec's fields: each error names the layer, the field, and what it may be."""

import operator
from collections.abc import Iterable
from typing import Any

from convparity.impls.errors import SpecError, one_of

PADDINGS = ("valid", "same", "causal")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")

Pairs = tuple[tuple[int, int], ...]


def fail(spec: Any, message: str) -> SpecError:
    """The error, to be raised, that names the kind of layer."""
    return SpecError(f"{type(spec).__name__}: {message}")


def set_fields(spec: Any, **values: Any) -> None:
    """Store normal forms, from a ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(spec, name, value)  # the dataclasses are frozen for everybody else


def integer(spec: Any, name: str, value: Any, least: int = 1) -> int:
    """An integer of at least ``least``; NumPy's count, booleans do not."""
    try:
        if isinstance(value, bool):
            raise TypeError
        found = operator.index(value)
    except TypeError:
        raise fail(spec, f"{name} must be an integer, not {value!r}") from None
    if found < least:
        raise fail(spec, f"{name} must be at least {least}, not {found}")
    return found


def boolean(spec: Any, name: str, value: Any) -> bool:
    """True or False, nothing that merely acts like it."""
    if not isinstance(value, bool):
        raise fail(spec, f"{name} must be True or False, not {value!r}")
    return value


def number(spec: Any, name: str, value: Any) -> float:
    """A real number; no text, no boolean."""
    try:
        if isinstance(value, bool | str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise fail(spec, f"{name} must be a number, not {value!r}") from None


def per_axis(spec: Any, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One integer a spatial axis; a scalar stands for all of them."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        return (integer(spec, name, value, least),) * rank
    numbers = tuple(integer(spec, name, each, least) for each in value)
    if len(numbers) != rank:
        raise fail(spec, f"{name} must have {rank} entries (rank {rank}), not {numbers}")
    return numbers


def padding_of(spec: Any, value: Any, rank: int) -> str | Pairs:
    """A name, or a (low, high) pair a spatial axis; no padding at all is "valid"."""
    if isinstance(value, str):
        if value not in PADDINGS:
            raise fail(spec, one_of("padding", value, PADDINGS))
        if value == "causal" and rank != 1:
            raise fail(spec, f"causal padding needs rank 1, not rank {rank}: give pairs instead")
        return value
    if not isinstance(value, Iterable):
        value = (value,) * rank
    entries = tuple(value)
    if len(entries) != rank:
        raise fail(
            spec,
            f"padding must be a name, an int, {rank} ints or {rank} (low, high) pairs "
            f"(rank {rank}), not {value!r}",
        )
    pairs = []
    for entry in entries:
        low_high = tuple(entry) if isinstance(entry, Iterable) else (entry, entry)
        if len(low_high) != 2:
            raise fail(spec, f"a padding pair is (low, high), not {entry!r}")
        low, high = (integer(spec, "padding", each, 0) for each in low_high)
        pairs.append((low, high))
    return tuple(pairs) if any(map(any, pairs)) else "valid"


def rank_of(spec: Any) -> int:
    """The number of spatial axes: 1, 2 or 3."""
    rank = integer(spec, "rank", spec.rank)
    if rank > 3:
        raise fail(spec, f"rank must be 1, 2 or 3, not {rank}")
    return rank


def window(spec: Any) -> None:
    """Validate and normalise the fields that every window, of a convolution or a pool, has."""
    rank = rank_of(spec)
    set_fields(
        spec,
        rank=rank,
        kernel_size=per_axis(spec, "kernel_size", spec.kernel_size, rank),
        stride=per_axis(spec, "stride", spec.stride, rank),
        padding=padding_of(spec, spec.padding, rank),
    )


def convolution(spec: Any) -> None:
    """Validate and normalise the fields that every convolution has."""
    window(spec)
    set_fields(
        spec,
        in_channels=integer(spec, "in_channels", spec.in_channels),
        dilation=per_axis(spec, "dilation", spec.dilation, spec.rank),
    )


def padded(spec: Any) -> None:
    """Validate what the padding is filled with."""
    if spec.padding_mode not in PADDING_MODES:
        raise fail(spec, one_of("padding_mode", spec.padding_mode, PADDING_MODES))


def grouped(spec: Any) -> None:
    """Validate the groups, which divide both numbers of channels."""
    set_fields(
        spec,
        out_channels=integer(spec, "out_channels", spec.out_channels),
        groups=integer(spec, "groups", spec.groups),
        bias=boolean(spec, "bias", spec.bias),
    )
    for name in ("in_channels", "out_channels"):
        if getattr(spec, name) % spec.groups:
            raise fail(
                spec,
                f"{name}={getattr(spec, name)} is not divisible by groups={spec.groups}: "
                "change one of them",
            )
