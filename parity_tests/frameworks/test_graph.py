"""Graphs in each framework: the same values, structure, weights and gradients, natively."""

import copy
import importlib
from typing import Any

import numpy as np
import pytest

from convparity import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvgPool,
    Graph,
    Multiply,
    Subtract,
    check,
    compare,
    convert,
    describe,
    diagnose,
    dump,
    first_divergence,
    init_weights,
    parameter_shapes,
    reference,
)
from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.replay.replay import Replay, parse
from convparity.analysis.replay.replay import judge as replayed
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Composite
from convparity.impls.values import inputs_of
from parity_tests.support.bits import assert_same_bits
from parity_tests.support.gradients import cotangent_for, gradient_gap
from parity_tests.support.graphs import BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO

GRAPHS = {
    "shared": SHARED,
    "two": TWO,
    "tuple": TUPLE,
    "one of a tuple": ONE_OF_TUPLE,
    "branches": BRANCHES,
    "chain": CHAIN,
}
each_graph = pytest.mark.parametrize("name", GRAPHS)
X = np.random.default_rng(0).standard_normal((2, 6, 5, 3)).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal((2, 6, 5, 4)).astype(np.float32)
INTEGERS = np.random.default_rng(2).integers(-2, 3, (2, 6, 5, 3)).astype(np.float32)
FRAMEWORKS = list(registry.FRAMEWORKS)


def given(spec: Composite) -> Any:
    """What it is called with."""
    return (X, OTHER) if len(spec.sources) == 2 else X


def parts(value: Any) -> list[np.ndarray]:
    """The outputs in order."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, tuple) else [value]


def assert_right(spec: Composite, weights: Any, y: Any) -> None:
    """Each output lies within its proved bound, in a container of the right kind."""
    expected = reference(spec, weights, given(spec))
    assert type(y) is type(expected)
    if isinstance(expected, dict):
        assert y.keys() == expected.keys()
        y = {key: y[key] for key in expected}
    targets = trace(spec, weights, *map(exact_input, inputs_of(given(spec))))
    for made, target in zip(parts(y), parts(targets), strict=True):
        verdict = precision(made, target)
        assert verdict.ok, verdict


@each_graph
def test_it_is_built_run_read_and_filled(adapter: Adapter, name: str) -> None:
    spec = GRAPHS[name]
    weights, others = init_weights(spec, 1), init_weights(spec, 2)
    module = adapter.build(spec, weights)
    assert_right(spec, weights, adapter.apply(module, spec, given(spec)))
    assert describe(module) == spec
    assert_same_bits(dump(module), weights)
    assert list(dump(module)) == list(parameter_shapes(spec))
    assert adapter.count(module).total == sum(array.size for array in weights.values())
    adapter.load(module, others)
    assert_same_bits(dump(module), others)
    assert_right(spec, others, adapter.apply(module, spec, given(spec)))


@pytest.mark.parametrize("to", FRAMEWORKS)
@pytest.mark.parametrize("name", ["shared", "two", "tuple"])
def test_it_is_converted_and_proved(adapter: Adapter, to: str, name: str) -> None:
    spec = GRAPHS[name]
    weights = init_weights(spec, 3)
    module = adapter.build(spec, weights)
    twin = convert(module, to=to)
    assert describe(twin) == spec
    assert_same_bits(dump(twin), weights)
    native = tuple(adapter._in(module, array) for array in inputs_of(given(spec)))
    found = check(module, twin, native)
    assert found.ok, found


def in_the_graph(path: str | None) -> str:
    """A path in a native module as the spec has it."""
    return (path or "").removeprefix("children.").replace(".children.", ".")


def checked(adapter: Adapter, spec: Composite, other: Composite, weights: Any) -> Any:
    """What is said of a twin that is ``other``."""
    native = tuple(adapter._in(adapter.build(spec, weights), each) for each in as_inputs(spec))
    return check(adapter.build(spec, weights), adapter.build(other, weights), native)


def as_inputs(spec: Composite) -> tuple[np.ndarray, ...]:
    return inputs_of(given(spec))


@pytest.mark.parametrize("name", ["shared", "two"])
def test_a_wrong_twin_is_found_at_its_layer(adapter: Adapter, name: str) -> None:
    spec = GRAPHS[name]
    weights = init_weights(spec, 3)
    module = adapter.build(spec, weights)
    native = tuple(adapter._in(module, array) for array in as_inputs(spec))
    path = "stem.bias" if name == "shared" else "start.c.bias"
    moved = {**weights, path: weights[path] + 1}
    found = check(module, adapter.build(spec, moved), native)
    assert found.status == "wrong"
    assert in_the_graph(found.first) == path[:-5]


@pytest.mark.parametrize(
    ("name", "join", "instead", "said"),
    [
        ("shared", "diff", Multiply(), "a Multiply where the source has a Subtract"),
        ("shared", "diff", Add(), "where the source has"),
        ("shared", "gated", Subtract(), "a Subtract where the source has a Multiply"),
        ("two", "m", Subtract(), "a Subtract where the source has a Multiply"),
        ("two", "m", Add(), "where the source has"),
    ],
)
def test_another_join_is_named(
    adapter: Adapter, name: str, join: str, instead: Any, said: str
) -> None:
    spec = GRAPHS[name]
    other = spec.with_children({**dict(spec.children), join: instead})
    found = checked(adapter, spec, other, init_weights(spec, 3))
    assert in_the_graph(found.first) == join, found
    assert said in str(found.cause)


def test_a_concatenation_in_another_order_or_along_another_axis_is_named(adapter: Adapter) -> None:
    spec = GRAPHS["shared"]
    weights = init_weights(spec, 3)
    other = Graph({**spec.said, "both": (Concat(), "gated", "x", "diff")})
    found = checked(adapter, spec, other, weights)
    assert in_the_graph(found.first) == "both", found
    assert "in another order" in str(found.cause)
    square = Graph(
        {"a": (Conv(3, 3, 1), "x"), "both": (Concat(1), "a", "x"), "g": (GlobalAvgPool(), "both")}
    )
    along = Graph({**square.said, "both": (Concat(2), "a", "x")})
    found = checked(adapter, square, along, init_weights(square, 3))
    assert in_the_graph(found.first) == "both", found
    assert "axis" in str(found.cause)


@pytest.mark.parametrize("name", ["two", "tuple", "one of a tuple"])
def test_several_values_are_compared(adapter: Adapter, name: str) -> None:
    """Forward, backward and replayed; the output that differs is named."""
    spec = GRAPHS[name]
    shapes = tuple(array.shape for array in as_inputs(spec))
    shape = shapes if len(shapes) > 1 else shapes[0]
    (verdict,) = compare(spec, frameworks=adapter.name, input_shape=shape)
    assert verdict.ok, verdict
    for data in ("ints", "reals"):
        case = parse(str(Replay(spec, shape, data, 1)))
        assert all(each.ok for each in replayed(case, [adapter.name]).values())
    weights = init_weights(spec, 4)
    assert first_divergence(adapter.build(spec, weights), (spec, weights), given(spec)).ok
    (path, *_) = weights
    moved = {**weights, path: weights[path] * 2}
    found = first_divergence(adapter.build(spec, moved), (spec, weights), given(spec))
    assert found.first is not None
    assert found.first.path == path.rpartition(".")[0]
    wrong = diagnose(adapter.build(spec, moved), spec, weights, given(spec), seconds=0)
    assert not wrong.right
    assert diagnose(adapter.build(spec, weights), spec, weights, given(spec)).right


@pytest.mark.parametrize("name", ["shared", "branches", "chain"])
def test_it_is_compared_and_aligned(adapter: Adapter, name: str) -> None:
    spec = GRAPHS[name]
    (verdict,) = compare(spec, frameworks=adapter.name, input_shape=X.shape)
    assert verdict.ok, verdict
    weights = init_weights(spec, 4)
    assert first_divergence(adapter.build(spec, weights), (spec, weights), X).ok
    (path, *_) = weights
    moved = {**weights, path: weights[path] * 2}
    found = first_divergence(adapter.build(spec, moved), (spec, weights), X)
    assert found.first is not None
    assert found.first.path == path.rpartition(".")[0]


# ---------------------------------------------------------------- gradients

# what is linear in each of its values and weights, with a layer that runs twice and, inside, a
# graph of two inputs and two outputs
INSIDE = Graph(
    {"less": (Subtract(), "a", "b"), "c": (Conv(3, 3, 1), "b"), "sum": (Add(), "c", "less")},
    inputs=("a", "b"),
    outputs={"sum": "sum", "less": "less"},
)
POLYNOMIAL = Graph(
    {
        "c": (Conv(3, 3, 3, padding="same"), "x"),
        "first": (INSIDE, "c", "x"),
        "again": ("c", "first.less"),
        "y": (Multiply(), "again", "first.sum"),
    }
)


def small_integers(seed: int) -> dict[str, np.ndarray]:
    """On which the float32 sums of a product of three layers are exact."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(-1, 2, shape).astype(np.float32)
        for name, shape in parameter_shapes(POLYNOMIAL).items()
    }


def test_gradients_are_the_float64_reference_s(adapter: Adapter) -> None:
    weights = small_integers(5)
    cotangent = np.random.default_rng(6).integers(-1, 2, X.shape).astype(np.float32)
    by_x, by_weight = adapter.backward(adapter.build(POLYNOMIAL, weights), INTEGERS, cotangent)
    rng = np.random.default_rng(7)
    for name, gradient in {"x": by_x, **by_weight}.items():
        for _ in range(2):
            step = rng.integers(-2, 3, gradient.shape).astype(float)

            def at(t: float, name: str = name, step: np.ndarray = step) -> float:
                moved = {**weights, **({name: weights[name] + t * step} if name != "x" else {})}
                x = INTEGERS + t * step if name == "x" else INTEGERS
                return float(np.vdot(cotangent, reference(POLYNOMIAL, moved, x)))

            # exact for polynomials up to degree 4
            slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12
            assert np.vdot(gradient.astype(float), step) == slope, name
    assert {n: g.shape for n, g in by_weight.items()} == parameter_shapes(POLYNOMIAL)


@pytest.mark.parametrize("name", ["two", "tuple", "one of a tuple", "shared"])
def test_gradients_by_every_input_of_a_loss_over_all_outputs(adapter: Adapter, name: str) -> None:
    """And a training step follows them."""
    spec = GRAPHS[name]
    weights = init_weights(spec, 1)
    cotangent = cotangent_for(spec, weights, given(spec), 2)
    gap = gradient_gap(adapter, spec, weights, given(spec), cotangent)
    assert gap is None, gap
    module = adapter.build(spec, weights)
    _, by_weight = adapter.backward(module, given(spec), cotangent)
    adapter.train(module, given(spec), cotangent, rate=2.0**-4)
    for key, array in dump(module).items():
        near = weights[key] - by_weight[key] / 16
        assert np.allclose(array, near, rtol=0, atol=2.0**-20 * abs(by_weight[key]).max()), key


def test_a_training_step_moves_a_shared_layer_once(adapter: Adapter) -> None:
    weights = small_integers(8)
    cotangent = np.random.default_rng(9).integers(-1, 2, X.shape).astype(np.float32)
    module = adapter.build(POLYNOMIAL, weights)
    _, by_weight = adapter.backward(module, INTEGERS, cotangent)
    adapter.train(module, INTEGERS, cotangent, rate=2.0**-3)
    for name, array in dump(module).items():
        assert np.array_equal(array, weights[name] - by_weight[name] / 8), name
        assert by_weight[name].any(), name


def test_statistics_of_a_norm_in_a_graph_are_learnt(adapter: Adapter) -> None:
    """``training`` reaches the children."""
    weights = init_weights(BRANCHES, 1)
    module = adapter.build(BRANCHES, weights)
    adapter.train(module, X, np.ones_like(X), rate=0.0)
    after = dump(module)
    seen = reference(Conv(3, 3, 1), {k: weights[f"a.{k}"] for k in ("kernel", "bias")}, X)
    mean = 0.9 * weights["norm.mean"] + 0.1 * seen.mean((0, 1, 2))
    np.testing.assert_allclose(after["norm.mean"], mean, rtol=1e-5, atol=1e-6)
    assert_same_bits({"a": after["a.kernel"]}, {"a": weights["a.kernel"]})


# ---------------------------------------------------------------- what each framework adds


def native_torch(spec: Composite) -> tuple[Any, tuple[Any, ...], Any]:
    adapter = registry.get("pytorch")
    module = adapter.build(spec, init_weights(spec, 1))
    return module, tuple(adapter._in(module, array) for array in inputs_of(given(spec))), adapter


def assert_same(found: Any, expected: Any) -> None:
    """The same tensors, in the same containers."""
    import torch

    assert type(found) is type(expected)
    keys = expected if isinstance(expected, dict) else range(len(parts(expected)))
    for key in keys:
        both = (
            (found, expected) if isinstance(expected, torch.Tensor) else (found[key], expected[key])
        )
        assert torch.equal(*both)


def test_pytorch_names_its_parameters_by_path() -> None:
    module, *_ = native_torch(SHARED)
    assert list(module.state_dict()) == [
        *("stem.weight", "stem.bias", "gate.0.weight", "gate.0.bias", "out.weight", "out.bias")
    ]
    module, *_ = native_torch(TWO)
    assert list(module.state_dict()) == ["start.c.weight", "start.c.bias"]


@each_graph
def test_pytorch_compiles_exports_and_copies(name: str) -> None:
    import torch

    module, inputs, _ = native_torch(GRAPHS[name])
    expected = module(*inputs)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    assert_same(compiled(*inputs), expected)
    assert_same(torch.export.export(module, inputs).module()(*inputs), expected)
    twin = copy.deepcopy(module)
    assert_same(twin(*inputs), expected)
    assert describe(twin) == GRAPHS[name]
    before = dump(module)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter += 1
    assert_same_bits(dump(module), before)


@each_graph
def test_flax_splits_merges_and_traces(name: str) -> None:
    import jax
    from flax import nnx

    spec = GRAPHS[name]
    weights, adapter = init_weights(spec, 1), registry.get("flax")
    module = adapter.build(spec, weights)
    inputs = tuple(adapter._in(module, array) for array in inputs_of(given(spec)))
    expected = jax.tree.leaves(module(*inputs))
    twin = nnx.merge(*nnx.split(module))
    assert describe(twin) == spec
    assert_same_bits(dump(twin), weights)
    traced = nnx.jit(lambda own, *values: own(*values))(twin, *inputs)
    targets = trace(spec, weights, *map(exact_input, inputs_of(given(spec))))
    made = registry.get("flax").forward(module, given(spec))
    assert_right(spec, weights, made)
    for a, b in zip(jax.tree.leaves(traced), expected, strict=True):
        assert a.shape == b.shape
    pairs = zip(parts(traced), parts(targets), strict=True)
    if not isinstance(traced, dict):
        assert all(precision(np.asarray(a), target).ok for a, target in pairs)
    assert jax.tree.structure(nnx.eval_shape(lambda: module(*inputs))) == jax.tree.structure(traced)


@each_graph
def test_keras_saves_and_loads_it(name: str, tmp_path) -> None:
    import keras

    spec = GRAPHS[name]
    weights, adapter = init_weights(spec, 1), registry.get("keras")
    graph = adapter.build(spec, weights)
    inputs = [keras.Input(array.shape[1:]) for array in inputs_of(given(spec))]
    model = keras.Model(inputs, graph(inputs if len(inputs) > 1 else inputs[0]))
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    found = next(layer for layer in twin.layers if type(layer) is type(graph))
    assert describe(found) == spec
    assert_same_bits(dump(found), weights)
    assert_right(spec, weights, adapter.apply(found, spec, given(spec)))


def test_keras_builds_a_graph_of_two_inputs_on_its_first_call() -> None:
    import keras

    layers = importlib.import_module("convparity.impls.keras.layers")
    children = {
        "wide": keras.layers.Conv2D(4, 3, padding="same"),
        "norm": keras.layers.BatchNormalization(momentum=0.5),
        "pool": keras.layers.GlobalAveragePooling2D(),
    }
    steps = [
        ("wide", "wide", ["u"]),
        ("norm", "norm", ["wide"]),
        ("sum", "add", ["norm", "v"]),
        ("pool", "pool", ["sum"]),
    ]
    module = layers.Graph(children, steps, ["u", "v"], {"image": "sum", "head": "pool"}.items())
    y = module([X, OTHER], training=True)
    assert {key: tuple(value.shape) for key, value in y.items()} == {
        "image": (2, 6, 5, 4),
        "head": (2, 4),
    }
    shapes = module.compute_output_shape([(None, 6, 5, 3), (None, 6, 5, 4)])
    assert shapes == {"image": (None, 6, 5, 4), "head": (None, 4)}
    assert keras.ops.convert_to_numpy(children["norm"].moving_mean).any()
    assert describe(module) == Graph(
        {
            "wide": (Conv(3, 4, 3, padding="same"), "u"),
            "norm": (BatchNorm(4, 1e-3, 0.5), "wide"),
            "sum": (Add(), "norm", "v"),
            "pool": (GlobalAvgPool(), "sum"),
        },
        ("u", "v"),
        {"image": "sum", "head": "pool"},
    )
