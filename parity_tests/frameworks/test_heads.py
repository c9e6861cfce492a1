"""Classifier heads, with a batch normalisation behind a dense layer, in every framework."""

from typing import Any

import numpy as np
import pytest

import convparity
from convparity import BatchNorm, Conv, Dense, Flatten, Sequential
from convparity.impls import registry

RNG = np.random.default_rng(3)
HEAD = Sequential(
    Conv(2, 3, 2), Flatten(), Dense(36, 5), BatchNorm(5, rank=1), Dense(5, 4), BatchNorm(4, rank=1)
)
DENSE = Sequential(BatchNorm(4, rank=1), Dense(4, 3), BatchNorm(3, rank=1))


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (HEAD, (2, 5, 4, 2)),
        (DENSE, (3, 4)),
        (BatchNorm(3, rank=1), (2, 3)),
        (BatchNorm(3, rank=1), (2, 5, 3)),
    ],
)
def test_it_is_proved(spec: Any, shape: tuple[int, ...]) -> None:
    for verdict in convparity.compare(spec, input_shape=shape):
        assert verdict.ok, verdict


def native(framework: str) -> tuple[Any, Any]:
    """A head as its users write it, and an input of their own layout."""
    x = RNG.standard_normal((2, 5, 4, 2)).astype(np.float32)
    if framework == "pytorch":
        import torch
        from torch import nn

        from convparity.impls.pytorch.layers import Flatten as ChannelsLast

        module: Any = nn.Sequential(
            nn.Conv2d(2, 3, 2),
            ChannelsLast(),
            nn.Linear(36, 5),
            nn.BatchNorm1d(5),
            nn.ReLU(),
            nn.Linear(5, 4),
            nn.BatchNorm1d(4),
        )
        return module.eval(), torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    if framework == "flax":
        import jax.numpy as jnp
        from flax import nnx

        from convparity.impls.flax.layers import Flatten

        rngs = nnx.Rngs(0)
        module = nnx.Sequential(
            nnx.Conv(2, 3, (2, 2), padding="VALID", rngs=rngs),
            Flatten(),
            nnx.Linear(36, 5, rngs=rngs),
            nnx.BatchNorm(5, use_running_average=True, use_fast_variance=False, rngs=rngs),
            nnx.relu,
            nnx.Linear(5, 4, rngs=rngs),
            nnx.BatchNorm(4, use_running_average=True, use_fast_variance=False, rngs=rngs),
        )
        return module, jnp.asarray(x)
    import keras

    module = keras.Sequential(
        [
            keras.layers.Input(x.shape[1:]),
            keras.layers.Conv2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
        ]
    )
    return module, x


@pytest.mark.parametrize("source", registry.FRAMEWORKS)
def test_a_users_own_is_converted(source: str) -> None:
    module, inputs = native(source)
    spec = convparity.describe(module)
    assert [each.rank for _, each in spec.children if isinstance(each, BatchNorm)] == [1, 1]
    weights = convparity.init_weights(spec, 5)
    registry.owner(module).load(module, weights)
    for target in registry.FRAMEWORKS:
        if target != source:
            twin = convparity.convert(module, to=target)
            assert convparity.describe(twin) == spec
            found = convparity.check(module, twin, inputs)
            assert found.ok, found
