"""Weights of a framework's own dtypes are saved."""

import os
from pathlib import Path

import numpy as np

import convparity
from convparity import Conv, init_weights

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)


def test_weights_of_bfloat16_are_saved_as_float32(tmp_path: Path) -> None:
    import jax.numpy as jnp

    path = tmp_path / "w.safetensors"
    halves = {name: jnp.asarray(array, jnp.bfloat16) for name, array in WEIGHTS.items()}
    convparity.save(path, SPEC, halves)
    loaded = convparity.load(os.fsencode(path))[1]
    for name, array in halves.items():
        assert loaded[name].dtype == np.float32
        assert np.array_equal(loaded[name], np.asarray(array, np.float32))
