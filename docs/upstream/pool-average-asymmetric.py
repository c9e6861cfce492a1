"""Keras on PyTorch: "same" average pooling averages in repeated edge pixels.

On PyTorch, where one end needs more padding, the edge pixel is repeated and counted; the other
backends leave the padding out.

Seen on 2026-11-24 with keras 3.15.1, torch 2.13.0, on Linux, x86-64, CPU.
https://github.com/keras-team/keras/issues/23233
https://github.com/keras-team/keras/issues/19721
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

RIGHT = [24, 24, 30]


def shown():
    """The answer of the framework."""
    import keras
    import numpy as np

    x = np.array([12.0, 24, 36], "float32").reshape(1, 3, 1)
    y = keras.layers.AveragePooling1D(4, 1, "same")(x)
    return keras.ops.convert_to_numpy(y).ravel().tolist()


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
