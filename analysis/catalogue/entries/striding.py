"""Stride, dilation and groups: which combinations run, and which are wrong."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entries.environments import NO_ONEDNN, ONEDNN
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Stride, dilation, groups")

e = CHAPTER.entry(
    "stride-with-dilation",
    "Stride together with dilation: Keras refuses it, even on different axes",
    kind="refusal",
    pytorch="Both, on any axes.",
    flax="Both, on any axes.",
    keras="Conv1D, 2D and 3D and the transposed layers raise when they are made, on every backend. "
    "tf.nn.conv2d could do it.",
    port="convolves at stride 1 and takes every s-th pixel (impls/keras/layers.py: AnyWindow).",
)


@e.shows("pytorch", [1, 1, 3, 5])
def _():
    import torch

    layer = torch.nn.Conv2d(1, 1, 3, stride=(2, 1), dilation=(1, 2))
    return layer(torch.zeros(1, 1, 7, 9)).shape


@e.shows("flax", [1, 3, 5, 1])
def _():
    import jax.numpy as jnp
    from flax import nnx

    both = {"strides": (2, 1), "kernel_dilation": (1, 2)}
    layer = nnx.Conv(1, 1, (3, 3), padding="VALID", **both, rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 7, 9, 1))).shape


@e.shows("keras", Raises("ValueError", "`strides > 1` not supported in conjunction with"))
def _():
    import keras

    keras.layers.Conv2D(1, 3, strides=(2, 1), dilation_rate=(1, 2))


e = CHAPTER.entry(
    "stride-with-dilation-depthwise",
    "tf.nn.depthwise_conv2d with stride and dilation: wrong values",
    kind="bug",
    pytorch="Every s-th pixel of the unstrided result.",
    flax="Every s-th pixel of the unstrided result.",
    keras="tf.nn.depthwise_conv2d strides inside each of the blocks that it splits the input into "
    "for the dilation, with a warning only. The shape can be wrong as well.",
    port="convolves at stride 1 and takes every s-th pixel (impls/keras/layers.py: AnyWindow).",
    references=(
        "tensorflow/tensorflow#57128",
        "tensorflow/tensorflow#100237",
        "tensorflow/tensorflow#127827",
    ),
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", [0, 2, 4])
def _():
    import torch

    x = torch.arange(9.0).reshape(1, 1, 1, 9)
    kernel = torch.tensor([1.0, 0, 0]).reshape(1, 1, 1, 3)
    return torch.nn.functional.conv2d(x, kernel, stride=2, dilation=2).flatten()


@e.shows("flax", [0, 2, 4])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(
        1, 1, (1, 3), 2, padding="VALID", kernel_dilation=2, use_bias=False, rngs=nnx.Rngs(0)
    )
    layer.kernel.set_value(jnp.array([1.0, 0, 0]).reshape(1, 3, 1, 1))
    return layer(jnp.arange(9.0).reshape(1, 1, 9, 1)).flatten()


@e.shows("tensorflow", [0, 1, 4], right=[0, 2, 4])
def _():
    import tensorflow as tf

    x = tf.reshape(tf.range(9.0), (1, 1, 9, 1))
    kernel = tf.reshape(tf.constant([1.0, 0, 0]), (1, 3, 1, 1))
    y = tf.nn.depthwise_conv2d(x, kernel, (1, 2, 2, 1), "VALID", dilations=(2, 2))
    return tf.reshape(y, [-1]).numpy().tolist()


e = CHAPTER.entry(
    "stride-unequal-depthwise",
    "Unequal strides of a depthwise convolution depend on oneDNN in TensorFlow",
    kind="refusal",
    pytorch="Any strides.",
    flax="Any strides.",
    keras="In float32 with oneDNN, any; without oneDNN, or in float16 and float64, TensorFlow "
    "refuses unequal ones.",
    port="convolves at stride 1 and takes every s-th pixel (impls/keras/layers.py: "
    "DepthwiseConv2D).",
    references=("tensorflow/tensorflow#33005", "keras-team/keras#15667"),
)


@e.shows("pytorch", [4, 2])
def _():
    import torch

    layer = torch.nn.Conv2d(2, 2, 1, stride=(1, 2), groups=2)
    return layer(torch.zeros(1, 2, 4, 4)).shape[2:]


@e.shows("flax", [4, 2])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 2, (1, 1), (1, 2), feature_group_count=2, rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 4, 4, 2))).shape[1:3]


@e.shows("keras", [4, 2], setting=ONEDNN)
def _():
    import keras

    return keras.layers.DepthwiseConv2D(1, (1, 2))(keras.ops.zeros((1, 4, 4, 2))).shape[1:3]


@e.shows(
    "keras",
    Raises("InvalidArgumentError", "only supports equal length strides"),
    "",
    setting=NO_ONEDNN,
)
def _():
    import keras

    keras.layers.DepthwiseConv2D(1, (1, 2))(keras.ops.zeros((1, 4, 4, 2)))


e = CHAPTER.entry(
    "groups-gradient",
    "The gradient of a grouped convolution depends on oneDNN in TensorFlow",
    kind="refusal",
    pytorch="On every device and in every dtype.",
    flax="On every device and in every dtype.",
    keras="Keras wraps the case in XLA. tf.nn.conv2d itself: in float32 with oneDNN; without "
    "oneDNN, or in float16 and float64, it raises, unless compiled with jit_compile=True.",
    port="takes Keras's layer, not tf.nn.conv2d.",
    references=("tensorflow/tensorflow#29005", "tensorflow/tensorflow#51825"),
)


@e.shows("pytorch", [3, 7])
def _():
    import torch

    x = torch.tensor([1.0, 2, 3, 4]).reshape(1, 2, 2, 1)
    kernel = torch.ones(2, 1, 1, 1, requires_grad=True)
    torch.nn.functional.conv2d(x, kernel, groups=2).sum().backward()
    return kernel.grad.flatten()


@e.shows("flax", [3, 7])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 2, (1, 1), feature_group_count=2, rngs=nnx.Rngs(0))
    x = jnp.array([[1.0, 3], [2, 4]]).reshape(1, 2, 1, 2)
    return nnx.grad(lambda layer: layer(x).sum())(layer).kernel.get_value().flatten()


@e.shows("tensorflow", [3, 7], setting=ONEDNN)
def _():
    import tensorflow as tf

    x = tf.reshape(tf.constant([[1.0, 3], [2, 4]]), (1, 2, 1, 2))
    kernel = tf.Variable(tf.ones((1, 1, 1, 2)))
    with tf.GradientTape() as tape:
        y = tf.nn.conv2d(x, kernel, 1, "VALID")
    return tf.reshape(tape.gradient(y, kernel), [-1])


@e.shows(
    "tensorflow",
    Raises("InvalidArgumentError", "Gradients for grouped convolutions"),
    "",
    setting=NO_ONEDNN,
)
def _():
    import tensorflow as tf

    x = tf.reshape(tf.constant([[1.0, 3], [2, 4]]), (1, 2, 1, 2))
    kernel = tf.Variable(tf.ones((1, 1, 1, 2)))
    with tf.GradientTape() as tape:
        y = tf.nn.conv2d(x, kernel, 1, "VALID")
    tape.gradient(y, kernel)


e = CHAPTER.entry(
    "groups-3d",
    "tf.nn.conv3d has no groups unless it is compiled; Keras's Conv3D has",
    kind="refusal",
    pytorch="Conv3d(groups=...).",
    flax="Conv(feature_group_count=...).",
    keras="Conv3D(groups=...) works on all backends: it wraps the case in XLA. tf.nn.conv3d fails "
    "in eager mode.",
    port="takes Keras's layer, not tf.nn.conv3d.",
)


@e.shows("pytorch", "runs")
def _():
    import torch

    torch.nn.Conv3d(2, 2, 1, groups=2)(torch.zeros(1, 2, 3, 3, 3))
    return "runs"


@e.shows("flax", "runs")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 2, (1, 1, 1), feature_group_count=2, rngs=nnx.Rngs(0))
    layer(jnp.zeros((1, 3, 3, 3, 2)))
    return "runs"


@e.shows("keras", "runs")
def _():
    import keras

    keras.layers.Conv3D(2, 1, groups=2)(keras.ops.zeros((1, 3, 3, 3, 2)))
    return "runs"


@e.shows("tensorflow", Raises("InvalidArgumentError", ""))
def _():
    import tensorflow as tf

    tf.nn.conv3d(tf.zeros((1, 3, 3, 3, 2)), tf.zeros((1, 1, 1, 1, 2)), [1] * 5, "VALID")


e = CHAPTER.entry(
    "depthwise-3d",
    "Keras has no DepthwiseConv3D",
    kind="refusal",
    pytorch="Conv3d(C, C * M, groups=C).",
    flax="Conv(C, C * M, feature_group_count=C).",
    keras="Depthwise layers of one and two axes only; Conv3D(C * M, groups=C) computes it.",
    port="a grouped convolution (impls/keras/layers.py: DepthwiseConv3D).",
)


@e.shows("pytorch", [2, 1, 1, 1, 1])
def _():
    import torch

    return torch.nn.Conv3d(2, 2, 1, groups=2).weight.shape


@e.shows("flax", [1, 1, 1, 1, 2])
def _():
    from flax import nnx

    return nnx.Conv(2, 2, (1, 1, 1), feature_group_count=2, rngs=nnx.Rngs(0)).kernel.shape


@e.shows("keras", Raises("AttributeError", "DepthwiseConv3D"))
def _():
    import keras

    keras.layers.DepthwiseConv3D(1)


e = CHAPTER.entry(
    "separable-bias",
    "SeparableConv exists in Keras only, and has a bias after its second step only",
    kind="refusal",
    pytorch="None: two Conv2d, each with its own bias.",
    flax="None: two Conv, each with its own bias.",
    keras="SeparableConv2D: depthwise kernel, pointwise kernel, one bias.",
    port="two layers with a bias each (impls/keras/layers.py: SeparableConv2D).",
)


@e.shows("pytorch", Raises("AttributeError", "SeparableConv2d"))
def _():
    import torch

    torch.nn.SeparableConv2d(2, 3, 3)


@e.shows("flax", Raises("AttributeError", "SeparableConv"))
def _():
    from flax import nnx

    nnx.SeparableConv(2, 3, (3, 3), rngs=nnx.Rngs(0))


@e.shows("keras", [[3, 3, 2, 1], [1, 1, 2, 3], [3]])
def _():
    import keras

    layer = keras.layers.SeparableConv2D(3, 3)
    layer.build((1, 5, 5, 2))
    return [weight.shape for weight in layer.weights]
