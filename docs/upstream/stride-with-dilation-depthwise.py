"""tf.nn.depthwise_conv2d with stride and dilation: wrong values.

tf.nn.depthwise_conv2d strides inside each of the blocks that it splits the input into for the
dilation, with a warning only. The shape can be wrong as well.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/57128
https://github.com/tensorflow/tensorflow/issues/100237
https://github.com/tensorflow/tensorflow/issues/127827
"""

RIGHT = [0, 2, 4]


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    x = tf.reshape(tf.range(9.0), (1, 1, 9, 1))
    kernel = tf.reshape(tf.constant([1.0, 0, 0]), (1, 3, 1, 1))
    y = tf.nn.depthwise_conv2d(x, kernel, (1, 2, 2, 1), "VALID", dilations=(2, 2))
    return tf.reshape(y, [-1]).numpy().tolist()


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
