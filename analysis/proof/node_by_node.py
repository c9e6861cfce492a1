"""The structure of a network, node by node: each layer on dense integers of its own.

End to end, the integers of a deep network die on the way, since its sums leave no room for them: a
candidate that ignored its input was once called exact. One layer by itself has all the room there
is. That the layers are wired as the spec says is asked of the whole, on real numbers.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.data import exact_shape, layer_case
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.rounded import BASES, Rounded
from convparity.analysis.proof.trust import Trust
from convparity.analysis.proof.verdict import Structure
from convparity.impls.adapter import Adapter
from convparity.impls.errors import FROM_USER_CODE, SpecError, in_one_line
from convparity.impls.reference import run
from convparity.impls.spec import (
    BatchNorm,
    Composite,
    Layer,
    Shape,
    Spec,
    dotted,
    fold_steps,
    output_shape,
    under,
    walk_shapes,
)
from convparity.impls.weights import Arrays, Weights

SIDE = 24  # pixels along an axis that show all that a layer does, unless its windows are larger

PLACES = 8  # pixels of all examples together

Output = np.ndarray | str  # a string says why there is none


class Node(NamedTuple):
    """One layer of a network, with data of its own and what it must make of them."""

    path: str
    weights: Weights
    x: np.ndarray
    target: Rounded
    trust: Trust


def nodes(
    spec: Composite, input_shape: Shape, seed: int, dtype: str, direct: bool
) -> tuple[Node, ...]:
    """Every layer of ``spec``, in the order in which they run; a layer that runs twice once."""
    found: dict[str, Node] = {}
    for path, layer, shapes in walk_shapes(spec, input_shape):
        if not isinstance(layer, Layer) or path in found:
            continue
        shape = telling(layer, exact_shape(layer, smaller(layer, shapes[0])))
        (weights, x), target, seen = layer_case(layer, shape, seed + len(found), dtype, direct)
        found[path] = Node(path, weights, x, target, seen if seen.ok else replace(seen, blind=path))
    return tuple(found.values())


def smaller(spec: Spec, shape: Shape) -> Shape:
    """A shape with fewer pixels, on which ``spec`` does what it does on ``shape``.

    Sizes keep what they leave over when divided by a stride, and by two: that decides the padding.
    """
    step = math.lcm(2, *_strides(spec))
    found = tuple(shape)
    for axis in range(1, len(shape) - 1):
        size = shape[axis]
        for fewer in range(SIDE + (size - SIDE) % step, size, step):
            tried = (*found[:axis], fewer, *found[axis + 1 :])
            try:
                output_shape(spec, tried)
            except SpecError:  # too small for a kernel, or for the features of a dense layer
                continue
            found = tried
            break
    return found


def telling(spec: Spec, shape: Shape) -> Shape:
    """The shape with so many examples that no two channels are alike in all places by chance."""
    n, *spatial, _ = shape
    least = max(n, -(-PLACES // math.prod(spatial)))
    return with_batch(spec, shape, range(least, least + n))  # a multiple of n is among them


def with_batch(spec: Spec, shape: Shape, sizes: Iterable[int]) -> Shape:
    """The shape with the first of these batches that ``spec`` takes: a pattern may split it."""
    for n in sizes:
        with contextlib.suppress(SpecError):
            output_shape(spec, (n, *shape[1:]))
            return (n, *shape[1:])
    return shape


def _strides(spec: Spec) -> tuple[int, ...]:
    strides = getattr(spec, "stride", 1)
    return (strides,) if isinstance(strides, int) else tuple(strides)


def node_weights(found: Iterable[Node]) -> Weights:
    """The weights of all layers, by the names that they have in the network."""
    return {name: array for node in found for name, array in under(node.path, node.weights).items()}


def run_nodes(adapter: Adapter, network: Any, found: Iterable[Node]) -> Iterator[Output]:
    """What the layers inside a native ``network`` make of their own data, or why they do not."""
    children: dict[str, dict[str, Any]] = {}
    for node in found:
        module, path = network, ""
        for name in node.path.split("."):
            if path not in children:
                children[path] = adapter.children(module)
            if name not in children[path]:
                yield f"there is no layer {name!r}, only {', '.join(children[path])}"
                break
            module, path = children[path][name], dotted(path, name)
        else:
            yield attempt(partial(adapter.forward, module), node.x)


def attempt(forward: Callable[..., np.ndarray], *inputs: np.ndarray) -> Output:
    """The output, or what stopped a module that cannot take what it should."""
    try:
        return forward(*inputs)
    except FROM_USER_CODE as error:  # each framework raises its own
        shapes = " and ".join(str(x.shape) for x in inputs)
        return f"it fails on {shapes}: {in_one_line(error)}"


def judge_nodes(
    found: Iterable[Node], outputs: Iterable[Output]
) -> Iterator[tuple[str, Structure]]:
    """The path of each layer, and the verdict on what it made of its data."""
    for node, output in zip(found, outputs, strict=True):
        if isinstance(output, str):
            yield node.path, Structure(0, node.target.value.size, 0.0, output)
        else:
            yield node.path, structure(output, node.target)


def merged(judged: list[tuple[str, Structure]]) -> Structure:
    """One verdict of several: the first wrong one, else all entries and the weakest basis."""
    for path, each in judged:
        if each.status == "wrong":
            return replace(each, layer=path)
    untested = next((path for path, each in judged if each.untested), "")
    every = [each for _, each in judged]
    return Structure(
        0,
        sum(each.size for each in every),
        max((each.slack for each in every), default=0.0),
        basis=max((each.basis for each in every), key=BASES.index, default="exact"),
        untested=sum(each.untested for each in every),
        layer=untested,
    )


def calibrated(spec: Spec, weights: Arrays, x: np.ndarray) -> Weights:
    """``weights`` with the mean and variance of each BatchNorm's own input when it is fed ``x``.

    So no signal is lost between the layers: each norm sends out values of the size of one.
    """
    found = dict(weights)

    def visit(spec: Spec, path: str, weights: Arrays, *values: np.ndarray) -> np.ndarray:
        if isinstance(spec, Composite):
            return fold_steps(
                spec,
                values,
                lambda step, inputs: visit(
                    step.spec, step.path(path), step.weights(weights), *inputs
                ),
            )
        if isinstance(spec, BatchNorm):
            axes = tuple(range(values[0].ndim - 1))
            spread = values[0].var(axis=axes)
            own = {
                "mean": values[0].mean(axis=axes).astype(np.float32),
                "variance": np.where(spread > 0, spread, 1).astype(np.float32),
            }
            weights = {**weights, **own}
            found.update(under(path, own))
        made: np.ndarray = run(spec, weights, *values)
        return made

    visit(spec, "", weights, np.asarray(x, dtype=np.float64))
    return found


def other_shape(spec: Spec, shape: Shape) -> Shape:
    """Another batch, of other images: smaller, and odd where they were even, if ``spec`` allows."""
    n = shape[0]
    found = with_batch(spec, shape, (n + 1 if n < 3 else n - 1, 2 * n))
    for axis in range(1, len(shape) - 1):
        size = shape[axis]
        odd_or_even = range(min(size - 1, 63 + size % 2), 0, -2)
        for other in (*odd_or_even, size + 1):
            tried = (*found[:axis], other, *found[axis + 1 :])
            try:
                output_shape(spec, tried)
            except SpecError:
                continue
            found = tried
            break
    return found
