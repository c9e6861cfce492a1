"""The two verdicts on one output: against its exact value, and what rounding may make of it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.proof.rounded import BASES, Rounded, rms
from convparity.analysis.proof.verdict import STATUSES, Place, Precision, Structure
from convparity.impls.errors import quoted
from convparity.impls.values import named_parts, parts

NO_OUTPUT = "no entry of the right output is finite"
NO_INPUT = "no entry of the input is finite"
NO_BOUND = "no bound is known where rounding may take a divisor to 0, or make another value largest"


def structure(output: Any, target: Any) -> Structure:
    """Judge an output on integer data: every entry must be the reference's.

    Where nothing is rounded that is bit equality. Elsewhere the bound decides, and only where it is
    below half a unit of the data: there nothing but the right multiple of the unit passes.

    Of several outputs, ``target`` is a tuple or a dict of ``Rounded``: the verdict is on all of
    them, and names the first that is wrong.
    """
    if isinstance(target, Rounded):
        return _structure(output, target)
    if (problem := _container_problem(output, target)) is not None:
        size = sum(each.value.size for each in parts(target))
        return Structure(0, size, 0.0, problem)
    given, wanted = named_parts(output), named_parts(target)
    found = {key: _structure(given[key], each) for key, each in wanted.items()}
    return merged([replace(each, output=key) for key, each in found.items()])


def merged(judged: list[Structure]) -> Structure:
    """One verdict of several: the first wrong one, else all entries and the weakest basis."""
    if wrong := next((each for each in judged if each.status == "wrong"), None):
        return wrong
    untested = next((each for each in judged if each.untested), None)
    return Structure(
        0,
        sum(each.size for each in judged),
        max((each.slack for each in judged), default=0.0),
        basis=max((each.basis for each in judged), key=BASES.index, default="exact"),
        untested=sum(each.untested for each in judged),
        reason=untested.reason if untested else Structure.reason,
        layer=untested.layer if untested else "",
        output=untested.output if untested else "",
    )


def _structure(output: np.ndarray, target: Rounded) -> Structure:
    slack = float(target.bound.max(initial=0))
    problem = _form_problem(output, target)
    if problem is not None:
        return Structure(0, target.value.size, slack, problem, basis=target.basis)
    error = _error(output, target.value)
    wrong = error > target.bound
    count = int(np.count_nonzero(wrong))
    worst = None
    if count:
        worst = _place(np.where(wrong, error - target.bound, -1), output, target)
    untested, size = int(np.count_nonzero(target.untested)), target.value.size
    if _blind(target.value):
        return Structure(
            count,
            size,
            slack=slack,
            problem=None,
            worst=worst,
            basis=target.basis,
            untested=size,
            reason=NO_OUTPUT,
        )
    return Structure(count, size, slack, None, worst, target.basis, untested)


def precision(output: Any, target: Any, x: Any = None) -> Precision:
    """Judge an output on real data: under the proved bound, and of the size rounding makes.

    Where no entry of the right output is finite, or none of the input ``x`` if it is given, only
    the places of NaN and infinity are compared, and the rest is "not tested". So are numbers of
    which no bound is known.

    Of several outputs, ``target`` is a tuple or a dict of ``Rounded``: the verdict is on the one
    that is furthest off, which it names. ``x`` may be a tuple of inputs.
    """
    if isinstance(target, Rounded):
        return _precision(output, target, x)
    if (problem := _container_problem(output, target)) is not None:
        return Precision(math.inf, None, math.inf, math.inf, 0, problem)
    given, wanted = named_parts(output), named_parts(target)
    found = [replace(_precision(given[key], each, x), output=key) for key, each in wanted.items()]
    return max(found, key=lambda each: (STATUSES.index(each.status), each.share, each.rho))


def _precision(output: np.ndarray, target: Rounded, x: Any) -> Precision:
    problem = _form_problem(output, target)
    if problem is not None:
        return Precision(math.inf, None, math.inf, math.inf, 0, problem)
    error = _error(output, target.value)
    unbounded = ~np.isfinite(target.bound) & (target.basis == "none")
    error = np.where(unbounded, 0, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(error == 0, 0, error / target.bound)
    shares = np.where(np.isnan(shares), np.inf, shares)
    largest = _at(error)
    bound = float(target.bound[largest]) if largest is not None else 0.0
    rho = 0.0
    rms_error = math.inf if np.isinf(error).any() else rms(error)
    if rms_error:
        scale = rms(target.scale)
        rho = rms_error / scale if scale else math.inf
    mantissa = -math.log2(target.u)
    bits = mantissa - math.log2(rho) if rho else mantissa
    return Precision(
        float(error.max(initial=0)),
        bound if bound < max(rms(target.value), target.tiny) else None,
        share=float(shares.max(initial=0)),
        rho=rho,
        effective_bits=max(0.0, min(mantissa, bits)),
        problem=None,
        worst=_place(shares, output, target) if output.size else None,
        untested=NO_OUTPUT
        if _blind(target.value)
        else NO_INPUT
        if x is not None and all(map(_blind, parts(x)))
        else NO_BOUND
        if unbounded.any()
        else None,
    )


def _blind(array: np.ndarray) -> bool:
    """There are only NaN and infinities in it, which tell nothing of the weights."""
    return not bool(np.isfinite(array).any())


def _container_problem(output: Any, target: Any) -> str | None:
    """Whether several outputs are given otherwise than as the same tuple or dict."""
    given = named_parts(output)
    if isinstance(output, dict) == isinstance(target, dict) and given.keys() == set(
        named_parts(target)
    ):
        return None
    said, wanted = _said(output), _said(target)
    return f"{said}, not {wanted}"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dict of {quoted(list(value))}"
    return f"a tuple of {len(value)}" if isinstance(value, tuple | list) else "one array"


def _form_problem(output: np.ndarray, target: Rounded) -> str | None:
    if output.shape != target.value.shape:
        return f"shape {output.shape}, not {target.value.shape}"
    wanted = "float32" if target.dtype == "bfloat16" else target.dtype
    if output.dtype != wanted:
        return f"dtype {output.dtype}, not {wanted}"
    return None


def _error(output: np.ndarray, value: np.ndarray) -> np.ndarray:
    """|output - value|; infinite where only one of them is NaN, or an infinity is missed."""
    with np.errstate(invalid="ignore"):
        error = abs(output.astype(np.float64) - value)
    same = (output == value) | (np.isnan(output) & np.isnan(value))
    error = np.where(same, 0, error)
    return np.where(np.isnan(error), np.inf, error)


def _at(badness: np.ndarray) -> tuple[int, ...] | None:
    """Where it is worst; None of an empty array."""
    if not badness.size:
        return None
    return tuple(map(int, np.unravel_index(int(badness.argmax()), badness.shape)))


def _place(badness: np.ndarray, output: np.ndarray, target: Rounded) -> Place:
    at = _at(badness)
    assert at is not None  # an empty output has no place
    return Place(at, float(target.value[at]), float(output[at]), float(target.bound[at]))
