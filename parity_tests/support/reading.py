"""A native network in each framework, and the assertion that one is refused."""

from typing import Any

import pytest

from convparity import UnsupportedError, convert, describe
from convparity.impls import registry

OTHER = {"pytorch": "flax", "flax": "keras", "keras": "pytorch"}


def assert_refused(module: Any, message: str, inputs: Any = None) -> None:
    """Neither described nor converted."""
    other = OTHER[registry.owner(module).name]
    for read in (
        lambda: describe(module, inputs),
        lambda: convert(module, to=other, inputs=inputs),
    ):
        with pytest.raises(UnsupportedError, match=message):
            read()


def net(framework: str) -> Any:
    """A network of the framework's own layers, none of which begins with a default."""
    if framework == "pytorch":
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Sequential(nn.BatchNorm2d(4), nn.ReLU6(), nn.Dropout(0.5)),
            nn.Conv2d(4, 5, 3, stride=2, bias=False),
        )
    if framework == "flax":
        from flax import nnx

        rngs = nnx.Rngs(0)
        return nnx.Sequential(
            nnx.Conv(3, 4, (3, 3), rngs=rngs),
            nnx.Sequential(nnx.BatchNorm(4, rngs=rngs), nnx.relu6, nnx.Dropout(0.5, rngs=rngs)),
            nnx.Conv(4, 5, (3, 3), 2, padding="VALID", use_bias=False, rngs=rngs),
        )
    import keras
    from keras import layers

    inner = keras.Sequential([layers.BatchNormalization(), layers.ReLU(6.0), layers.Dropout(0.5)])
    first = layers.Conv2D(4, 3, padding="same")
    model = keras.Sequential([first, inner, layers.Conv2D(5, 3, 2, use_bias=False)])
    model.build((None, None, None, 3))
    return model
