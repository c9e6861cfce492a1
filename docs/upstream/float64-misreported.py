"""Keras on JAX says float64 and holds float32.

A layer of dtype="float64" on JAX: its variables report float64, their values are float32.

Seen on 2026-11-24 with keras 3.15.1, jax 0.10.2, on Linux, x86-64, CPU.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

RIGHT = ["float64", "float64"]


def shown():
    """The answer of the framework."""
    import keras

    layer = keras.layers.Dense(3, dtype="float64")
    layer.build((None, 2))
    return [str(layer.kernel.dtype), str(keras.ops.convert_to_numpy(layer.kernel).dtype)]


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
