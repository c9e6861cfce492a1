"""The layout pass: a program in a source's own axes becomes a graph of channels-last specs.

A source says its axes by position, ``(N, C, H, W)``, and permutes and reshapes arrays to bring the
axis that it means to the place where an operation wants it. Here an array stays as it lies, and
each value knows two lists of axes: ``logical``, those of the source, and ``stored``, those of the
array, both made of factors that are known by identity and never by size (``values.py``). A unit of
ShuffleNet, for example, with 8 channels in 2 groups:

    operation                   logical axes    stored axes
    x                           n c h w         n h w c
    view(N, 2, 4, H, W)         n g d h w       n h w (g d)    c is split; the array is the same
    permute(0, 2, 1, 3, 4)      n d g h w       n h w (g d)    nothing happens
    reshape(N, 8, H, W)         n (d g) h w     n h w (g d)    nothing happens
    conv                        n e h w         n h w e        first "n h w (g d) -> n h w (d g)"

What the network means by its permute is one ``Rearrange``, and the layers around it take their
arrays as they lie. The rules, which ``rules.py`` (operations of one value) and ``joins.py`` (of
several) spell out:

1. What reads axes anew, a permute, a view or an expand, changes the logical axes alone. A view
   splits factors where its borders divide theirs. An expand adds a factor that is not stored.
2. What takes each number by itself, an activation for one, takes it in any order.
3. What acts on axes acts on them where they lie: a mean, a softmax, a layer norm, a slice, a dense
   layer. The weights of a dense layer and of a norm follow the order in which the factors are
   stored (``LaidOut.weights``), so that a flatten before a dense layer moves nothing.
4. What acts on images wants each axis whole: batch, space, channels.
5. Values that meet are aligned by position, and stored in the order for which the fewest move. Of
   several such orders it is one that tears no axis of the source, then one with channels last.
6. Matrix products and einsums take their operands as they lie: each factor has a name of its own.
   The result is stored as batch, space as it lay in the image, channels; scores, of which both
   last axes are of space, in the order of the source.
7. What has to be done is done as late as can be, by one ``Rearrange``, and once for each order.
   One that only merges or splits neighbours moves no data, and is no real transpose.
8. An axis that is repeated is repeated where somebody needs all of its entries, by a ``Resize``.

Where rules conflict:

- *Views are pending before a layer on images.* One Rearrange there does all of them: of a channel
  shuffle the one that it is.
- *Borders do not divide*, as where (8, 7) pixels are read as (7, 8). Their factors have to become
  one. If they are neighbours, axes are merged, which is free; if not, all axes are made whole
  first, in one move, so that what else is torn is mended with it.
- *A residual meets a branch that was torn into windows*, and one of them has to move: the one that
  is whole wins, since what follows mostly wants it so.
- *Windows of attention.* Heads and windows would have to be gathered before, and spread after: by
  rule 6 neither happens, and since the products are stored as the pixels lay, a branch comes back
  whole.
- *Weights that several operations use* cannot follow two orders: a layer that runs again acts on
  the last axis, in the source's order.
- *A parameter by itself* has no batch in the source, and meets values that have one. It is moved
  when weights are converted, and has no say in the order; where several orders are wanted, it is
  moved in the graph.
- *The batch* is the first stored axis, and the slowest factor of it; it may be merged with others.
  What would split it, move it, or act along it, is refused.

What the specs cannot say is an ``UnsupportedError`` that names the operation, its inputs and the
reason: an output without a batch or without anything else, a sum along the batch, more than one
axis of batches, a dense layer on the batch, a diagonal.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from convparity.impls.axis_patterns import Moves
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.layout import joins  # noqa: F401 (it registers its rules)
from convparity.impls.layout.moves import Writer
from convparity.impls.layout.program import BATCH, Input, Operation, Program, What
from convparity.impls.layout.rules import rule
from convparity.impls.layout.values import Role, Value, flat, new_axis, said
from convparity.impls.spec import Graph, Identity

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
    names = [*(each.name for each in program.inputs), *(each.name for each in program.operations)]
    origin = {each.name: each.what for each in operations}  # of a shared one, the first's name
    uses = Counter(_first(each, origin) for each in operations)
    values = {each.name: _input(each) for each in program.inputs}
    inputs = {name: _order(value) for name, value in values.items()}
    write = Writer({name: value.stored_shape for name, value in values.items()}, names)
    for each in operations:
        first = _first(each, origin)
        write.name, write.first, write.shared = each.name, first, uses[first] > 1
        what = origin[first]
        try:
            values[each.name] = rule(what, write, *(values[name] for name in each.inputs))
        except (SpecError, UnsupportedError) as error:
            shapes = ", ".join(f"{name} {said(values[name].shape)}" for name in each.inputs)
            raise UnsupportedError(f"{each.name}, {what} of {shapes}: {error}") from None
    results = {}
    for name in program.results:
        try:
            results[name] = _output(write, values[name])
        except UnsupportedError as error:
            raise UnsupportedError(f"the output {name}: {error}") from None
    write.fold({value.tensor for value in results.values()})
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
    """Each axis of the source whole, in the order in which the first atoms of all lie."""
    if len(value.logical) < 2:
        raise UnsupportedError("a graph gives values with an axis besides the batch")
    value = write.filled(value, flat(value.logical))
    if Counter(value.stored) == Counter(value.logical):
        return value
    order = flat(value.stored)
    axes = sorted((axis for axis in value.logical if axis), key=lambda axis: order.index(axis[0]))
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
