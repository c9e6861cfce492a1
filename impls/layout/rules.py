"""What an operation on one value makes of it: one rule for each kind of operation.

``lay_out.py`` says the rules in words.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import singledispatch
from typing import Any

from convparity.impls.errors import UnsupportedError
from convparity.impls.layout.moves import Writer, weight_moves
from convparity.impls.layout.program import BATCH, Along, Expand, Permute, Select, View
from convparity.impls.layout.values import (
    Atom,
    Axes,
    Axis,
    Role,
    Value,
    apart,
    as_one,
    at_end,
    flat,
    is_ordered_run,
    is_run,
    new_axis,
    read_as,
    said,
    size_of,
)
from convparity.impls.spec import (
    OVER_AXIS,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Pad,
    Parameter,
    Power,
    PReLU,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Shape,
    Slice,
    Spec,
    is_one_layer,
    parameter_axes,
)


@singledispatch
def rule(what: Any, write: Writer, *values: Value) -> Value:
    """What an operation makes of values; one rule for each kind of operation."""
    raise UnsupportedError(f"no rule lays out {type(what).__name__}")


def place(axis: int, ndim: int) -> int:
    """An axis counted from 0."""
    if not -ndim <= axis < ndim:
        raise UnsupportedError(f"axis {axis} is none of {ndim}")
    return axis % ndim


@rule.register(Constant)
@rule.register(Parameter)
def _(what: Constant | Parameter, write: Writer) -> Value:
    """In the source's axes, of which none is the batch; how it is wanted is seen later."""
    batch, last = Atom(BATCH, "N", ()), len(what.shape) - 1
    logical = tuple(new_axis(n, "C" if at == last else "S", at) for at, n in enumerate(what.shape))
    return Value(write.held_by_itself(what), logical, ((batch,), *logical))


# ------------------------------------------------ axes read anew: nothing is stored differently


@rule.register
def _(what: Permute, write: Writer, value: Value) -> Value:
    order = [place(axis, len(value.logical)) for axis in what.order]
    if sorted(order) != list(range(len(value.logical))):
        raise UnsupportedError(f"{what.order} is no order of {len(value.logical)} axes")
    return value.read(value.logical[axis] for axis in order)


@rule.register
def _(what: View, write: Writer, value: Value) -> Value:
    """Borders that divide split atoms; where they do not, neighbours become one."""
    return read(write, value, what.shape)


def read(write: Writer, value: Value, shape: Shape) -> Value:
    """The values in their order, as another shape."""
    total, known = size_of(flat(value.logical)), 1
    for size in shape:
        known *= size if size != -1 else 1
    if shape.count(-1) > 1 or total % known or (-1 not in shape and total != known):
        raise UnsupportedError(f"{said(value.shape)} cannot be read as {said(shape)}")
    sizes = tuple(total // known if size == -1 else size for size in shape)
    reading = read_as(flat(value.logical), sizes)
    value = value.replaced(reading.split)
    if reading.fused:
        value = write.fused(value, reading.fused)
    return value.read(reading.axes)


@rule.register
def _(what: Expand, write: Writer, value: Value) -> Value:
    """New atoms in the source's axes alone: the array is not repeated before it has to be."""
    new = len(what.shape) - len(value.logical)
    if new < 0:
        raise UnsupportedError(f"{said(value.shape)} has more axes than {said(what.shape)}")
    axes = []
    for at, (size, axis) in enumerate(zip(what.shape, ((),) * new + value.logical, strict=True)):
        if size in (-1, size_of(axis)):
            axes.append(axis)
        elif size == BATCH and value.hidden and value.hidden not in axes:
            axes.append(value.hidden)  # it is there for every example
        elif axis or size % BATCH == 0:
            raise UnsupportedError(
                f"an axis of {said((size_of(axis),))} cannot become {said((size,))}"
            )
        else:
            axes.append(new_axis(size, "S", at))
    return value.read(axes)


# ------------------------------------------------ parts of an axis, and axes put together


@rule.register
def _(what: Slice, write: Writer, value: Value) -> Value:
    at = place(what.axis, len(value.logical))
    entries = range(*slice(what.start, what.stop, what.step).indices(value.shape[at]))
    return part(write, value, at, entries)


@rule.register
def _(what: Select, write: Writer, value: Value) -> Value:
    at = place(what.axis, len(value.logical))
    index = place(what.index, value.shape[at])
    value = part(write, value, at, range(index, index + 1))
    return value.read(axis for i, axis in enumerate(value.logical) if i != at)


def part(write: Writer, value: Value, at: int, entries: range) -> Value:
    """Some entries of an axis: of its slowest atom, if its borders are whole multiples."""
    axis, size = value.logical[at], value.shape[at]
    if not entries:
        raise UnsupportedError(f"nothing is left of axis {at}")
    if len(entries) == size:
        return value
    if axis[0].batch:
        raise UnsupportedError("a part of the batch")
    inner = size_of(axis[1:])
    aligned = entries.step == 1 or len(entries) == 1
    if len(axis) > 1 and (not aligned or entries.start % inner or len(entries) % inner):
        value = write.fused(value, [(axis, new_axis(size, axis[-1].role, *axis[0].home))])
        axis, inner = value.logical[at], 1
    slowest = axis[0]
    kept = new_axis(len(entries) // inner, slowest.role, *slowest.home)
    if slowest not in flat(value.stored):
        return value.replaced({slowest: kept})
    stored = value.stored
    where = next(i for i, each in enumerate(stored) if slowest in each)
    if stored[where][0] is not slowest or (entries.step > 1 and len(stored[where]) > 1):
        stored, where = as_one(stored, {slowest})
    behind = size_of(stored[where][1:])
    start, count = entries.start // inner, len(entries) // inner
    if count == 1:
        first, last, step = start * behind, (start + 1) * behind, 1
    else:
        step = entries.step
        first, last = start * behind, (start + (count - 1) * step + 1) * behind
    held = write.held(value, stored)
    spec = Slice(stored_axis(where, len(stored)), first, last, step)
    return replace(held, tensor=write.node(spec, held.tensor)).replaced({slowest: kept})


def stored_axis(at: int, ndim: int) -> int:
    """The last axis is called -1."""
    return -1 if at == ndim - 1 else at


# ------------------------------------------------ each number by itself


@rule.register(Clamp)
@rule.register(Identity)
@rule.register(Power)
def _(what: Spec, write: Writer, value: Value) -> Value:
    """In whatever order the numbers are stored."""
    return replace(value, tensor=write.node(what, value.tensor))


@rule.register
def _(what: Dropout, write: Writer, value: Value) -> Value:
    """In training a channel goes as a whole, or an example: each is to be an axis by itself."""
    if what.kind == "channel":
        return image(what, write, value)
    if what.kind == "path":
        first = value.logical[0]
        rest = [a for a in apart(value.stored, first) if not (a and a[0] in first)]
        value = write.held(value, (first, *(rest or [()])))
    return replace(value, tensor=write.node(what, value.tensor))


# ------------------------------------------------ axes taken where they lie


@rule.register
def _(what: Reduce, write: Writer, value: Value) -> Value:
    """Any stored axes, in any order."""
    ndim = len(value.logical)
    gone = {place(axis, ndim) for axis in what.axes}
    value, stored, at = taken(write, value, sorted(gone))
    keep = what.keepdims or len(at) == len(stored) - 1
    held = write.held(value, stored)
    spec = Reduce(what.function, [stored_axis(i, len(stored)) for i in at], keep, what.correction)
    kept = [() if i in gone else axis for i, axis in enumerate(value.logical)]
    left = [() if i in at else axis for i, axis in enumerate(stored)]
    return Value(
        write.node(spec, held.tensor),
        tuple(axis for i, axis in enumerate(kept) if what.keepdims or i not in gone),
        tuple(axis for i, axis in enumerate(left) if keep or i not in at),
    )


def taken(write: Writer, value: Value, axes: Sequence[int]) -> tuple[Value, Axes, list[int]]:
    """The value, its stored axes cut so that some hold just these axes of the source, and which."""
    atoms = flat(value.logical[axis] for axis in axes)
    if any(atom.batch for atom in atoms):
        raise UnsupportedError("it would act along the batch")
    value = write.filled(value, atoms)
    if not atoms:
        stored, at = as_one(value.stored, ())
        return value, stored, [at]
    stored = apart(value.stored, atoms)
    return value, stored, [i for i, axis in enumerate(stored) if axis and axis[0] in atoms]


@rule.register
def _(what: Activation, write: Writer, value: Value) -> Value:
    """A softmax wants its atoms in one stored axis, in any order; others want nothing."""
    if what.function not in OVER_AXIS:
        return replace(value, tensor=write.node(what, value.tensor))
    at = place(-1 if what.axis is None else what.axis, len(value.logical))
    value, stored, _ = taken(write, value, [at])
    axis = value.logical[at]
    if not is_run(stored, axis):
        stored = at_end(stored, axis)
    stored, where = as_one(stored, axis)
    held = write.held(value, stored)
    return replace(
        held, tensor=write.node(replaced(what, axis=stored_axis(where, len(stored))), held.tensor)
    )


def replaced(spec: Any, **changes: Any) -> Any:
    """A spec with other fields."""
    return type(spec)(**{each.name: getattr(spec, each.name) for each in fields(spec)} | changes)


MOST_AXES = 4  # of a layer norm


@rule.register(LayerNorm)
@rule.register(RMSNorm)
def _(what: LayerNorm | RMSNorm, write: Writer, value: Value) -> Value:
    """Any stored axes; its weights follow. Weights that several use keep the source's order."""
    axes, sizes = parameter_axes(what)
    at = [place(axis, len(value.logical)) for axis in axes]
    if tuple(value.shape[i] for i in at) != sizes:
        raise UnsupportedError(f"axes of sizes {sizes}")
    value, stored, where = taken(write, value, at)
    atoms = flat(value.logical[i] for i in at)
    if len(where) > MOST_AXES or (write.shared and len(at) > 1):
        stored = at_end(stored, atoms)
        where = [len(stored) - 1]
    held = write.held(value, stored)
    found = [stored[i] for i in where]
    for name in what.parameters():
        write.weight(name, weight_moves(sizes, atoms, found))
    spec = replaced(
        what,
        num_features=[size_of(axis) for axis in found],
        axes=[stored_axis(i, len(stored)) for i in where] if len(where) == 1 else where,
    )
    return replace(held, tensor=write.node(spec, held.tensor))


@rule.register
def _(what: Dense, write: Writer, value: Value) -> Value:
    """Its atoms are one stored axis, any of them, in any order: its kernel's rows follow."""
    own = place(what.axis, len(value.logical))
    if value.shape[own] != what.in_features:
        raise UnsupportedError(f"it takes {what.in_features} features")
    value, stored, _ = taken(write, value, [own])
    features = value.logical[own]
    if not is_run(stored, features):
        stored = at_end(stored, features)
    stored, at = as_one(stored, features)
    if write.shared:
        stored = at_end(stored, features)
        at = len(stored) - 1
    held = write.held(value, stored)
    write.weight(
        "kernel", weight_moves((what.in_features,), features, [stored[at]], (what.out_features,))
    )
    role: Role = "S" if features and all(atom.role == "S" for atom in features) else "C"
    made = new_axis(what.out_features, role, *(features[0].home if features else ()))
    return Value(
        write.node(replace(what, axis=stored_axis(at, len(stored))), held.tensor),
        (*value.logical[:own], made, *value.logical[own + 1 :]),
        (*stored[:at], made, *stored[at + 1 :]),
    )


@rule.register(PReLU)
@rule.register(Rescale)
@rule.register(Scale)
def _(what: PReLU | Rescale | Scale, write: Writer, value: Value) -> Value:
    return along(write, what, value, 1)


@rule.register
def _(what: Along, write: Writer, value: Value) -> Value:
    if not isinstance(what.spec, PReLU | Rescale | Scale):
        raise UnsupportedError("along an axis are layers with a number for each channel")
    return along(write, what.spec, value, place(what.axis, len(value.logical)))


def along(write: Writer, spec: PReLU | Rescale | Scale, value: Value, at: int) -> Value:
    """The channels are the last stored axis; where the numbers are all alike, nothing is asked."""
    if getattr(spec, "num_parameters", 0) == 1 or (
        isinstance(spec, Rescale) and spec.channels is None
    ):
        return replace(value, tensor=write.node(spec, value.tensor))
    value, stored, _ = taken(write, value, [at])
    axis = value.logical[at]
    if is_ordered_run(stored, axis):
        stored, _ = as_one(stored, axis)
    if stored[-1] != axis:
        stored = at_end(stored, axis)
    held = write.held(value, stored)
    return replace(held, tensor=write.node(spec, held.tensor))


# ------------------------------------------------ images


IMAGES = (
    *(Conv, DepthwiseConv, ConvTranspose, BatchNorm, GroupNorm, InstanceNorm),
    *(MaxPool, MaxPoolIndices, AvgPool, AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool),
    *(GlobalMaxPool, Resize, Pad),
)


def image(what: Any, write: Writer, value: Value) -> Value:
    """``(N, C, *spatial)`` becomes ``(N, *spatial, C)``, each axis of the source a stored one."""
    value = write.filled(value, flat(value.logical))
    if len(value.logical) < 2 or not any(atom.batch for atom in value.logical[0]):
        raise UnsupportedError("an image is (N, C, *spatial): its first axis is the batch")
    batch, channels, *spatial = value.logical
    target = (batch, *spatial, channels)
    made = write.node(what, write.arranged(value, target))
    axes = [
        axis if size_of(axis) == size else new_axis(size, role, at)
        for at, (axis, size, role) in enumerate(_met(target[1:], write.shapes[made][1:]), 1)
    ]
    return Value(made, (batch, axes[-1], *axes[:-1]), (batch, *axes))


def _met(axes: Axes, sizes: Shape) -> list[tuple[Axis, int, Role]]:
    """Axes beside their sizes in the output, which may lack those of the pixels."""
    if len(sizes) < len(axes):
        axes = axes[-len(sizes) :]
    return [(a, n, "S") for a, n in zip(axes[:-1], sizes[:-1], strict=True)] + [
        (axes[-1], sizes[-1], "C")
    ]


for _kind in IMAGES:
    rule.register(_kind, image)


@rule.register
def _(what: Composite, write: Writer, value: Value) -> Value:
    """One that is a single layer to a framework, as a separable convolution is."""
    if not is_one_layer(what):
        raise UnsupportedError("its layers are to be operations of their own")
    return image(what, write, value)
