"""Faults in networks: into every layer where one can exist, or into the layer at a path.

A part of the network that holds no fault is asked of the right implementation as a whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from convparity.analysis.faults.fault import Arrays, Fault, Faulty, Right
from convparity.impls.errors import SpecError
from convparity.impls.spec import (
    Composite,
    Residual,
    Sequential,
    Shape,
    Spec,
    child_weights,
    output_shape,
)

Seed = tuple[Fault, str | None]  # None is every layer where the fault can exist


def seed(spec: Spec, shape: Shape, *seeds: Seed | Fault) -> Faulty | None:
    """The wrong port of a layer or network with all of ``seeds``; None if none can exist there.

    A seed is a fault, or a fault with the dotted path of its layer ("" is ``spec`` itself).
    Several faults in one layer act together: the later ones on what the earlier ones made of it.
    """
    pairs = [each if isinstance(each, tuple) else (each, None) for each in seeds]
    return _seed(spec, tuple(shape), pairs, "")


def implementation(right: Right, *seeds: Seed | Fault) -> Right:
    """A wrong implementation of every spec, made of a right one."""

    def wrong(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        faulty = seed(spec, x.shape, *seeds)
        return right(spec, weights, x) if faulty is None else faulty.output(right, weights, x)

    return wrong


def operations(spec: Spec, *faults: Fault, path: str = "") -> Iterator[tuple[str, Faulty]]:
    """Where faults of other operations than the output sit, with the path of each layer."""
    found = [faulty for fault in faults if (faulty := fault.seed(spec)) is not None]
    if found:
        yield from ((path, faulty) for faulty in found)
    elif isinstance(spec, Composite):
        for name, child in spec.children:
            yield from operations(child, *faults, path=f"{path}.{name}" if path else name)


def _seed(spec: Spec, shape: Shape, seeds: Sequence[Seed], at: str) -> Faulty | None:
    here, below = [], []
    for fault, path in seeds:
        fits = path is None or path == at
        if fits and (faulty := fault.seed(spec, shape)) is not None:
            here.append((fault, faulty))
        else:
            below.append((fault, path))
    inside = _inside(spec, shape, below, at) if isinstance(spec, Composite) else None
    if not here:
        return inside
    (_, first), *others = here
    later: list[Seed] = [(fault, "") for fault, _ in others]
    if inside is not None:
        prefix = f"{at}." if at else ""
        later += [(f, p if p is None else p.removeprefix(prefix)) for f, p in below]
    return first if not later else _together(first, later)


def _together(first: Faulty, later: list[Seed]) -> Faulty:
    """``first``, made of an implementation that has the later faults."""

    def run(right: Right, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return first.output(implementation(right, *later), weights, x)

    detail = "; ".join([first.detail, *(fault.title for fault, _ in later)])
    return Faulty(first.spec, detail, run=run, shape=first.shape)


def _inside(spec: Composite, shape: Shape, seeds: Sequence[Seed], at: str) -> Faulty | None:
    """The faults in the children of a composite; None if there are none, or none that fits it."""
    faults: dict[str, Faulty | None] = {}
    now, outputs = shape, [shape]
    try:
        for name, child in spec.children:
            faults[name] = faulty = _seed(child, now, seeds, f"{at}.{name}" if at else name)
            outputs.append(output_shape(child, now) if faulty is None else _shape(faulty, now))
            if not isinstance(spec, Residual):
                now = outputs[-1]
    except SpecError:  # what one wrong layer makes, the next one would refuse
        return None
    found = {name: faulty for name, faulty in faults.items() if faulty is not None}
    if not found or (isinstance(spec, Residual) and outputs[-1] != outputs[-2]):
        return None
    detail = "; ".join(f"{name}: {faulty.detail}" for name, faulty in found.items())
    if all(faulty.pure for faulty in found.values()):
        children = {n: found[n].spec if n in found else child for n, child in spec.children}
        return Faulty(
            _composite(spec, children), detail, weights=lambda weights: _merged(weights, faults)
        )
    walk = _through_residual if isinstance(spec, Residual) else _through_sequence

    def run(right: Right, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return walk(spec, faults, right, weights, x)

    return Faulty(spec, detail, run=run, shape=outputs[-1])


def _shape(faulty: Faulty, shape: Shape) -> Shape:
    """The shape of a wrong output."""
    if faulty.shape is not None:
        return faulty.shape
    if faulty.run is not None:
        return output_shape(faulty.spec, shape)
    nothing = np.float32(0)
    x = np.broadcast_to(nothing, shape)
    out = output_shape(faulty.spec, (x if faulty.before is None else faulty.before(x)).shape)
    return out if faulty.after is None else faulty.after(np.broadcast_to(nothing, out)).shape


def _composite(spec: Composite, children: dict[str, Spec]) -> Spec:
    if isinstance(spec, Residual):
        return Residual(children["body"], children.get("shortcut"))
    return Sequential(children)


def _merged(weights: Arrays, children: dict[str, Faulty | None]) -> Arrays:
    merged: dict[str, np.ndarray] = {}
    for name, faulty in children.items():
        inner: Arrays = child_weights(weights, name)
        if faulty is not None and faulty.weights is not None:
            inner = faulty.weights(inner)
        merged |= {f"{name}.{own}": array for own, array in inner.items()}
    return merged


def _through_sequence(
    spec: Composite,
    children: dict[str, Faulty | None],
    right: Right,
    weights: Arrays,
    x: np.ndarray,
) -> np.ndarray:
    """Layer by layer; neighbours whose faults are pure, or that have none, at once."""
    together: dict[str, Spec] = {}

    def flush(x: np.ndarray) -> np.ndarray:
        if not together:
            return x
        merged = _merged(weights, {name: children[name] for name in together})
        y = right(Sequential(dict(together)), merged, x)
        together.clear()
        return y

    for name, child in spec.children:
        faulty = children[name]
        if faulty is None or faulty.pure:
            together[name] = child if faulty is None else faulty.spec
        else:
            x = faulty.output(right, child_weights(weights, name), flush(x))
    return flush(x)


def _through_residual(
    spec: Composite,
    children: dict[str, Faulty | None],
    right: Right,
    weights: Arrays,
    x: np.ndarray,
) -> np.ndarray:
    branches = dict.fromkeys(("body", "shortcut"), x)
    for name, child in spec.children:
        faulty, inner = children[name], child_weights(weights, name)
        branches[name] = (
            right(child, inner, x) if faulty is None else faulty.output(right, inner, x)
        )
    y: np.ndarray = branches["body"] + branches["shortcut"]
    return y
