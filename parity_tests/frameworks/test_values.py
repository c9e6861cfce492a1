"""The border for values: what is no array of real numbers reaches no framework."""

from typing import Any

import numpy as np
import pytest

import convparity
from convparity import Conv, Dense, InputError, WeightError, init_weights, reference

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
SHAPE = (2, 6, 5, 2)
X = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)

# ---------------------------------------------------------------- inputs


@pytest.mark.parametrize("change", [lambda x: x * 1j, lambda x: x.astype(str), lambda x: None])
def test_nor_does_it_reach_a_framework(
    adapter: Any, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    monkeypatch.setattr(type(adapter), "forward", lambda *_: pytest.fail("the framework ran"))
    with pytest.raises(InputError, match=r"x (has dtype|is None)"):
        convparity.apply(SPEC, WEIGHTS, change(X), framework=adapter.name)


def test_every_order_of_bytes_reaches_a_framework(adapter: Any) -> None:
    found = convparity.apply(SPEC, WEIGHTS, X.astype(">f4"), framework=adapter.name)
    assert np.array_equal(found, convparity.apply(SPEC, WEIGHTS, X, framework=adapter.name))


def test_tensors_of_every_framework_are_read() -> None:
    """In float64, whatever they are of; where their values cannot be had, the error says why."""
    import jax.numpy as jnp
    import tensorflow as tf
    import torch

    expected = reference(SPEC, WEIGHTS, X)
    halves = torch.from_numpy(X).bfloat16()
    assert np.array_equal(
        reference(SPEC, WEIGHTS, halves), reference(SPEC, WEIGHTS, halves.float().numpy())
    )
    for tensor in (torch.from_numpy, jnp.asarray, tf.constant):
        weights = {name: tensor(array) for name, array in WEIGHTS.items()}
        found = reference(SPEC, weights, tensor(X))
        assert found.dtype == np.float64
        assert np.array_equal(found, expected)
    learning = torch.from_numpy(X).requires_grad_()
    for x, message in (
        (learning, r"requires grad\. Use tensor\.detach\(\)"),
        (torch.from_numpy(X).to("meta"), "meta"),
        (torch.from_numpy(X).to_sparse(), "[Ss]parse"),
        (torch.from_numpy(X).to(torch.float8_e4m3fn), "[Ff]loat8"),
    ):
        with pytest.raises(InputError, match=f"x is no array that NumPy can read.*{message}"):
            reference(SPEC, WEIGHTS, x)


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_weights_beyond_a_dtype_are_refused(adapter: Any, dtype: str) -> None:
    """They would be infinity."""
    spec = Dense(2, 2, bias=False)
    large = {"float16": 65520.0, "float32": 2.0**128 - 2.0**103, "bfloat16": 3.39617752e38}[dtype]
    fits = {"float16": 65519.9, "float32": 3.4028235e38, "bfloat16": 3.396177e38}[dtype]
    weights = {"kernel": np.array([[1.0, -large], [0.0, 2.0]])}
    with pytest.raises(WeightError, match=f"kernel holds 1 values of 4 beyond .*{dtype}"):
        adapter.build(spec, weights, dtype=dtype)
    weights["kernel"][0, 1] = fits
    module = adapter.build(spec, weights, dtype=dtype)
    assert np.isfinite(adapter.dump(module)["kernel"]).all()
    weights["kernel"][0, 1] = large
    with pytest.raises(WeightError, match=f"kernel holds 1 values of 4 beyond .*{dtype}"):
        adapter.load(module, weights)


def test_no_weights_are_no_initialisers(adapter: Any) -> None:
    with pytest.raises(WeightError, match="not None"):
        convparity.apply(SPEC, None, X, framework=adapter.name)  # type: ignore[arg-type]
