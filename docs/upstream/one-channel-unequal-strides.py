"""TensorFlow leaves rows uninitialised: one channel, one output column, unequal strides.

On TensorFlow with oneDNN, on a processor with AVX-512: with more than one example, one input
channel, unequal strides and an output one column wide, rows of the output are never written.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
"""

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = True


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    x, kernel, right = tf.ones((2, 4, 4, 1)), tf.ones((2, 2, 1, 1)), True
    for _ in range(100):
        used = [tf.fill((2, 3, 1, 1), 7.0) for _ in range(8)]  # memory that is not 4
        del used
        y = tf.nn.conv2d(x, kernel, (1, 3), "VALID")
        right = right and bool((y.numpy() == 4).all())
    return right


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
