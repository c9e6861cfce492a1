"""Every mistake gets an error of ours that names it, and nothing foreign is ever executed."""

from typing import Any

import numpy as np
import pytest

import convparity
from convparity import (
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Sequential,
    Spec,
    SpecError,
    UnsupportedError,
    WeightError,
    init_weights,
)
from convparity.impls import registry
from convparity.impls.adapter import Adapter

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)

# ---------------------------------------------------------------- inputs, devices, dtypes


def assert_refuses(adapter: Adapter, spec: Spec, x: np.ndarray, message: str) -> None:
    """Neither for users, nor for what has built a module of its own."""
    weights = init_weights(spec, 0)
    for call in (
        lambda: convparity.apply(spec, weights, x, framework=adapter.name),
        lambda: adapter.apply(adapter.build(spec, weights), spec, x),
    ):
        with pytest.raises(SpecError, match=message):
            call()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 5, 2), r"kernel \(3, 3\) is larger than the padded input \(2, 5\)"),
        ((5, 5, 2), "takes an input of 4 axes"),
        ((1, 2, 5, 5), "takes 2 channels on the last axis, not 5"),
        ((0, 5, 5, 2), "at least 1"),
    ],
)
def test_an_input_that_does_not_fit_never_reaches_the_framework(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, shape: Any, message: str
) -> None:
    monkeypatch.setattr(type(adapter), "forward", lambda *_: pytest.fail("the framework ran"))
    assert_refuses(adapter, SPEC, np.ones(shape), message)


def test_nor_one_that_does_not_fit_a_later_layer(adapter: Adapter) -> None:
    assert_refuses(
        adapter,
        Sequential(Conv(2, 3, 3), Conv(3, 2, 3)),
        np.ones((1, 4, 4, 2)),
        r"in layer '1': .* larger than the padded input \(2, 2\)",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu:9"}, "unknown device 'tpu:9'.*Known: .*cpu"),
        ({"dtype": "float23"}, "unknown dtype 'float23'. Did you mean 'float32'.*bfloat16"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
    ],
)
def test_an_unknown_device_or_dtype_is_named(
    adapter: Adapter, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convparity.build(SPEC, WEIGHTS, framework=adapter.name, **options)


def test_flax_refuses_float64_where_jax_would_round_it() -> None:
    import jax

    with jax.enable_x64(False), pytest.raises(UnsupportedError, match="JAX_ENABLE_X64=1"):
        convparity.build(SPEC, WEIGHTS, framework="flax", dtype="float64")


@pytest.mark.parametrize("name", ["forward", "names", "self", "train", "eval"])
def test_a_layer_named_like_what_its_container_has_is_refused_or_built(adapter, name):
    spec = Sequential({name: Conv(2, 3, 3)})
    taken = {"pytorch": {"forward", "train", "eval"}, "flax": {"names", "train", "eval"}}
    if name in taken.get(adapter.name, ()):
        with pytest.raises(UnsupportedError, match=f"a layer cannot be called {name!r}"):
            adapter.build(spec, init_weights(spec, 0))
    else:
        assert convparity.describe(adapter.build(spec, init_weights(spec, 0))) == spec


# ---------------------------------------------------------------- weights of modules


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({**WEIGHTS, "kernel": np.ones((3, 2, 3, 3))}, r"\(3, 2, 3, 3\), the spec needs \(3, 3, 2"),
        ({**WEIGHTS, "bias": np.ones(1)}, r"bias has shape \(1,\), the spec needs \(3,\)"),
        ({**WEIGHTS, "bias": np.array([1, np.nan, 1])}, "bias holds 1 NaN"),
        ({"kernel": WEIGHTS["kernel"]}, "missing bias"),
        ({**WEIGHTS, "scale": np.ones(3)}, "unknown scale"),
    ],
)
def test_weights_that_do_not_fit_are_not_built_or_loaded(
    adapter: Adapter, weights: Any, message: str
) -> None:
    with pytest.raises(WeightError, match=message):
        convparity.build(SPEC, weights, framework=adapter.name)
    module = adapter.build(SPEC, WEIGHTS)
    with pytest.raises(WeightError, match=message):
        adapter.load(module, weights)
    after = convparity.dump(module)
    assert all(np.array_equal(after[name], WEIGHTS[name]) for name in WEIGHTS)


HELPLESS = ["pytorch", "flax"]  # Keras refuses an array of a wrong shape itself


def give(module: Any, framework: str, weight: str, array: np.ndarray) -> None:
    """Put an array of any shape where a native module holds a weight."""
    if framework == "flax":
        registry.get("flax").slots(module)[weight].variable.set_value(array)
    else:
        import torch

        order = [3, 2, 0, 1] if array.ndim == 4 else range(array.ndim)[::-1]
        native = torch.from_numpy(array.transpose(order).copy())
        setattr(module, "bias" if weight == "bias" else "weight", torch.nn.Parameter(native))


@pytest.mark.parametrize(
    ("spec", "shape"),  # of the first weight, in the canonical layout
    [
        (SPEC, (3, 3, 2, 5)),
        (SPEC, (3, 3, 1, 3)),
        (SPEC, (3, 2, 3)),
        (DepthwiseConv(3, 3, depth_multiplier=2), (3, 3, 1, 5)),  # no multiple of the multiplier
        (DepthwiseConv(3, 3, depth_multiplier=2), (18,)),
        (Dense(2, 3), (3, 2)),
        (Dense(2, 3), (6,)),
        (BatchNorm(3), (1,)),
    ],
)
@pytest.mark.parametrize("name", HELPLESS)
def test_a_module_that_was_given_a_wrong_array_is_not_read_nor_loaded(name, spec, shape):
    weights = init_weights(spec, 0)
    first = next(iter(weights))
    module = convparity.build(spec, weights, framework=name)
    give(module, name, first, np.ones(shape, np.float32))
    with pytest.raises(WeightError, match=first):
        convparity.dump(module)
    with pytest.raises(WeightError, match=first):
        registry.get(name).load(module, weights)


@pytest.mark.parametrize("name", HELPLESS)
def test_a_load_that_fails_has_written_nothing(name):
    adapter = registry.get(name)
    module = adapter.build(SPEC, WEIGHTS)
    give(module, name, "bias", np.ones(5, np.float32))
    with pytest.raises(WeightError, match="bias"):
        adapter.load(module, init_weights(SPEC, 1))
    kernel = adapter.slots(module)["kernel"]
    after = kernel.layout.to_canonical(adapter.read(kernel.variable))
    assert np.array_equal(after, WEIGHTS["kernel"])
