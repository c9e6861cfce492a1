"""Resizing worked out by hand, and what a port gets nearly right: each is seen."""

import math
from typing import Any

import numpy as np
import pytest

from convparity import Resize, SpecError, from_json, from_line, judge, reference, to_json, to_line
from parity_tests.support.oracle import oracle


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": 2}, [0, 0, 8, 8, 24, 24]),
        ({"size": 2}, [0, 8]),  # floor(3 / 2), where the middle of a place lies in pixel 2
        ({"size": 4}, [0, 0, 8, 24]),
        ({"scale": 2, "method": "linear"}, [0, 2, 6, 12, 20, 24]),
        ({"size": 2, "method": "linear"}, [2, 20]),
        ({"size": 5, "method": "linear", "align_corners": True}, [0, 4, 8, 16, 24]),
        ({"size": 1, "method": "linear", "align_corners": True}, [0]),
        ({"size": 1, "method": "linear"}, [8]),
    ],
)
def test_three_pixels_worked_out_by_hand(judge: Any, options: Any, expected: Any) -> None:
    x = np.array([0, 8, 24]).reshape(1, 3, 1)
    assert judge(Resize(**options, rank=1), {}, x).ravel().tolist() == expected


def nearest(index: Any) -> Any:
    """A candidate that takes these pixels."""

    def resize(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        for axis, m in enumerate(spec.size, 1):
            n = x.shape[axis]
            x = x.take([min(index(i, n, m), n - 1) for i in range(m)], axis)
        return x

    return resize


def test_the_pixel_that_is_nearest() -> None:
    def judged(index: Any) -> bool:
        return judge(nearest(index), Resize(size=(4, 7)), input_shape=(2, 7, 5, 3)).ok

    assert judged(lambda i, n, m: i * n // m)
    assert not judged(lambda i, n, m: math.floor((i + 0.5) * n / m))  # nearest-exact, jax.image
    assert not judged(lambda i, n, m: round(i * n / m))
    assert not judged(lambda i, n, m: math.ceil(i * n / m))
    assert not judged(lambda i, n, m: i * (n - 1) // (m - 1))


def linear(position: Any) -> Any:
    """A candidate whose places lie there."""

    def resize(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        for axis, m in enumerate(spec.size, 1):
            n = x.shape[axis]
            at = np.clip([position(i, n, m) for i in range(m)], 0, n - 1)
            low = np.floor(at).astype(int)
            form = [-1 if each == axis else 1 for each in range(x.ndim)]
            share = (at - low).reshape(form).astype(x.dtype)
            high = x.take(np.minimum(low + 1, n - 1), axis)
            x = x.take(low, axis) * (1 - share) + high * share
        return x

    return resize


HALF_PIXELS, ALIGNED, CORNERS = (
    lambda i, n, m: (i + 0.5) * n / m - 0.5,
    lambda i, n, m: i * (n - 1) / (m - 1),
    lambda i, n, m: i * n / m,
)


@pytest.mark.parametrize("size", [(4, 7), (14, 10)])
@pytest.mark.parametrize("aligned", [False, True])
def test_where_places_lie(size: tuple[int, int], aligned: bool) -> None:
    spec = Resize(size=size, method="linear", align_corners=aligned)
    for position in (HALF_PIXELS, ALIGNED, CORNERS):
        right = position is (ALIGNED if aligned else HALF_PIXELS)
        assert judge(linear(position), spec, input_shape=(2, 7, 5, 3)).ok == right


def test_no_pixel_is_averaged_away() -> None:
    def smooth(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
        y: np.ndarray = x.reshape(len(x), 2, 3, x.shape[-1]).mean(axis=2)
        return y

    assert not judge(smooth, Resize(2, method="linear", rank=1), input_shape=(2, 6, 3)).ok


def test_what_a_resize_says() -> None:
    assert Resize(2, method="bilinear") == Resize((2, 2), method="linear")
    assert Resize(2, method="trilinear", rank=3) == Resize(2, method="linear", rank=3)
    for options, message in (
        ({}, "takes a size or a scale"),
        ({"size": 2, "scale": 2}, "takes a size or a scale"),
        ({"scale": 1.5}, "scale must be an integer, not 1.5"),
        ({"size": 2, "method": "cubic"}, "method"),
        ({"size": 2, "method": "bilinear", "rank": 1}, '"bilinear" is of rank 2, not 1'),
        ({"size": 2, "align_corners": True}, 'align_corners belongs to "linear"'),
    ):
        with pytest.raises(SpecError, match=message):
            Resize(**options)  # type: ignore[arg-type]


def test_the_size_of_the_input_stands_beside_the_one_that_is_made() -> None:
    spec, shape = from_line("resize2d to4x3 hw7x5 c2")
    assert (spec, shape) == (Resize((4, 3)), (1, 7, 5, 2))
    for each in (spec, Resize(scale=2, method="linear", align_corners=True, rank=3)):
        assert from_json(to_json(each)) == each
        assert from_line(to_line(each))[0] == each
