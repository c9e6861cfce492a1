"""A native graph holds a composite's wiring, runs it, and is read by it."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from convparity import (
    Add,
    Graph,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    UnsupportedError,
    build,
    convert,
    describe,
    dump,
    init_weights,
    parameter_shapes,
    reference,
)
from convparity.impls.adapter import Adapter
from convparity.impls.spec import INPUT, JOINS
from parity_tests.support.bits import assert_same_bits
from parity_tests.support.wirings import CASES, CONV, REFUSED, RELU, Web, each_case, each_refused

X = np.random.default_rng(0).integers(-4, 5, (2, 5, 4, 3)).astype(np.float32)

# ---------------------------------------------------------------- native


def graph(adapter: Adapter) -> Any:
    """The framework's class."""
    return importlib.import_module(f"convparity.impls.{adapter.name}.layers").Graph


def by_hand(adapter: Adapter, children: Mapping[str, Spec], steps: Any) -> Any:
    """A graph of native layers, each with weights of its own."""
    native = {n: adapter.build(c, init_weights(c, i)) for i, (n, c) in enumerate(children.items())}
    return graph(adapter)(native, [(name, call, list(inputs)) for name, call, inputs in steps])


def test_every_framework_has_every_join(adapter: Adapter) -> None:
    page = importlib.import_module(f"convparity.impls.{adapter.name}.layers")
    assert set(page.JOINS) == set(JOINS)
    if adapter.name == "keras":
        assert set(page.JOINED_SHAPES) == set(JOINS)


@each_case
def test_a_graph_is_read_by_its_wiring(adapter: Adapter, children, steps, spec) -> None:
    module = by_hand(adapter, children, steps)
    assert describe(module) == spec
    assert list(adapter.children(module)) == list(children)
    weights = dump(module)
    assert list(weights) == list(parameter_shapes(spec))
    expected = adapter.forward(adapter.build(spec, weights), X)
    np.testing.assert_array_equal(adapter.forward(module, X), expected)
    np.testing.assert_allclose(expected, reference(spec, weights, X), rtol=1e-4, atol=1e-4)
    assert_same_bits(dump(convert(module, to=adapter.name)), weights)


@each_refused
def test_a_graph_with_another_wiring_is_refused(adapter: Adapter, said: str) -> None:
    with pytest.raises(UnsupportedError, match="no spec has this wiring: ") as error:
        describe(by_hand(adapter, *REFUSED[said]))
    assert said in str(error.value)


def test_a_graph_with_a_forward_of_its_own_is_refused(adapter: Adapter) -> None:
    call = {"pytorch": "forward", "flax": "__call__", "keras": "call"}[adapter.name]
    kind = graph(adapter)
    children, steps, spec = CASES[0]
    module = by_hand(adapter, children, steps)
    module.__class__ = type("Same", (kind,), {})
    assert describe(module) == spec
    module.__class__ = type("Other", (kind,), {call: lambda self, x: x})
    with pytest.raises(UnsupportedError, match="Other cannot be read as a spec"):
        describe(module)


@pytest.mark.parametrize("inner", [CONV, SeparableConv(3, 3, 3, padding="same"), Residual(CONV)])
def test_any_composite_is_built_and_run(adapter: Adapter, inner: Spec) -> None:
    spec = Web(Sequential(inner, RELU))
    weights = {name: np.rint(array) for name, array in init_weights(spec, 3).items()}
    module = adapter.build(spec, weights)
    np.testing.assert_array_equal(adapter.forward(module, X), reference(spec, weights, X))
    assert adapter.count(module).total == sum(array.size for array in weights.values())
    assert describe(module) == spec.as_graph
    assert_same_bits(dump(convert(module, to=adapter.name)), weights)


NAMES = ["forward", "names", "steps", "children", "train", "call", "inputs", "outputs", "results"]


@pytest.mark.parametrize("name", ["for", "class", "None"])
def test_a_node_named_like_a_word_of_python_is_refused_where_it_could_not_be_exported(
    adapter, name
) -> None:
    spec = Graph({name: (CONV, "x"), "y": (Add(), name, "x")})
    if adapter.name == "pytorch":
        with pytest.raises(UnsupportedError, match=f"cannot be called {name!r}, a word of Python"):
            adapter.build(spec, init_weights(spec, 0))
    else:
        module = adapter.build(spec, init_weights(spec, 0))
        assert adapter.describe(module) == spec


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_named_like_what_a_graph_has_is_refused_or_built(adapter, name) -> None:
    spec = Web(CONV, name)
    taken = {
        "pytorch": {"forward", "steps", "children", "train", "inputs", "outputs"},
        "flax": {"names", "steps", "train", "inputs", "outputs"},
    }
    if name in taken.get(adapter.name, ()):
        with pytest.raises(UnsupportedError, match=f"a layer cannot be called {name!r}.* Graph"):
            adapter.build(spec, init_weights(spec, 0))
    else:
        weights = {n: np.rint(array) for n, array in init_weights(spec, 0).items()}
        y = adapter.forward(adapter.build(spec, weights), X)
        np.testing.assert_array_equal(y, reference(spec, weights, X))


# ---------------------------------------------------------------- what each framework adds


CHILDREN, STEPS, BLOCK = CASES[1]


def test_pytorch_keeps_its_keys_compiles_and_prints() -> None:
    import torch

    model = build(BLOCK, init_weights(BLOCK, 1), framework="pytorch")
    assert list(model.state_dict()) == [
        *("body.0.weight", "body.0.bias"),
        *("shortcut.weight", "shortcut.bias"),
    ]
    x = torch.from_numpy(np.moveaxis(X, -1, 1).copy())
    assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))
    assert torch.equal(torch.export.export(model, (x,)).module()(x), model(x))
    for line in ("add = add(body, shortcut)", "(shortcut): Conv2d(3, 3,"):
        assert line in repr(model)


def test_flax_splits_merges_clones_and_traces() -> None:
    import jax
    from flax import nnx

    weights = init_weights(BLOCK, 1)
    model = build(BLOCK, weights, framework="flax")
    y = jax.jit(lambda x: model(x))(X)
    leaves, state = nnx.split(model)
    shapes = nnx.eval_shape(lambda: nnx.clone(model))
    assert describe(shapes) == BLOCK
    for twin in (nnx.merge(leaves, state), nnx.clone(model)):
        assert describe(twin) == BLOCK
        assert_same_bits(dump(twin), weights)
        np.testing.assert_array_equal(nnx.jit(lambda twin, x: twin(x))(twin, X), y)


def test_keras_saves_and_traces(tmp_path) -> None:
    import keras

    weights = init_weights(BLOCK, 1)
    block = build(BLOCK, weights, framework="keras")
    model = keras.Sequential([block])
    model.build((None, None, None, 3))
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert type(twin) is type(block)
    for each in (block, twin):
        assert describe(each) == BLOCK
        assert [layer.name for layer in each.layers[1:]] == ["body", "shortcut", "add"]
        assert [variable.path.split("/")[-2:] for variable in each.weights] == [
            *(["0", "kernel"], ["0", "bias"]),
            *(["shortcut", "kernel"], ["shortcut", "bias"]),
        ]
        assert_same_bits(dump(each), weights)
        assert each.compute_output_shape((None, 5, 4, 3)) == (None, 5, 4, 3)
    np.testing.assert_array_equal(model.predict_on_batch(X), model(X, training=False))
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(line), expand_nested=True)
    assert "Functional" in "".join(lines)


def test_keras_builds_a_graph_on_its_first_input_and_trains_in_it() -> None:
    """The shapes go the way of the values, and ``training`` reaches the children."""
    import keras

    layers = importlib.import_module("convparity.impls.keras.layers")
    children = {
        "wide": keras.layers.Conv2D(7, 3, padding="same"),
        "norm": keras.layers.BatchNormalization(momentum=0.5),
        "side": keras.layers.Conv2D(7, 1),
    }
    steps = [
        ("wide", "wide", [INPUT]),
        ("norm", "norm", ["wide"]),
        ("side", "side", [INPUT]),
        ("sum", "add", ["norm", "side"]),
    ]
    module = layers.Graph(children, steps)
    assert module(X).shape == (2, 5, 4, 7)
    assert module.compute_output_shape((None, 5, 4, 3)) == (None, 5, 4, 7)
    before = keras.ops.convert_to_numpy(children["norm"].moving_mean)
    module(X, training=True)
    assert not np.array_equal(keras.ops.convert_to_numpy(children["norm"].moving_mean), before)
