"""Two networks that should be one: their modules as trees, and which layer stands for which.

A tree is read through the adapters, from native modules of any framework; a spec with its weights
is a tree, too, which the float64 reference runs. Twins are aligned by the names of their children;
where the names differ, by order and kind.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convparity.analysis.proof.rounded import round_to
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import InputError, UnsupportedError
from convparity.impls.reference import run
from convparity.impls.spec import (
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    DepthwiseConv,
    Dropout,
    GroupNorm,
    Identity,
    InstanceNorm,
    Join,
    LayerNorm,
    MaxPool,
    RMSNorm,
    Sequential,
    Spec,
    branches,
    dotted,
    is_chain,
    own_weights,
    packed,
)
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Weights, check_weights

NORMS = (BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm)
FAMILIES = ((Conv, DepthwiseConv), (MaxPool, AvgPool), NORMS)


@dataclass(frozen=True)
class Node:
    """A module of a network, with those inside it in the order in which they run."""

    owner: str  # the framework, or "reference"
    path: str
    spec: Spec | None  # None: its code is its own, and says nothing
    children: tuple["Node", ...]
    forward: Callable[[Any], Any]  # channels-last in and out: an array, or several
    weights: Callable[[], Weights]

    @property
    def name(self) -> str:
        """Its name in its parent."""
        return self.path.rpartition(".")[2]

    @property
    def kind(self) -> str:
        """What it is, in one word."""
        return "unknown" if self.spec is None else type(self.spec).__name__

    def __str__(self) -> str:
        return f"{self.kind} {self.path!r}" if self.path else self.kind


@dataclass(frozen=True)
class Pair:
    """Two modules that should compute the same; ``inside`` is empty where they are judged whole."""

    expected: Node
    module: Node
    inside: tuple["Pair", ...] = ()


# ---------------------------------------------------------------- reading trees


def read(network: Any, dtype: str = "float32") -> Node:
    """The tree of a native module, or of ``(spec, weights)``, which the reference runs."""
    if isinstance(network, tuple) and len(network) == 2 and isinstance(network[0], Spec):
        spec, weights = network
        return _reference(spec, check_weights(spec, weights), "", dtype)
    adapter = registry.owner(network)
    return _native(adapter, network, "", _describe(adapter, network))


def _reference(spec: Spec, weights: Weights, path: str, dtype: str) -> Node:
    children = spec.children if isinstance(spec, Composite) else ()
    return Node(
        "reference",
        path,
        spec,
        tuple(
            _reference(child, own_weights(child, name, weights), dotted(path, name), dtype)
            for name, child in children
            if not isinstance(child, Join)
        ),
        lambda x: on_each(
            lambda y: round_to(y, dtype),
            packed(spec, run(spec, weights, *(each.astype(np.float64) for each in parts(x)))),
        ),
        lambda: weights,
    )


def _native(adapter: Adapter, module: Any, path: str, spec: Spec | None) -> Node:
    specs = dict(spec.children) if isinstance(spec, Composite) else {}
    children = []
    for name, child in adapter.children(module).items():
        # from the root's spec where there is one: a lone layer may not know its rank
        known = specs[name] if name in specs else _describe(adapter, child)
        if not isinstance(known, Join):  # one may be no module of its own: it is part of the wiring
            children.append(_native(adapter, child, dotted(path, name), known))
    return Node(
        adapter.name,
        path,
        spec,
        tuple(children),
        lambda x: adapter.forward(module, x),
        lambda: adapter.dump(module),
    )


def _describe(adapter: Adapter, module: Any) -> Spec | None:
    try:
        return adapter.describe(module)
    except UnsupportedError:
        return None


# ---------------------------------------------------------------- aligning them


def align(expected: Node, module: Node) -> Pair:
    """Which module stands for which. Raises ``InputError``, which says where they part."""
    if not expected.children or not module.children:
        return Pair(expected, module)
    names, others = ([child.name for child in node.children] for node in (expected, module))
    if names == others:
        pairs = zip(expected.children, module.children, strict=True)
        return Pair(expected, module, tuple(align(*pair) for pair in pairs))
    apart = _branches(expected) or _branches(module)
    if module.spec is None:  # code of its own need not run what it holds one after the other
        if apart:
            return Pair(expected, module)
        try:
            return Pair(expected, module, _sequence(expected.children, module.children))
        except InputError:
            return Pair(expected, module)
    if apart:
        raise InputError(
            f"the layers cannot be aligned: {module.owner} has {module} of {', '.join(others)}, "
            f"{expected.owner} has {expected} of {', '.join(names)}: compare them as outputs, "
            "or give both the same structure"
        )
    return Pair(expected, module, _sequence(expected.children, module.children))


def _sequence(expected: tuple[Node, ...], module: tuple[Node, ...]) -> tuple[Pair, ...]:
    """Pairs by order and kind. What is nested is taken apart; a dropout may be on one side only."""
    pairs, left, right = [], deque(expected), deque(module)
    while left or right:
        if left and right and _alike(left[0], right[0]):
            pairs.append(align(left.popleft(), right.popleft()))
            continue
        for side in (left, right):
            if side and (_is_chain(side[0]) or isinstance(side[0].spec, Dropout | Identity)):
                first = side.popleft()
                side.extendleft(reversed(first.children))
                break
        else:
            here = [f"{side[0].owner} has {side[0]}" if side else "" for side in (right, left)]
            raise InputError(
                "the layers cannot be aligned: "
                f"{here[0] or f'{module[0].owner} has no more layers'} where "
                f"{here[1] or f'{expected[0].owner} has no more layers'}: "
                "compare them as outputs, or give both the same structure"
            )
    return tuple(pairs)


def _is_chain(node: Node) -> bool:
    """Its children run one after the other, as far as one can tell."""
    return bool(node.children) and (node.spec is None or is_chain(node.spec))


def _branches(node: Node) -> bool:
    return node.spec is not None and branches(node.spec)


def _alike(expected: Node, module: Node) -> bool:
    if module.spec is None and (not module.children or _branches(expected)):
        return True
    if Sequential in (type(expected.spec), type(module.spec)):
        return False  # two of different names are taken apart
    return family(expected.spec) == family(module.spec)


def family(spec: Spec | None) -> tuple[type, ...]:
    """The kinds of layer that may stand for each other, ``spec``'s among them."""
    for family in FAMILIES:
        if isinstance(spec, family):
            return family
    return (type(spec),)
