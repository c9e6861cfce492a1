"""Norms by hand: with one parameter or none, over other axes, by the root mean square."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    Spec,
    from_json,
    output_shape,
    parameter_shapes,
    reference,
    total_cost,
)
from convparity.impls.errors import SpecError

# Two pixels of two channels: the channels are 1, 5 and 3, 11; the pixels 1, 3 and 5, 11.
X = np.array([[[1, 3], [5, 11]]])
TINY = 1e-12


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (LayerNorm(2, TINY, scale=False, offset=False), [-1, 1, -1, 1]),
        (LayerNorm(2, TINY, scale=False, offset=False, axes=1), [-1, -1, 1, 1]),
        (InstanceNorm(2, TINY, scale=False, offset=False), [-1, -1, 1, 1]),
        (GroupNorm(2, 2, TINY, scale=False, offset=False), [-1, -1, 1, 1]),
        # of 1, 3, 5, 11 the mean is 5, the variance 14
        (LayerNorm((2, 2), TINY, False, False, (1, 2)), [-4, -2, 0, 6]),
        # their mean square is 39; of 1 and 3 it is 5, of 5 and 11 it is 73
        (RMSNorm((2, 2), TINY, False, (1, -1)), [1, 3, 5, 11]),
        (RMSNorm(2, TINY, False), [1, 3, 5, 11]),
    ],
)
def test_by_hand(spec: Spec, expected: list[float]) -> None:
    divisors = {LayerNorm: 14.0, RMSNorm: 39.0}
    over_both = getattr(spec, "axes", -1) in ((1, 2), (1, -1))
    root = np.sqrt(divisors[type(spec)]) if over_both else np.ones(1)
    if spec == RMSNorm(2, TINY, False):
        root = np.sqrt([5.0, 5.0, 73.0, 73.0])
    # of variances of at least 1, such an epsilon changes half its share, and rounding less
    found = reference(spec, {}, X).ravel()
    np.testing.assert_allclose(found, np.array(expected) / root, rtol=TINY)


def test_a_parameter_lies_along_its_axes() -> None:
    """In the order of the axes: the scale of the pixel, then that of the channel."""
    spec = LayerNorm((2, 2), TINY, axes=(1, 2))
    scale, offset = np.array([[1, 10], [100, 1000]]), np.array([[0.0, 0.5], [0.25, 0.125]])
    y = reference(spec, {"scale": scale, "offset": offset}, X).ravel()
    expected = np.array([-4, -20, 0, 6000]) / np.sqrt(14) + [0, 0.5, 0.25, 0.125]
    np.testing.assert_allclose(y, expected, 1e-9)
    by_pixel = reference(RMSNorm(2, TINY, axes=1), {"scale": np.array([1, 10])}, X).ravel()
    np.testing.assert_allclose(by_pixel, np.array([1, 3, 50, 110]) / np.sqrt([13, 65] * 2), 1e-9)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("offset", [True, False])
def test_it_has_the_parameters_that_it_is_asked_for(scale: bool, offset: bool) -> None:
    names = ["scale"] * scale + ["offset"] * offset
    for spec in (
        LayerNorm(4, scale=scale, offset=offset),
        GroupNorm(2, 4, scale=scale, offset=offset),
        InstanceNorm(4, scale=scale, offset=offset),
        BatchNorm(4, scale=scale, offset=offset),
    ):
        own = [name for name in parameter_shapes(spec) if name not in ("mean", "variance")]
        assert own == names
    spec = BatchNorm(1, 0.75, scale=scale, offset=offset, rank=1)
    weights = {"scale": [3.0], "offset": [7.0], "mean": [1.0], "variance": [3.25]}
    given = {name: np.array(weights[name]) for name in parameter_shapes(spec)}
    y = (5 - 1) / 2 * (3 if scale else 1) + (7 if offset else 0)
    assert reference(spec, given, np.array([[5]])).tolist() == [[y]]


def test_json_without_the_new_fields_loads() -> None:
    old = '{"type": "BatchNorm", "num_features": 4, "eps": 1e-05, "momentum": 0.1, "rank": 2}'
    assert from_json(old) == BatchNorm(4)
    assert from_json('{"type": "LayerNorm", "num_features": 4, "eps": 1e-05}') == LayerNorm(4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerNorm((2, 3), axes=1), "2 sizes, and axes=1"),
        (lambda: LayerNorm((2, 3), axes=(2, 1)), "ascending"),
        (lambda: LayerNorm((2, 3), axes=(0, 1)), "not the batch"),
        (lambda: RMSNorm((), axes=()), "1 to 4"),
        (lambda: LayerNorm(2, scale=1), "True or False"),
        (lambda: output_shape(LayerNorm((7, 9), axes=(1, 2)), (1, 9, 7, 3)), "are of sizes"),
        (lambda: output_shape(LayerNorm((3, 3), axes=(-1, 3)), (1, 3, 3, 3)), "ascending"),
        (lambda: output_shape(RMSNorm(3, axes=4), (1, 3, 3, 3)), "axis 4 is none"),
        (lambda: output_shape(InstanceNorm(4), (2, 4)), "no pixels"),
    ],
)
def test_what_does_not_fit(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_a_norm_over_several_axes_counts_no_products() -> None:
    cost = total_cost(LayerNorm((7, 9, 3), axes=(1, 2, 3)), (2, 7, 9, 3))
    assert (cost.macs, cost.parameters) == (0, 2 * 7 * 9 * 3)
