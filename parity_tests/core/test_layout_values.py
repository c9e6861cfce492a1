"""Axes as lists of factors: how they are read as other sizes, cut and joined."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convparity import UnsupportedError
from convparity.impls.layout.program import BATCH
from convparity.impls.layout.values import (
    Atom,
    Axis,
    apart,
    as_one,
    at_end,
    borders_of,
    flat,
    is_ordered_run,
    is_run,
    read_as,
    size_of,
    split,
)


def atoms(*sizes: int) -> Axis:
    """Atoms of these sizes."""
    return tuple(Atom(size, "S", (i,)) for i, size in enumerate(sizes))


def sizes_of(axis: Axis) -> tuple[int, ...]:
    """The sizes of atoms."""
    return tuple(atom.size for atom in axis)


@pytest.mark.parametrize(
    ("own", "wanted", "fused", "made"),
    [
        ((2, 3), (6,), [], [(2, 3)]),
        ((6,), (2, 3), [], [(2,), (3,)]),
        ((6, 5), (2, 15), [], [(2,), (3, 5)]),
        ((6, 5), (1, 3, 1, 10), [], [(), (3,), (), (2, 5)]),
        ((8, 7), (7, 8), [(8, 7)], [(7,), (8,)]),
        ((4, 6), (8, 3), [], [(4, 2), (3,)]),
        ((12, 5), (4, 5, 3), [(3, 5)], [(4,), (5,), (3,)]),  # 12 is split, and its 3 is fused
        ((2, 6, 4, 5), (2, 4, 6, 5), [(6, 4)], [(2,), (4,), (6,), (5,)]),
        ((2, 3, 5), (5, 3, 2), [(2, 3, 5)], [(5,), (3,), (2,)]),
        ((BATCH, 6), (BATCH * 2, 3), [], [(BATCH, 2), (3,)]),
    ],
)
def test_read_as(
    own: tuple[int, ...], wanted: tuple[int, ...], fused: list[Axis], made: list[Axis]
) -> None:
    reading = read_as(atoms(*own), wanted)
    assert [sizes_of(group) for group, _ in reading.fused] == fused
    assert [sizes_of(axis) for axis in reading.axes] == made


@given(st.integers(0, 2**32))
def test_reading_keeps_the_order_of_values(seed: int) -> None:
    """And fuses nothing where each border divides the next."""
    rng = random.Random(seed)
    own, wanted = [rng.randint(2, 6) for _ in range(rng.randint(1, 4))], []
    left = total = math.prod(own)
    while left > 1:
        wanted.append(rng.choice([n for n in range(1, left + 1) if left % n == 0]))
        left //= wanted[-1]
    given_atoms = atoms(*own)
    reading = read_as(given_atoms, tuple(wanted))
    assert tuple(map(size_of, reading.axes)) == tuple(wanted)
    pieces = flat(reading.split.get(atom, (atom,)) for atom in given_atoms)
    swap = {group[0]: made for group, made in reading.fused}
    gone = {atom for group, _ in reading.fused for atom in group[1:]}
    after = flat(swap.get(atom, (atom,)) for atom in pieces if atom not in gone)
    assert after == flat(reading.axes)
    assert size_of(pieces) == total
    every = sorted({*borders_of(own), *borders_of(wanted)}, reverse=True)
    assert bool(reading.fused) == any(high % low for high, low in pairwise(every))
    for group, made in reading.fused:
        assert size_of(group) == size_of(made)
        inside = {*borders_of(sizes_of(made))} & {*borders_of(sizes_of(group))}
        assert len(inside) == 2, "a part of the group need not be fused"


def test_the_batch_is_the_slowest_factor() -> None:
    (batch,) = atoms(BATCH * 6)
    assert sizes_of(split(batch, (BATCH * 2, 3))) == (BATCH * 2, 3)
    with pytest.raises(UnsupportedError, match="slowest factor"):
        split(batch, (2, BATCH * 3))


def test_stored_axes_are_cut_and_joined() -> None:
    n, a, b, c, d = atoms(BATCH, 2, 2, 2, 2)
    stored = ((n,), (a, b), (), (c, d))
    assert apart(stored, {b, c}) == ((n,), (a,), (b,), (), (c,), (d,))
    assert as_one(stored, {b, c}) == (((n,), (a,), (b, c), (d,)), 2)
    assert as_one(stored, {a, b}) == (stored, 1)
    assert as_one(stored, ()) == ((*stored, ()), 4)
    assert as_one(((n,), ()), ()) == (((n,), ()), 1)
    assert at_end(stored, (d, b)) == ((n,), (a,), (c,), (d, b))
    assert is_run(stored, {c, b})
    assert not is_run(stored, {a, c})
    assert is_ordered_run(stored, (b, c))
    assert not is_ordered_run(stored, (c, b))


def test_atoms_are_known_by_identity() -> None:
    a, b = atoms(2, 2)
    assert a != b.again() != b
    assert np.unique([id(each) for each in (a, b, b.again())]).size == 3
