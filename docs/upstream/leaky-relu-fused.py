"""TensorFlow fuses leaky_relu behind an addition, and forgets its slope.

In a graph on TensorFlow with oneDNN, convolution, bias, addition and leaky ReLU become one kernel,
which computes with its default slope, 0.2.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/58080
"""

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = -50


def shown():
    """The answer of the framework."""
    import tensorflow as tf
    from tensorflow import nn

    kernel, bias = tf.Variable(tf.ones((1, 1, 1, 1))), tf.Variable([0.0])
    residual = tf.function(
        lambda x: nn.leaky_relu(nn.bias_add(nn.conv2d(x, kernel, 1, "SAME"), bias) + x, 0.5)
    )
    return round(residual(tf.constant([[[[-50.0]]]])).numpy().item())


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
