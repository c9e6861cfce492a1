"""Batch normalisation: momentum, statistics, and how the variance is computed."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Batch normalisation")

e = CHAPTER.entry(
    "batchnorm-momentum",
    "BatchNorm momentum weighs the new value in PyTorch, the old one in Flax and Keras",
    kind="meaning",
    pytorch="running = (1 - momentum) * running + momentum * batch.",
    flax="running = momentum * running + (1 - momentum) * batch.",
    keras="running = momentum * running + (1 - momentum) * batch.",
    port="1 - momentum. The spec's momentum is PyTorch's.",
)


@e.shows("pytorch", 1, "PyTorch, momentum=0.25")
def _():
    import torch

    layer = torch.nn.BatchNorm1d(1, momentum=0.25)
    layer(torch.tensor([[0.0], [8.0]]))
    return layer.running_mean.item()


@e.shows("flax", 3, "Flax, momentum=0.25")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, momentum=0.25, rngs=nnx.Rngs(0))
    layer(jnp.array([[0.0], [8.0]]))
    return layer.mean.get_value().item()


@e.shows("keras", 3, "Keras, momentum=0.25")
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization(momentum=0.25)
    layer(np.array([[0.0], [8.0]], "float32"), training=True)
    return layer.moving_mean.numpy().item()


e = CHAPTER.entry(
    "batchnorm-momentum-default",
    "BatchNorm momentum left out: the new value weighs 0.1 in PyTorch, 0.01 in Flax and Keras",
    kind="default",
    pytorch="momentum=0.1, the weight of the new value.",
    flax="momentum=0.99, the weight of the old value.",
    keras="momentum=0.99, the weight of the old value.",
    port="says it, always.",
)


@e.shows("pytorch", 10)
def _():
    import torch

    layer = torch.nn.BatchNorm1d(1)
    layer(torch.tensor([[0.0], [200.0]]))
    return round(layer.running_mean.item())  # of a batch mean of 100


@e.shows("flax", 1)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    layer(jnp.array([[0.0], [200.0]]))
    return round(layer.mean.get_value().item())


@e.shows("keras", 1)
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization()
    layer(np.array([[0.0], [200.0]], "float32"), training=True)
    return round(layer.moving_mean.numpy().item())


e = CHAPTER.entry(
    "batchnorm-epsilon",
    "BatchNorm epsilon: 1e-5 in PyTorch and Flax, 1e-3 in Keras",
    kind="default",
    pytorch="eps=1e-5.",
    flax="epsilon=1e-5.",
    keras="epsilon=1e-3.",
    port="says it, always.",
)


@e.shows("pytorch", 100_000)
def _():
    import torch

    return round(1 / torch.nn.BatchNorm1d(1).eps)


@e.shows("flax", 100_000)
def _():
    from flax import nnx

    return round(1 / nnx.BatchNorm(1, rngs=nnx.Rngs(0)).epsilon)


@e.shows("keras", 1_000)
def _():
    import keras

    return round(1 / keras.layers.BatchNormalization().epsilon)


e = CHAPTER.entry(
    "batchnorm-running-variance",
    "The running variance is unbiased in PyTorch, biased in Flax and Keras",
    kind="meaning",
    pytorch="Stores the batch's variance over n - 1; normalises by that over n.",
    flax="Stores and normalises by the variance over n.",
    keras="Stores and normalises by the variance over n, on all backends.",
    port="copies what is stored: inference is the same. Training goes on with other statistics, by "
    "n / (n - 1).",
    references=("pytorch/pytorch#19902", "pytorch/pytorch#77427"),
)


@e.shows("pytorch", 32)
def _():
    import torch

    layer = torch.nn.BatchNorm1d(1, momentum=1.0)
    layer(torch.tensor([[0.0], [8.0]]))
    return layer.running_var.item()


@e.shows("flax", 16)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, momentum=0.0, rngs=nnx.Rngs(0))
    layer(jnp.array([[0.0], [8.0]]))
    return layer.var.get_value().item()


@e.shows("keras", 16)
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization(momentum=0.0)
    layer(np.array([[0.0], [8.0]], "float32"), training=True)
    return layer.moving_variance.numpy().item()


e = CHAPTER.entry(
    "batchnorm-mode",
    "A new BatchNorm trains in PyTorch and Flax, infers in Keras",
    kind="default",
    pytorch="Trains until eval() is called.",
    flax="nnx.BatchNorm trains until eval() is called, or use_running_average=True is given; "
    "Linen's must be told.",
    keras="Infers, unless it is called with training=True.",
    port="says the mode, always. build returns modules that infer.",
)


@e.shows("pytorch", [-1, 1])
def _():
    import torch

    y = torch.nn.BatchNorm1d(1)(torch.tensor([[0.0], [8.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("flax", [-1, 1])
def _():
    import jax.numpy as jnp
    from flax import nnx

    y = nnx.BatchNorm(1, rngs=nnx.Rngs(0))(jnp.array([[0.0], [8.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("keras", [0, 8])
def _():
    import keras
    import numpy as np

    y = keras.layers.BatchNormalization()(np.array([[0.0], [8.0]], "float32"))
    return [round(each) for each in y.numpy().ravel().tolist()]


e = CHAPTER.entry(
    "batchnorm-state",
    "PyTorch's BatchNorm holds a fifth array, which counts batches",
    kind="layout",
    pytorch="weight, bias, running_mean, running_var and num_batches_tracked, an int64.",
    flax="scale, bias, mean, var.",
    keras="gamma, beta, moving_mean, moving_variance, in this order.",
    port="drops the counter; it matters with momentum=None only (a cumulative average).",
)


@e.shows("pytorch", 5)
def _():
    import torch

    return len(torch.nn.BatchNorm2d(3).state_dict())


@e.shows("flax", 4)
def _():
    import jax
    from flax import nnx

    return len(jax.tree.leaves(nnx.state(nnx.BatchNorm(3, rngs=nnx.Rngs(0)))))


@e.shows("keras", 4)
def _():
    import keras

    layer = keras.layers.BatchNormalization()
    layer.build((None, 4, 4, 3))
    return len(layer.weights)


e = CHAPTER.entry(
    "batchnorm-one-value",
    "Training BatchNorm with one value a channel: PyTorch raises, the others give 0",
    kind="edge",
    pytorch="Raises: the unbiased variance of one value is undefined.",
    flax="The output is the offset, and the running variance moves towards 0.",
    keras="The output is the offset, and the running variance moves towards 0.",
    port="leaves it as it is; inference is not touched.",
)


@e.shows("pytorch", Raises("ValueError", "Expected more than 1 value per channel when training"))
def _():
    import torch

    torch.nn.BatchNorm1d(1)(torch.tensor([[8.0]]))


@e.shows("flax", 0)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.BatchNorm(1, rngs=nnx.Rngs(0))(jnp.array([[8.0]])).item()


@e.shows("keras", 0)
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization()
    return layer(np.array([[8.0]], "float32"), training=True).numpy().item()


e = CHAPTER.entry(
    "batchnorm-empty-batch",
    "Training BatchNorm with a batch of 0 turns the statistics of Flax and Keras into NaN",
    kind="edge",
    pytorch="Leaves the statistics alone.",
    flax="The mean over nothing is NaN, and stays in the running mean.",
    keras="The mean over nothing is NaN, and stays in the moving mean.",
    port="leaves it as it is; inference is not touched.",
)


@e.shows("pytorch", 0)
def _():
    import torch

    layer = torch.nn.BatchNorm2d(1)
    layer(torch.zeros(0, 1, 2, 2))
    return layer.running_mean.item()


@e.shows("flax", "nan")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    layer(jnp.zeros((0, 2, 2, 1)))
    return layer.mean.get_value().item()


@e.shows("keras", "nan")
def _():
    import keras

    layer = keras.layers.BatchNormalization()
    layer(keras.ops.zeros((0, 2, 2, 1)), training=True)
    return layer.moving_mean.numpy().item()


e = CHAPTER.entry(
    "batchnorm-fast-variance",
    "The variance as E[x^2] - E[x]^2 cancels: Flax by default, and Keras on PyTorch",
    kind="precision",
    pytorch="The mean of (x - mean)^2.",
    flax="E[x^2] - E[x]^2, unless use_fast_variance=False.",
    keras="On TensorFlow and JAX the mean of (x - mean)^2; on PyTorch E[x^2] - E[x]^2.",
    port="use_fast_variance=False (impls/flax/layers.py: BatchNorm).",
    references=("google/flax#1491",),
)


@e.shows("pytorch", [-1, 1])
def _():
    import torch

    y = torch.nn.BatchNorm1d(1)(torch.tensor([[4095.0], [4097.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("flax", [-316, 316])
def _():
    import jax.numpy as jnp
    from flax import nnx

    y = nnx.BatchNorm(1, rngs=nnx.Rngs(0))(jnp.array([[4095.0], [4097.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("flax", [-1, 1], "Flax, use_fast_variance=False")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, use_fast_variance=False, rngs=nnx.Rngs(0))
    y = layer(jnp.array([[4095.0], [4097.0]]))
    return [round(each) for each in y.flatten().tolist()]


@e.shows("keras", [-1, 1])
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization(epsilon=1e-5)
    y = layer(np.array([[4095.0], [4097.0]], "float32"), training=True)
    return [round(each) for each in keras.ops.convert_to_numpy(y).ravel().tolist()]


@e.shows("keras", [-316, 316], setting="Keras on PyTorch")
def _():
    import keras
    import numpy as np

    layer = keras.layers.BatchNormalization(epsilon=1e-5)
    y = layer(np.array([[4095.0], [4097.0]], "float32"), training=True)
    return [round(each) for each in keras.ops.convert_to_numpy(y).ravel().tolist()]
