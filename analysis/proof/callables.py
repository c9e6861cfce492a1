"""One black box judged by another."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.rounded import Rounded, exact_input, round_to
from convparity.analysis.proof.trust import Trust
from convparity.analysis.proof.verdict import SCALE_LIMIT, Verdict
from convparity.impls.adapter import DTYPES
from convparity.impls.errors import InputError, check_name, quoted
from convparity.impls.limits import check_numbers
from convparity.impls.spec import Shape, each_shape, shape_of
from convparity.impls.values import black_box_output, check_seed, on_each, parts

__all__ = ["compare_callables"]

Function = Callable[..., Any]


def compare_callables(
    candidate: Function,
    expected: Function,
    input_shape: Shape | tuple[Shape, ...],
    *,
    seed: int = 0,
    name: str = "candidate",
    dtype: str = "float32",
) -> Verdict:
    """Judge one black box by another; nothing is known of either but what it gives.

    - ``structure`` is judged on integers. Where ``expected`` gives integers that its dtype holds
      (as it does with integer weights), it is bit equality. Elsewhere orders of summation differ,
      and up to 512 roundings of an output of this rms are allowed.
    - ``precision`` is the difference on random reals, counted in such roundings.

    Give both the same integer weights to have the structure proved. No bound is known without the
    weights, and ``verdict.arithmetic`` says nothing: outputs that cancel to far less than their
    terms look worse than they are, and a fault that both have is not seen.

    Args:
        candidate: ``candidate(x) -> y``, the one that is judged; channels last. Of several inputs,
            ``candidate(*x)``; of several outputs, ``y`` is a tuple or a dict of arrays.
        expected: ``expected(x) -> y``, the one that is right, in the same way.
        input_shape: ``(N, *spatial, C)``, of the input that is drawn; of several, a tuple of them.
        seed: An integer from 0 to 2^128 - 1, from which they are drawn.
        name: What the verdict calls the candidate.
        dtype: Of ``x`` and ``y``: "float32", "float64", "float16" or "bfloat16".

    Returns:
        The ``Verdict``.

    Raises:
        InputError: One of them cannot be called, fails, or gives no array of real numbers; or a
            name or number is not allowed.
        SpecError: ``input_shape`` is not a shape.

    Example:
        >>> import convparity as cp
        >>> double = lambda x: 2 * x
        >>> verdict = cp.compare_callables(double, lambda x: x + x, input_shape=(1, 7, 9, 3))
        >>> verdict.status, str(verdict.structure)
        ('ok', 'exact')
        >>> cp.compare_callables(lambda x: 2 * x[:, ::-1], double, input_shape=(1, 7, 9, 3)).status
        'wrong'
    """
    for each in (candidate, expected):
        if not callable(each):
            raise InputError(f"a black box is called as f(x); {quoted(each)} cannot be called")
    check_name("dtype", dtype, DTYPES)
    check_seed(seed)
    shapes = [shape_of(each) for each in each_shape(input_shape)]
    for shape in shapes:
        check_numbers(shape, "an input")
    rng = np.random.default_rng(seed)
    integers = [rng.integers(-7, 7, n, endpoint=True).astype(np.float64) for n in shapes]
    reals = [rng.standard_normal(n) for n in shapes]
    (seen, value), (output, target) = (
        _both(candidate, expected, x, dtype) for x in (integers, reals)
    )
    told = min(map(_share_told, parts(value), parts(target)))
    return Verdict(
        name,
        "cpu",
        dtype,
        structure(seen, value),
        precision(output, on_each(_unbounded, target)),
        trust=Trust(told, blind=None if told else ""),
    )


def _both(
    candidate: Function, expected: Function, inputs: list[np.ndarray], dtype: str
) -> tuple[Any, Any]:
    """What the candidate gives, and what it should give."""
    x = [round_to(each, dtype) for each in inputs]
    given, right = (
        black_box_output(call, "the candidate", *(each.copy() for each in x))
        for call in (candidate, expected)
    )
    return given, on_each(lambda y: _target(y, dtype), right)


def _share_told(a: Rounded, b: Rounded) -> float:
    """The share of an output that another input changed."""
    if a.value.shape != b.value.shape or not a.value.size:
        return 1.0
    return float((a.value != b.value).mean())


def _unbounded(target: Rounded) -> Rounded:
    return replace(target, bound=np.full(target.value.shape, np.inf))


def _target(y: np.ndarray, dtype: str) -> Rounded:
    """An output as a target: exact if it is integers, else only the size of a rounding is known."""
    target = exact_input(y, dtype)
    finite = np.where(np.isfinite(target.value), target.value, 0)
    rounding = target.u * math.sqrt(np.mean(finite**2)) if finite.size else 0.0
    integral = target.unit == 1 and float(np.max(abs(finite), initial=0)) * target.u < 1
    slack = 0.0 if integral else SCALE_LIMIT * rounding
    shape = target.value.shape
    return replace(
        target,
        bound=np.full(shape, slack),
        own=np.full(shape, rounding),
        unit=1.0 if integral else None,
        basis="exact" if integral else "measured",
    )
