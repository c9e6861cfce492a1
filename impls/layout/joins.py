"""What an operation on several values makes of them: elementwise, one after another, products.

``lay_out.py`` says the rules in words.
"""

from collections.abc import Sequence

from convparity.impls.errors import UnsupportedError
from convparity.impls.layout.align import (
    Aligned,
    Column,
    align,
    common_axes,
    cut_by_neighbours,
    cut_by_presence,
    product_order,
)
from convparity.impls.layout.moves import Writer, names_of
from convparity.impls.layout.program import Contract, Matmul, Stack
from convparity.impls.layout.rules import place, rule, stored_axis
from convparity.impls.layout.values import (
    Axes,
    Axis,
    Value,
    as_one,
    flat,
    is_ordered_run,
    new_axis,
    said,
    size_of,
)
from convparity.impls.spec import (
    Add,
    Average,
    Concat,
    Divide,
    Einsum,
    Maximum,
    Minimum,
    Multiply,
    Spec,
    Subtract,
)


@rule.register(Add)
@rule.register(Average)
@rule.register(Divide)
@rule.register(Maximum)
@rule.register(Minimum)
@rule.register(Multiply)
@rule.register(Subtract)
def _(what: Spec, write: Writer, *values: Value) -> Value:
    """By position, in the order for which the fewest operands move."""
    ndim = max(len(each.logical) for each in values)
    behind = [ndim - len(each.logical) for each in values]
    met = align(
        write, values, [[at - n if at >= n else None for n in behind] for at in range(ndim)]
    )
    stored = [met.axes(i) for i in range(len(values))]
    there = {atom for axes in stored for atom in flat(axes)}
    asked = [None if write.is_held(each.tensor) else stored[i] for i, each in enumerate(met.values)]
    axes = cut_by_presence(common_axes(asked, tuple(met.columns), there), stored)
    tensors = [write.arranged(each, met.stored_as(i, axes)) for i, each in enumerate(met.values)]
    return Value(write.node(what, *tensors), tuple(met.columns), axes)


@rule.register
def _(what: Concat, write: Writer, *values: Value) -> Value:
    return one_after_another(write, values, place(what.axis, len(values[0].logical)))


@rule.register
def _(what: Stack, write: Writer, *values: Value) -> Value:
    at = place(what.axis, len(values[0].logical) + 1)
    return one_after_another(
        write, [each.read((*each.logical[:at], (), *each.logical[at:])) for each in values], at
    )


def one_after_another(write: Writer, values: Sequence[Value], at: int) -> Value:
    """Values along an axis that is one stored axis in each, the others in one order."""
    if len(values) == 1:
        return values[0]
    rest = [each.shape[:at] + each.shape[at + 1 :] for each in values]
    if any(shape != rest[0] for shape in rest):
        raise UnsupportedError("the values have unlike sizes")
    if any(atom.batch for each in values for atom in each.logical[at]):
        raise UnsupportedError("values along the batch")
    values = [write.filled(each, each.logical[at]) for each in values]
    others = [i for i in range(len(values[0].logical)) if i != at]
    met = align(write, values, [(i,) * len(values) for i in others])
    own = [each.logical[at] for each in met.values]
    role, home = next(((a[0].role, a[0].home) for a in own if a), ("S", (at,)))
    made = new_axis(sum(map(size_of, own)), role, *home)
    for i, axis in enumerate(own):
        met.maps[i].update(dict.fromkeys(axis, made[0]))
    logical = (*met.columns[:at], made, *met.columns[at:])
    there = {atom for i in range(len(values)) for atom in (*flat(met.axes(i)), *made)}
    stored = [_with_joint(met, i, at, made) for i in range(len(own))]
    axes = common_axes(stored, logical, there)
    where = axes.index(made)
    tensors = [
        write.arranged(each, (*met.back(i, axes[:where]), own[i], *met.back(i, axes[where + 1 :])))
        for i, each in enumerate(met.values)
    ]
    return Value(write.node(Concat(stored_axis(where, len(axes))), *tensors), logical, axes)


def _with_joint(met: Aligned, number: int, at: int, made: Axis) -> Axes | None:
    """How a value is stored, its part of a joint axis being that; None where it is torn."""
    value = met.values[number]
    axis = value.logical[at]
    if axis:
        if not is_ordered_run(value.stored, axis):
            return None
        axes, where = as_one(value.stored, axis)
    else:
        axes, where = with_one(value, at)
    renamed = met.renamed(number, axes)
    return (*renamed[:where], made, *renamed[where + 1 :])


def with_one(value: Value, at: int) -> tuple[Axes, int]:
    """The stored axes with one of size 1 for an axis of the source, and which it is.

    It is one that is there, or a new one in front of what the source has behind it.
    """
    axes = value.stored
    if () in axes:
        return axes, max(i for i, axis in enumerate(axes) if not axis)
    behind = [axis[0] for axis in value.logical[at + 1 :] if axis and not axis[0].batch]
    found = [i for i, axis in enumerate(axes) if behind and behind[0] in axis and i]
    where = found[0] if found else len(axes)
    return (*axes[:where], (), *axes[where:]), where


# ------------------------------------------------ sums of products


@rule.register
def _(what: Matmul, write: Writer, first: Value, second: Value) -> Value:
    a, b = len(first.logical), len(second.logical)
    if min(a, b) < 2:
        raise UnsupportedError("a product of matrices takes values of two axes at least")
    lead = [f"b{i}" for i in range(max(a, b) - 2)]
    one, other = lead[len(lead) - a + 2 :], lead[len(lead) - b + 2 :]
    return product(write, first, second, ((*one, "i", "j"), (*other, "j", "k"), (*lead, "i", "k")))


@rule.register
def _(what: Contract, write: Writer, first: Value, second: Value) -> Value:
    return product(write, first, second, what.axes)


def product(write: Writer, first: Value, second: Value, names: Sequence[tuple[str, ...]]) -> Value:
    """Operands stay as they lie: the factors of their axes have names of their own."""
    one, other, result = names
    for axes, value in ((one, first), (other, second)):
        if len(axes) != len(value.logical) or len(set(axes)) < len(axes):
            raise UnsupportedError(f"{said(value.shape)} has not just the axes {' '.join(axes)}")
    every = list(dict.fromkeys([*one, *other]))
    if not set(result) <= set(every) or len(set(result)) < len(result):
        raise UnsupportedError(f"no value has just the axes {' '.join(result)}")
    columns: list[Column] = [
        [axes.index(name) if name in axes else None for axes in (one, other)] for name in every
    ]
    met = align(write, (first, second), columns)
    axes_of = dict(zip(every, met.columns, strict=True))
    logical = tuple(axes_of[name] for name in result)
    for i, value in enumerate(met.values):  # a sum over an axis that is repeated in both
        absent = [a for a, new in met.maps[i].items() if new not in flat(logical)]
        others = set(flat(met.axes(1 - i)))
        met.values[i] = write.filled(value, [a for a in absent if met.maps[i][a] not in others])
    stored = [met.axes(0), met.axes(1)]
    there = {*flat(stored[0]), *flat(stored[1])}
    kept = tuple(tuple(atom for atom in axis if atom in there) for axis in logical)
    if sum(atom.batch for atom in there) != 1 or not any(atom.batch for atom in flat(kept)):
        raise UnsupportedError("the batch has to be one axis of both values and of the result")
    one_stored, other_stored, made = cut_by_neighbours(stored, product_order(kept))
    if len(made) == 1:  # the batch alone: an axis of size 1 stays beside it
        one_stored, made = (*one_stored, ()), (*made, ())
    name = names_of([*one_stored, *other_stored])
    ones = iter(range(99))
    words = [
        [name.get(axis) or f"one{next(ones)}" for axis in axes]
        for axes in (one_stored, other_stored)
    ]
    words.append([name.get(axis) or words[0][-1] for axis in made])
    tensors = [
        write.arranged(value, met.back(i, axes))
        for i, (value, axes) in enumerate(zip(met.values, (one_stored, other_stored), strict=True))
    ]
    first_said, second_said, result_said = map(" ".join, words)
    spec = Einsum(f"{first_said}, {second_said} -> {result_said}")
    return Value(write.node(spec, *tensors), logical, made)
