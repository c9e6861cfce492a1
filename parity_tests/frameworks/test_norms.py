"""Norms of the frameworks themselves are read: their parameters, their axes, their statistics."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    BatchNorm,
    Conv,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    Sequential,
    Spec,
    build,
    describe,
    dump,
    init_weights,
    reference,
)
from convparity.impls.adapter import Adapter
from convparity.impls.errors import UnsupportedError

SHAPE = (2, 3, 5, 4)
SPECS: list[Spec] = [
    *(
        norm
        for scale, offset in ((True, False), (False, True), (False, False))
        for norm in (
            BatchNorm(4, scale=scale, offset=offset),
            LayerNorm(4, scale=scale, offset=offset),
            GroupNorm(2, 4, scale=scale, offset=offset),
            InstanceNorm(4, scale=scale, offset=offset),
            LayerNorm((3, 5, 4), 1e-3, scale, offset, (1, 2, -1)),
        )
    ),
    LayerNorm(5, axes=2),
    LayerNorm((3, 4), axes=(1, 3)),
    RMSNorm(4, scale=False),
    RMSNorm((3, 5), axes=(-3, -2)),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_it_is_read_as_it_was_made(adapter: Adapter, spec: Spec) -> None:
    weights = init_weights(spec, 0)
    module = build(spec, weights, framework=adapter.name)
    assert adapter.describe(module) == spec
    dumped = dump(module)
    assert dumped.keys() == weights.keys()
    assert all((dumped[name] == weights[name]).all() for name in weights)


def assert_means(adapter: Adapter, module: Any, spec: Spec, shape: tuple[int, ...] = SHAPE) -> None:
    """The module is read as ``spec``, and computes what that says, with weights of its own."""
    assert adapter.describe(module) == spec
    adapter.load(module, init_weights(spec, 3))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = reference(spec, adapter.dump(module), x)
    np.testing.assert_allclose(adapter.apply(module, spec, x), expected, 1e-4, 1e-4)


def test_pytorch() -> None:
    from torch import nn

    from convparity.impls import registry
    from convparity.impls.pytorch.layers import Linear

    adapter = registry.get("pytorch")
    conv = Conv(4, 4, 1)
    for native, spec in (
        (nn.LayerNorm([4, 3, 5]), LayerNorm((3, 5, 4), axes=(1, 2, -1))),
        (nn.LayerNorm([3, 5], elementwise_affine=False), None),
        (nn.LayerNorm(5, bias=False), LayerNorm(5, offset=False, axes=2)),
        (nn.RMSNorm([4, 3, 5]), RMSNorm((3, 5, 4), 2.0**-23, axes=(1, 2, -1))),
        (nn.GroupNorm(2, 4, affine=False), GroupNorm(2, 4, scale=False, offset=False)),
        (nn.InstanceNorm2d(4), InstanceNorm(4, scale=False, offset=False)),
        (nn.InstanceNorm2d(4, affine=True), InstanceNorm(4)),
        (
            nn.InstanceNorm2d(4, track_running_stats=True),
            BatchNorm(4, scale=False, offset=False),
        ),
        (nn.BatchNorm2d(4, affine=False), BatchNorm(4, scale=False, offset=False)),
    ):
        norm = spec or LayerNorm((3, 5), scale=False, offset=False, axes=(1, 2))
        module = nn.Sequential(nn.Conv2d(4, 4, 1), native).eval()
        assert_means(adapter, module, Sequential(conv, norm))
    flat = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.ReLU())
    assert adapter.describe(flat).children[1][1] == LayerNorm(6)
    pixels = nn.Sequential(nn.Conv2d(4, 5, 1), Linear(5, 5), nn.LayerNorm(5))  # still an image
    assert adapter.describe(pixels).children[2][1] == LayerNorm(5, axes=2)
    volume = nn.LayerNorm([2, 3, 4, 5])  # of four axes there is no other place
    assert_means(adapter, volume, LayerNorm((3, 4, 5, 2), axes=(1, 2, 3, -1)), (2, 3, 4, 5, 2))


def test_pytorch_refuses() -> None:
    from torch import nn

    for module, why in (
        (nn.LayerNorm([4, 3, 5]), "axes"),
        (nn.Sequential(nn.ReLU(), nn.RMSNorm(4)), "no layer before it says"),
        (nn.Sequential(nn.Linear(4, 6), nn.LayerNorm([5, 6])), "fewer sizes than the 2 axes"),
        (
            nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6, elementwise_affine=False)),
            "depends on the dtype of the input",
        ),
        (nn.BatchNorm2d(4, track_running_stats=False).eval(), "those of each batch, at inference"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            describe(module)


def test_flax() -> None:
    from flax import nnx

    from convparity.impls import registry

    adapter, rngs = registry.get("flax"), nnx.Rngs(0)
    for native, spec in (
        (nnx.InstanceNorm(4, use_bias=False, rngs=rngs), InstanceNorm(4, 1e-6, offset=False)),
        (nnx.RMSNorm(4, use_scale=False, rngs=rngs), RMSNorm(4, scale=False)),
        (
            nnx.LayerNorm(5, reduction_axes=2, feature_axes=2, rngs=rngs),
            LayerNorm(5, 1e-6, axes=2),
        ),
        (nnx.GroupNorm(4, 2, use_scale=False, rngs=rngs), GroupNorm(2, 4, 1e-6, scale=False)),
        (nnx.BatchNorm(4, use_bias=False, rngs=rngs), BatchNorm(4, 1e-5, 0.01, offset=False)),
    ):
        native.eval()
        assert_means(adapter, native, spec)
    both = nnx.LayerNorm(15, reduction_axes=(1, 2), feature_axes=(1, 2), rngs=rngs)
    with pytest.raises(UnsupportedError, match="which is told their sizes"):
        describe(both)


def test_keras() -> None:
    from keras import layers

    from convparity.impls import registry

    adapter = registry.get("keras")
    for native, spec in (
        (layers.LayerNormalization([1, 2, 3]), LayerNorm((3, 5, 4), 1e-3, axes=(1, 2, -1))),
        (layers.LayerNormalization(2, center=False), LayerNorm(5, 1e-3, offset=False, axes=2)),
        (layers.RMSNormalization(), RMSNorm(4)),
        (layers.GroupNormalization(-1, scale=False), GroupNorm(4, 4, 1e-3, scale=False)),
        (layers.BatchNormalization(scale=False), BatchNorm(4, 1e-3, 0.01, scale=False)),
    ):
        native.build((None, *SHAPE[1:]))
        assert_means(adapter, native, spec)
    mixed = layers.LayerNormalization([1, -1])
    mixed.build((None, *SHAPE[1:]))
    with pytest.raises(UnsupportedError, match="as positive numbers"):
        describe(mixed)
