"""Keras on PyTorch: GroupNormalization of a large mean is NaN.

On PyTorch E[x^2] - E[x]^2, which rounding makes negative: its root is NaN.

Seen on 2026-11-24 with keras 3.15.1, torch 2.13.0, on Linux, x86-64, CPU.
https://github.com/keras-team/keras-core/issues/866
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

RIGHT = False


def shown():
    """The answer of the framework."""
    import keras

    y = keras.layers.GroupNormalization(1)(keras.ops.full((1, 4, 4, 4), 10000.1))
    return bool(keras.ops.any(keras.ops.isnan(y)))


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
