"""Where the largest of several rounded values lies: ``rounding`` asks it."""

import dataclasses

import numpy as np

from convparity.analysis.proof.arithmetic_bounds import unbounded_at
from convparity.analysis.proof.rounded import Rounded
from convparity.impls.reference import run
from convparity.impls.reference_pooling import pool_windows
from convparity.impls.spec import MaxPoolIndices


def place_of_largest(spec: MaxPoolIndices, x: Rounded) -> Rounded:
    """The exact place, where no other value of the window may become as large by rounding.

    No bound is known of another place, as the two may lie anywhere. Equal values without an error
    stay equal, and the first one counts.
    """
    places = run(spec, {}, x.value)
    pixels = np.arange(x.value[:1, ..., :1].size).reshape(1, *x.value.shape[1:-1], 1)
    where = list(pool_windows(spec, np.broadcast_to(pixels, x.value.shape), -1))

    def windows(values: np.ndarray) -> list[np.ndarray]:
        return list(pool_windows(spec, values, -np.inf))

    def chosen(values: np.ndarray) -> np.ndarray:
        parts = zip(where, windows(values), strict=True)
        found: np.ndarray = np.max([np.where(at == places, v, -np.inf) for at, v in parts], axis=0)
        return found

    off = x.bound + x.small
    value, least = chosen(x.value), chosen(x.value - off)
    doubtful = np.zeros(places.shape, bool)
    for at, other, most in zip(where, windows(x.value), windows(x.value + off), strict=True):
        sure = (most < least) | ((most == other) & (least == value))
        doubtful |= (at >= 0) & (at != places) & ~sure
    none = np.zeros(places.shape)
    found = dataclasses.replace(x, value=places, bound=none, noise=none, own=none, unit=1.0)
    return unbounded_at(found, doubtful)
