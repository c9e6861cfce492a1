"""Pools that a port gets nearly right: each is seen, on data that any pool of its kind is given."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convparity import AdaptiveAvgPool, AdaptiveMaxPool, GlobalMaxPool, SpecError, judge, reference
from convparity.impls.spec import Shape, Spec, adaptive_windows

Windows = Callable[[int, int], list[tuple[int, int]]]  # of an axis, and how many places it becomes


def whole(n: int, m: int) -> list[tuple[int, int]]:
    """As PyTorch has them."""
    return [(math.floor(i * n / m), math.ceil((i + 1) * n / m)) for i in range(m)]


def short(n: int, m: int) -> list[tuple[int, int]]:
    """Each ends where the next one starts."""
    return [(i * n // m, max(i * n // m + 1, (i + 1) * n // m)) for i in range(m)]


def late(n: int, m: int) -> list[tuple[int, int]]:
    """Each starts at the next whole pixel."""
    return [(min(-(-i * n // m), n - 1), stop) for i, (_, stop) in enumerate(whole(n, m))]


def even(n: int, m: int) -> list[tuple[int, int]]:
    """Windows of one size, as a pool with a stride has them."""
    stride = max(n // m, 1)
    size = n - (m - 1) * stride
    return [(min(i * stride, n - 1), max(i * stride + size, 1)) for i in range(m)]


def adaptive(windows: Windows, together: Any) -> Any:
    """A candidate that pools by these windows."""

    def pool(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        for axis, m in enumerate(spec.output_size, 1):
            parts = [
                together(x.take(range(start, stop), axis), axis=axis, keepdims=True)
                for start, stop in windows(x.shape[axis], m)
            ]
            x = np.concatenate(parts, axis)
        return x

    return pool


AVERAGES: list[tuple[Spec, Shape]] = [
    (AdaptiveAvgPool(3, rank=1), (2, 8, 3)),
    (AdaptiveAvgPool((2, 3)), (2, 5, 8, 3)),
    (AdaptiveAvgPool(3, rank=3), (1, 4, 5, 7, 2)),
]


@pytest.mark.parametrize(("spec", "shape"), AVERAGES)
def test_windows_of_an_adaptive_mean(spec: Spec, shape: Shape) -> None:
    assert judge(adaptive(whole, np.mean), spec, input_shape=shape).ok
    for windows in (short, late, even):
        assert not judge(adaptive(windows, np.mean), spec, input_shape=shape).ok, windows


@pytest.mark.parametrize(("spec", "shape"), AVERAGES)
def test_the_divisor_of_an_adaptive_mean(spec: Any, shape: Shape) -> None:
    """Not the size of the first window, nor of the largest, for all of them."""

    def divided(choose: Any) -> Any:
        def pool(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
            total = adaptive(whole, np.sum)(spec, weights, x)
            axes = zip(x.shape[1:-1], spec.output_size, strict=True)
            return total / math.prod(choose([b - a for a, b in whole(*each)]) for each in axes)

        return pool

    for choose in (lambda sizes: sizes[0], max):
        wrong = sum(
            not judge(divided(choose), spec, input_shape=(1, *[n] * spec.rank, 2)).ok
            for n in (4, 5, 7)
        )
        assert wrong, choose
    assert not judge(adaptive(whole, np.sum), spec, input_shape=shape).ok


@pytest.mark.parametrize(("spec", "shape"), AVERAGES)
def test_windows_of_an_adaptive_maximum(spec: Any, shape: Shape) -> None:
    largest = AdaptiveMaxPool(spec.output_size, spec.rank)
    assert judge(adaptive(whole, np.max), largest, input_shape=shape).ok
    for windows in (short, late, even):
        assert not judge(adaptive(windows, np.max), largest, input_shape=shape).ok, windows


def test_a_global_maximum_takes_all_pixels_and_keeps_no_axis() -> None:
    def of(*axes: int, keepdims: bool = False, start: int = 0) -> Any:
        return lambda spec, weights, x: x[:, start:].max(axis=axes, keepdims=keepdims)

    shape = (2, 4, 5, 3)
    assert judge(of(1, 2), GlobalMaxPool(), input_shape=shape).ok
    assert not judge(of(1, 2, start=1), GlobalMaxPool(), input_shape=shape).ok
    assert not judge(of(1, 2, keepdims=True), GlobalMaxPool(), input_shape=shape).ok
    with pytest.raises(SpecError, match=r"takes \(N, \*spatial, C\)"):
        reference(GlobalMaxPool(), {}, np.ones((2, 3)))


@pytest.mark.parametrize(
    ("size", "places", "expected"),
    [
        (5, 2, ((0, 3), (2, 5))),
        (7, 3, ((0, 3), (2, 5), (4, 7))),
        (6, 3, ((0, 2), (2, 4), (4, 6))),
        (2, 3, ((0, 1), (0, 2), (1, 2))),  # more places than pixels
        (4, 1, ((0, 4),)),
    ],
)
def test_windows_worked_out_by_hand(size: int, places: int, expected: Any) -> None:
    assert adaptive_windows(size, places) == expected


def test_an_adaptive_pool_says_what_it_takes() -> None:
    with pytest.raises(SpecError, match="output_size must be at least 1, not 0"):
        AdaptiveAvgPool(0)
    with pytest.raises(SpecError, match="output_size must have 2 entries"):
        AdaptiveAvgPool((1, 2, 3))
    with pytest.raises(SpecError, match="takes an input of 4 axes"):
        reference(AdaptiveAvgPool(1), {}, np.ones((2, 3)))
