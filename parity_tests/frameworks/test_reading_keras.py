"""Modules of Keras that deceive are refused; right ones are read, and none is changed by it."""

from typing import Any

import numpy as np
import pytest

from convparity import Activation, Conv, build, describe
from parity_tests.support.reading import assert_refused, net

# ---------------------------------------------------------------- Keras


def keras_layers() -> dict[str, tuple[Any, str]]:
    from keras import layers

    class Convolves(layers.Conv2D):
        def convolution_op(self, x: Any, kernel: Any) -> Any:
            return 2 * super().convolution_op(x, kernel)

    class Called(layers.ReLU):
        def __call__(self, *given: Any, **options: Any) -> Any:
            return -super().__call__(*given, **options)

    class Kernel(layers.Dense):
        @property
        def kernel(self) -> Any:
            return 2 * super().kernel

    quantized, adapted = layers.Dense(4), layers.Dense(4)
    for layer in (quantized, adapted):
        layer.build((None, 3))
    quantized.quantize("int8")
    adapted.enable_lora(2)
    called = layers.Conv2D(4, 3)
    called.call = lambda x: x
    biased = layers.Conv2D(4, 3)
    biased.convolution_op = lambda x, kernel: x
    return {
        "int8": (quantized, "it was quantized, to int8"),
        "lora": (adapted, "computed from another and two of LoRA"),
        "convolution_op": (Convolves(4, 3), "Convolves .* replaces convolution_op of Conv2D"),
        "__call__": (Called(), "Called .* replaces __call__ of ReLU"),
        "kernel": (Kernel(4), "Kernel .* replaces kernel of Dense"),
        "call": (called, "call was set on the instance"),
        "its convolution_op": (biased, "convolution_op was set on the instance"),
        "mixed_bfloat16": (layers.Conv2D(4, 3, dtype="mixed_bfloat16"), "computes in bfloat16"),
        "mixed_float16": (layers.Dense(4, dtype="mixed_float16"), "computes in float16 with weigh"),
        "mixed norm": (layers.BatchNormalization(dtype="mixed_bfloat16"), "computes in bfloat16"),
        "activation": (layers.Conv2D(4, 3, activation="relu"), "activation inside"),
        "activation of dense": (layers.Dense(4, activation="tanh"), "activation inside"),
        "threshold": (layers.ReLU(threshold=5.0), "needs threshold=0.0, not 5.0"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("int8", "lora", "convolution_op", "__call__", "kernel", "call", "its convolution_op"),
        *("mixed_bfloat16", "mixed_float16", "mixed norm", "activation", "activation of dense"),
        "threshold",
    ],
)
def test_keras_layers_that_do_something_else(name: str) -> None:
    import keras

    layer, message = keras_layers()[name]
    flat = isinstance(layer, keras.layers.Dense)
    model = keras.Sequential([keras.layers.ReLU(), layer])
    if "call" not in name:
        model.build((None, 3) if flat else (None, 9, 8, 3))
    elif not layer.built:
        layer.build((None, 9, 8, 3))
    assert_refused(model, f"in layer '{layer.name}': .*{message}")


def test_keras_a_quantized_network_or_a_policy_for_all() -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.ReLU()])
    model.quantize("int8")
    assert_refused(model, "in layer 'dense.*': .* quantized, to int8")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = net("keras")
    finally:
        keras.config.set_dtype_policy("float32")
    assert_refused(model, r"computes in bfloat16 with weights of float32 \(policy 'mixed_bfloat16'")


def test_keras_attributes_that_were_changed_later() -> None:
    """Where two attributes say the same thing, and one was changed, the run tells."""
    import keras

    ours = build(Conv(3, 4, 3, 2), framework="keras")
    ours.strides = (1, 1)
    assert_refused(ours, "does something else: what it gives is not what its fields say: shape")
    dense = keras.layers.Dense(4, bias_initializer="ones")
    dense.build((None, 3))
    dense.use_bias = False
    assert_refused(dense, "does something else")
    native = keras.layers.Conv2D(4, 3)
    native.build((None, 9, 8, 3))
    native.strides = (2, 1)
    assert describe(native) == Conv(3, 4, 3, (2, 1))


def test_keras_a_model_that_runs_other_layers_than_it_lists() -> None:
    import keras

    model = keras.Sequential([keras.Input((9, 8, 3)), keras.layers.ReLU(), keras.layers.ReLU(6.0)])
    assert describe(model).children[1][1] == Activation("relu6")
    model._layers.pop()
    assert_refused(model, "the module .* it does not give what its last layer gives")


def test_keras_a_class_that_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    module, right = net("keras"), keras.layers.BatchNormalization.call
    name = module.layers[1].layers[0].name
    with monkeypatch.context() as patch:
        patch.setattr(
            keras.layers.BatchNormalization, "call", lambda *a, **k: right(*a, **k) * 1.01
        )
        assert_refused(module, rf"layer '.*\.{name}'.* was put in the place of")
    with monkeypatch.context() as patch:
        function = keras.ops.batch_normalization
        patch.setattr(
            keras.src.ops, "batch_normalization", lambda *a, **k: function(*a, **k) * 1.01
        )
        assert_refused(module, rf"layer '.*\.{name}' .* does something else")


# ---------------------------------------------------------------- nothing is changed


def test_keras_is_left_as_it_was() -> None:
    import keras
    from keras.src.random.seed_generator import global_seed_generator

    module = net("keras")
    module(np.ones((2, 9, 8, 3), np.float32), training=True)
    held = keras.ops.convert_to_numpy
    before = [np.array(held(variable)) for variable in module.variables]
    seeds = [np.array(held(each.state)) for each in module.layers[1].layers[2]._seed_generators]
    assert len(seeds) == 1
    keras.utils.set_random_seed(7)
    keras.random.normal((3,))  # now there is a global generator
    drawn = np.array(held(global_seed_generator().state))
    describe(module)
    assert np.array_equal(held(global_seed_generator().state), drawn)
    after = [held(variable) for variable in module.variables]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    now = [np.array(held(each.state)) for each in module.layers[1].layers[2]._seed_generators]
    assert np.array_equal(now, seeds)
    assert not any("call" in vars(layer) for layer in module._flatten_layers())
