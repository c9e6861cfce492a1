"""The layout pass: a program in a source's own axes becomes a graph of channels-last specs.

PLACEHOLDER
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import singledispatch
from typing import Any

import numpy as np

from convparity.impls.axis_patterns import Moves
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.layout.align import (
    Aligned,
    Column,
    align,
    common_axes,
    cut_by_neighbours,
    cut_by_presence,
    product_order,
)
from convparity.impls.layout.moves import Writer, names_of, weight_moves, whole
from convparity.impls.layout.program import (
    BATCH,
    Along,
    Contract,
    Expand,
    Input,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    Stack,
    View,
    What,
)
from convparity.impls.layout.values import (
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
    size_of,
)
from convparity.impls.spec import (
    OVER_AXIS,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Shape,
    Slice,
    Spec,
    Subtract,
    output_shape,
    parameter_axes,
)

Order = tuple[int, ...]


@dataclass(frozen=True)
class LaidOut:
    """A program in channels-last axes.

    Args:
        graph: What it computes; an operation with a spec is the node of its name.
        weights: How a weight differs, by its name, from that of the program's own spec, which is
            canonical in the source's axes. Those that are not named do not.
        inputs: Of each input, which axis of the source each axis of the graph's is.
        outputs: The same of each output, by the name of the value.
    """

    graph: Graph
    weights: Mapping[str, Moves]
    inputs: Mapping[str, Order]
    outputs: Mapping[str, Order]

    def laid_weights(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The graph's weights, made of those of the program's own specs.

        Args:
            weights: The canonical weights of each operation's spec, under the operation's name.

        Returns:
            The same, some of them permuted and reshaped.
        """
        return {
            name: _follow(array, self.weights[name]) if name in self.weights else array
            for name, array in weights.items()
        }


def _follow(array: np.ndarray, moves: Moves) -> np.ndarray:
    return array.reshape(moves.split).transpose(moves.order).reshape(moves.merged)


def lay_out(program: Program) -> LaidOut:
    """The graph of a program, channels last, with as few real transposes as the rules need.

    Args:
        program: Operations in the axes of their source; what leads to no output is left out.

    Returns:
        The graph, and how weights, inputs and outputs are permuted.

    Raises:
        UnsupportedError: An operation cannot be said by the specs: its name, and why.

    Example:
        >>> from convparity import Conv, Dense
        >>> from convparity.impls.layout import BATCH, Input, Operation, Program, View, lay_out
        >>> steps = (
        ...     Operation("conv", Conv(3, 4, 3), ("x",)),  # (N, 4, 5, 6) of (N, 3, 7, 8)
        ...     Operation("flat", View((BATCH, 120)), ("conv",)),
        ...     Operation("fc", Dense(120, 2), ("flat",)),
        ... )
        >>> found = lay_out(Program((Input("x", (BATCH, 3, 7, 8)),), steps, "fc"))
        >>> list(found.graph.said)
        ['conv', 'conv_read', 'fc']
        >>> found.weights["fc.kernel"]  # its rows follow the channels
        Moves(split=(4, 5, 6, 2), order=(1, 2, 0, 3), merged=(120, 2))
    """
    operations = program.live
    names = [each.name for each in (*program.inputs, *program.operations)]
    write = Writer(names)
    origin = {each.name: each.what for each in operations}  # of a shared one, the first's name
    uses = Counter(_first(each, origin) for each in operations)
    values = {each.name: _input(each) for each in program.inputs}
    inputs = {each.name: _order(values[each.name]) for each in program.inputs}
    for each in operations:
        first = _first(each, origin)
        write.name, write.first, write.shared = each.name, first, uses[first] > 1
        what = origin[first]
        try:
            values[each.name] = rule(what, write, *(values[name] for name in each.inputs))
        except (SpecError, UnsupportedError) as error:
            shapes = ", ".join(f"{name} {_said(values[name].shape)}" for name in each.inputs)
            raise UnsupportedError(f"{each.name}, {what} of {shapes}: {error}") from None
    results = {}
    for name in program.results:
        try:
            results[name] = _output(write, values[name])
        except UnsupportedError as error:
            raise UnsupportedError(f"the output {name}: {error}") from None
    return LaidOut(
        _graph(program, write, {name: value.tensor for name, value in results.items()}),
        write.weights,
        inputs,
        {name: _order(value) for name, value in results.items()},
    )


def _first(operation: Operation, origin: Mapping[str, What]) -> str:
    """The operation that has the weights of this one."""
    name = operation.name
    while isinstance(what := origin[name], str):
        name = what
    return name


def _said(shape: Shape) -> str:
    sizes = [
        str(n) if n % BATCH else "N" if n == BATCH else f"{n // BATCH} N" for n in shape
    ]
    return f"({', '.join(sizes)})"


def _input(given: Input) -> Value:
    """Batch first, channels last, the others as they are."""
    channels = given.channels % len(given.shape)
    batch = [i for i, size in enumerate(given.shape) if size % BATCH == 0]
    if len(batch) != 1 or batch[0] == channels:
        raise UnsupportedError(
            f"the input {given.name} needs one axis of the batch, beside that of the channels"
        )

    def role(at: int) -> Role:
        return "N" if at in batch else "C" if at == channels else "S"

    logical = [new_axis(size, role(at), at) for at, size in enumerate(given.shape)]
    between = [axis for at, axis in enumerate(logical) if at not in (*batch, channels)]
    stored = (logical[batch[0]], *between, logical[channels])
    return Value(given.name, tuple(logical), stored)


def _output(write: Writer, value: Value) -> Value:
    """Each axis of the source whole, in the order in which they lie if none is torn."""
    if len(value.logical) < 2:
        raise UnsupportedError("a graph gives values with an axis besides the batch")
    value = write.filled(value, flat(value.logical))
    if sorted(map(len, value.stored)) == sorted(map(len, value.logical)) and all(
        axis in value.stored for axis in value.logical
    ):
        return value
    axes = [axis for axis in value.logical if axis]
    if all(is_ordered_run(value.stored, axis) for axis in axes):
        order = flat(value.stored)
        axes.sort(key=lambda axis: order.index(axis[0]))
    else:
        axes = [axis for axis in whole(value.logical, value.stored) if axis]
    for at, axis in enumerate(value.logical):
        if not axis:  # behind the axis that it is behind in the source
            before = [each for each in value.logical[:at] if each]
            place = axes.index(before[-1]) + 1 if before else len(axes)
            axes.insert(place, axis)
    return write.held(value, tuple(axes))


def _order(value: Value) -> Order:
    """Which axis of the source each stored axis is."""
    left = list(enumerate(value.logical))
    found = []
    for axis in value.stored:
        place = next(i for i, (_, each) in enumerate(left) if each == axis)
        found.append(left.pop(place)[0])
    return tuple(found)


def _graph(program: Program, write: Writer, results: Mapping[str, str]) -> Graph:
    """The nodes that were written; what only read its input anew is the identity."""
    nodes, inputs = write.nodes, [each.name for each in program.inputs]
    if not nodes:
        name = "identity" if "identity" not in inputs else "the_identity"
        first = next(iter(results))
        nodes, results = {name: (Identity(), results[first])}, {**results, first: name}
    given = program.outputs
    if isinstance(given, str):
        return Graph(nodes, inputs, results[given])
    if isinstance(given, Mapping):
        return Graph(nodes, inputs, {label: results[name] for label, name in given.items()})
    return Graph(nodes, inputs, tuple(results[name] for name in given))


# ---------------------------------------------------------------- the rules


@singledispatch
def rule(what: Any, write: Writer, *values: Value) -> Value:
    """What an operation makes of values; one rule for each kind of operation."""
    raise UnsupportedError(f"no rule lays out {type(what).__name__}")


def place(axis: int, ndim: int) -> int:
    """An axis counted from 0."""
    if not -ndim <= axis < ndim:
        raise UnsupportedError(f"axis {axis} is none of {ndim}")
    return axis % ndim


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
        raise UnsupportedError(f"{_said(value.shape)} cannot be read as {_said(shape)}")
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
        raise UnsupportedError(f"{_said(value.shape)} has more axes than {_said(what.shape)}")
    axes = []
    for at, (size, axis) in enumerate(zip(what.shape, ((),) * new + value.logical, strict=True)):
        if size in (-1, size_of(axis)):
            axes.append(axis)
        elif axis or size % BATCH == 0:
            raise UnsupportedError(f"an axis of {_said((size_of(axis),))} cannot become {_said((size,))}")
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
    spec = Slice(_axis(where, len(stored)), first, last, step)
    return replace(held, tensor=write.node(spec, held.tensor)).replaced({slowest: kept})


def _axis(at: int, ndim: int) -> int:
    """The last axis is called -1."""
    return -1 if at == ndim - 1 else at


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
    """Values along an axis that is one stored axis in each; the others are brought into one order."""
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
    axes = common_axes([_with_joint(met, i, each, made) for i, each in enumerate(own)], logical, there)
    where = axes.index(made)
    tensors = [
        write.arranged(each, (*met.back(i, axes[:where]), own[i], *met.back(i, axes[where + 1 :])))
        for i, each in enumerate(met.values)
    ]
    return Value(write.node(Concat(_axis(where, len(axes))), *tensors), logical, axes)


def _with_joint(met: Aligned, number: int, axis: Axis, made: Axis) -> Axes | None:
    """How a value is stored, its part of a joint axis being that; None where it is torn."""
    stored = met.values[number].stored
    if not axis:
        return met.axes(number)
    if not is_ordered_run(stored, axis):
        return None
    axes, at = as_one(stored, axis)
    return tuple(made if i == at else met.renamed(number, [each])[0] for i, each in enumerate(axes))


# ------------------------------------------------ each number by itself


@rule.register(Clamp)
@rule.register(Dropout)
@rule.register(Identity)
@rule.register(Power)
def _(what: Spec, write: Writer, value: Value) -> Value:
    """In whatever order the numbers are stored."""
    return replace(value, tensor=write.node(what, value.tensor))


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
    met = align(write, values, [[at - n if at >= n else None for n in behind] for at in range(ndim)])
    stored = [met.axes(i) for i in range(len(values))]
    there = {atom for axes in stored for atom in flat(axes)}
    axes = cut_by_presence(common_axes(stored, tuple(met.columns), there), stored)
    tensors = [write.arranged(each, met.stored_as(i, axes)) for i, each in enumerate(met.values)]
    return Value(write.node(what, *tensors), tuple(met.columns), axes)


# ------------------------------------------------ axes taken where they lie


@rule.register
def _(what: Reduce, write: Writer, value: Value) -> Value:
    """Any stored axes, in any order."""
    ndim = len(value.logical)
    gone = {place(axis, ndim) for axis in what.axes}
    value, stored, at = taken(write, value, sorted(gone))
    keep = what.keepdims or len(at) == len(stored) - 1
    held = write.held(value, stored)
    spec = Reduce(what.function, [_axis(i, len(stored)) for i in at], keep, what.correction)
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
    return replace(held, tensor=write.node(replaced(what, axis=_axis(where, len(stored))), held.tensor))


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
        axes=[_axis(i, len(stored)) for i in where] if len(where) == 1 else where,
    )
    return replace(held, tensor=write.node(spec, held.tensor))


@rule.register
def _(what: Dense, write: Writer, value: Value) -> Value:
    """Its atoms are one stored axis, any of them, in any order: its kernel's rows follow."""
    last = value.logical[-1]
    if size_of(last) != what.in_features:
        raise UnsupportedError(f"it takes {what.in_features} features on the last axis")
    value, stored, _ = taken(write, value, [len(value.logical) - 1])
    last = value.logical[-1]
    if not is_run(stored, last):
        stored = at_end(stored, last)
    stored, at = as_one(stored, last)
    if at < len(stored) - 1 and (write.shared or not DENSE_ON_ANY_AXIS):
        stored = at_end(stored, last)
        at = len(stored) - 1
    if write.shared:
        stored = (*stored[:-1], last)
    held = write.held(value, stored)
    write.weight(
        "kernel", weight_moves((what.in_features,), last, [stored[at]], (what.out_features,))
    )
    role: Role = "S" if last and all(atom.role == "S" for atom in last) else "C"
    made = new_axis(what.out_features, role, *(last[0].home if last else ()))
    axis = {"axis": _axis(at, len(stored))} if DENSE_ON_ANY_AXIS else {}
    return Value(
        write.node(replaced(what, **axis), held.tensor),
        (*value.logical[:-1], made),
        (*stored[:at], made, *stored[at + 1 :]),
    )


DENSE_ON_ANY_AXIS = "axis" in {each.name for each in fields(Dense)}


@rule.register(PReLU)
@rule.register(Rescale)
@rule.register(Scale)
def _(what: Spec, write: Writer, value: Value) -> Value:
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
    *(Conv, DepthwiseConv, SeparableConv, ConvTranspose, BatchNorm, GroupNorm, InstanceNorm),
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
    tensor = write.arranged(value, target)
    shape = (size_of(batch) // BATCH, *map(size_of, spatial), size_of(channels))
    sizes = output_shape(what, shape)
    axes = [
        axis if size_of(axis) == size else new_axis(size, role, at)
        for at, (axis, size, role) in enumerate(_met(target[1:], sizes[1:]), 1)
    ]
    return Value(write.node(what, tensor), (batch, axes[-1], *axes[:-1]), (batch, *axes))


def _met(axes: Axes, sizes: Shape) -> list[tuple[Axis, int, Role]]:
    """Axes beside their sizes in the output, which may lack those of the pixels."""
    if len(sizes) < len(axes):
        axes = axes[-len(sizes) :]
    return [(a, n, "S") for a, n in zip(axes[:-1], sizes[:-1], strict=True)] + [
        (axes[-1], sizes[-1], "C")
    ]


for _kind in IMAGES:
    rule.register(_kind, image)


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


def product(
    write: Writer, first: Value, second: Value, names: Sequence[tuple[str, ...]]
) -> Value:
    """Operands stay as they lie: the factors of their axes have names of their own."""
    one, other, result = names
    for axes, value in ((one, first), (other, second)):
        if len(axes) != len(value.logical) or len(set(axes)) < len(axes):
            raise UnsupportedError(f"{_said(value.shape)} has not just the axes {' '.join(axes)}")
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
    said = [
        [name.get(axis) or f"one{next(ones)}" for axis in axes]
        for axes in (one_stored, other_stored)
    ]
    said.append([name.get(axis) or said[0][-1] for axis in made])
    tensors = [
        write.arranged(value, met.back(i, axes))
        for i, (value, axes) in enumerate(zip(met.values, (one_stored, other_stored), strict=True))
    ]
    first_said, second_said, result_said = map(" ".join, said)
    spec = Einsum(f"{first_said}, {second_said} -> {result_said}")
    return Value(write.node(spec, *tensors), logical, made)
