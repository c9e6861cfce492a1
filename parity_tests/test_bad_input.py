"""Every mistake gets an error of ours that names it, and nothing foreign is ever executed."""

import importlib.metadata
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impls
from analysis.parity import compare
from impls import (
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    FrameworkUnavailable,
    InputError,
    SeparableConv,
    Sequential,
    SpecError,
    UnsupportedError,
    WeightError,
    init_weights,
    networks,
    registry,
)
from impls.adapter import Adapter
from impls.networks.efficientnet_lite import released_name

frameworks = pytest.mark.frameworks

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
X = np.ones((1, 5, 5, 2))

# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "call",
    [
        lambda name: impls.build(SPEC, WEIGHTS, framework=name),
        lambda name: impls.apply(SPEC, WEIGHTS, X, framework=name),
        lambda name: compare(SPEC, input_shape=X.shape, frameworks=[name]),
    ],
)
def test_an_unknown_framework_gets_a_suggestion(call):
    with pytest.raises(InputError, match="'pytroch'. Did you mean 'pytorch'.*Known: flax, keras"):
        call("pytroch")


def test_an_unknown_network_gets_a_suggestion():
    with pytest.raises(InputError, match="network 'efficientnet_light0'. Did you mean 'efficie"):
        networks.get("efficientnet_light0")


def test_what_is_no_module_is_named():
    for call in (impls.describe, impls.dump, lambda module: impls.convert(module, to="keras")):
        with pytest.raises(UnsupportedError, match=r"ndarray is no module of torch \(pytorch\)"):
            call(X)


# ---------------------------------------------------------------- missing and old frameworks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that seem to be installed, and their versions; a test may edit it."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return found


@pytest.mark.parametrize("name", registry.FRAMEWORKS)
def test_a_missing_framework_names_its_extra(installed, name):
    with pytest.raises(FrameworkUnavailable, match=rf"{name}: .* is not installed.*\[{name}\]'"):
        impls.build(SPEC, WEIGHTS, framework=name)
    assert registry.available() == ()


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"jax": "0.8.0", "flax": "0.12.1"}, r"jax 0.8.0 is older than 0.8.1: pip.*\[flax\]'"),
        ({"jax": "0.8.1", "flax": "0.9.12"}, "flax 0.9.12 is older than 0.12.1"),
        ({"jax": "0.8.1"}, "flax is not installed"),
        ({"jax": "0.8.1", "flax": "0.12.1"}, None),
        ({"jax": "0.10.0", "flax": "1.0"}, None),
        ({"jax": "0.8.1.dev20260101+cpu", "flax": "0.12.1rc1"}, None),
    ],
)
def test_versions_are_compared_as_numbers(installed, versions, problem):
    installed |= versions
    if problem is None:
        assert registry.problem("flax") is None
        assert registry.available() == ("flax",)
    else:
        with pytest.raises(FrameworkUnavailable, match=f"flax: {problem}"):
            registry.get("flax")


# ---------------------------------------------------------------- inputs, devices, dtypes


@frameworks
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
    with pytest.raises(SpecError, match=message):
        impls.apply(SPEC, WEIGHTS, np.ones(shape), framework=adapter.name)


@frameworks
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
        impls.build(SPEC, WEIGHTS, framework=adapter.name, **options)


@frameworks
def test_flax_refuses_float64_where_jax_would_round_it() -> None:
    import jax

    assert not jax.config.jax_enable_x64
    with pytest.raises(UnsupportedError, match="JAX_ENABLE_X64=1"):
        impls.build(SPEC, WEIGHTS, framework="flax", dtype="float64")


@frameworks
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Conv(2, 3, 3, rank=1), "rank 1 of Conv"),
        (
            Sequential({"a": SeparableConv(2, 3, 3, padding_mode="reflect")}),
            "padding_mode 'reflect' of DepthwiseConv in a.depthwise",
        ),
    ],
)
def test_what_is_not_built_yet_is_refused(adapter: Adapter, spec: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{adapter.name}: {message}"):
        impls.build(spec, init_weights(spec, 0), framework=adapter.name)


# ---------------------------------------------------------------- weights of modules


@frameworks
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
        impls.build(SPEC, weights, framework=adapter.name)
    module = adapter.build(SPEC, WEIGHTS)
    with pytest.raises(WeightError, match=message):
        adapter.load(module, weights)
    after = impls.dump(module)
    assert all(np.array_equal(after[name], WEIGHTS[name]) for name in WEIGHTS)


@frameworks
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
@pytest.mark.parametrize("name", ["pytorch", "flax"])  # Keras refuses such an array itself
def test_a_module_that_was_given_a_wrong_array_is_not_read_nor_loaded(name, spec, shape):
    weights = init_weights(spec, 0)
    module = impls.build(spec, weights, framework=name)
    array = np.ones(shape, np.float32)
    if name == "flax":
        (module.scale if isinstance(spec, BatchNorm) else module.kernel).set_value(array)
    else:
        import torch

        order = [3, 2, 0, 1] if array.ndim == 4 else range(array.ndim)[::-1]
        module.weight = torch.nn.Parameter(torch.from_numpy(array.transpose(order).copy()))
    with pytest.raises(WeightError, match="kernel|scale"):
        impls.dump(module)
    with pytest.raises(WeightError, match="kernel|scale"):
        registry.get(name).load(module, weights)


# ---------------------------------------------------------------- modules that cannot be read


def unreadable() -> dict[str, Any]:
    """name -> (a function that makes a native module, what the message says)."""
    import jax.numpy as jnp
    import keras
    import torch
    from flax import nnx
    from torch import nn

    class OwnForward(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    class OwnConv(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    class OwnDense(keras.layers.Dense):
        def call(self, x: Any) -> Any:
            return x

    class OwnLinear(nnx.Linear):
        def __call__(self, x: Any) -> Any:
            return x

    def built(layer: Any, *shape: int) -> Any:
        layer.build((None, *shape))
        return layer

    rngs = nnx.Rngs(0)
    return {}
