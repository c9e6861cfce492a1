"""Where the largest of rounded values lies, and values back in place."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from convparity.analysis.proof.arithmetic_bounds import unbounded_at, weakest_basis
from convparity.analysis.proof.rounded import Rounded
from convparity.impls.reference import run
from convparity.impls.reference_pooling import places_among, pool_windows
from convparity.impls.spec import MaxPoolIndices, MaxUnpool


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


def back_in_place(spec: MaxUnpool, x: Rounded, places: Rounded) -> Rounded:
    """The values with their errors, where their places are sure.

    No bound is known of the pixels of a channel of which a place is in doubt, nor of a pixel that
    several unlike values share.
    """
    value = run(spec, {}, x.value, places.value)
    at = places_among(spec, places.value)
    n, c = len(value), value.shape[-1]

    def largest(errors: np.ndarray) -> np.ndarray:
        """Of several values at one place, any may stay."""
        found = np.zeros((n, value[0, ..., 0].size + 1, c))
        np.maximum.at(found, at, errors.reshape(n, -1, c))
        return found[:, :-1].reshape(value.shape)

    stays, each = behind(value)[at], x.value.reshape(n, -1, c)
    lost = (stays != each) & ~(np.isnan(stays) & np.isnan(each))
    off = places.bound + places.small
    sure = np.floor(places.value - off) == np.floor(places.value + off)
    channels = ~sure.reshape(n, -1, c).all(axis=1).reshape(n, *[1] * spec.rank, c)
    found = dataclasses.replace(
        x,
        value=value,
        bound=largest(x.bound + x.small),
        noise=run(spec, {}, np.broadcast_to(x.noise, x.value.shape), places.value),
        own=largest(x.own + x.small),
        basis=weakest_basis((x, places)),
    )
    return unbounded_at(found, (largest(lost.astype(float)) > 0) | channels)


def behind(pixels: np.ndarray) -> np.ndarray:
    """``(N, pixels, C)`` with a pixel of 0 behind the last, for values that have no place."""
    flat = pixels.reshape(len(pixels), -1, pixels.shape[-1])
    return np.pad(flat, ((0, 0), (0, 1), (0, 0)))


def backward(
    spec: MaxUnpool, inputs: Sequence[np.ndarray], g: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients by the values, each that of its place, and by the places: none."""
    values, places = inputs
    return behind(g)[places_among(spec, places)].reshape(values.shape), np.zeros(places.shape)
