"""Transposed convolutions: one whole result, cropped in seven ways.

In one dimension the whole result is full[i * s + j] = sum of x[i] * w[j]. With x = [1, 2, 3],
w = [1, 10, 100] and stride 2 it is [1, 10, 102, 20, 203, 30, 300].
"""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entries.environments import ONEDNN
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Transposed convolution")

e = CHAPTER.entry(
    "transposed-same",
    'Transposed "same" keeps the start, PyTorch\'s nearest call keeps the end',
    kind="meaning",
    pytorch="padding=1, output_padding=1 gives the same size, shifted by one.",
    flax='"SAME" crops max(k - s, 0) // 2 at the start, to n * s pixels.',
    keras='"same" crops the same way.',
    port="crops by (low, high) pairs (impls/pytorch/layers.py: ConvTransposeNd).",
    references=(
        "jax-ml/jax#11252",
        "keras-team/keras#22876",
    ),
)


@e.shows("pytorch", [10, 102, 20, 203, 30, 300], "PyTorch, padding=1, output_padding=1")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    y = torch.nn.functional.conv_transpose1d(x, kernel, stride=2, padding=1, output_padding=1)
    return y.flatten()


@e.shows("flax", [1, 10, 102, 20, 203, 30])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(
        1, 1, (3,), 2, padding="SAME", transpose_kernel=True, use_bias=False, rngs=nnx.Rngs(0)
    )
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3]).reshape(1, 3, 1)).flatten()


@e.shows("keras", [1, 10, 102, 20, 203, 30])
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv1DTranspose(1, 3, 2, padding="same", use_bias=False)
    layer.build((1, 3, 1))
    layer.set_weights([np.array([1.0, 10, 100]).reshape(3, 1, 1)])
    return keras.ops.ravel(layer(np.array([1.0, 2, 3], "float32").reshape(1, 3, 1)))


e = CHAPTER.entry(
    "transposed-flip",
    "Flax's ConvTranspose flips the kernel unless told",
    kind="default",
    pytorch="The kernel as it is.",
    flax="A convolution of the spread input, so the kernel comes out mirrored; "
    "transpose_kernel=True does not, and takes (*k, out, in).",
    keras="The kernel as it is.",
    port="transpose_kernel=True, or a flipped kernel.",
    references=("google/flax#3137", "jax-ml/jax#11252", "google/flax#1872"),
)


@e.shows("pytorch", [1, 10, 102, 20, 203, 30, 300])
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    return torch.nn.functional.conv_transpose1d(x, kernel, stride=2).flatten()


@e.shows("flax", [100, 10, 201, 20, 302, 30, 3])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(1, 1, (3,), 2, padding="VALID", use_bias=False, rngs=nnx.Rngs(0))
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3]).reshape(1, 3, 1)).flatten()


@e.shows("keras", [1, 10, 102, 20, 203, 30, 300])
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv1DTranspose(1, 3, 2, use_bias=False)
    layer.build((1, 3, 1))
    layer.set_weights([np.array([1.0, 10, 100]).reshape(3, 1, 1)])
    return keras.ops.ravel(layer(np.array([1.0, 2, 3], "float32").reshape(1, 3, 1)))


e = CHAPTER.entry(
    "transposed-default-padding",
    "The padding of a transposed convolution left out",
    kind="default",
    pytorch="padding=0: (n - 1) * s + k pixels.",
    flax='"SAME": n * s pixels.',
    keras='"valid": n * s + max(k - s, 0) pixels.',
    port="says the padding, always.",
)


@e.shows("pytorch", 7)
def _():
    import torch

    return torch.nn.ConvTranspose1d(1, 1, 3, 2)(torch.zeros(1, 1, 3)).shape[2]


@e.shows("flax", 6)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.ConvTranspose(1, 1, (3,), 2, rngs=nnx.Rngs(0))(jnp.zeros((1, 3, 1))).shape[1]


@e.shows("keras", 7)
def _():
    import keras

    return keras.layers.Conv1DTranspose(1, 3, 2)(keras.ops.zeros((1, 3, 1))).shape[1]


e = CHAPTER.entry(
    "transposed-integer-padding",
    "padding=p: pixels cropped in PyTorch, pixels added in Flax",
    kind="meaning",
    pytorch="p pixels of the whole result are cropped at both ends.",
    flax="p zeros are put around the spread input: PyTorch's k - 1 - p.",
    keras="No explicit padding.",
    port="converts p to k_e - 1 - p, where k_e is the dilated kernel.",
    references=(
        "google/flax#4593",
        "jax-ml/jax#11252",
    ),
)


@e.shows("pytorch", [10, 102, 20, 203, 30], "PyTorch, padding=1")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    return torch.nn.functional.conv_transpose1d(x, kernel, stride=2, padding=1).flatten()


@e.shows("pytorch", [1, 10, 102, 20, 203, 30, 300], "PyTorch, padding=0")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    return torch.nn.functional.conv_transpose1d(x, kernel, stride=2, padding=0).flatten()


@e.shows("flax", [102, 20, 203], "Flax, padding=0")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(
        1, 1, (3,), 2, padding=0, transpose_kernel=True, use_bias=False, rngs=nnx.Rngs(0)
    )
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3]).reshape(1, 3, 1)).flatten()


e = CHAPTER.entry(
    "transposed-output-padding",
    "output_padding=1 adds a pixel at the end in PyTorch, at the start in Keras",
    kind="meaning",
    pytorch="The start stays where padding put it: (n - 1) * s - 2 p + k + output_padding pixels.",
    flax="None.",
    keras='"same": (n - 1) * s + k % 2 + output_padding pixels, and the crop at the start shrinks. '
    "None, the default, is another crop again: n * s pixels.",
    port="crops by (low, high) pairs; output padding belongs to the high end.",
    references=("keras-team/keras-core#774",),
)


@e.shows("pytorch", [10, 102, 20, 203, 30], "PyTorch, padding=1, output_padding=0")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    y = torch.nn.functional.conv_transpose1d(x, kernel, stride=2, padding=1, output_padding=0)
    return y.flatten()


@e.shows("pytorch", [10, 102, 20, 203, 30, 300], "PyTorch, padding=1, output_padding=1")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 10, 100]]])
    y = torch.nn.functional.conv_transpose1d(x, kernel, stride=2, padding=1, output_padding=1)
    return y.flatten()


@e.shows("flax", Raises("TypeError", "output_padding"))
def _():
    from flax import nnx

    nnx.ConvTranspose(1, 1, (3,), 2, output_padding=1, rngs=nnx.Rngs(0))


@e.shows("keras", [10, 102, 20, 203, 30], "Keras, same, output_padding=0")
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv1DTranspose(1, 3, 2, "same", output_padding=0, use_bias=False)
    layer.build((1, 3, 1))
    layer.set_weights([np.array([1.0, 10, 100]).reshape(3, 1, 1)])
    return keras.ops.ravel(layer(np.array([1.0, 2, 3], "float32").reshape(1, 3, 1)))


@e.shows("keras", [1, 10, 102, 20, 203, 30], "Keras, same, output_padding=1")
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv1DTranspose(1, 3, 2, "same", output_padding=1, use_bias=False)
    layer.build((1, 3, 1))
    layer.set_weights([np.array([1.0, 10, 100]).reshape(3, 1, 1)])
    return keras.ops.ravel(layer(np.array([1.0, 2, 3], "float32").reshape(1, 3, 1)))


e = CHAPTER.entry(
    "transposed-kernel-below-stride",
    "A kernel smaller than the stride: PyTorch leaves out the last zeros",
    kind="meaning",
    pytorch="(n - 1) * s + k pixels.",
    flax='"VALID": n * s + max(k - s, 0) pixels.',
    keras='"valid": n * s + max(k - s, 0) pixels.',
    port="output_padding = s - k in PyTorch.",
)


@e.shows("pytorch", 5)
def _():
    import torch

    return torch.nn.ConvTranspose1d(1, 1, 1, 2)(torch.zeros(1, 1, 3)).shape[2]


@e.shows("flax", 6)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(1, 1, (1,), 2, padding="VALID", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 3, 1))).shape[1]


@e.shows("keras", 6)
def _():
    import keras

    return keras.layers.Conv1DTranspose(1, 1, 2)(keras.ops.zeros((1, 3, 1))).shape[1]


e = CHAPTER.entry(
    "transposed-same-even",
    'Keras on TensorFlow: transposed "same" with an even kernel and output_padding=0 fails',
    kind="bug",
    pytorch="Any crop of any kernel.",
    flax="No output padding.",
    keras="On TensorFlow with oneDNN the layer is made and built, and its call ends in an internal "
    "error.",
    port="Keras's whole result, cropped (impls/keras/layers.py: Conv2DTranspose).",
    references=("tensorflow/tensorflow#93733",),
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", [1, 4, 4, 1], "PyTorch, padding=2, channels last")
def _():
    import torch

    layer = torch.nn.ConvTranspose2d(1, 1, 4, 2, padding=2)
    return layer(torch.zeros(1, 1, 3, 3)).permute(0, 2, 3, 1).shape


@e.shows(
    "keras",
    Raises("AbortedError", "could not create a primitive descriptor"),
    setting=ONEDNN,
    right=[1, 4, 4, 1],
)
def _():
    import keras

    layer = keras.layers.Conv2DTranspose(1, 4, 2, padding="same", output_padding=0)
    return list(layer(keras.ops.zeros((1, 3, 3, 1))).shape)


@e.shows("keras", [1, 4, 4, 1], setting="Keras on JAX")
def _():
    import keras

    layer = keras.layers.Conv2DTranspose(1, 4, 2, padding="same", output_padding=0)
    return list(layer(keras.ops.zeros((1, 3, 3, 1))).shape)


e = CHAPTER.entry(
    "transposed-groups",
    "Transposed convolutions with groups: PyTorch only",
    kind="refusal",
    pytorch="ConvTranspose2d(groups=...).",
    flax="ConvTranspose has no groups.",
    keras="Conv2DTranspose has no groups.",
    port="a convolution of the spread input (impls/flax/layers.py: ConvTranspose).",
    references=("keras-team/keras#19871",),
)


@e.shows("pytorch", [4, 1, 3])
def _():
    import torch

    return torch.nn.ConvTranspose1d(4, 2, 3, groups=2).weight.shape


@e.shows("flax", Raises("TypeError", "feature_group_count"))
def _():
    from flax import nnx

    nnx.ConvTranspose(4, 2, (3,), feature_group_count=2, rngs=nnx.Rngs(0))


@e.shows("keras", Raises("ValueError", "Unrecognized keyword arguments passed to Conv1DTranspose"))
def _():
    import keras

    keras.layers.Conv1DTranspose(2, 3, groups=2)


e = CHAPTER.entry(
    "transposed-stride-dilation",
    "Transposed, stride with dilation: Keras refuses it",
    kind="refusal",
    pytorch="Both.",
    flax="Both.",
    keras="The layer raises when it is made.",
    port="a convolution of the spread input (impls/keras/layers.py: by_convolution).",
)


@e.shows("pytorch", 9)
def _():
    import torch

    return torch.nn.ConvTranspose1d(1, 1, 3, 2, dilation=2)(torch.zeros(1, 1, 3)).shape[2]


@e.shows("flax", 9)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(1, 1, (3,), 2, padding="VALID", kernel_dilation=2, rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 3, 1))).shape[1]


@e.shows("keras", Raises("ValueError", "`strides > 1` not supported in conjunction with"))
def _():
    import keras

    keras.layers.Conv1DTranspose(1, 3, 2, dilation_rate=2)


e = CHAPTER.entry(
    "transposed-same-name",
    'PyTorch makes ConvTranspose2d(padding="same"), and fails when it is called',
    kind="refusal",
    pytorch="Padding names belong to convolutions; the transposed layers do not check.",
    flax='"SAME".',
    keras='"same".',
    port="refuses what a framework cannot do when the module is built.",
    references=("pytorch/pytorch#3867",),
)


@e.shows("pytorch", ["made", "TypeError"])
def _():
    import torch

    layer = torch.nn.ConvTranspose2d(4, 2, 3, padding="same")
    try:
        layer(torch.zeros(1, 4, 5, 5))
    except TypeError as error:
        return "made", type(error).__name__


@e.shows("flax", [1, 5, 5, 2])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.ConvTranspose(4, 2, (3, 3), padding="SAME", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 5, 4))).shape


@e.shows("keras", [1, 5, 5, 2])
def _():
    import keras

    return keras.layers.Conv2DTranspose(2, 3, padding="same")(keras.ops.zeros((1, 5, 5, 4))).shape
