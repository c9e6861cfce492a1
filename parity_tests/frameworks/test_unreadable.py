"""Modules and tensors that say no spec, or hold no numbers: each is named by its path."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import Activation, Conv, InputError, Sequential, UnsupportedError, init_weights
from convparity.impls import registry

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
X = np.ones((1, 5, 5, 2))


def assert_unreadable(module: Any, message: str, to: str = "flax") -> None:
    for call in (
        convparity.describe,
        convparity.dump,
        lambda module: convparity.convert(module, to=to),
    ):
        with pytest.raises(UnsupportedError, match=message):
            call(module)


def test_pytorch_modules_that_say_no_spec() -> None:
    from torch import nn

    class Scaled(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return 2 * super().forward(x)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: Any) -> Any:
            return self.conv(x)

    assert_unreadable(
        Network(), "Network cannot be read as a spec: it has code of its own.*write it as"
    )
    assert_unreadable(Scaled(1, 1, 3), "Scaled cannot be read as a spec")
    assert_unreadable(nn.Sequential(nn.ReLU(), nn.Sequential(nn.GLU())), "GLU cannot be read")
    assert_unreadable(nn.Flatten(), r"nn.Flatten orders .* C, H, W; use .*layers.Flatten, and per")
    assert_unreadable(nn.BatchNorm2d(3, track_running_stats=False), "needs running stati")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda torch, conv: conv.weight.to(torch.float8_e4m3fn), "0.kernel is of 'float8_e4m3fn'"),
        (lambda torch, conv: conv.weight.to(torch.uint8), "0.kernel is of 'uint8': cast it"),
        (lambda torch, conv: conv.weight.to(torch.complex64), "0.kernel is of 'complex64'"),
        (lambda torch, conv: None, "in layer '0': pytorch: Conv2d has no kernel"),
    ],
)
def test_pytorch_weights_that_are_no_arrays_of_numbers(change: Any, message: str) -> None:
    import torch

    conv = torch.nn.Conv2d(2, 3, 3)
    found = change(torch, conv)
    conv.weight = found if found is None else torch.nn.Parameter(found.detach(), False)
    assert_unreadable(torch.nn.Sequential(conv), message)


@pytest.mark.parametrize("name", [0, None, 3.5, ["x"], "next"])
def test_keras_layers_whose_names_were_changed(name: Any) -> None:
    import keras

    model = keras.Sequential([keras.Input((5, 5, 2)), keras.layers.Conv2D(3, 3)])
    model.add(keras.layers.ReLU(name="next"))
    model.layers[0].name = name
    assert_unreadable(model, "is named .*, and each layer of a model needs a name of its own")


def test_pytorch_modules_without_what_they_need() -> None:
    import torch
    from torch import nn

    norm, odd = nn.BatchNorm2d(3), nn.Conv2d(2, 3, 3)
    norm.running_mean, odd.stride = None, "ab"
    with torch.device("meta"):
        meta = nn.Sequential(nn.Conv2d(2, 3, 3))
    sparse = nn.Sequential(nn.Linear(2, 3))
    sparse[0].weight = nn.Parameter(sparse[0].weight.detach().to_sparse())
    assert_unreadable(nn.Sequential(norm), "in layer '0': pytorch: BatchNorm2d has no mean")
    assert_unreadable(nn.Sequential(odd), "in layer '0': Conv: stride must be an integer, not 'ab'")
    assert_unreadable(sparse, "a tensor is torch.sparse_coo: make a plain one")
    assert_unreadable(nn.DataParallel(nn.Sequential(odd)), "give what it wraps, its .module")
    for call in (convparity.dump, lambda module: convparity.convert(module, to="flax")):
        with pytest.raises(UnsupportedError, match="shapes without values"):
            call(meta)
    assert convparity.describe(meta) == Sequential(SPEC)


def test_tensors_without_values_are_named_wherever_they_come_in() -> None:
    import torch
    from torch import nn

    partly = nn.Sequential(nn.Conv2d(2, 3, 3))
    partly[0].weight = nn.Parameter(partly[0].weight.detach().to("meta"))
    with pytest.raises(UnsupportedError, match="without values"):
        convparity.dump(partly)
    assert convparity.describe(partly) == Sequential(SPEC)
    module = nn.Sequential(nn.Conv2d(2, 3, 3)).eval()
    x = torch.ones(1, 2, 5, 5)
    for inputs, message in ((x.to("meta"), "without values"), (x.to(torch.float8_e5m2), "float8")):
        for call in (
            lambda inputs=inputs: convparity.describe(module, inputs=inputs),
            lambda inputs=inputs: convparity.convert(module, to="flax", inputs=inputs),
            lambda inputs=inputs: convparity.check(module, module, inputs),
        ):
            with pytest.raises(UnsupportedError, match=message):
                call()
    with pytest.raises(UnsupportedError, match="without values"):
        convparity.first_divergence(
            partly, (Sequential(SPEC), {f"0.{k}": w for k, w in WEIGHTS.items()}), X
        )


def test_inputs_that_are_no_numbers_are_named() -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    module = nnx.Sequential(nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=nnx.Rngs(0)))
    shape = (1, 5, 5, 2)
    for inputs in (
        jax.random.split(jax.random.key(0), 5),
        np.full(shape, None),
        np.full(shape, "1"),
        np.ma.masked_all(shape),
        np.ones(shape, np.longdouble),
        jnp.ones(shape, jnp.complex64),
    ):
        with pytest.raises(InputError):
            convparity.check(module, module, inputs)
    with pytest.raises(InputError, match="a tensor with values"):
        convparity.convert(module, "keras", jax.ShapeDtypeStruct(shape, jnp.float32))


def test_a_view_with_the_other_sign_is_read_and_written() -> None:
    import torch
    from torch import nn

    conv = convparity.build(SPEC, WEIGHTS, framework="pytorch")
    conv.weight = nn.Parameter(torch._neg_view(conv.weight.detach()))
    assert np.array_equal(convparity.dump(conv)["kernel"], -WEIGHTS["kernel"])
    registry.get("pytorch").load(conv, WEIGHTS)
    assert np.array_equal(convparity.dump(conv)["kernel"], WEIGHTS["kernel"])


def test_flax_modules_without_what_they_need() -> None:
    import jax.numpy as jnp
    from flax import nnx

    def conv() -> Any:
        return nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=nnx.Rngs(0))

    def held(kernel: Any) -> Any:
        module = conv()
        module.kernel = kernel
        return nnx.Sequential(module)

    norm = nnx.BatchNorm(3, use_running_average=True, use_fast_variance=False, rngs=nnx.Rngs(0))
    odd = conv()
    norm.mean, odd.kernel_size = None, None
    float8, int4 = jnp.zeros((3, 3, 2, 3), "float8_e4m3fn"), jnp.zeros((3, 3, 2, 3), "int4")
    assert_unreadable(held(nnx.Param(float8)), "0.kernel is of 'float8_e4m3fn'", "keras")
    assert_unreadable(held(nnx.Param(int4)), "0.kernel is of 'int4': cast it", "keras")
    assert_unreadable(held(None), "in layer '0': flax: Conv has no kernel", "keras")
    bare = nnx.BatchNorm(3, use_running_average=True, use_fast_variance=False, rngs=nnx.Rngs(0))
    bare.var = jnp.ones(3)
    assert_unreadable(nnx.Sequential(bare), "which is no variable of it", "keras")
    assert_unreadable(held(nnx.Param([1, 2])), "in layer '0': Conv cannot be read", "keras")
    assert_unreadable(nnx.Sequential(norm), "in layer '0': flax: BatchNorm has no mean", "keras")
    assert_unreadable(nnx.Sequential(odd), "its fields are not what its class makes", "keras")
    assert_unreadable(nnx.Sequential(nnx.LoRALinear(2, 3, lora_rank=1, rngs=nnx.Rngs(0))), "LoRAL")


def test_keras_layers_without_what_they_need() -> None:
    import keras

    def model(*layers: Any) -> Any:
        return keras.Sequential([keras.Input((2,)), *layers])

    lora, int4, bare = (model(keras.layers.Dense(3)) for _ in range(3))
    lora.layers[0].enable_lora(1)
    int4.quantize("int4")
    bare.layers[0]._kernel = None
    assert_unreadable(lora, "its kernel is computed from another and two of LoRA")
    assert_unreadable(int4, "it was quantized, to int4")
    assert_unreadable(bare, "in layer 'dense.*': Dense cannot be read as a spec: its fields")


def test_flax_modules_that_say_no_spec() -> None:
    from flax import nnx

    class Scaled(nnx.Conv):
        def __call__(self, x: Any) -> Any:
            return 2 * super().__call__(x)

    rngs, mask = nnx.Rngs(0), np.ones((3, 3, 2, 3))
    assert_unreadable(Scaled(2, 3, (3, 3), rngs=rngs), "Scaled cannot be read as a spec")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), mask=mask, rngs=rngs), "nnx.Conv with a mask")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), padding="FOO", rngs=rngs), "FOO")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), input_dilation=2, rngs=rngs), "an input dilation")
    assert_unreadable(nnx.Sequential(nnx.Linear(2, 3, rngs=rngs), nnx.glu), "cannot be read")
    over_rows = {"reduction_axes": (-2, -1)}
    assert_unreadable(nnx.BatchNorm(3, axis=1, rngs=rngs), "needs axis=-1, not 1")
    assert_unreadable(nnx.LayerNorm(3, **over_rows, rngs=rngs), "needs one axis")
    assert_unreadable(nnx.GroupNorm(4, 2, **over_rows, rngs=rngs), "needs reduction_axes=None")
    for axis in (0, (1, 2)):
        assert_unreadable(nnx.Sequential(partial(nnx.softmax, axis=axis)), "Activation: axis ")
    for function in (partial(nnx.softmax, where=True), nnx.max_pool):
        assert_unreadable(nnx.Sequential(function), "the function .* write it with one of nnx.relu")


def test_keras_layers_that_say_no_spec() -> None:
    import keras
    from keras import layers

    class Scaled(layers.Dense):
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    def built(layer: Any, *shape: int) -> Any:
        layer.build((1, *shape))
        return layer

    class Doubled(keras.Model):
        def call(self, x: Any, training: bool | None = None) -> Any:
            return 2 * super().call(x, training=training)

    image = keras.Input((5, 5, 2))
    functional = Doubled(image, layers.Conv2D(3, 3)(image))
    first = layers.Conv2D(3, 3, data_format="channels_first")
    assert_unreadable(functional, "Doubled cannot be read as a spec: it has code of its own")
    assert_unreadable(built(Scaled(3), 2), "Scaled cannot be read as a spec")
    assert_unreadable(built(layers.Dense(3, "relu"), 2), "Dense '.*' .*it has an activation inside")
    assert_unreadable(built(layers.Conv2D(3, 3, activation="relu"), 5, 5, 2), "activation inside")
    assert_unreadable(built(first, 2, 5, 5), "data_format='channels_last', not 'channels_first'")
    assert_unreadable(
        layers.Activation("glu"), "activation='silu' or .* or 'softmax' or .*, not 'glu'"
    )
    assert_unreadable(layers.ReLU(threshold=5), "needs threshold=0.0, not 5")
    for unbuilt in (layers.Conv2D(3, 3), layers.Dense(3), layers.BatchNormalization()):
        assert_unreadable(unbuilt, "is not built: call it on an input first")


@pytest.mark.parametrize("name", ["pytorch", "flax"])  # Keras refuses to hold a layer twice
def test_a_layer_that_is_used_twice_counts_twice(name):
    if name == "pytorch":
        from torch import nn

        conv, relu = nn.Conv2d(2, 2, 3), nn.ReLU()
        module = nn.Sequential(conv, relu, conv, relu)
    else:
        from flax import nnx

        conv = nnx.Conv(2, 2, (3, 3), padding="VALID", rngs=nnx.Rngs(0))
        module = nnx.Sequential(conv, nnx.relu, conv, nnx.relu)
    once = Sequential(Conv(2, 2, 3), Activation("relu"))
    spec, weights = convparity.describe(module), convparity.dump(module)
    assert [layer for _, layer in spec.children] == 2 * [layer for _, layer in once.children]
    assert np.array_equal(weights["0.kernel"], weights["2.kernel"])
