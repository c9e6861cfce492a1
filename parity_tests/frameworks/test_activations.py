"""Activations, dropouts and identities of the frameworks themselves are read, and train alike."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Clamp,
    Dropout,
    Identity,
    PReLU,
    Sequential,
    build,
    compare,
    describe,
)
from convparity.impls.adapter import Adapter
from convparity.impls.errors import UnsupportedError


def assert_read(*pairs: tuple[Any, Any]) -> None:
    for module, spec in pairs:
        assert describe(module) == spec, module


def test_pytorch() -> None:
    from torch import nn

    assert_read(
        (nn.Softplus(2.0, 30), Activation("softplus", 2.0)),
        (nn.Softmax(2), Activation("softmax", axis=1)),
        (nn.LogSoftmax(1), Activation("log_softmax")),
        (nn.Softshrink(0.25), Activation("soft_shrink", 0.25)),
        (nn.Hardtanh(-2, 3), Clamp(-2, 3)),
        (nn.PReLU(3), PReLU(3)),
        (nn.Dropout2d(0.2), Dropout(0.2, "channel")),
        (nn.AlphaDropout(0.2), Identity()),
        (nn.FeatureAlphaDropout(0.2), Identity()),
        (nn.Identity(), Identity()),
    )
    flat = describe(nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1)))
    assert dict(flat.children)["1"] == Activation("softmax")
    image = describe(nn.Sequential(nn.Conv2d(3, 4, 1), nn.LogSoftmax(-2)))
    assert dict(image.children)["1"] == Activation("log_softmax", axis=1)
    for module, why in (
        (nn.Softmax(-1), "depends on how many axes the input has"),
        (nn.Softmax(0), "0 is the batch"),
        (nn.Softmin(1), "the softmax of -x"),
        (nn.Softplus(1.0, 5), "a threshold of at least 20"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            describe(module)


def named(module: str, name: str, **fields: Any) -> Any:
    """A stand-in for a layer of a library that is not installed."""
    from torch import nn

    kind = type(name, (nn.Module,), {"forward": lambda self, x: x, "__module__": module})
    layer = kind()
    for field, value in fields.items():
        setattr(layer, field, value)
    return layer


def test_layers_of_other_libraries_are_known_by_their_names() -> None:
    depth = "torchvision.ops.stochastic_depth"
    assert_read(
        (named(depth, "StochasticDepth", p=0.2, mode="row"), Dropout(0.2, "path")),
        (named(depth, "StochasticDepth", p=0.2, mode="batch"), Identity()),
        (named("timm.layers.drop", "DropPath", drop_prob=0.1), Dropout(0.1, "path")),
    )
    with pytest.raises(UnsupportedError, match="code of its own"):
        describe(named("mine", "DropPath", drop_prob=0.1))
    changed = named("timm.layers.drop", "DropPath", drop_prob=0.1)
    changed.forward = lambda x: 2 * x
    with pytest.raises(UnsupportedError, match="forward was set on the instance"):
        describe(changed)


def test_flax() -> None:
    import jax.numpy as jnp
    from flax import nnx

    from convparity.impls.flax.layers import Activation as Function

    rngs = nnx.Rngs(0)
    assert_read(
        (Function(nnx.identity), Identity()),
        (Function(nnx.hard_tanh), Clamp(-1, 1)),
        (Function(jnp.clip, None, 2.0), Clamp(high=2)),
        (Function(nnx.softmax, 1), Activation("softmax", axis=1)),
        (Function(nnx.celu, 2.0), Activation("celu", 2.0)),
        (nnx.PReLU(), PReLU(1)),
        (nnx.Dropout(0.2, broadcast_dims=(1, 2), rngs=rngs), Dropout(0.2, "channel")),
    )
    with pytest.raises(UnsupportedError, match="it broadcasts axes"):
        describe(nnx.Dropout(0.2, broadcast_dims=(2,), rngs=rngs))


def test_keras() -> None:
    from keras import layers

    shared, each = layers.PReLU(shared_axes=[1, 2]), layers.PReLU()
    for layer in (shared, each):
        layer.build((None, 5, 6, 3))
    assert_read(
        (layers.Softmax(axis=1), Activation("softmax", axis=1)),
        (layers.Activation("hard_tanh"), Clamp(-1, 1)),
        (layers.Activation("linear"), Identity()),
        (layers.Activation("celu"), Activation("celu")),
        (layers.ReLU(max_value=3.0), Clamp(0, 3)),
        (layers.SpatialDropout2D(0.2), Dropout(0.2, "channel")),
        (layers.GaussianNoise(0.2), Identity()),
        (layers.GaussianDropout(0.2), Identity()),
        (layers.AlphaDropout(0.2), Identity()),
        (layers.Identity(), Identity()),
        (shared, PReLU(3)),
    )
    for module, why in ((each, "give shared_axes"), (layers.Softmax([1, 2]), "one axis")):
        with pytest.raises(UnsupportedError, match=why):
            describe(module)


def trained_output(name: str, kind: Any, x: np.ndarray) -> np.ndarray:
    """What a dropout makes of an image in training, channels last."""
    module = build(Dropout(0.5, kind), {}, framework=name)
    if name == "pytorch":
        import torch

        made = module.train()(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
        return np.moveaxis(made, 1, -1)
    if name == "flax":
        module.train()
        return np.asarray(module(x))
    return np.asarray(module(x, training=True))


@pytest.mark.parametrize("kind", ["element", "channel", "path"])
def test_a_dropout_drops_what_it_says(adapter: Adapter, kind: str) -> None:
    y = trained_output(adapter.name, kind, np.ones((64, 3, 5, 8), np.float32)).reshape(64, 15, 8)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1]).all() == (kind != "element")
    assert (y == y[:, :1, :1]).all() == (kind == "path")


def test_an_even_network_is_tested(adapter: Adapter) -> None:
    """It makes the same of -x as of x: another input tells."""
    spec = Sequential(Activation("abs"), Activation("hard_shrink", 2.0))
    (verdict,) = compare(spec, frameworks=[adapter.name], input_shape=(1, 7, 6, 4))
    assert verdict.status == "ok"
