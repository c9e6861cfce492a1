"""Keras on TensorFlow: transposed "same" with an even kernel and output_padding=0 fails.

On TensorFlow with oneDNN the layer is made and built, and its call ends in an internal error.

Seen on 2026-11-24 with keras 3.15.1, tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/93733
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = [1, 4, 4, 1]


def shown():
    """The answer of the framework."""
    import keras

    layer = keras.layers.Conv2DTranspose(1, 4, 2, padding="same", output_padding=0)
    return list(layer(keras.ops.zeros((1, 3, 3, 1))).shape)


if __name__ == "__main__":
    try:
        got = shown()
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
