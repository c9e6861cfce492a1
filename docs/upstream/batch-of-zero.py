"""A batch of 0: TensorFlow's convolution returns the shape of its input.

On TensorFlow with oneDNN: the input's shape, even its number of channels.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
"""

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = [0, 3, 3, 5]


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    return tf.nn.conv2d(tf.zeros((0, 6, 6, 2)), tf.ones((4, 4, 2, 5)), 1, "VALID").shape.as_list()


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
