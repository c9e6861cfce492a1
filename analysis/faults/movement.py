"""Slices, rearrangements and pads: the wrong end, order, step or mode."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import Pad, Rearrange, Shape, Slice, output_shape


def _taken(spec: Slice, shape: Shape, detail: str, entries: np.ndarray) -> Faulty | None:
    """As many entries, but other ones."""
    size = shape[spec.axis]
    right = np.array(spec.entries(shape))
    if np.array_equal(entries, right) or not ((entries >= 0) & (entries < size)).all():
        return None
    return Faulty(spec, detail, run=lambda right, weights, x: np.take(x, entries, spec.axis))


@fault(
    "movement-01", "a slice that starts one too late", Slice, hides="slices up to the last entry"
)
def slice_one_late(spec: Slice, shape: Shape) -> Faulty | None:
    return _taken(spec, shape, "one further", np.array(spec.entries(shape)) + 1)


@fault("movement-02", "a slice that starts one too early", Slice, hides="slices from the first on")
def slice_one_early(spec: Slice, shape: Shape) -> Faulty | None:
    return _taken(spec, shape, "one before", np.array(spec.entries(shape)) - 1)


@fault("movement-03", "a slice from the other end", Slice, hides="slices of all, or of the middle")
def slice_other_end(spec: Slice, shape: Shape) -> Faulty | None:
    last = shape[spec.axis] - 1
    return _taken(spec, shape, "from the end", last - np.array(spec.entries(shape))[::-1])


@fault("movement-04", "a slice without its step", Slice, hides="a step of 1, or one entry")
def slice_without_step(spec: Slice, shape: Shape) -> Faulty | None:
    right = np.array(spec.entries(shape))
    return _taken(spec, shape, "step 1", right[:1] + np.arange(len(right)))


def _rearranged(
    spec: Rearrange, shape: Shape, detail: str, run: Callable[[np.ndarray], np.ndarray]
) -> Faulty | None:
    """The same shape, by another pattern."""
    tried = run(np.arange(np.prod(shape)).reshape(shape))
    if tried.shape != output_shape(spec, shape):
        return None
    return Faulty(spec, detail, run=lambda right, weights, x: run(x))


def _sizes(spec: Rearrange, shape: Shape) -> dict[str, int]:
    """The size of every named factor of the input."""
    before, _ = spec.axes(len(shape))
    sizes = dict(spec.sizes)
    for axis, size in zip(before, shape, strict=True):
        known = int(np.prod([sizes[name] for name in axis if name in sizes], dtype=int))
        sizes |= {name: size // known for name in axis if name not in sizes}
    return sizes


def _move(before: Any, after: Any, sizes: dict[str, int], x: np.ndarray) -> np.ndarray:
    """What brings an array of factors in one order into another."""
    names = [name for axis in before for name in axis]
    factors = x.reshape([sizes[name] for name in names])
    order = [names.index(name) for axis in after for name in axis]
    merged = [int(np.prod([sizes[name] for name in axis], dtype=int)) for axis in after]
    return factors.transpose(order).reshape(merged)


@fault(
    "movement-05",
    "the two factors of an axis exchanged: as many groups as a group has members",
    Rearrange,
    hides="axes that are not split in two, or into equal parts",
)
def factors_exchanged(spec: Rearrange, shape: Shape) -> Faulty | None:
    before, after = spec.axes(len(shape))
    sizes = _sizes(spec, shape)
    split = next((axis for axis in before if len(axis) == 2), None)
    if split is None or sizes[split[0]] == sizes[split[1]]:
        return None
    a, b = split
    other = {**sizes, a: sizes[b], b: sizes[a]}
    return _rearranged(
        spec, shape, f"{a} and {b} exchanged", lambda x: _move(before, after, other, x)
    )


@fault(
    "movement-06",
    "an axis split in the other order, as a pixel shuffle with its channels last",
    Rearrange,
    hides="axes that are not split",
)
def split_backwards(spec: Rearrange, shape: Shape) -> Faulty | None:
    before, after = spec.axes(len(shape))
    other = tuple(axis[1:] + axis[:1] for axis in before)
    return _other_order(spec, shape, (before, after), (other, after))


@fault(
    "movement-07",
    "factors merged in the other order, as a flatten in C, H, W order",
    Rearrange,
    hides="axes that are not merged",
)
def merged_backwards(spec: Rearrange, shape: Shape) -> Faulty | None:
    before, after = spec.axes(len(shape))
    other = tuple(axis[-1:] + axis[:-1] for axis in after)
    return _other_order(spec, shape, (before, after), (before, other))


def _other_order(spec: Rearrange, shape: Shape, right: Any, wrong: Any) -> Faulty | None:
    sizes, numbers = _sizes(spec, shape), np.arange(np.prod(shape)).reshape(shape)

    def by(pattern: Any, x: np.ndarray) -> np.ndarray:
        before, after = pattern
        return _move(before, after, sizes, x)

    if np.array_equal(by(right, numbers), by(wrong, numbers)):
        return None
    return _rearranged(spec, shape, "the other order", lambda x: by(wrong, x))


def _pad(spec: Pad, shape: Shape, **fields: Any) -> Faulty | None:
    other = replace(spec, **fields)
    if other == spec or output_shape(other, shape) != output_shape(spec, shape):
        return None
    return Faulty(other, ", ".join(f"{name} {value}" for name, value in fields.items()))


@fault(
    "movement-08",
    "the pads or crops of both ends of an axis exchanged",
    Pad,
    hides="as much at both ends",
)
def ends_exchanged(spec: Pad, shape: Shape) -> Faulty | None:
    return _pad(spec, shape, pads=tuple((high, low) for low, high in spec.pads))


@fault("movement-09", "replicate for reflect", Pad, hides="other modes, a pad of less than 1")
def replicated(spec: Pad, shape: Shape) -> Faulty | None:
    return _pad(spec, shape, mode="replicate") if spec.mode == "reflect" else None


@fault("movement-10", "reflect for replicate", Pad, hides="other modes, a pad of less than 1")
def reflected(spec: Pad, shape: Shape) -> Faulty | None:
    return _pad(spec, shape, mode="reflect") if spec.mode == "replicate" else None


@fault("movement-11", "0 for the value that is padded with", Pad, hides="a value of 0, no pads")
def padded_with_nothing(spec: Pad, shape: Shape) -> Faulty | None:
    return _pad(spec, shape, value=0.0) if spec.mode == "zeros" else None
