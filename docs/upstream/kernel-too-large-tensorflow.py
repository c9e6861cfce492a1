"""tf.nn.conv2d with a kernel one larger than the image returns uninitialised memory.

The layer raises when it knows the size; tf.nn.conv2d, in float32 with oneDNN, returns a tensor of
the input's shape that nobody wrote to.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/64396
https://github.com/tensorflow/tensorflow/issues/109175
"""

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = [1, 0, 0, 5]


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    return tf.nn.conv2d(tf.ones((1, 3, 3, 2)), tf.ones((4, 4, 2, 5)), 1, "VALID").shape.as_list()


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
