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


@pytest.mark.parametrize("judge", [reference, oracle])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 2, "method": "nearest-exact"}, [0, 24]),
        ({"size": 6, "method": "nearest-exact"}, [0, 0, 8, 8, 24, 24]),
        ({"size": 2, "method": "area"}, [4, 16]),
        ({"size": 1, "method": "area"}, [32 / 3]),
        ({"size": 2, "method": "linear", "antialias": True}, [3, 18]),  # shares of 5/8 and 3/8
        ({"size": 6, "method": "linear", "antialias": True}, [0, 2, 6, 12, 20, 24]),
        # shares of 0.85 and 0.45, 0.55 and 0.75, by their sum, 1.3
        ({"scale": 0.7, "method": "linear", "antialias": True}, [3.6 / 1.3, 22.4 / 1.3]),
        ({"size": 3, "method": "cubic"}, [0, 8, 24]),
        ({"size": 5, "method": "cubic", "align_corners": True}, [0, 2.5, 8, 16.75, 24]),
        ({"scale": 1.5}, [0, 0, 8, 24]),
        ({"scale": 1.5, "method": "nearest-exact"}, [0, 8, 8, 24]),
        ({"scale": 1.5, "method": "linear"}, [0, 4, 32 / 3, 64 / 3]),  # by n / m 5 for 4
        ({"scale": 1.2, "method": "linear"}, [0, 8, 24]),  # of its own size: as it is
        ({"scale": 1.2}, [0, 8, 24]),
        ({"scale": 1.5, "method": "area"}, [0, 4, 16, 24]),
    ],
)
def test_other_methods_and_fractions_worked_out_by_hand(
    judge: Any, options: Any, expected: Any
) -> None:
    x = np.array([0, 8, 24]).reshape(1, 3, 1)
    got = judge(Resize(**options, rank=1), {}, x).ravel().tolist()
    assert got == pytest.approx(expected, rel=1e-14)


def test_a_cubic_of_another_coefficient_is_seen() -> None:
    """Keys' a = -0.5, as in JAX and TensorFlow, and -0.75 of an antialias; no wider kernel."""

    def cubic(a: float, wide: float, repeats: bool) -> Any:
        def resize(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
            n, m = x.shape[1], spec.size[0]
            beyond = 8 if repeats else 0
            at = (np.arange(m) + 0.5) * n / m - 0.5
            d = abs(at[:, None] - np.arange(-beyond, n + beyond)) / wide
            near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d - 1) * (d - 2) ** 2
            shares = np.where(d <= 1, near, np.where(d < 2, far, 0))
            shares = shares / shares.sum(axis=1, keepdims=True)
            padded = np.pad(x, ((0, 0), (beyond, beyond), (0, 0)), mode="edge")
            y: np.ndarray = np.tensordot(shares, padded, (1, 1)).astype(x.dtype)
            return y.swapaxes(0, 1)

        return resize

    def judged(spec: Resize, *how: Any) -> bool:
        return judge(cubic(*how), spec, input_shape=(2, 8, 3)).ok

    plain, smooth = (Resize(5, method="cubic", rank=1, antialias=each) for each in (False, True))
    assert judged(plain, -0.75, 1, True)
    assert judged(smooth, -0.5, 1.6, False)
    for how in ((-0.5, 1, True), (-0.75, 1, False), (-0.75, 1.6, True)):
        assert not judged(plain, *how), how
    for how in ((-0.75, 1.6, False), (-0.5, 1.6, True), (-0.5, 1, False)):
        assert not judged(smooth, *how), how


def test_a_fraction_scales_positions_itself() -> None:
    """PyTorch's scale_factor; by the quotient of the sizes the pixels lie elsewhere."""
    shape = (2, 7, 5, 3)
    spec = Resize(scale=1.3, method="linear")

    def by(quotient: bool) -> Any:
        def resize(spec: Any, weights: Any, x: np.ndarray) -> np.ndarray:
            sizes = tuple(int(n * 1.3) for n in x.shape[1:-1])

            def at(i: int, n: int, m: int) -> float:
                return (i + 0.5) * (n / m if quotient else 1 / 1.3) - 0.5

            y: np.ndarray = linear(at)(Resize(size=sizes), weights, x)
            return y

        return resize

    assert judge(by(False), spec, input_shape=shape).ok
    assert not judge(by(True), spec, input_shape=shape).ok
    with pytest.raises(SpecError, match="nothing is left"):
        reference(Resize(scale=0.1), {}, np.ones(shape))


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
        ({"scale": -1.5}, "scale must be above 0"),
        ({"scale": "2"}, "scale must be a number"),
        ({"scale": True}, "scale must be an integer"),
        ({"scale": (2, 1.5, 2)}, "scale must have 2 entries"),
        ({"size": 2, "method": "cubical"}, "method"),
        ({"size": 2, "method": "bicubic", "rank": 3}, '"bicubic" is of rank 2, not 3: say "cubic"'),
        ({"size": 2, "antialias": True}, 'antialias belongs to "linear" and "cubic"'),
        (
            {"size": 2, "method": "linear", "antialias": True, "align_corners": True},
            "antialias is not known with align_corners",
        ),
        ({"size": 2, "method": "bilinear", "rank": 1}, '"bilinear" is of rank 2, not 1'),
        ({"size": 2, "align_corners": True}, 'align_corners belongs to "linear"'),
    ):
        with pytest.raises(SpecError, match=message):
            Resize(**options)  # type: ignore[arg-type]


def test_the_size_of_the_input_stands_beside_the_one_that_is_made() -> None:
    spec, shape = from_line("resize2d to4x3 hw7x5 c2")
    assert (spec, shape) == (Resize((4, 3)), (1, 7, 5, 2))
    assert to_line(Resize(scale=(1.5, 2))) == "resize2d by1.5x2"
    assert to_line(Resize(3, method="bicubic", antialias=True)) == "resize2d to3 cubic antialias"
    assert Resize(scale=2.0) == Resize(scale=2)
    for each in (
        spec,
        Resize(scale=2, method="linear", align_corners=True, rank=3),
        Resize(scale=(1.5, 2), method="nearest-exact"),
        Resize(3, method="bicubic", antialias=True),
        Resize(scale=1e-5, method="area"),
    ):
        assert from_json(to_json(each)) == each
        assert from_line(to_line(each))[0] == each
