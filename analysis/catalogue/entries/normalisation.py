"""Layer and group normalisation."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Layer and group normalisation")

e = CHAPTER.entry(
    "layernorm-fast-variance",
    "LayerNorm: Flax cancels by default",
    kind="precision",
    pytorch="The mean of (x - mean)^2.",
    flax="E[x^2] - E[x]^2, unless use_fast_variance=False.",
    keras="The mean of (x - mean)^2.",
    port="use_fast_variance=False.",
    references=("google/flax#1491",),
)


@e.shows("pytorch", [-1, 1])
def _():
    import torch

    y = torch.nn.LayerNorm(2)(torch.tensor([[4095.0, 4097.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("flax", [-1000, 1000])
def _():
    import jax.numpy as jnp
    from flax import nnx

    y = nnx.LayerNorm(2, rngs=nnx.Rngs(0))(jnp.array([[4095.0, 4097.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("keras", [-1, 1])
def _():
    import keras
    import numpy as np

    y = keras.layers.LayerNormalization()(np.array([[4095.0, 4097.0]], "float32"))
    return [round(each) for each in y.numpy().ravel().tolist()]


e = CHAPTER.entry(
    "groupnorm-negative-variance",
    "Keras on PyTorch: GroupNormalization of a large mean is NaN",
    kind="bug",
    pytorch="The mean of (x - mean)^2.",
    flax="E[x^2] - E[x]^2, cut off at 0, unless use_fast_variance=False.",
    keras="On PyTorch E[x^2] - E[x]^2, which rounding makes negative: its root is NaN.",
    port="takes another backend of Keras.",
    references=("keras-team/keras-core#866",),
    upstream="keras-team/keras",
)


@e.shows("pytorch", False)
def _():
    import torch

    x = torch.full((1, 4, 4, 4), 10000.1)
    return torch.nn.GroupNorm(1, 4)(x).isnan().any().item()


@e.shows("flax", False)
def _():
    import jax.numpy as jnp
    from flax import nnx

    y = nnx.GroupNorm(4, 1, rngs=nnx.Rngs(0))(jnp.full((1, 4, 4, 4), 10000.1))
    return jnp.isnan(y).any().item()


@e.shows("keras", False)
def _():
    import keras

    y = keras.layers.GroupNormalization(1)(keras.ops.full((1, 4, 4, 4), 10000.1))
    return bool(keras.ops.any(keras.ops.isnan(y)))


@e.shows("keras", True, setting="Keras on PyTorch", right=False)
def _():
    import keras

    y = keras.layers.GroupNormalization(1)(keras.ops.full((1, 4, 4, 4), 10000.1))
    return bool(keras.ops.any(keras.ops.isnan(y)))


e = CHAPTER.entry(
    "layernorm-epsilon",
    "LayerNorm epsilon: 1e-5, 1e-6 and 1e-3",
    kind="default",
    pytorch="eps=1e-5.",
    flax="epsilon=1e-6.",
    keras="epsilon=1e-3.",
    port="says it, always.",
)


@e.shows("pytorch", 100_000)
def _():
    import torch

    return round(1 / torch.nn.LayerNorm(1).eps)


@e.shows("flax", 1_000_000)
def _():
    from flax import nnx

    return round(1 / nnx.LayerNorm(1, rngs=nnx.Rngs(0)).epsilon)


@e.shows("keras", 1_000)
def _():
    import keras

    return round(1 / keras.layers.LayerNormalization().epsilon)


e = CHAPTER.entry(
    "layernorm-axes",
    "LayerNorm on images: PyTorch is told shapes, Flax and Keras take the channels",
    kind="default",
    pytorch="LayerNorm(normalized_shape): the last axes, which are W, or H and W, of an image in "
    "channels-first order.",
    flax="LayerNorm normalises the last axis, the channels.",
    keras="LayerNormalization normalises the last axis, the channels.",
    port="moves the channels to the end and back (impls/pytorch/normalisation.py: LayerNorm).",
)


@e.shows("pytorch", Raises("RuntimeError", "Given normalized_shape=[2], expected input with"))
def _():
    import torch

    torch.nn.LayerNorm(2)(torch.zeros(1, 2, 5, 7))  # two channels


@e.shows("flax", [1, 5, 7, 2])
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.LayerNorm(2, rngs=nnx.Rngs(0))(jnp.zeros((1, 5, 7, 2))).shape


@e.shows("keras", [1, 5, 7, 2])
def _():
    import keras

    return keras.layers.LayerNormalization()(keras.ops.zeros((1, 5, 7, 2))).shape


e = CHAPTER.entry(
    "groupnorm-epsilon",
    "GroupNorm epsilon: 1e-5, 1e-6 and 1e-3",
    kind="default",
    pytorch="eps=1e-5.",
    flax="epsilon=1e-6.",
    keras="epsilon=1e-3.",
    port="says it, always.",
)


@e.shows("pytorch", 100_000)
def _():
    import torch

    return round(1 / torch.nn.GroupNorm(1, 1).eps)


@e.shows("flax", 1_000_000)
def _():
    from flax import nnx

    return round(1 / nnx.GroupNorm(1, 1, rngs=nnx.Rngs(0)).epsilon)


@e.shows("keras", 1_000)
def _():
    import keras

    return round(1 / keras.layers.GroupNormalization(1).epsilon)


e = CHAPTER.entry(
    "groupnorm-groups-default",
    "GroupNorm's number of groups left out: 32 in Flax and Keras, an error in PyTorch",
    kind="default",
    pytorch="num_groups has no default.",
    flax="num_groups=32.",
    keras="groups=32.",
    port="says it, always.",
)


@e.shows("pytorch", Raises("TypeError", "missing 1 required positional argument: 'num_groups'"))
def _():
    import torch

    torch.nn.GroupNorm(num_channels=64)


@e.shows("flax", 32)
def _():
    from flax import nnx

    return nnx.GroupNorm(64, rngs=nnx.Rngs(0)).num_groups


@e.shows("keras", 32)
def _():
    import keras

    return keras.layers.GroupNormalization().groups
