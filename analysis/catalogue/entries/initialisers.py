"""What weights are before training. Standard deviations are those of one seed, rounded."""

from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Initialisers")

e = CHAPTER.entry(
    "init-conv",
    "A convolution's initial kernel: smaller in PyTorch by the root of 3",
    kind="default",
    pytorch="kaiming_uniform(a=sqrt(5)): a standard deviation of 1 / sqrt(3 * fan_in).",
    flax="lecun_normal: 1 / sqrt(fan_in).",
    keras="glorot_uniform: sqrt(2 / (fan_in + fan_out)).",
    port="initialises the canonical weights once, and gives every framework the same arrays.",
)


@e.shows("pytorch", 2)
def _():
    import torch

    torch.manual_seed(0)
    return round(100 * torch.nn.Conv2d(64, 64, 3).weight.std().item())


@e.shows("flax", 4)
def _():
    from flax import nnx

    kernel = nnx.Conv(64, 64, (3, 3), rngs=nnx.Rngs(0)).kernel.get_value()
    return round(100 * kernel.std().item())


@e.shows("keras", 4)
def _():
    import keras

    keras.utils.set_random_seed(0)
    layer = keras.layers.Conv2D(64, 3)
    layer.build((None, 8, 8, 64))
    return round(100 * layer.kernel.numpy().std().item())


e = CHAPTER.entry(
    "init-depthwise",
    "A depthwise kernel starts far too small in Keras: its fan-in counts every channel",
    kind="default",
    pytorch="fan_in is k * k.",
    flax="fan_in is k * k.",
    keras="glorot_uniform reads (k, k, C, M) as a regular kernel: fan_in is k * k * C.",
    port="initialises the canonical weights once, with a fan-in of k * k.",
)


@e.shows("pytorch", 2)
def _():
    import torch

    torch.manual_seed(0)
    return round(10 * torch.nn.Conv2d(64, 64, 3, groups=64).weight.std().item())


@e.shows("flax", 3)
def _():
    from flax import nnx

    layer = nnx.Conv(64, 64, (3, 3), feature_group_count=64, rngs=nnx.Rngs(0))
    return round(10 * layer.kernel.get_value().std().item())


@e.shows("keras", 1)
def _():
    import keras

    keras.utils.set_random_seed(0)
    layer = keras.layers.DepthwiseConv2D(3)
    layer.build((None, 8, 8, 64))
    return round(10 * layer.kernel.numpy().std().item())


e = CHAPTER.entry(
    "init-dense",
    "A dense layer's initial kernel: three rules",
    kind="default",
    pytorch="kaiming_uniform(a=sqrt(5)): a standard deviation of 1 / sqrt(3 * fan_in).",
    flax="lecun_normal: 1 / sqrt(fan_in).",
    keras="glorot_uniform: sqrt(2 / (fan_in + fan_out)).",
    port="initialises the canonical weights once.",
)


@e.shows("pytorch", 2)
def _():
    import torch

    torch.manual_seed(0)
    return round(100 * torch.nn.Linear(1000, 10).weight.std().item())


@e.shows("flax", 3)
def _():
    from flax import nnx

    kernel = nnx.Linear(1000, 10, rngs=nnx.Rngs(0)).kernel.get_value()
    return round(100 * kernel.std().item())


@e.shows("keras", 4)
def _():
    import keras

    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(10)
    layer.build((None, 1000))
    return round(100 * layer.kernel.numpy().std().item())


e = CHAPTER.entry(
    "init-bias",
    "A bias starts at random values in PyTorch, at 0 in Flax and Keras",
    kind="default",
    pytorch="Uniform within 1 / sqrt(fan_in).",
    flax="Zeros.",
    keras="Zeros.",
    port="initialises the canonical weights once.",
)


@e.shows("pytorch", 64)
def _():
    import torch

    torch.manual_seed(0)
    return torch.nn.Conv2d(64, 64, 3).bias.count_nonzero().item()


@e.shows("flax", 0)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return jnp.count_nonzero(nnx.Conv(64, 64, (3, 3), rngs=nnx.Rngs(0)).bias.get_value()).item()


@e.shows("keras", 0)
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv2D(64, 3)
    layer.build((None, 8, 8, 64))
    return np.count_nonzero(layer.bias.numpy())
