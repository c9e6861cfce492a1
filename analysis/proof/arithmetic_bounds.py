"""What arithmetic of numbers one by one makes of their rounding errors: ``rounding`` asks it."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from convparity.analysis.proof.rounded import BASES, Rounded, common_unit
from convparity.impls.reference import run
from convparity.impls.spec import (
    Add,
    Average,
    Divide,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Rescale,
    Subtract,
)

# Measured margins, in units of u: of a quotient, which libraries take by a reciprocal, and of a
# library's power. Of both, 2 at most were seen (parity_tests.trials.margins).
QUOTIENT = 8
LIBRARY = 8

Kinds = Add | Subtract | Multiply | Divide | Maximum | Minimum | Average | Rescale | Power


@np.errstate(all="ignore")  # infinities, and NaN, are told by what is known of them
def arithmetic(spec: Kinds, values: Sequence[Rounded]) -> Rounded:
    """What a layer or join of this family makes of values."""
    match spec:
        case Add():
            return total(values)
        case Subtract():
            first, second = values
            return total(
                [first, dataclasses.replace(second, value=-second.value, noise=-second.noise)]
            )
        case Multiply():
            return reduce(product, values)
        case Divide():
            return quotient(*values)
        case Maximum():
            return chosen(values, np.maximum)
        case Minimum():
            return chosen(values, np.minimum)
        case Average():
            return mean_of(total(values), len(values))
        case Rescale():
            return rescaled(values[0], np.array(spec.scale), np.array(spec.offset))
        case Power():
            (x,) = values
            value = run(spec, {}, x.value)
            if spec.exponent.is_integer():
                return whole_power(x, value, int(spec.exponent))
            return fractional_power(x, value, spec.exponent)


def weakest_basis(values: Sequence[Rounded]) -> str:
    """What the bounds of several values rest on together."""
    return max((each.basis for each in values), key=BASES.index)


def finer(a: float | None, b: float | None) -> float | None:
    """A unit of two values, of their units."""
    return None if a is None or b is None else min(a, b)


def total(values: Sequence[Rounded]) -> Rounded:
    """The sum of values, from the left."""
    value = reduce(np.add, (each.value for each in values))
    bound = reduce(np.add, (each.bound for each in values))
    both = dataclasses.replace(
        values[0],
        value=value,
        bound=bound,
        noise=reduce(np.add, (each.noise for each in values)),
        own=reduce(np.hypot, (each.own for each in values)),
        basis=weakest_basis(values),
    )
    magnitude = reduce(np.add, (abs(each.value) for each in values))
    return both.then(
        value,
        magnitude if both.exact else abs(value) + bound,
        inherited=bound,
        noise=lambda disturbed: disturbed,
        variance=lambda: value**2,
        roundings=len(values) - 1,
        unit=reduce(finer, (each.unit for each in values)),
        flushed=len(values) * values[0].tiny,
    )


def product(a: Rounded, b: Rounded) -> Rounded:
    """The product of two values."""
    value = a.value * b.value
    inherited = abs(a.value) * b.bound + a.bound * abs(b.value) + a.bound * b.bound
    both = dataclasses.replace(
        a,
        value=value,
        bound=inherited,
        noise=a.disturbed * b.disturbed - value,
        own=np.hypot(a.own * abs(b.value), b.own * abs(a.value)),
        basis=weakest_basis((a, b)),
    )
    return both.then(
        value,
        abs(value) + inherited,
        inherited=inherited,
        noise=lambda disturbed: disturbed,
        variance=lambda: value**2,
        roundings=1,
        unit=None if a.unit is None or b.unit is None else a.unit * b.unit,
        flushed=a.tiny + a.small * abs(b.value) + b.small * abs(a.value),
    )


def unbounded_at(found: Rounded, places: np.ndarray) -> Rounded:
    """``found`` where no bound is known at some places: it rests on none there."""
    if not places.any():
        return found
    return dataclasses.replace(
        found,
        bound=np.where(places, np.inf, found.bound),
        noise=np.where(places, 0, found.noise),
        own=np.where(places, 0, found.own),
        basis="none",
    )


def quotient(a: Rounded, b: Rounded) -> Rounded:
    """``a / b``; no bound is known where the errors of ``b`` reach 0."""
    off = b.bound + b.small
    room = abs(b.value) - off
    known = np.broadcast_to(room > 0, np.broadcast_shapes(a.value.shape, b.value.shape))
    room, divisor = np.where(room > 0, room, 1), np.where(room > 0, abs(b.value), 1)
    value = a.value / b.value
    plain = np.where(known, value, 0)
    size = abs(plain)
    inherited = (size * off + a.bound + a.small) / room
    noise = np.where(known, a.disturbed / b.disturbed - value, 0)
    both = dataclasses.replace(
        a,
        value=plain,
        bound=inherited,
        noise=np.where(np.isfinite(noise), noise, 0),
        own=np.hypot(a.own, size * b.own) / divisor,
        basis=weakest_basis((a, b)),
    )
    found = both.then(
        plain,
        size + inherited,
        inherited=inherited,
        noise=lambda disturbed: disturbed,
        variance=lambda: size**2,
        roundings=QUOTIENT,
        unit=None,
        flushed=a.tiny * (1 + abs(a.value)),  # of a reciprocal, too
        rounds=True,
    )
    return unbounded_at(dataclasses.replace(found, value=value), ~known)


def chosen(values: Sequence[Rounded], among: Callable[..., Any]) -> Rounded:
    """The largest of values, or the smallest: it errs by no more than one of them does."""
    value = reduce(among, (each.value for each in values))
    wins = [each.value == value for each in values]
    small = [each.small for each in values]
    return dataclasses.replace(
        values[0],
        value=value,
        bound=reduce(np.maximum, (x.bound + s for x, s in zip(values, small, strict=True))),
        noise=reduce(among, (each.value + each.noise for each in values)) - value,
        own=reduce(
            np.maximum,
            (np.where(w, x.own + s, 0) for w, x, s in zip(wins, values, small, strict=True)),
        ),
        unit=reduce(finer, (each.unit for each in values)),
        basis=weakest_basis(values),
    )


def mean_of(total: Rounded, count: int) -> Rounded:
    """A sum of ``count`` values by their number."""
    value = total.value / count
    return total.then(
        value,
        (abs(total.value) + total.bound) / count,
        inherited=total.bound / count,
        noise=lambda disturbed: disturbed / count,
        variance=lambda: value**2,
        roundings=QUOTIENT + 2,
        unit=None if total.unit is None or count & (count - 1) else total.unit / count,
        flushed=total.small / count,
        rounds=True,  # by a reciprocal, which libraries approximate, that of 1 too
    )


def rescaled(x: Rounded, scale: np.ndarray, offset: np.ndarray) -> Rounded:
    """``x * scale + offset``, of numbers that the dtype may lack."""
    value = x.value * scale + offset
    of_scale = common_unit(scale)
    product = None if x.unit is None or of_scale is None else x.unit * of_scale
    lacks = np.where(abs(scale) < x.tiny, abs(scale), 0)
    return x.then(
        value,
        (abs(x.value) + x.bound) * abs(scale) + abs(offset),
        inherited=x.bound * abs(scale),
        noise=lambda disturbed: disturbed * scale + offset,
        variance=lambda: (x.value * scale) ** 2 + offset**2,
        roundings=6,  # of both numbers, the product, the sum; of two more where it was a quotient
        unit=finer(product, common_unit(offset)),
        flushed=x.small * abs(scale) + abs(x.value) * lacks,
    )


def whole_power(x: Rounded, value: np.ndarray, exponent: int) -> Rounded:
    """``x`` to a whole exponent, by products: of one below 0, their reciprocal."""
    n = abs(exponent)
    if n == 0:
        return dataclasses.replace(
            x,
            value=value,
            bound=np.zeros(value.shape),
            noise=np.zeros(value.shape),
            own=np.zeros(value.shape),
            unit=1.0,
        )
    size, off = abs(x.value), x.bound + x.small
    far = (size + off) ** float(n)
    power = x.then(
        x.value ** float(n),
        far,
        inherited=np.where(off > 0, far - size ** float(n), 0),
        noise=lambda disturbed: disturbed ** float(n),
        variance=lambda: size ** float(2 * n),
        roundings=n - 1,
        unit=None if x.unit is None else x.unit**n,
        flushed=x.small ** float(n),
    )
    if exponent > 0:
        return dataclasses.replace(power, value=value)
    one = dataclasses.replace(x, value=np.ones(()), bound=np.zeros(()), noise=np.zeros(()))
    one = dataclasses.replace(one, own=np.zeros(()), unit=1.0)
    # the product is a part of this layer: its roundings are the layer's own, and no noise before it
    inverse = quotient(one, dataclasses.replace(power, own=np.zeros(value.shape)))
    of_product = np.where(np.isfinite(inverse.bound), abs(value) * power.own / abs(power.value), 0)
    return dataclasses.replace(inverse, value=value, own=np.hypot(inverse.own, of_product))


def fractional_power(x: Rounded, value: np.ndarray, exponent: float) -> Rounded:
    """``x`` to another exponent, by a library: of what lies beside 0, no bound is known."""
    size, off = abs(x.value), x.bound + x.small
    known = (size > off) | (off == 0)
    ends = [np.maximum(size - off, 0) ** exponent, (size + off) ** exponent]
    middle = size**exponent
    moved = np.maximum(*(abs(each - np.where(off > 0, middle, 0)) for each in ends))
    inherited = np.where(off > 0, moved, 0)
    slope = abs(exponent * np.log(np.where(size > 0, size, 1)))
    finite = np.isfinite(value)
    margin = np.where(finite, LIBRARY * x.u * (1 + slope) * (abs(value) + inherited), 0)
    margin = margin + LIBRARY * x.tiny
    noise = x.disturbed**exponent - value
    undefined = x.value + off < 0
    found = dataclasses.replace(
        x,
        value=value,
        bound=np.where(undefined, 0, inherited + margin),
        noise=np.where(np.isfinite(noise) & ~np.array(x.exact), noise, 0),
        own=np.where(finite, x.u * (1 + slope) * abs(np.where(finite, value, 0)) + x.tiny, 0),
        unit=None,
        basis=x.rests_on("measured"),
    )
    return unbounded_at(found, ~known)
