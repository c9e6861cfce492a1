"""The structure of a network, node by node: each layer on dense integers of its own.

End to end, the integers of a deep network die on the way, since its sums leave no room for them: a
candidate that ignored its input was once called exact. One layer by itself has all the room there
is. That the layers are wired as the spec says is asked of the whole, on real numbers.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.data import exact_shape, layer_case
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.rounded import Rounded
from convparity.analysis.proof.shapes import fits, size_along, spatial_axes, with_batch, with_size
from convparity.analysis.proof.trust import Trust
from convparity.analysis.proof.verdict import Structure
from convparity.impls.adapter import Adapter
from convparity.impls.errors import FROM_USER_CODE, in_one_line
from convparity.impls.reference import run
from convparity.impls.spec import (
    BatchNorm,
    Composite,
    Layer,
    Shape,
    Shapes,
    Spec,
    dotted,
    each_shape,
    fold_steps,
    under,
    walk_shapes,
)
from convparity.impls.values import parts
from convparity.impls.weights import Arrays, Weights

SIDE = 24  # pixels along an axis that show all that a layer does, unless its windows are larger

PLACES = 8  # pixels of all examples together

Output = np.ndarray | str  # a string says why there is none


class Node(NamedTuple):
    """One layer of a network, with data of its own and what it must make of them."""

    path: str
    spec: Layer
    weights: Weights
    x: np.ndarray
    target: Rounded
    trust: Trust


def nodes(
    spec: Composite, input_shape: Shapes, seed: int, dtype: str, direct: bool
) -> tuple[Node, ...]:
    """Every layer of ``spec``, in the order in which they run; a layer that runs twice once."""
    found: dict[str, Node] = {}
    for path, layer, shapes in walk_shapes(spec, *each_shape(input_shape)):
        if not isinstance(layer, Layer) or path in found:
            continue
        (exact,) = each_shape(exact_shape(layer, smaller(layer, shapes[0])))
        shape = telling(layer, exact)
        (weights, x), target, seen = layer_case(layer, shape, seed + len(found), dtype, direct)
        seen = seen if seen.ok else replace(seen, blind=path)
        found[path] = Node(path, layer, weights, x, target, seen)
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
            if fits(spec, tried):  # not too small for a kernel, or the features of a dense layer
                found = tried
                break
    return found


def telling(spec: Spec, shape: Shape) -> Shape:
    """The shape with so many examples that no two channels are alike in all places by chance."""
    n, *spatial, _ = shape
    least = max(n, -(-PLACES // math.prod(spatial)))
    found = with_batch(spec, shape, range(least, least + n))
    return each_shape(found)[0]  # a multiple of n is among them


def _strides(spec: Spec) -> tuple[int, ...]:
    strides = getattr(spec, "stride", 1)
    return (strides,) if isinstance(strides, int) else tuple(strides)


def node_weights(found: Iterable[Node]) -> Weights:
    """The weights of all layers, by the names that they have in the network."""
    return {name: array for node in found for name, array in under(node.path, node.weights).items()}


def run_nodes(
    adapter: Adapter,
    network: Any,
    found: Iterable[Node],
    build: Callable[[Layer], Any] | None = None,
) -> Iterator[Output]:
    """What the layers inside a native ``network`` make of their own data, or why they do not.

    One without weights is made anew by ``build``, if that is given: taken out of its network,
    nothing tells such a layer in which dtype it computes.
    """
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
            if build is not None and not node.weights:
                module = build(node.spec)
            yield attempt(partial(adapter.forward, module), node.x)


def attempt(forward: Callable[..., Any], *inputs: np.ndarray) -> Any:
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


def calibrated(spec: Spec, weights: Arrays, x: Any) -> Weights:
    """``weights`` with the mean and variance of each BatchNorm's own input when it is fed ``x``.

    So no signal is lost between the layers: each norm sends out values of the size of one.
    """
    found = dict(weights)

    def visit(spec: Spec, path: str, weights: Arrays, *values: np.ndarray) -> Any:
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
        return run(spec, weights, *values)

    visit(spec, "", weights, *(np.asarray(each, dtype=np.float64) for each in parts(x)))
    return found


def other_shape(spec: Spec, shape: Shapes) -> Shapes:
    """Another batch, of other images: smaller, and odd where they were even, if ``spec`` allows."""
    n = size_along(shape, 0)
    found = with_batch(spec, shape, (n + 1 if n < 3 else n - 1, 2 * n))
    for axis in spatial_axes(shape):
        size = size_along(shape, axis)
        odd_or_even = range(min(size - 1, 63 + size % 2), 0, -2)
        for other in (*odd_or_even, size + 1):
            tried = with_size(found, axis, other)
            if fits(spec, tried):
                found = tried
                break
    return found
