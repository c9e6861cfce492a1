"""Which layer of the twin stands for which of the module, and whether it does what that does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from convparity.analysis.check.answer import Finding
from convparity.analysis.check.differences import (
    drawn,
    fields,
    plain,
    same_function,
    sizes,
    weight_difference,
)
from convparity.analysis.check.leaves import Leaf
from convparity.analysis.check.measured import Measure
from convparity.analysis.check.outer_padding import Pads, padded, pads_between, with_pads
from convparity.analysis.diagnosis.diagnose import diagnose
from convparity.analysis.layerwise.trees import family
from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.node_by_node import attempt
from convparity.analysis.proof.rounded import exact_input, round_to
from convparity.analysis.proof.rounding import trace
from convparity.impls.errors import ConvparityError
from convparity.impls.spec import Dense, Dropout, Flatten, Identity, Join, Layer, output_shape
from convparity.impls.weights import Weights

SECONDS = 2.0  # that a name for a wrong output is looked for


@dataclass(frozen=True)
class Pair:
    """A layer of the module, and the one of the twin that should do the same."""

    module: Leaf
    twin: Leaf
    pads: Pads = ()  # zeros that the twin's code puts around what it gives to its layer


def with_zeros_outside(pair: Pair) -> Pair:
    """The pair, where one side's code pads outside of its layer, as if both layers padded."""
    a, b = pair.module, pair.twin
    if a.x is None or b.x is None or a.spec is None or b.spec is None:
        return pair
    if (pads := pads_between(a.x, b.x)) is not None:
        folded = with_pads(b, pads, a.x)
        return pair if folded is None else Pair(a, folded, pads)
    if (pads := pads_between(b.x, a.x)) is not None:
        folded = with_pads(a, pads, b.x)
        return pair if folded is None else Pair(folded, b)
    return pair


def align(module: list[Leaf], twin: list[Leaf]) -> tuple[list[Pair], list[Leaf], list[Leaf]]:
    """The pairs in the order in which the module runs them, and who is left on either side.

    Layers with weights are paired by their paths, where all of them have the same, else by their
    very weights, which branches in another order have too, else by their order and kind; those
    without weights between two pairs by their kinds. Left are those that cannot be told otherwise.
    """
    heavy, others = ([leaf for leaf in side if leaf.weighs] for side in (module, twin))
    found = _by_path(heavy, others) or _by_weights(heavy, others) or _by_order(heavy, others)
    pairs = list(_with_light(module, twin, found))
    left, over = (
        [leaf for leaf in side if id(leaf) not in paired and _asks_for_one(leaf)]
        for side, paired in (
            (module, {id(pair.module) for pair in pairs}),
            (twin, {id(pair.twin) for pair in pairs}),
        )
    )
    return pairs, left, over


def _asks_for_one(leaf: Leaf) -> bool:
    """What it computes is known from no other place, so that it must be held against another."""
    return leaf.weighs or (leaf.spec is None and not leaf.moves)


def _by_path(module: list[Leaf], twin: list[Leaf]) -> list[Pair]:
    by_path = {leaf.path: leaf for leaf in twin}
    names = [leaf.path for leaf in module]
    if len(by_path) != len(twin) or len(set(names)) != len(names) or set(names) != set(by_path):
        return []
    pairs = [Pair(leaf, by_path[leaf.path]) for leaf in module]
    return pairs if all(_alike(pair.module, pair.twin) for pair in pairs) else []


def _by_weights(module: list[Leaf], twin: list[Leaf]) -> list[Pair]:
    """Where each has the same kind and the same numbers as one of the others, in their order."""
    keyed: list[dict[Any, list[Leaf]]] = [{}, {}]
    for side, known in zip((module, twin), keyed, strict=True):
        for leaf in side:
            known.setdefault((_sign(leaf), _numbers(leaf)), []).append(leaf)
    mine, theirs = keyed
    if {key: len(each) for key, each in mine.items()} != {k: len(v) for k, v in theirs.items()}:
        return []
    partner = {id(leaf): theirs[key][i] for key in mine for i, leaf in enumerate(mine[key])}
    return [Pair(leaf, partner[id(leaf)]) for leaf in module]


def _numbers(leaf: Leaf) -> tuple[Any, ...]:
    return tuple(
        (name, array.size, array.tobytes()) for name, array in sorted(leaf.weights.items())
    )


def _by_order(module: list[Leaf], twin: list[Leaf]) -> list[Pair]:
    if len(module) == len(twin) and all(map(_alike, module, twin)):
        return [Pair(*both) for both in zip(module, twin, strict=True)]
    signs = [[(_sign(leaf), _size(leaf)) for leaf in side] for side in (module, twin)]
    blocks = SequenceMatcher(None, signs[0], signs[1], autojunk=False).get_matching_blocks()
    return [Pair(module[a + i], twin[b + i]) for a, b, n in blocks for i in range(n)]


def _sign(leaf: Leaf) -> tuple[type, ...]:
    return (type(leaf.module),) if leaf.spec is None else family(leaf.spec)


def _size(leaf: Leaf) -> int:
    return sum(array.size for array in leaf.weights.values())


def _alike(a: Leaf, b: Leaf) -> bool:
    return _sign(a) == _sign(b)


def _with_light(module: list[Leaf], twin: list[Leaf], found: list[Pair]) -> Iterator[Pair]:
    """The pairs, and between two of them those without weights, where their kinds are the same."""
    places = [{id(leaf): i for i, leaf in enumerate(side)} for side in (module, twin)]
    start, other = 0, 0
    ends = [(places[0][id(p.module)], places[1][id(p.twin)], p) for p in found]
    for at, there, pair in [*ends, (len(module), len(twin), None)]:
        if other <= there:
            gap = [_light(module[start:at]), _light(twin[other:there])]
            if list(map(_place, gap[0])) == list(map(_place, gap[1])):
                yield from map(Pair, *gap)
        if pair is not None:
            yield pair
        start, other = at + 1, there + 1


def _place(leaf: Leaf) -> str:
    """What may stand in the place of a layer without weights: for a join, any other."""
    return "join" if isinstance(leaf.spec, Join) else leaf.kind


def _unpaired_join(side: list[Leaf], paired: Iterable[Leaf], end: Leaf | None) -> Leaf | None:
    """The last join before ``end``, or of all, that stands for none of the other network."""
    known, found = {id(leaf) for leaf in paired}, None
    for leaf in side:
        if leaf is end:
            break
        if id(leaf) in known:
            found = None  # what lies before a pair that agrees is right
        elif isinstance(leaf.spec, Join):
            found = leaf
    return found


def join_apart(
    mine: list[Leaf], theirs: list[Leaf], pairs: list[Pair], end: Pair | None
) -> Finding | None:
    """A join right before ``end``, or the network's end, that the other network has not."""
    module = _unpaired_join(mine, (p.module for p in pairs), None if end is None else end.module)
    twin = _unpaired_join(theirs, (p.twin for p in pairs), None if end is None else end.twin)
    if module is not None:
        instead = "a join in its code, or none" if twin is None else f"{twin.kind} {twin.path!r}"
        return Finding(
            module.path, f"the twin has {instead} where the source has {module.kind}", around=True
        )
    if twin is None:
        return None
    return Finding(
        None if end is None else end.module.path,
        f"what reaches it is something else in the twin, which has {twin.kind} {twin.path!r} where "
        "the source has a join in its code, or none",
        around=True,
    )


def _light(side: list[Leaf]) -> list[Leaf]:
    return [
        leaf
        for leaf in side
        if not leaf.weighs
        and not isinstance(leaf.spec, Dropout | Identity | Flatten)
        and not (leaf.spec is None and leaf.moves)
    ]


# ---------------------------------------------------------------- one pair


def differences(pair: Pair, measure: Measure, before: tuple[int, ...]) -> Iterator[Finding]:
    """How the twin's layer differs from the module's, fed what the module's was fed.

    ``before`` is the shape of the last image that ran before it: a twin may flatten it in another
    order.
    """
    a, b = pair.module, pair.twin
    rows = flattened_rows(a, before)
    if rows is not None and b.x is not None and measure.same_value(f"{a.path}<0", a.x, b.x):
        rows = None  # the twin flattens as the module does
    if a.spec is None or b.spec is None or not a.inputs:
        yield from _unread(pair, measure)
        return
    where = ""
    if plain(a.spec) != plain(b.spec):
        shapes = (x.shape for x in a.inputs)
        alike, where = same_function(a.spec, b.spec, a.weights, *shapes)
        if not alike:
            what = _with(fields(a.spec, b.spec, b.adapter.name), where)
            yield Finding(a.path, what, around=_padding_alone(a.spec, b.spec))
            return
    held = {name: round_to(w, b.dtype) for name, w in a.weights.items()}
    if (difference := weight_difference(held, b.weights, rows)) is not None:
        yield Finding(a.path, difference)
        return
    yield from _own(pair, held, rows)


def _padding_alone(a: Layer | Join, b: Layer | Join) -> bool:
    """They differ in what they pad or crop, and in nothing else."""
    a, b = plain(a), plain(b)
    if type(a) is not type(b):
        return False
    names = {name for name, value in vars(a).items() if getattr(b, name) != value}
    return names <= {"padding", "padding_mode", "output_padding", "count_include_pad"}


def _with(text: str, where: str) -> str:
    return f"{text}; {where}" if where else text


def flattened_rows(a: Leaf, before: tuple[int, ...]) -> np.ndarray | None:
    """Where a flatten in the order (H, W, C) puts each feature of one in the order (C, H, W)."""
    if not isinstance(a.spec, Dense) or len(before) < 3 or a.x is None or a.x.ndim != 2:
        return None
    *spatial, channels = before[1:]
    if a.x.shape[1] != channels * int(np.prod(spatial)):
        return None
    order = np.arange(a.x.shape[1]).reshape(channels, *spatial)
    return np.moveaxis(order, 0, -1).ravel()


def _own(pair: Pair, weights: Weights, rows: np.ndarray | None) -> Iterator[Finding]:
    """The twin's layer on the module's inputs, and on integers of two sizes."""
    a, b = pair.module, pair.twin
    assert a.spec is not None
    asked = [a.inputs]
    for _, shapes in list(sizes(*(x.shape for x in a.inputs)))[:2]:
        asked.append(drawn(shapes))
    for inputs in asked:
        given = [round_to(x.astype(a.inputs[0].dtype), b.dtype) for x in inputs]
        try:
            output_shape(a.spec, *(x.shape for x in given))
            target = trace(a.spec, weights, *(exact_input(x, b.dtype) for x in given))
        except ConvparityError:  # another size that the layer does not take
            continue
        y = attempt(b.gives, *(_as_twin(x, pair.pads, rows) for x in given))
        if isinstance(y, str):
            yield Finding(a.path, y)
            return
        judged = precision(y, target)
        if judged.status == "wrong":
            named = _named(a.spec, weights, given[0], y) if isinstance(a.spec, Layer) else ""
            yield Finding(a.path, _with(str(judged), named))
            return


def _as_twin(x: np.ndarray, pads: Pads, rows: np.ndarray | None) -> np.ndarray:
    """What the twin's code gives to its layer where the module's gives ``x``."""
    if pads:
        return padded(x, pads)
    return x if rows is None else np.ascontiguousarray(x[:, rows])


def _named(spec: Layer, weights: Weights, x: np.ndarray, y: np.ndarray) -> str:
    """The known fault that gives this very output, if there is one."""
    if y.dtype != np.float32 or y.size > 100_000:
        return ""
    try:
        found = diagnose(y, spec, weights, x, seconds=SECONDS)
    except ConvparityError:
        return ""
    return str(found.answers[0]) if found.answers else ""


def _unread(pair: Pair, measure: Measure) -> Iterator[Finding]:
    """A layer whose code is its own, judged by what it makes of the module's input."""
    a, b = pair.module, pair.twin
    if a.x is None or a.y is None:
        return
    alike = type(a.module) is type(b.module) and a.raw.keys() == b.raw.keys()
    if alike and (difference := weight_difference(a.raw, b.raw)) is not None:
        yield Finding(a.path, difference)
        return
    y = attempt(b.gives, a.x)
    if isinstance(y, str):
        yield Finding(a.path, y)
    elif (gap := measure.difference(a.path, a.y, y)) is not None:
        yield Finding(a.path, gap)


def unread(pair: Pair) -> Finding | None:
    """Why a pair is not proved, where one of the two cannot be read."""
    for leaf in (pair.module, pair.twin):
        if leaf.spec is None:
            return Finding(pair.module.path, f"{leaf.adapter.name}'s {leaf.kind}: {leaf.why}")
    return None
