"""Keras's Functional models: read by their wiring, refused by name, and made of graphs."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    Add,
    BatchNorm,
    Clamp,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Divide,
    GlobalAvgPool,
    Graph,
    Maximum,
    Minimum,
    Multiply,
    Pad,
    Power,
    Rearrange,
    Reduce,
    Rescale,
    Residual,
    Sequential,
    Slice,
    Spec,
    Subtract,
    UnsupportedError,
    build,
    check,
    compare,
    convert,
    describe,
    dump,
    init_weights,
    reference,
)
from convparity.impls import registry
from convparity.impls.spec import INPUT
from parity_tests.support.bits import assert_same_bits
from parity_tests.support.graphs import BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO

SIZE = (6, 5, 3)
CONV = Conv(3, 3, 3, padding="same")
X = np.random.default_rng(0).standard_normal((2, *SIZE)).astype(np.float32)


def conv(name: str, channels: int = 3, **options: Any) -> Any:
    import keras

    return keras.layers.Conv2D(channels, 3, padding="same", name=name, **options)


def given_values(model: Any) -> Any:
    """The model, with weights that are no zeros."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(abs(rng.standard_normal(weight.shape)) + 0.1)
    return model


def proved(model: Any, to: str) -> Any:
    """The twin, which a check proves."""
    import keras

    twin = convert(model, to=to)
    arrays = [np.roll(X, i, axis=0) for i in range(len(model.inputs))]
    inputs = tuple(map(keras.ops.convert_to_tensor, arrays))
    found = check(model, twin, inputs)
    assert found.ok, found
    return twin


# ---------------------------------------------------------------- reading


def test_a_chain_is_a_sequential_and_a_residual_a_residual() -> None:
    import keras

    x = keras.Input(SIZE, name="image")
    chain = keras.Model(x, keras.layers.ReLU(name="act")(conv("stem")(x)))
    assert describe(chain) == Sequential({"stem": CONV, "act": Activation("relu")})
    assert list(dump(chain)) == ["stem.kernel", "stem.bias"]
    for add in (keras.layers.Add(name="add"), lambda values: keras.ops.add(*values)):
        x = keras.Input(SIZE)
        both = keras.Model(x, add([conv("body")(x), x]))
        both.operations[-1].name = "add"
        assert describe(both) == Residual(CONV)
        assert_same_bits(dump(convert(both, to="keras")), dump(both))


def test_a_layer_that_runs_again_is_one_child() -> None:
    """An Identity behind its second run names what comes of it; a third has a number."""
    import keras

    x, stem = keras.Input(SIZE, name="x"), conv("stem")
    again = keras.layers.Identity(name="again")(stem(stem(x)))
    model = given_values(keras.Model(x, keras.layers.Add(name="sum")([stem(again), again])))
    assert describe(model) == Graph(
        {
            "stem": (CONV, "x"),
            "again": ("stem", "stem"),
            "stem_run3": ("stem", "again"),
            "sum": (Add(), "stem_run3", "again"),
        }
    )
    assert list(dump(model)) == ["stem.kernel", "stem.bias"]
    proved(model, "pytorch")


def test_inputs_and_outputs_have_names() -> None:
    import keras

    a, b = keras.Input(SIZE, name="right"), keras.Input(SIZE, name="left")
    both = keras.layers.Concatenate(name="both")([a, b])
    head = keras.layers.GlobalAveragePooling2D(name="head")(both)
    nodes = {"both": (Concat(), "right", "left"), "head": (GlobalAvgPool(), "both")}
    for inputs, names in (
        ([a, b], ("right", "left")),
        ({"right": a, "left": b}, ("left", "right")),
    ):
        model = keras.Model(inputs, {"image": both, "head": head})
        outputs = {"image": "both", "head": "head"}
        assert describe(model) == Graph(nodes, names, outputs)
        proved(model, "flax")
    model = keras.Model([a, b], [head, both])
    assert describe(model) == Graph(nodes, ("right", "left"), ("head", "both"))


def test_models_in_models_are_graphs_in_graphs() -> None:
    import keras

    u, v = keras.Input(SIZE), keras.Input(SIZE)
    inner = keras.Model(
        {"u": u, "v": v},
        [keras.layers.Subtract(name="less")([u, v]), conv("c")(v)],
        name="inner",
    )
    x = keras.Input(SIZE, name="x")
    less, made = inner({"u": x, "v": conv("stem")(x)})
    chain = keras.Sequential([keras.layers.Dense(4, name="d"), keras.layers.ReLU(name="r")])
    chain.name = "chain"
    model = given_values(keras.Model(x, chain(keras.layers.Multiply(name="product")([less, made]))))
    within = Graph({"less": (Subtract(), "u", "v"), "c": (CONV, "v")}, ("u", "v"), ("less", "c"))
    assert describe(model) == Graph(
        {
            "stem": (CONV, "x"),
            "inner": (within, "x", "stem"),
            "product": (Multiply(), "inner.0", "inner.1"),
            "chain": (Sequential({"d": Dense(3, 4), "r": Activation("relu")}), "product"),
        }
    )
    assert "inner.c.kernel" in dump(model)
    proved(model, "pytorch")


def raw_operations() -> list[tuple[Callable[[Any], Any], Spec]]:
    """What is made of a value (N, 6, 5, 3), and the spec of it."""
    from keras import activations, ops

    numbers = np.array([1.0, 2.0, 4.0], np.float32)
    return [
        (lambda x: x * 2.0, Rescale(2.0)),
        (lambda x: 2.0 * x, Rescale(2.0)),
        (lambda x: x + 1.5, Rescale(1.0, 1.5)),
        (lambda x: x - numbers, Rescale(1.0, (-1.0, -2.0, -4.0))),
        (lambda x: 3.0 - x, Rescale(-1.0, 3.0)),
        (lambda x: x / 4.0, Rescale(0.25)),
        (lambda x: x / numbers, Rescale((1.0, 0.5, 0.25))),
        (lambda x: -x, Rescale(-1.0)),
        (ops.square, Power(2.0)),
        (lambda x: ops.maximum(x, 0.5), Clamp(low=0.5)),
        (lambda x: ops.minimum(x, 0.5), Clamp(high=0.5)),
        (lambda x: ops.clip(x, -1, 2), Clamp(-1.0, 2.0)),
        (lambda x: x[..., 1:3], Slice(-1, 1, 3)),
        (lambda x: x[:, 1:5:2], Slice(1, 1, 5, 2)),
        (lambda x: ops.transpose(x, (0, 2, 1, 3)), Rearrange("n h w c -> n w h c")),
        (lambda x: ops.swapaxes(x, 1, -1), Rearrange("n h w c -> n c w h")),
        (lambda x: ops.moveaxis(x, -1, 1), Rearrange("n h w c -> n c h w")),
        (lambda x: ops.reshape(x, (-1, 30, 3)), Rearrange("n h w c -> n (h w) c")),
        (
            lambda x: ops.reshape(x, (-1, 2, 3, 15)),
            Rearrange("n (h0 h1) w c -> n h0 h1 (w c)", h0=2, h1=3),
        ),
        (lambda x: ops.expand_dims(x, 2), Rearrange("n h w c -> n h 1 w c")),
        (lambda x: ops.mean(x, axis=(1, 2)), Reduce("mean", (1, 2))),
        (lambda x: ops.max(x, axis=-1, keepdims=True), Reduce("max", -1, keepdims=True)),
        (lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))), Pad(((1, 2), (0, 1)))),
        (ops.relu, Activation("relu")),
        (ops.tanh, Activation("tanh")),
        (ops.abs, Activation("abs")),
        (lambda x: ops.softmax(x, axis=2), Activation("softmax", axis=2)),
        (lambda x: ops.leaky_relu(x, 0.25), Activation("leaky_relu", 0.25)),
        (lambda x: ops.gelu(x, approximate=False), Activation("gelu")),
        (lambda x: activations.relu(x, max_value=3.0), Clamp(0.0, 3.0)),
    ]


def test_raw_operations_are_read() -> None:
    import keras

    for operation, spec in raw_operations():
        x = keras.Input(SIZE)
        model = keras.Model(x, operation(x))
        ((_, found),) = describe(model).children
        assert found == spec
        twin = convert(model, to="pytorch")
        np.testing.assert_allclose(
            registry.get("pytorch").forward(twin, X), model(X), rtol=1e-5, atol=1e-5
        )


def test_raw_joins_are_read() -> None:
    import keras
    from keras import ops

    for operation, spec in (
        (lambda x, y: x + y, Add()),
        (lambda x, y: x - y, Subtract()),
        (lambda x, y: x * y, Multiply()),
        (lambda x, y: x / y, Divide()),
        (ops.maximum, Maximum()),
        (ops.minimum, Minimum()),
        (lambda x, y: ops.concatenate([x, y], axis=2), Concat(2)),
    ):
        x, y = keras.Input(SIZE, name="x"), keras.Input(SIZE, name="y")
        model = keras.Model([x, y], operation(x, y))
        (node,) = describe(model).nodes
        assert (node.spec, node.inputs) == (spec, ("x", "y"))


def test_reshape_and_permute_are_read_in_a_chain_too() -> None:
    import keras

    layers = [keras.layers.Permute((2, 1, 3), name="p"), keras.layers.Reshape((5, 18), name="r")]
    model = keras.Sequential([keras.Input(SIZE), *layers])
    assert describe(model) == Sequential(
        {"p": Rearrange("n h w c -> n w h c"), "r": Rearrange("n h w c -> n h (w c)")}
    )
    with pytest.raises(UnsupportedError, match="Reshape 'alone' was not called on an input"):
        describe(keras.layers.Reshape((5, 18), name="alone"))


# ---------------------------------------------------------------- refusing


def refused() -> dict[str, Callable[[Any], Any]]:
    """What is made of a value, by what the error says of it."""
    import keras
    from keras import layers, ops

    held = keras.Variable(np.ones(3, np.float32), name="held")
    return {
        "Cumsum 'cumsum.*' cannot be read .* no spec says": lambda x: ops.cumsum(x, axis=1),
        "TrueDivide .* divides a number by a value": lambda x: 2.0 / x,
        "Power .* rounds more than products": lambda x: x**2,
        "GetItem .* one range of one axis": lambda x: x[:, 1:3, 1:3],
        "GetItem .* one range of": lambda x: x[..., 0],
        "Reshape .* no pattern of axes": lambda x: ops.reshape(x, (-1, 5, 6, 3)),
        "Transpose .* moves the batch": lambda x: ops.transpose(x, (1, 0, 2, 3)),
        "Mean .* over all axes": lambda x: x * ops.mean(x),
        "Multiply .* takes the variable 'held'": lambda x: x * held,
        "Multiply .* numbers of shape": lambda x: x * np.ones((6, 1, 1), np.float32),
        "Pad .* by mode='symmetric'": lambda x: ops.pad(
            x, [[0, 0], [1, 1], [0, 0], [0, 0]], "symmetric"
        ),
        "values have 2 and 4 axes": lambda x: x * layers.GlobalAveragePooling2D()(x),
        "'a.b' cannot be read .* letters, digits": lambda x: conv("a.b")(x),
        "in layer 'own': .*Lambda cannot be read": lambda x: layers.Lambda(abs, name="own")(x),
        "activation inside: give it": lambda x: conv("c", activation="relu")(x),
    }


@pytest.mark.parametrize("number", range(15))
def test_what_no_spec_says_is_refused_by_name(number: int) -> None:
    import keras

    said, operation = list(refused().items())[number]
    x = keras.Input(SIZE)
    with pytest.raises(UnsupportedError, match=f"(?s){said}"):
        describe(keras.Model(x, operation(x)))


def test_an_operation_or_a_model_that_does_something_else_is_refused() -> None:
    import keras

    x = keras.Input(SIZE, name="x")
    model = keras.Model(x, keras.ops.relu(conv("c")(x)))
    operation = model.operations[-1]
    operation.call = abs
    with pytest.raises(UnsupportedError, match="Relu cannot be read as a spec: call was set on"):
        describe(model)
    del operation.call
    describe(model)
    model.call = lambda x, training=None: x
    with pytest.raises(UnsupportedError, match="Functional cannot be read as a spec: call was set"):
        describe(model)
    del model.call
    operation._inbound_nodes[0].arguments._single_positional_tensor = x  # what Keras runs
    operation._inbound_nodes[0].arguments.args = (x,)
    with pytest.raises(UnsupportedError, match="does something else"):
        describe(model)


# ---------------------------------------------------------------- building

BLOCK = Graph(
    {
        "norm": (BatchNorm(3), "x"),
        "wide": (Dense(3, 4), "norm"),
        "deep": (Sequential({"d": Dense(4, 4), "act": Activation("relu")}), "wide"),
        "more": (
            Graph(
                {"e": (Dense(4, 4), "y"), "f": (BatchNorm(4), "y"), "g": (Add(), "e", "f")}, ("y",)
            ),
            "deep",
        ),
        "sum": (Add(), "more", "wide"),
        "both": (Concat(), "sum", "norm"),
    },
    outputs={"both": "both", "sum": "sum"},
)
KINDS = {
    "shared": (SHARED, True),
    "branches": (BRANCHES, True),
    "a tuple": (TUPLE, True),
    "models in a model": (BLOCK, True),
    "a residual": (Residual(CONV, Conv(3, 3, 1)), True),
    "in another order": (
        Graph(
            {
                "a": (CONV, "x"),
                "b": (CONV, "x"),
                "a1": (Activation("relu"), "a"),
                "b1": (Activation("relu"), "b"),
                "a2": (Activation("tanh"), "a1"),
                "sum": (Add(), "b1", "a2"),
            }
        ),
        True,
    ),
    # its inputs are of any channels, or of any number of axes
    "an input that is added": (TWO, False),
    "any axes": (Graph({"d": (Dense(3, 3), "x"), "sum": (Add(), "d", "x")}), False),
    # Keras would lose the tuple, or the name of the input
    "one of a tuple": (ONE_OF_TUPLE, False),
    "a chain": (CHAIN, False),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_graph_is_a_functional_model_where_its_inputs_are_known(name: str) -> None:
    import keras

    spec, functional = KINDS[name]
    weights = init_weights(spec, 1)
    module = build(spec, weights, framework="keras")
    assert isinstance(module, keras.Model) == functional
    assert describe(module) == spec
    assert_same_bits(dump(module), weights)


def test_its_inputs_are_open_in_size_and_its_layers_have_the_names_of_the_nodes() -> None:
    import keras

    module = build(BLOCK, framework="keras", dtype="float64")
    assert module.input.shape == (None, None, None, 3)
    assert (module.input.name, module.input.dtype) == ("x", "float64")
    assert [each.name for each in module.operations] == ["x", *dict(BLOCK.children)]
    kinds = {each.name: type(each) for each in module.layers}
    assert kinds["sum"] is keras.layers.Add
    assert kinds["both"] is keras.layers.Concatenate
    assert kinds["norm"] is keras.layers.BatchNormalization
    assert isinstance(module.get_layer("more"), keras.Model)
    assert json.loads(module.to_json())["class_name"] == "Functional"


LOADS = """
import sys
sys.modules["convparity"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
np.savez(sys.argv[2], **model.predict_on_batch(np.load(sys.argv[3])))
"""


def test_what_has_keras_s_own_layers_loads_without_us(tmp_path: Any) -> None:
    """And computes the same there; here it is read as what it was."""
    import keras

    weights = init_weights(BLOCK, 1)
    path = tmp_path / "model.keras"
    build(BLOCK, weights, framework="keras").save(path)
    np.save(tmp_path / "x.npy", X)
    command = [sys.executable, "-c", LOADS, path, tmp_path / "y.npz", tmp_path / "x.npy"]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    expected = reference(BLOCK, weights, X)
    with np.load(tmp_path / "y.npz") as found:
        assert set(found) == set(expected)
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-4)
    twin = keras.models.load_model(path)
    assert describe(twin) == BLOCK
    assert_same_bits(dump(twin), weights)


def test_it_is_compiled_and_fitted() -> None:
    import keras

    weights = init_weights(BRANCHES, 1)
    model = build(BRANCHES, weights, framework="keras")
    model.compile(keras.optimizers.SGD(0.01), "mse")
    before = model.evaluate(X, X, verbose=0)
    model.fit(X, X, epochs=3, verbose=0)
    assert model.evaluate(X, X, verbose=0) < before
    assert describe(model) == BRANCHES
    assert not np.array_equal(dump(model)["a.kernel"], weights["a.kernel"])


def test_the_input_of_a_residual_has_no_name_of_ours() -> None:
    model = build(Residual(CONV), framework="keras")
    assert INPUT not in [each.name for each in model.operations]
    assert [each.name for each in model.operations[1:]] == ["body", "add"]


def test_what_lies_inside_computes_in_float64() -> None:
    """A Sequential in another, or in a model, once rounded what it was given to float32."""
    inside = Sequential(Conv(4, 4, 1), Activation("tanh"))
    deep = Sequential(Sequential(Sequential(DepthwiseConv(4, 3), BatchNorm(4)), inside))
    spec = Sequential(Sequential(Conv(3, 4, 3), Activation("tanh")), deep, Residual(inside))
    (verdict,) = compare(spec, input_shape=(2, 6, 7, 3), frameworks=["keras"], dtype="float64")
    assert verdict.precision.status == "ok", verdict
    assert verdict.precision.effective_bits > 45
