"""Strategies that draw programs in a source's own axes: hard for whoever follows axes by size.

Sizes are small and coincide, also with the batches that programs are run at; axes have size 1;
views merge and split, at borders that do not divide each other, too; a value meets itself in
another order; axes are repeated; there are several outputs.
"""

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from convparity import (
    Activation,
    Add,
    Clamp,
    Concat,
    Conv,
    Dense,
    Maximum,
    MaxPool,
    Multiply,
    Parameter,
    Reduce,
    Scale,
    Slice,
    Subtract,
)
from convparity.impls.layout import (
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
)
from parity_tests.support.source_programs import places

Shape = tuple[int, ...]
SIZES = (1, 2, 3, 4, 6)
MOST_PLACES, MOST_AXES = 600, 6


class Drawing:
    """A program that grows, operation by operation."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.shapes: dict[str, Shape] = {}
        self.operations: list[Operation] = []

    def one_of(self, options: Any) -> Any:
        """One of these."""
        return self.draw(st.sampled_from(list(options)))

    def add(self, what: Any, shape: Shape, *inputs: str) -> str:
        """An operation that makes a value of this shape."""
        name = f"v{len(self.operations)}"
        self.operations.append(Operation(name, what, inputs))
        self.shapes[name] = shape
        return name

    def batch(self, shape: Shape) -> int:
        """Which axis the batch is in."""
        return next(i for i, n in enumerate(shape) if n % BATCH == 0)

    def any_axis(self, shape: Shape) -> int | None:
        """An axis without the batch."""
        axes = [i for i, n in enumerate(shape) if n % BATCH]
        return self.one_of(axes) if axes else None

    def step(self) -> None:
        """One more operation, or none where the one that is drawn does not fit."""
        name = self.one_of(list(self.shapes)[-4:])
        kind = self.one_of(STEPS)
        kind(self, name, self.shapes[name])


def permute(d: Drawing, name: str, shape: Shape) -> None:
    order = d.draw(st.permutations(range(len(shape))))
    if d.one_of((True, True, False)):  # the batch mostly stays first
        batch = d.batch(shape)
        order = [batch, *(i for i in order if i != batch)]
    d.add(Permute(tuple(order)), tuple(shape[i] for i in order), name)


def view(d: Drawing, name: str, shape: Shape) -> None:
    batch = d.batch(shape)
    rest = math.prod(shape[batch:]) // BATCH
    sizes = []
    while rest > 1 and len(sizes) < 4:
        size = d.one_of([n for n in range(1, rest + 1) if rest % n == 0])
        sizes.append(size)
        rest //= size
    made = (*shape[:batch], BATCH * (sizes[0] if sizes else 1), *sizes[1:], rest)
    if d.one_of((True, True, False)):
        made = (*shape[:batch], BATCH, *sizes, rest)
    d.add(View(made), made, name)


def expand(d: Drawing, name: str, shape: Shape) -> None:
    axes = [i for i, n in enumerate(shape) if n == 1]
    if axes and places(shape) * 3 <= MOST_PLACES:
        at, size = d.one_of(axes), d.one_of((2, 3))
        made = (*shape[:at], size, *shape[at + 1 :])
        d.add(Expand(made), made, name)


def unsqueeze(d: Drawing, name: str, shape: Shape) -> None:
    if len(shape) < MOST_AXES:
        at = d.draw(st.integers(0, len(shape)))
        made = (*shape[:at], 1, *shape[at:])
        d.add(View(made), made, name)


def part(d: Drawing, name: str, shape: Shape) -> None:
    at = d.any_axis(shape)
    if at is None:
        return
    start = d.draw(st.integers(0, shape[at] - 1))
    stop = d.draw(st.integers(start + 1, shape[at]))
    step = d.one_of((1, 1, 2))
    made = (*shape[:at], len(range(start, stop, step)), *shape[at + 1 :])
    d.add(Slice(at - len(shape), start, stop, step), made, name)


def select(d: Drawing, name: str, shape: Shape) -> None:
    at = d.any_axis(shape)
    if at is not None and len(shape) > 2:
        index = d.draw(st.integers(-shape[at], shape[at] - 1))
        d.add(Select(at, index), (*shape[:at], *shape[at + 1 :]), name)


def fitting(d: Drawing, shape: Shape) -> str:
    """A value of the same shape, the newest first."""
    return d.one_of([n for n, each in reversed(d.shapes.items()) if each == shape])


def concat(d: Drawing, name: str, shape: Shape) -> None:
    at = d.any_axis(shape)
    if at is not None and places(shape) * 2 <= MOST_PLACES:
        made = (*shape[:at], shape[at] * 2, *shape[at + 1 :])
        d.add(Concat(at - len(shape)), made, name, fitting(d, shape))


def stack(d: Drawing, name: str, shape: Shape) -> None:
    if len(shape) < MOST_AXES and places(shape) * 2 <= MOST_PLACES:
        at = d.draw(st.integers(0, len(shape)))
        d.add(Stack(at), (*shape[:at], 2, *shape[at:]), fitting(d, shape), name)


def meet(d: Drawing, name: str, shape: Shape) -> None:
    """With any value that it broadcasts with, itself among them."""
    found = {}
    for other, each in d.shapes.items():
        ndim = max(len(shape), len(each))
        pairs = [
            ((1,) * (ndim - len(s)) + s for s in (shape, each)),
        ]
        columns = list(zip(*pairs[0], strict=True))
        if (
            all(a == b or 1 in (a, b) for a, b in columns)
            and sum(max(column) % BATCH == 0 for column in columns) == 1
        ):
            made = tuple(map(max, columns))
            if places(made) <= MOST_PLACES:
                found[other] = made
    other = d.one_of(reversed(found))
    what = d.one_of((Add, Subtract, Maximum, Multiply))()
    made = d.add(what, found[other], name, other)
    d.add(Clamp(-3, 3), found[other], made)


def with_itself(d: Drawing, name: str, shape: Shape) -> None:
    """``x + x.T``, where two axes have one size."""
    pairs = [
        (i, j)
        for i in range(len(shape))
        for j in range(i)
        if shape[i] == shape[j] and 1 < shape[i] < BATCH
    ]
    if pairs:
        i, j = d.one_of(pairs)
        order = list(range(len(shape)))
        order[i], order[j] = j, i
        d.add(Subtract(), shape, name, d.add(Permute(tuple(order)), shape, name))


def reduce(d: Drawing, name: str, shape: Shape) -> None:
    axes = d.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1))
    axes -= {d.batch(shape)}
    keep = d.one_of((True, False))
    if axes:
        made = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
        given = [axis - len(shape) for axis in sorted(axes)]
        made_name = d.add(Reduce(d.one_of(("max", "sum")), given, keep), made, name)
        d.add(Clamp(-3, 3), made, made_name)


def dense(d: Drawing, name: str, shape: Shape) -> None:
    if shape[-1] % BATCH and len(shape) > 1:
        out = d.one_of(SIZES)
        made = (*shape[:-1], out)
        d.add(Clamp(-3, 3), made, d.add(Dense(shape[-1], out), made, name))


def scale(d: Drawing, name: str, shape: Shape) -> None:
    at = d.any_axis(shape)
    if at is not None:
        d.add(Clamp(-3, 3), shape, d.add(Along(Scale(shape[at]), at), shape, name))


def image(d: Drawing, name: str, shape: Shape) -> None:
    rank = len(shape) - 2
    if not 1 <= rank <= 3 or shape[0] % BATCH or min(shape[2:]) < 2:
        return
    if d.one_of((True, False)):
        out = d.one_of(SIZES)
        what: Any = Conv(shape[1], out, 2, padding=[(1, 0)] * rank, rank=rank)
        made = (shape[0], out, *shape[2:])
    else:
        what = MaxPool(2, 1, rank=rank)
        made = (*shape[:2], *(n - 1 for n in shape[2:]))
    d.add(Clamp(-3, 3), made, d.add(what, made, name))


def activation(d: Drawing, name: str, shape: Shape) -> None:
    d.add(Activation("relu"), shape, name)


def matmul(d: Drawing, name: str, shape: Shape) -> None:
    """``x @ x.T`` and ``(x @ x.T) @ x``."""
    if len(shape) < 3 or d.batch(shape) >= len(shape) - 2:
        return
    order = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    turned = d.add(Permute(order), tuple(shape[i] for i in order), name)
    made = (*shape[:-1], shape[-2])
    scores = d.add(Clamp(-3, 3), made, d.add(Matmul(), made, name, turned))
    if d.one_of((True, False)):
        d.add(Clamp(-3, 3), shape, d.add(Matmul(), shape, scores, name))


def contract(d: Drawing, name: str, shape: Shape) -> None:
    """Any two values, axes of one size by one name or by two, and any of them left."""
    other = d.one_of(d.shapes)
    b = d.shapes[other]
    if max(shape) != max(b):
        return  # the batch is merged in one of them
    one = [f"a{i}" if n % BATCH else "n" for i, n in enumerate(shape)]
    two = []
    for i, n in enumerate(b):
        same = [s for s, m in zip(one, shape, strict=True) if 1 in (m, n) or m == n]
        free = [s for s in same if s not in two and s != "n"]
        two.append("n" if n % BATCH == 0 else d.one_of([f"b{i}", *free]))
    sizes = dict(zip(two, b, strict=True))
    for s, m in zip(one, shape, strict=True):
        sizes[s] = max(m, sizes.get(s, 1))
    kept = [s for s in sizes if s != "n" and d.one_of((True, False))][: MOST_AXES - 1]
    result = ["n", *d.draw(st.permutations(kept))]
    made = tuple(sizes[s] for s in result)
    if places(made) <= MOST_PLACES and math.prod(sizes.values()) // BATCH < 20 * MOST_PLACES:
        pattern = f"{' '.join(one)}, {' '.join(two)} -> {' '.join(result)}"
        d.add(Clamp(-3, 3), made, d.add(Contract(pattern), made, name, other))


def parameter(d: Drawing, name: str, shape: Shape) -> None:
    """A value that the network holds, of any part of the axes behind the batch."""
    own = [d.one_of((1, n)) for n in shape[d.batch(shape) + 1 :][-4:]]
    if own and max(shape) == BATCH:
        held = d.add(Parameter(tuple(own)), tuple(own))
        d.add(Subtract(), shape, name, held)
        del d.shapes[held]  # it has no batch


STEPS = (
    parameter,
    *(view, permute, meet, with_itself, part, select, concat, stack, expand, unsqueeze, reduce),
    *(dense, scale, image, activation, matmul, contract, view, permute, meet),
)


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any], most: int = 12) -> Program:
    """A program of so many drawn steps, with one or two outputs."""
    d = Drawing(draw)
    rank = draw(st.integers(0, 3))
    sizes = draw(st.lists(st.sampled_from(SIZES[:4]), min_size=rank + 1, max_size=rank + 1))
    shape = (BATCH, *sizes)
    d.shapes["x"] = shape
    for _ in range(draw(st.integers(2, most))):
        d.step()
    last = list(d.shapes)[-1]
    if len(d.shapes[last]) == 1:
        last = d.add(View((*d.shapes[last], 1)), (*d.shapes[last], 1), last)
    outputs: Any = last
    if draw(st.booleans()):
        several = [name for name, each in d.shapes.items() if len(each) > 1]
        outputs = (draw(st.sampled_from(several)), last)
    return Program(
        (Input("x", shape, draw(st.sampled_from((1, -1)))),), tuple(d.operations), outputs
    )
