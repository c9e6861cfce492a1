"""Pools that a port gets nearly right: each is seen, on data that any pool of its kind is given."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Conv,
    GlobalMaxPool,
    Graph,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    SpecError,
    from_json,
    from_line,
    judge,
    output_shape,
    parameter_shapes,
    reference,
    to_json,
    to_line,
)
from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.spec import Shape, Spec, adaptive_windows
from parity_tests.support.oracle import oracle
from parity_tests.support.pooling_strategies import unpools

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


# ---------------------------------------------------------------- ceil_mode, dilation, divisors


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("spec", "size", "expected"),
    [
        (MaxPool(2, rank=1, ceil_mode=True), 5, [2, 4, 5]),
        (MaxPool(3, 3, 1, 1, True), 5, [2, 5]),  # a third would start behind the pixels
        (MaxPool(3, 3, 1, 1, True), 6, [2, 5, 6]),
        (MaxPool(2, 1, rank=1, dilation=3), 6, [4, 5, 6]),
        (MaxPool(2, 2, 2, 1, True, 3), 5, [2, 4, 3, 5]),
        (AvgPool(2, rank=1, ceil_mode=True), 5, [1.5, 3.5, 5]),
        (AvgPool(3, 3, 1, True, 1, True), 6, [1, 4, 3]),  # of the last, one pixel and one pad count
        (AvgPool(3, 3, 1, False, 1, True), 6, [1.5, 4, 6]),
        (AvgPool(3, 3, 1, True, 1, True, 4), 6, [0.75, 3, 1.5]),
        (AvgPool(2, rank=1, divisor_override=-1), 4, [-3, -7]),
    ],
)
def test_windows_beyond_the_end_worked_out_by_hand(
    judge: Any, spec: Spec, size: int, expected: list[float]
) -> None:
    x = np.arange(1, size + 1).reshape(1, size, 1)
    assert judge(spec, {}, x).ravel().tolist() == expected


def test_where_there_is_no_window() -> None:
    """PyTorch refuses the first; of the last it gives -inf."""
    shorter = MaxPool(3, 2, rank=1, ceil_mode=True)
    with pytest.raises(SpecError, match="larger than the padded input"):
        output_shape(shorter, (1, 1, 1))
    assert output_shape(shorter, (1, 2, 1)) == (1, 1, 1)
    assert output_shape(MaxPool(2, 1, 1, 1, dilation=2), (1, 2, 1)) == (1, 2, 1)
    for padding in (1, "same"):
        with pytest.raises(SpecError, match="all taps of a window lie in the padding"):
            output_shape(MaxPool(2, 1, padding, 1, dilation=2), (1, 1, 1))


def test_same_has_no_rest_to_round_up() -> None:
    for n, k, s in np.ndindex(9, 5, 5):
        sizes = [
            output_shape(MaxPool(k + 1, s + 1, "same", 1, ceil), (1, n + 1, 1))
            for ceil in (False, True)
        ]
        assert sizes[0] == sizes[1]


def test_what_counts_in_the_last_window() -> None:
    """Not the whole kernel, where it reaches beyond the padding; nor the pixels alone."""
    spec = AvgPool(3, 2, 1, rank=1, ceil_mode=True)

    def divided(last: int) -> Any:
        def pool(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
            padded = np.pad(x, ((0, 0), (1, 2), (0, 0)))
            sums = np.stack([padded[:, i : i + 3].sum(axis=1) for i in (0, 2, 4)], axis=1)
            return sums / np.array([3, 3, last], x.dtype)[:, None]

        return pool

    shape = (2, 4, 3)
    assert output_shape(spec, shape) == (2, 3, 3)
    assert judge(divided(2), spec, input_shape=shape).ok
    for wrong in (1, 3):
        assert not judge(divided(wrong), spec, input_shape=shape).ok


def test_texts_of_pools() -> None:
    for spec, line in (
        (MaxPool((3, 2), 2, 1, 2, True, (2, 1)), "maxpool2d k3x2 s2 d2x1 p1 ceil"),
        (AvgPool(3, 2, 1, False, 3, True, -4), "avgpool3d k3 s2 p1 ceil nocount div-4"),
    ):
        assert to_line(spec) == line
        assert from_line(line)[0] == spec
        assert from_json(to_json(spec)) == spec
    before = '{"type": "MaxPool", "kernel_size": [2, 2], "stride": [2, 2], "padding": "valid"}'
    assert from_json(before) == MaxPool(2)


def test_a_pool_says_what_it_takes() -> None:
    for make, message in (
        (lambda: AvgPool(2, divisor_override=0), "divisor_override must not be 0"),
        (lambda: AvgPool(2, divisor_override=1.5), "divisor_override must be an integer"),
        (lambda: MaxPool(2, ceil_mode=1), "ceil_mode must be True or False"),
        (lambda: MaxPool(2, dilation=0), "dilation must be at least 1"),
        (lambda: MaxPool(2, padding=3, dilation=2), r"\(3, 3\) must be smaller than the kernel 3"),
    ):
        with pytest.raises(SpecError, match=message):
            make()  # type: ignore[no-untyped-call]


# ---------------------------------------------------------------- where the largest values lie

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("spec", "row", "places"),
    [
        (MaxPoolIndices(2, rank=1), [3, 3, 1, 2], [0, 3]),  # the first of equal ones
        (MaxPoolIndices(3, 1, 1, 1), [-1, -2, -2], [0, 0, 1]),  # padding is not counted
        (MaxPoolIndices(2, 2, 1, 1), [-INF, -INF, -INF], [0, 1]),  # nor chosen
        (MaxPoolIndices(3, rank=1), [NAN, 7, NAN], [2]),  # as PyTorch has it
        (MaxPoolIndices(2, rank=1, ceil_mode=True), [1, 2, 3], [1, 2]),
        (MaxPoolIndices(2, 1, rank=1, dilation=2), [1, 9, 1, 9], [0, 1]),
    ],
)
def test_the_first_largest_pixel_is_chosen(spec: Any, row: Any, places: Any) -> None:
    x = np.array(row, dtype=float).reshape(1, -1, 1)
    assert reference(spec, {}, x).ravel().tolist() == places


def test_places_of_an_image_count_its_rows() -> None:
    x = np.array([[0, 1, 0, 0], [0, 0, 0, 5], [7, 0, 5, 0]]).reshape(1, 3, 4, 1)
    assert reference(MaxPoolIndices(2, 1), {}, x).ravel().tolist() == [1, 1, 7, 8, 5 + 5, 7]
    padded = reference(MaxPoolIndices(3, 2, 1), {}, x)
    assert padded.ravel().tolist() == [1, 7, 8, 7]


def test_a_place_is_sure_where_no_other_value_comes_as_near_as_their_errors() -> None:
    spec = MaxPoolIndices(2, rank=1)
    exact = exact_input(np.array([3.0, 3, 1, 2, 5, 5.5]).reshape(1, 6, 1))
    assert not trace(spec, {}, exact).untested.any()
    off = np.array([0.0, 0, 0.4, 0.4, 0.4, 0.4]).reshape(1, 6, 1)
    found = trace(spec, {}, dataclasses.replace(exact, bound=off, basis="proved"))
    assert found.untested.ravel().tolist() == [False, False, True]
    assert found.value.ravel().tolist() == [0, 3, 5]
    assert not found.bound[~found.untested].any()
    off[0, 0] = 1e-9  # one of two equal values is not exact
    found = trace(spec, {}, dataclasses.replace(exact, bound=off, basis="proved"))
    assert found.untested.ravel().tolist() == [True, False, True]


def nearly(slip: str) -> Any:
    """A candidate that gets the places nearly right."""

    def places(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        found, width = reference(spec, weights, x), x.shape[2]
        match slip:
            case "the last of equal ones":
                opposite = reference(spec, weights, x[:, ::-1, ::-1])[:, ::-1, ::-1]
                found = math.prod(x.shape[1:-1]) - 1 - opposite
            case "column by column":
                found = found % width * x.shape[1] + found // width
            case "with the padding":
                found = (found // width + 1) * (width + 2) + found % width + 1
            case "from one":
                found = found + 1
        return found.astype(np.float32)

    return places


def test_places_that_are_nearly_right_are_seen() -> None:
    spec, shape = MaxPoolIndices(3, 2, 1), (2, 5, 7, 3)
    assert judge(nearly("none"), spec, input_shape=shape).ok
    for slip in ("the last of equal ones", "column by column", "with the padding", "from one"):
        assert judge(nearly(slip), spec, input_shape=shape).status == "wrong", slip


def test_no_gradient_passes_a_place() -> None:
    spec, x = MaxPoolIndices(2), np.arange(16.0).reshape(1, 4, 4, 1)
    (by_x,) = adjoint(spec, {}, [x], np.ones((1, 2, 2, 1))).inputs
    assert by_x.shape == x.shape
    assert not by_x.any()


def test_more_places_than_float32_counts() -> None:
    assert output_shape(MaxPoolIndices(2), (1, 2**12, 2**12, 1)) == (1, 2**11, 2**11, 1)
    with pytest.raises(SpecError, match="16,781,312 pixels has more places than the 16,777,216"):
        output_shape(MaxPoolIndices(2), (1, 2**12, 2**12 + 1, 1))


# ---------------------------------------------------------------- values back in their places


def back(spec: MaxUnpool, values: Any, places: Any) -> np.ndarray:
    """Of one example and one channel."""
    spec, x, at = (
        Graph({"y": (spec, "a", "b")}, inputs=("a", "b")),
        np.array(values),
        np.array(places),
    )
    y = reference(spec, {}, (x[None, ..., None].astype(float), at[None, ..., None].astype(float)))
    return y[0, ..., 0]


def test_values_lie_at_their_places() -> None:
    y = back(MaxUnpool(2, output_size=(3, 5)), [[7, 8]], [[6, 3]])
    assert y.tolist() == [[0, 0, 0, 8, 0], [0, 7, 0, 0, 0], [0, 0, 0, 0, 0]]
    # of several the last one, rounded down, and none beside the pixels
    y = back(MaxUnpool(1, rank=1), [1, 2, 3, 4, 5, 6], [2, 2, 3.9, -2, 6, NAN])
    assert y.tolist() == [0, 0, 2, 3, 0, 0]


@pytest.mark.parametrize(
    ("spec", "shape", "made"),
    [
        (MaxUnpool(2), (2, 3, 4, 5), (2, 6, 8, 5)),
        (MaxUnpool(3, 2, 1), (2, 3, 4, 5), (2, 5, 7, 5)),
        (MaxUnpool(3, 2, (1, 0), 2, (6, 8)), (2, 3, 4, 5), (2, 6, 8, 5)),
        (MaxUnpool(3, 2, rank=1, output_size=8), (1, 3, 2), (1, 8, 2)),
        (MaxUnpool((1, 2, 3), (3, 2, 1), rank=3), (1, 3, 4, 5, 2), (1, 7, 8, 7, 2)),
    ],
)
def test_sizes_of_values_in_place(spec: MaxUnpool, shape: Shape, made: Shape) -> None:
    assert spec.output_shape(shape, shape) == made
    graph = Graph({"y": (spec, "a", "b")}, inputs=("a", "b"))
    assert from_json(to_json(graph)) == graph


@pytest.mark.parametrize(
    ("spec", "shapes", "why"),
    [
        (MaxUnpool(2, output_size=8), [(1, 3, 3, 1)] * 2, "less than the stride"),
        (MaxUnpool(2, output_size=4), [(1, 3, 3, 1)] * 2, "less than the stride"),
        (MaxUnpool(2, padding=3), [(1, 3, 3, 1)] * 2, "no pixel is left"),
        (MaxUnpool(2), [(1, 3, 3, 1), (1, 3, 3, 2)], "as many places"),
        (MaxUnpool(2), [(1, 3, 3, 1)], "as many places"),
        (MaxUnpool(2), [(1, 3, 1)] * 2, "4 axes"),
    ],
)
def test_values_that_have_no_place(spec: MaxUnpool, shapes: list[Shape], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        spec.output_shape(*shapes)


@pytest.mark.parametrize(
    "fields",
    [{"output_size": (4, 4, 4)}, {"padding": -1}, {"stride": 0}, {"rank": 4}, {"output_size": 0}],
)
def test_fields_of_an_unpool_are_checked(fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="MaxUnpool"):
        MaxUnpool(2, **fields)


def test_the_bound_of_a_value_moves_with_it() -> None:
    spec = MaxUnpool(2, 1, rank=1)
    x = exact_input(np.array([5.0, 5, 7, 9]).reshape(1, 4, 1))
    off = np.array([0.1, 0.2, 0.3, 0.4]).reshape(1, 4, 1)
    x = dataclasses.replace(x, bound=off, basis="proved")

    def bound(places: list[float], error: float = 0.0) -> list[float]:
        at = exact_input(np.array(places).reshape(1, 4, 1))
        return (
            trace(spec, {}, x, dataclasses.replace(at, bound=at.bound + error))
            .bound.ravel()
            .tolist()
        )

    assert bound([4, 1, 0, 3]) == [0.3, 0.2, 0, 0.4, 0.1]
    assert bound([1, 1, 0, 3]) == [0.3, 0.2, 0, 0.4, 0]  # equal values
    assert bound([1, 2, 0, 0]) == [INF, 0.1, 0.2, 0, 0]  # unlike ones
    assert bound([4, 1, 0, 3], 0.1) == [INF] * 5  # another place may be meant
    assert bound([4.5, 1.5, 0.5, 3.5], 0.1) == [0.3, 0.2, 0, 0.4, 0.1]


def test_the_gradient_of_a_value_is_that_of_its_place() -> None:
    x, places = (np.array(each).reshape(1, 4, 1) for each in ([5.0, 5, 7, 9], [2.0, 2, 0, 8]))
    g = np.array([1.0, 2, 3, 4, 5]).reshape(1, 5, 1)
    by_x, by_places = adjoint(MaxUnpool(2, 1, rank=1), {}, [x, places], g).inputs
    assert by_x.ravel().tolist() == [3, 3, 1, 0]
    assert by_places.shape == places.shape
    assert not by_places.any()


SEGNET = Graph(
    {
        "stem": (Conv(3, 3, 1), "x"),
        "largest": (MaxPool(2), "stem"),
        "places": (MaxPoolIndices(2), "stem"),
        "made": (Conv(3, 3, 1), "largest"),
        "y": (MaxUnpool(2), "made", "places"),
    }
)


def nearly_back(slip: str) -> Any:
    """A candidate that puts the values nearly in place."""

    def candidate(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        y = reference(spec, weights, x)
        match slip:
            case "one further":
                y = np.roll(y.reshape(len(y), -1, y.shape[-1]), 1, axis=1).reshape(y.shape)
            case "in the first pixel":
                n, height, width, c = y.shape
                values = y.reshape(n, height // 2, 2, width // 2, 2, c).sum(axis=(2, 4))
                y = np.zeros(y.shape)
                y[:, ::2, ::2] = values
            case "column by column":
                y = y.swapaxes(1, 2).reshape(y.shape)
        return y.astype(np.float32)

    return candidate


def test_values_that_lie_elsewhere_are_seen() -> None:
    shape = (2, 4, 4, 3)
    assert judge(nearly_back("none"), SEGNET, input_shape=shape).ok
    for slip in ("one further", "in the first pixel", "column by column"):
        assert judge(nearly_back(slip), SEGNET, input_shape=shape).status == "wrong", slip


@settings(max_examples=30)
@given(unpools())
def test_values_in_place_have_a_second_meaning(pair: Any) -> None:
    spec, shape = pair
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, shape).astype(float)
    weights = {name: rng.integers(-3, 4, s) for name, s in parameter_shapes(spec).items()}
    np.testing.assert_array_equal(reference(spec, weights, x), oracle(spec, weights, x))
