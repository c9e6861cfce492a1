"""TensorFlow's max pooling drops NaN.

On TensorFlow on a CPU NaN loses, and the largest of the rest wins; on JAX NaN wins.

Seen on 2026-11-24 with keras 3.15.1, tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/125965
https://github.com/tensorflow/tensorflow/issues/2501
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

RIGHT = True


def shown():
    """The answer of the framework."""
    import keras
    import numpy as np

    x = np.array([[np.nan, 1], [2, 3]], "float32").reshape(1, 2, 2, 1)
    return bool(np.isnan(keras.layers.MaxPooling2D(2)(x)))


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
