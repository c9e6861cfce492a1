"""Where the numbers lie: axes, kernels, and what an argument left out makes of them."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Layout")

e = CHAPTER.entry(
    "layout-image",
    "Images are channels first in PyTorch, channels last in Flax and Keras",
    kind="layout",
    pytorch="(N, C, H, W). memory_format=torch.channels_last changes the strides, not the axes.",
    flax="(N, H, W, C); no other layout.",
    keras='(N, H, W, C) by default; data_format="channels_first" exists, and TensorFlow on a CPU '
    "cannot run most of it.",
    port="transposes at the border, once. Canonical arrays are channels last.",
)


@e.shows("pytorch", [1, 4, 5, 7])
def _():
    import torch

    layer = torch.nn.Conv2d(3, 4, 1)
    return layer(torch.zeros(1, 3, 5, 7)).shape


@e.shows("flax", [1, 5, 7, 4])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(3, 4, (1, 1), rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 7, 3))).shape


@e.shows("keras", [1, 5, 7, 4])
def _():
    import keras

    layer = keras.layers.Conv2D(4, 1)
    return layer(keras.ops.zeros((1, 5, 7, 3))).shape


e = CHAPTER.entry(
    "layout-conv-kernel",
    "A convolution's kernel: (O, I, *k) in PyTorch, (*k, I, O) in Flax and Keras",
    kind="layout",
    pytorch="(out, in / groups, *kernel_size).",
    flax="(*kernel_size, in / groups, out).",
    keras="(*kernel_size, in / groups, out).",
    port="moves axes: kernel.transpose(2, 3, 1, 0) from PyTorch. Groups are contiguous blocks of "
    "channels in all three.",
)


@e.shows("pytorch", [6, 4, 2, 3])
def _():
    import torch

    return torch.nn.Conv2d(4, 6, (2, 3)).weight.shape


@e.shows("flax", [2, 3, 4, 6])
def _():
    from flax import nnx

    return nnx.Conv(4, 6, (2, 3), rngs=nnx.Rngs(0)).kernel.shape


@e.shows("keras", [2, 3, 4, 6])
def _():
    import keras

    layer = keras.layers.Conv2D(6, (2, 3))
    layer.build((None, 8, 8, 4))
    return layer.kernel.shape


e = CHAPTER.entry(
    "layout-depthwise-kernel",
    "A depthwise kernel has a multiplier axis in Keras only",
    kind="layout",
    pytorch="Conv2d(C, C * M, groups=C) with (C * M, 1, *k); output channel c * M + m.",
    flax="Conv(C, C * M, feature_group_count=C) with (*k, 1, C * M); the same order.",
    keras="DepthwiseConv2D(depth_multiplier=M) with (*k, C, M); the same order.",
    port="reshapes (*k, C, M) to (*k, 1, C * M); no channel moves.",
)


@e.shows("pytorch", [8, 1, 3, 3])
def _():
    import torch

    return torch.nn.Conv2d(4, 8, 3, groups=4).weight.shape


@e.shows("flax", [3, 3, 1, 8])
def _():
    from flax import nnx

    return nnx.Conv(4, 8, (3, 3), feature_group_count=4, rngs=nnx.Rngs(0)).kernel.shape


@e.shows("keras", [3, 3, 4, 2])
def _():
    import keras

    layer = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)
    layer.build((None, 8, 8, 4))
    return layer.kernel.shape


e = CHAPTER.entry(
    "layout-transposed-kernel",
    "A transposed kernel: (I, O, *k), (*k, I, O), and (*k, O, I)",
    kind="layout",
    pytorch="(in, out / groups, *kernel_size).",
    flax="(*kernel_size, in, out); (*kernel_size, out, in) with transpose_kernel=True.",
    keras="(*kernel_size, out, in).",
    port="keeps the layout of the convolution that it is the transpose of, (*k, out, in).",
    references=("google/flax#3137",),
)


@e.shows("pytorch", [4, 6, 2, 3])
def _():
    import torch

    return torch.nn.ConvTranspose2d(4, 6, (2, 3)).weight.shape


@e.shows("flax", [2, 3, 4, 6])
def _():
    from flax import nnx

    return nnx.ConvTranspose(4, 6, (2, 3), rngs=nnx.Rngs(0)).kernel.shape


@e.shows("flax", [2, 3, 6, 4], "Flax, transpose_kernel=True")
def _():
    from flax import nnx

    layer = nnx.ConvTranspose(4, 6, (2, 3), transpose_kernel=True, rngs=nnx.Rngs(0))
    return layer.kernel.shape


@e.shows("keras", [2, 3, 6, 4])
def _():
    import keras

    layer = keras.layers.Conv2DTranspose(6, (2, 3))
    layer.build((None, 8, 8, 4))
    return layer.kernel.shape


e = CHAPTER.entry(
    "layout-dense-kernel",
    "A dense kernel: (out, in) in PyTorch, (in, out) in Flax and Keras",
    kind="layout",
    pytorch="Linear.weight is (out, in), and is transposed when it is applied.",
    flax="Linear.kernel is (in, out).",
    keras="Dense.kernel is (in, out).",
    port="transposes. A square one fits untransposed as well: no shape tells.",
)


@e.shows("pytorch", [6, 4])
def _():
    import torch

    return torch.nn.Linear(4, 6).weight.shape


@e.shows("flax", [4, 6])
def _():
    from flax import nnx

    return nnx.Linear(4, 6, rngs=nnx.Rngs(0)).kernel.shape


@e.shows("keras", [4, 6])
def _():
    import keras

    layer = keras.layers.Dense(6)
    layer.build((None, 4))
    return layer.kernel.shape


e = CHAPTER.entry(
    "layout-int-kernel-size",
    "kernel_size=3 is one axis in Flax: it convolves along W only",
    kind="meaning",
    pytorch="An int stands for every axis of the layer: Conv2d(..., 3) is 3 x 3.",
    flax="An int is one spatial axis. A batch of images passes: H is taken for a batch axis.",
    keras="An int stands for every axis of the layer.",
    port="gives Flax a tuple, always.",
)


@e.shows("pytorch", [6, 4, 3, 3])
def _():
    import torch

    return torch.nn.Conv2d(4, 6, 3).weight.shape


@e.shows("flax", [3, 4, 6])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(4, 6, 3, rngs=nnx.Rngs(0))
    layer(jnp.zeros((1, 8, 8, 4)))  # no error
    return layer.kernel.shape


@e.shows("keras", [3, 3, 4, 6])
def _():
    import keras

    layer = keras.layers.Conv2D(6, 3)
    layer.build((None, 8, 8, 4))
    return layer.kernel.shape


e = CHAPTER.entry(
    "layout-unbatched",
    "An image without a batch axis runs in PyTorch and Flax, not in Keras",
    kind="refusal",
    pytorch="Conv2d takes (C, H, W) as well.",
    flax="Conv takes no batch axis, or any number of them.",
    keras="A layer's rank is fixed when it is built.",
    port="gives every framework exactly one batch axis.",
)


@e.shows("pytorch", "runs")
def _():
    import torch

    torch.nn.Conv2d(2, 3, 1)(torch.zeros(2, 5, 7))
    return "runs"


@e.shows("flax", "runs")
def _():
    import jax.numpy as jnp
    from flax import nnx

    nnx.Conv(2, 3, (1, 1), rngs=nnx.Rngs(0))(jnp.zeros((5, 7, 2)))
    return "runs"


@e.shows("keras", Raises("ValueError", "expected min_ndim=4, found ndim=3"))
def _():
    import keras

    keras.layers.Conv2D(3, 1)(keras.ops.zeros((5, 7, 2)))


e = CHAPTER.entry(
    "layout-batch-axes",
    "More than one batch axis runs in Flax only",
    kind="refusal",
    pytorch="Conv2d refuses five axes.",
    flax="Conv folds all leading axes into one and unfolds them again.",
    keras="A layer's rank is fixed: the kernel must have as many axes as the input.",
    port="gives every framework exactly one batch axis.",
)


@e.shows("pytorch", Raises("RuntimeError", "Expected 3D (unbatched) or 4D (batched) input"))
def _():
    import torch

    torch.nn.Conv2d(2, 3, 1)(torch.zeros(4, 5, 2, 6, 7))


@e.shows("flax", [4, 5, 6, 7, 3])
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.Conv(2, 3, (1, 1), rngs=nnx.Rngs(0))(jnp.zeros((4, 5, 6, 7, 2))).shape


@e.shows("keras", Raises("ValueError", "Kernel shape must have the same length as input"))
def _():
    import keras

    keras.layers.Conv2D(3, 1)(keras.ops.zeros((4, 5, 6, 7, 2)))


e = CHAPTER.entry(
    "layout-flatten",
    "Flatten: C, H, W in PyTorch; H, W, C in Flax and Keras",
    kind="layout",
    pytorch="flatten(1) walks through the channels slowest.",
    flax="reshape walks through the channels fastest.",
    keras="Flatten walks through the channels fastest.",
    port="permutes the rows of the dense kernel that follows, or flattens in channels-last order "
    "in every framework (impls/pytorch/layers.py: Flatten).",
)


@e.shows("pytorch", [0, 1, 2, 3, 100, 101, 102, 103])
def _():
    import torch

    pixels = torch.arange(4).reshape(2, 2)
    x_NCHW = torch.stack([pixels, pixels + 100])[None]
    return x_NCHW.flatten(1)[0]


@e.shows("flax", [0, 100, 1, 101, 2, 102, 3, 103])
def _():
    import jax.numpy as jnp

    pixels = jnp.arange(4).reshape(2, 2)
    x_NHWC = jnp.stack([pixels, pixels + 100], axis=-1)[None]
    return x_NHWC.reshape(1, -1)[0]


@e.shows("keras", [0, 100, 1, 101, 2, 102, 3, 103])
def _():
    import keras

    pixels = keras.ops.reshape(keras.ops.arange(4), (2, 2))
    x_NHWC = keras.ops.stack([pixels, pixels + 100], axis=-1)[None]
    return keras.layers.Flatten()(x_NHWC)[0]


e = CHAPTER.entry(
    "layout-pixel-shuffle",
    "Pixel shuffle and depth to space take the channels in another order",
    kind="layout",
    pytorch="PixelShuffle(r): input channel c * r * r + place.",
    flax="None; einops or reshape, in the order that one writes.",
    keras="None; tf.nn.depth_to_space: input channel place * C + c.",
    port="permutes the channels of the convolution before it, as soon as C > 1.",
)


@e.shows("pytorch", [0, 1, 2, 3])
def _():
    import torch

    x_NCHW = torch.arange(8).reshape(1, 8, 1, 1)
    return torch.nn.PixelShuffle(2)(x_NCHW)[0, 0].flatten()  # the first output channel


@e.shows("tensorflow", [0, 2, 4, 6])
def _():
    import tensorflow as tf

    x_NHWC = tf.reshape(tf.range(8), (1, 1, 1, 8))
    return tf.reshape(tf.nn.depth_to_space(x_NHWC, 2)[0, :, :, 0], [-1])


e = CHAPTER.entry(
    "layout-lazy-weights",
    "A Keras layer has no weights before it sees an input",
    kind="default",
    pytorch="Weights are made in the constructor, which needs in_channels.",
    flax="Weights are made in the constructor, which needs in_features.",
    keras="Weights are made by build or the first call; set_weights before that fails.",
    port="builds Keras layers with the spec's input shape before it loads weights.",
)


@e.shows("pytorch", 2)
def _():
    import torch

    return len(list(torch.nn.Conv2d(2, 3, 1).parameters()))


@e.shows("flax", 2)
def _():
    import jax
    from flax import nnx

    return len(jax.tree.leaves(nnx.state(nnx.Conv(2, 3, (1, 1), rngs=nnx.Rngs(0)), nnx.Param)))


@e.shows("keras", 0)
def _():
    import keras

    return len(keras.layers.Conv2D(3, 1).weights)
