"""Activations and their gradients."""

from convparity.analysis.catalogue.answers import Since
from convparity.analysis.catalogue.entries.environments import ONEDNN
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Activations")

e = CHAPTER.entry(
    "gelu-default",
    "gelu is exact in PyTorch and keras.activations, tanh's approximation in Flax and keras.ops",
    kind="default",
    pytorch='Exact; approximate="tanh" for the other.',
    flax="Approximate; approximate=False for the exact one. The same in jax.nn and Linen.",
    keras='keras.activations.gelu, and so the name "gelu", is exact; keras.ops.gelu approximates; '
    "tf.nn.gelu is exact.",
    port='says which one: the activations "gelu" and "gelu_tanh" of a spec.',
    references=("jax-ml/jax#4428",),
)


@e.shows("pytorch", 8413)
def _():
    import torch

    return round(10_000 * torch.nn.functional.gelu(torch.tensor(1.0)).item())


@e.shows("flax", 8412)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return round(10_000 * nnx.gelu(jnp.array(1.0)).item())


@e.shows("keras", 8413, "Keras, activations")
def _():
    import keras

    return round(10_000 * keras.activations.gelu(keras.ops.array(1.0)).numpy().item())


@e.shows("keras", 8412, "Keras, ops")
def _():
    import keras

    return round(10_000 * keras.ops.gelu(keras.ops.array(1.0)).numpy().item())


@e.shows("tensorflow", 8413)
def _():
    import tensorflow as tf

    return round(10_000 * tf.nn.gelu(tf.constant(1.0)).numpy().item())


e = CHAPTER.entry(
    "leaky-relu-slope",
    "leaky_relu's slope left out: 0.01, 0.01, 0.2 and 0.3",
    kind="default",
    pytorch="negative_slope=0.01.",
    flax="negative_slope=0.01, as in jax.nn.",
    keras="0.2 in keras.activations, keras.ops and tf.nn; 0.3 in keras.layers.LeakyReLU.",
    port="says it, always.",
)


@e.shows("pytorch", -1)
def _():
    import torch

    return round(torch.nn.functional.leaky_relu(torch.tensor(-100.0)).item())


@e.shows("flax", -1)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return round(nnx.leaky_relu(jnp.array(-100.0)).item())


@e.shows("keras", -20, "Keras, activations")
def _():
    import keras

    return round(keras.activations.leaky_relu(keras.ops.array(-100.0)).numpy().item())


@e.shows("keras", -30, "Keras, layers")
def _():
    import keras

    return round(keras.layers.LeakyReLU()(keras.ops.array([-100.0])).numpy().item())


e = CHAPTER.entry(
    "leaky-relu-fused",
    "TensorFlow fuses leaky_relu behind an addition, and forgets its slope",
    kind="bug",
    pytorch="The slope that was given.",
    flax="The slope that was given.",
    keras="In a graph on TensorFlow with oneDNN, convolution, bias, addition and leaky ReLU become "
    "one kernel, which computes with its default slope, 0.2.",
    port="ops.where(x >= 0, x, slope * x), which is not fused (impls/keras/layers.py: LeakyReLU).",
    references=("tensorflow/tensorflow#58080",),
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", -50)
def _():
    import torch

    x = torch.tensor([[[[-50.0]]]])
    y = torch.nn.functional.conv2d(x, torch.ones(1, 1, 1, 1), torch.zeros(1)) + x
    return torch.nn.functional.leaky_relu(y, 0.5).item()


@e.shows("flax", -50)
def _():
    import jax.numpy as jnp
    from flax import nnx

    ones = nnx.initializers.ones
    layer = nnx.Conv(1, 1, (1, 1), kernel_init=ones, rngs=nnx.Rngs(0))
    x = jnp.array([[[[-50.0]]]])
    return nnx.jit(lambda layer, x: nnx.leaky_relu(layer(x) + x, 0.5))(layer, x).item()


@e.shows("tensorflow", -50, "TensorFlow, eager")
def _():
    import tensorflow as tf

    x, kernel = tf.constant([[[[-50.0]]]]), tf.ones((1, 1, 1, 1))
    y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), [0.0]) + x
    return tf.nn.leaky_relu(y, 0.5).numpy().item()


@e.shows("tensorflow", -20, "TensorFlow, in a graph", setting=ONEDNN, right=-50)
def _():
    import tensorflow as tf
    from tensorflow import nn

    kernel, bias = tf.Variable(tf.ones((1, 1, 1, 1))), tf.Variable([0.0])
    residual = tf.function(
        lambda x: nn.leaky_relu(nn.bias_add(nn.conv2d(x, kernel, 1, "SAME"), bias) + x, 0.5)
    )
    return round(residual(tf.constant([[[[-50.0]]]])).numpy().item())


e = CHAPTER.entry(
    "leaky-relu-gradient",
    "leaky_relu at 0 has the gradient 1 in JAX, its slope in the others",
    kind="meaning",
    pytorch="The slope: 0 counts as negative.",
    flax="1: 0 counts as positive.",
    keras="The slope, on TensorFlow.",
    port="leaves it. It matters where exact zeros are common, as behind a ReLU or zero padding.",
)


@e.shows("pytorch", 0.5)
def _():
    import torch

    x = torch.tensor(0.0, requires_grad=True)
    torch.nn.functional.leaky_relu(x, 0.5).backward()
    return x.grad.item()


@e.shows("flax", 1)
def _():
    import jax
    from flax import nnx

    return jax.grad(lambda x: nnx.leaky_relu(x, 0.5))(0.0).item()


@e.shows("keras", 0.5)
def _():
    import keras
    import tensorflow as tf

    x = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        y = keras.activations.leaky_relu(x, 0.5)
    return tape.gradient(y, x).numpy().item()


e = CHAPTER.entry(
    "maximum-gradient",
    "maximum(x, 0) at 0 has the gradient 0.5 in PyTorch and JAX, 1 in TensorFlow",
    kind="meaning",
    pytorch="A tie is shared: 0.5. relu at 0: 0.",
    flax="A tie is shared: 0.5. relu at 0: 0.",
    keras="The first of a tie gets all: 1. relu at 0: 0.",
    port="uses relu, which is 0 at 0 in all.",
)


@e.shows("pytorch", 0.5)
def _():
    import torch

    x = torch.tensor(0.0, requires_grad=True)
    torch.maximum(x, torch.tensor(0.0)).backward()
    return x.grad.item()


@e.shows("flax", 0.5)
def _():
    import jax
    import jax.numpy as jnp

    return jax.grad(lambda x: jnp.maximum(x, 0.0))(0.0).item()


@e.shows("keras", 1)
def _():
    import keras
    import tensorflow as tf

    x = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        y = keras.ops.maximum(x, 0.0)
    return tape.gradient(y, x).numpy().item()


e = CHAPTER.entry(
    "clip-gradient",
    "clip at its bound has the gradient 0.5 in JAX, 1 in TensorFlow, 1 or 0 in PyTorch",
    kind="meaning",
    pytorch="Up to 2.13 the bound belongs to the inside: 1. In 2.14 to the outside: 0, as in "
    "relu6; and a bound that is a tensor shares the tie: 0.5.",
    flax="jnp.clip shares the tie: 0.5. relu6 at 0 and 6: 0.",
    keras="The bound belongs to the inside: 1.",
    port="uses relu6, which is 0 at both bounds in all.",
)


@e.shows("pytorch", Since("torch", "2.14", 0, 1))
def _():
    import torch

    x = torch.tensor(6.0, requires_grad=True)
    torch.clamp(x, 0, 6).backward()
    return x.grad.item()


@e.shows("flax", 0.5)
def _():
    import jax
    import jax.numpy as jnp

    return jax.grad(lambda x: jnp.clip(x, 0.0, 6.0))(6.0).item()


@e.shows("keras", 1)
def _():
    import keras
    import tensorflow as tf

    x = tf.Variable(6.0)
    with tf.GradientTape() as tape:
        y = keras.ops.clip(x, 0.0, 6.0)
    return tape.gradient(y, x).numpy().item()


e = CHAPTER.entry(
    "abs-gradient",
    "abs at 0 has the gradient 1 in JAX, 0 in PyTorch and TensorFlow",
    kind="meaning",
    pytorch="0.",
    flax="1.",
    keras="0, on TensorFlow.",
    port="leaves it.",
)


@e.shows("pytorch", 0)
def _():
    import torch

    x = torch.tensor(0.0, requires_grad=True)
    torch.abs(x).backward()
    return x.grad.item()


@e.shows("flax", 1)
def _():
    import jax
    import jax.numpy as jnp

    return jax.grad(jnp.abs)(0.0).item()


@e.shows("keras", 0)
def _():
    import keras
    import tensorflow as tf

    x = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        y = keras.ops.abs(x)
    return tape.gradient(y, x).numpy().item()


e = CHAPTER.entry(
    "softmax-axis",
    "Softmax without an axis: PyTorch guesses the first or the second, the others take the last",
    kind="default",
    pytorch="Deprecated, with a warning: axis 0 of 1 or 3 axes, axis 1 of 2 or 4.",
    flax="axis=-1.",
    keras="axis=-1.",
    port="says the axis, always.",
)


@e.shows("pytorch", 0, "PyTorch, three axes")
def _():
    import torch

    y = torch.nn.Softmax()(torch.zeros(2, 4, 8))
    return [round(y.sum(axis)[0, 0].item()) == 1 for axis in range(3)].index(True)


@e.shows("flax", 2, "Flax, three axes")
def _():
    import jax.numpy as jnp
    from flax import nnx

    y = nnx.softmax(jnp.zeros((2, 4, 8)))
    return [round(y.sum(axis)[0, 0].item()) == 1 for axis in range(3)].index(True)


@e.shows("keras", 2, "Keras, three axes")
def _():
    import keras

    y = keras.activations.softmax(keras.ops.zeros((2, 4, 8))).numpy()
    return [round(y.sum(axis)[0, 0].item()) == 1 for axis in range(3)].index(True)


e = CHAPTER.entry(
    "prelu-shape",
    "PReLU has one slope in PyTorch and Flax, one for each pixel and channel in Keras",
    kind="default",
    pytorch="num_parameters=1, or one for each channel.",
    flax="One.",
    keras="The shape of an example; shared_axes=[1, 2] leaves one for each channel.",
    port="says shared_axes.",
)


@e.shows("pytorch", 1)
def _():
    import torch

    return torch.nn.PReLU().weight.numel()


@e.shows("flax", 1)
def _():
    from flax import nnx

    return nnx.PReLU().negative_slope.get_value().size


@e.shows("keras", 75)
def _():
    import keras

    layer = keras.layers.PReLU()
    layer.build((None, 5, 5, 3))
    return layer.count_params()


e = CHAPTER.entry(
    "prelu-initial",
    "PReLU starts with the slope 0.25, 0.01 and 0",
    kind="default",
    pytorch="0.25.",
    flax="0.01.",
    keras="0.",
    port="copies the slopes.",
)


@e.shows("pytorch", -25)
def _():
    import torch

    return round(torch.nn.PReLU()(torch.tensor(-100.0)).item())


@e.shows("flax", -1)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return round(nnx.PReLU()(jnp.array(-100.0)).item())


@e.shows("keras", 0)
def _():
    import keras

    return round(keras.layers.PReLU()(keras.ops.array([[-100.0]])).numpy().item())
