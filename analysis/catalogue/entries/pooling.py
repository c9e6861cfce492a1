"""Pooling."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Pooling")

e = CHAPTER.entry(
    "pool-average-padding",
    "Average pooling counts the padding in PyTorch and Flax, not in Keras",
    kind="default",
    pytorch="count_include_pad=True.",
    flax="count_include_pad=True.",
    keras="Never counted; no argument for it.",
    port="pads first, then pools, to count it (impls/keras/pooling.py: _AveragePool).",
    references=("tensorflow/tensorflow#45579",),
)


@e.shows("pytorch", [6, 12, 10])
def _():
    import torch

    return torch.nn.AvgPool1d(3, 1, padding=1)(torch.tensor([[[6.0, 12, 18]]])).flatten()


@e.shows("flax", [6, 12, 10])
def _():
    import jax.numpy as jnp
    from flax import nnx

    x = jnp.array([6.0, 12, 18]).reshape(1, 3, 1)
    return nnx.avg_pool(x, (3,), (1,), "SAME").flatten()


@e.shows("keras", [9, 12, 15])
def _():
    import keras
    import numpy as np

    x = np.array([6.0, 12, 18], "float32").reshape(1, 3, 1)
    return keras.ops.ravel(keras.layers.AveragePooling1D(3, 1, "same")(x))


e = CHAPTER.entry(
    "pool-stride-default",
    "The stride of pooling left out: the window in PyTorch and Keras, 1 in Flax",
    kind="default",
    pytorch="stride=kernel_size.",
    flax="strides=1 on every axis.",
    keras="strides=pool_size.",
    port="says it, always.",
)


@e.shows("pytorch", 3)
def _():
    import torch

    return torch.nn.MaxPool1d(2)(torch.zeros(1, 1, 6)).shape[2]


@e.shows("flax", 5)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.max_pool(jnp.zeros((1, 6, 1)), (2,)).shape[1]


@e.shows("keras", 3)
def _():
    import keras

    return keras.layers.MaxPooling1D(2)(keras.ops.zeros((1, 6, 1))).shape[1]


e = CHAPTER.entry(
    "pool-average-asymmetric",
    'Keras on PyTorch: "same" average pooling averages in repeated edge pixels',
    kind="bug",
    pytorch="count_include_pad=False leaves the padding out; pads alike at both ends.",
    flax="count_include_pad=False leaves the padding out.",
    keras="On PyTorch, where one end needs more padding, the edge pixel is repeated and counted; "
    "the other backends leave the padding out.",
    port="sums the window and divides by its count (impls/keras/pooling.py: _AveragePool).",
    upstream="keras-team/keras",
    references=(
        "keras-team/keras#23233",
        "keras-team/keras#19721",
    ),
)


@e.shows("flax", [24, 24, 30], "Flax, count_include_pad=False")
def _():
    import jax.numpy as jnp
    from flax import nnx

    x = jnp.array([12.0, 24, 36]).reshape(1, 3, 1)
    return nnx.avg_pool(x, (4,), (1,), "SAME", count_include_pad=False).flatten()


@e.shows("keras", [24, 24, 30])
def _():
    import keras
    import numpy as np

    x = np.array([12.0, 24, 36], "float32").reshape(1, 3, 1)
    return keras.ops.ravel(keras.layers.AveragePooling1D(4, 1, "same")(x))


@e.shows("keras", [21, 27, 33], setting="Keras on PyTorch", right=[24, 24, 30])
def _():
    import keras
    import numpy as np

    x = np.array([12.0, 24, 36], "float32").reshape(1, 3, 1)
    y = keras.layers.AveragePooling1D(4, 1, "same")(x)
    return keras.ops.convert_to_numpy(y).ravel().tolist()


e = CHAPTER.entry(
    "pool-max-nan",
    "TensorFlow's max pooling drops NaN",
    kind="bug",
    pytorch="NaN wins.",
    flax="NaN wins.",
    keras="On TensorFlow on a CPU NaN loses, and the largest of the rest wins; on JAX NaN wins.",
    port="leaves it: a NaN that a pooling layer hides is not looked for behind it.",
    references=("tensorflow/tensorflow#125965", "tensorflow/tensorflow#2501"),
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", True)
def _():
    import torch

    return torch.nn.MaxPool2d(2)(torch.tensor([[[[torch.nan, 1], [2, 3]]]])).isnan().item()


@e.shows("flax", True)
def _():
    import jax.numpy as jnp
    from flax import nnx

    x = jnp.array([[jnp.nan, 1], [2, 3]]).reshape(1, 2, 2, 1)
    return jnp.isnan(nnx.max_pool(x, (2, 2))).item()


@e.shows("keras", False, right=True)
def _():
    import keras
    import numpy as np

    x = np.array([[np.nan, 1], [2, 3]], "float32").reshape(1, 2, 2, 1)
    return bool(np.isnan(keras.layers.MaxPooling2D(2)(x)))


e = CHAPTER.entry(
    "pool-max-padding-limit",
    "PyTorch pads max pooling by half the window at most",
    kind="refusal",
    pytorch="padding may be kernel_size // 2 at most.",
    flax="Any pairs; padding is -inf and never wins.",
    keras='"valid" and "same" only.',
    port="pads by -inf first (impls/pytorch/pooling.py: MaxPoolNd).",
)


@e.shows("pytorch", Raises("RuntimeError", "padding should be at most half of kernel size"))
def _():
    import torch

    torch.nn.MaxPool1d(3, 1, padding=2)(torch.zeros(1, 1, 5))


@e.shows("flax", 7)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.max_pool(jnp.zeros((1, 5, 1)), (3,), (1,), ((2, 2),)).shape[1]


@e.shows("keras", Raises("AttributeError", "'int' object has no attribute 'lower'"))
def _():
    import keras

    keras.layers.MaxPooling1D(3, 1, padding=2)(keras.ops.zeros((1, 5, 1)))


e = CHAPTER.entry(
    "pool-ceil-mode",
    "ceil_mode: PyTorch only",
    kind="refusal",
    pytorch="ceil_mode=True adds a last window that reaches over the end.",
    flax="None; padding (0, extra) says the same for max pooling.",
    keras="None.",
    port="pads at the high end by what the last window lacks. For averages PyTorch divides by the "
    "part of the window that lies within the padded image.",
)


@e.shows("pytorch", [2, 4, 5])
def _():
    import torch

    x = torch.tensor([[[1.0, 2, 3, 4, 5]]])
    return torch.nn.MaxPool1d(2, ceil_mode=True)(x).flatten()


@e.shows("flax", Raises("TypeError", "got an unexpected keyword argument 'ceil_mode'"))
def _():
    import jax.numpy as jnp
    from flax import nnx

    nnx.max_pool(jnp.zeros((1, 5, 1)), (2,), (2,), ceil_mode=True)


@e.shows("keras", Raises("ValueError", "Unrecognized keyword arguments passed to MaxPooling1D"))
def _():
    import keras

    keras.layers.MaxPooling1D(2, ceil_mode=True)


e = CHAPTER.entry(
    "pool-dilation",
    "Dilated max pooling: PyTorch only",
    kind="refusal",
    pytorch="MaxPool2d(dilation=...).",
    flax="max_pool has none; jax.lax.reduce_window has window_dilation.",
    keras="MaxPooling2D has none.",
    port="the largest of the shifted images.",
)


@e.shows("pytorch", [3, 4, 5])
def _():
    import torch

    x = torch.tensor([[[1.0, 2, 3, 4, 5]]])
    return torch.nn.MaxPool1d(2, 1, dilation=2)(x).flatten()


@e.shows("flax", Raises("TypeError", "got an unexpected keyword argument 'dilation'"))
def _():
    import jax.numpy as jnp
    from flax import nnx

    nnx.max_pool(jnp.zeros((1, 5, 1)), (2,), (1,), dilation=2)


@e.shows("keras", Raises("ValueError", "Unrecognized keyword arguments passed to MaxPooling1D"))
def _():
    import keras

    keras.layers.MaxPooling1D(2, 1, dilation=2)


e = CHAPTER.entry(
    "pool-global-axes",
    "Global average pooling keeps the spatial axes in PyTorch, drops them in Keras",
    kind="default",
    pytorch="AdaptiveAvgPool2d(1): (N, C, 1, 1).",
    flax="No layer; mean over the spatial axes drops them unless keepdims=True.",
    keras="GlobalAveragePooling2D: (N, C), unless keepdims=True.",
    port="drops them (GlobalAvgPool in each pooling.py).",
)


@e.shows("pytorch", [1, 3, 1, 1])
def _():
    import torch

    return torch.nn.AdaptiveAvgPool2d(1)(torch.zeros(1, 3, 5, 5)).shape


@e.shows("flax", [1, 3])
def _():
    import jax.numpy as jnp

    return jnp.zeros((1, 5, 5, 3)).mean((1, 2)).shape


@e.shows("keras", [1, 3])
def _():
    import keras

    return keras.layers.GlobalAveragePooling2D()(keras.ops.zeros((1, 5, 5, 3))).shape


e = CHAPTER.entry(
    "pool-average-half",
    "Flax's average pooling sums in the input's dtype: bfloat16 counts to 256",
    kind="precision",
    pytorch="Sums in float32, rounds once.",
    flax="avg_pool sums in bfloat16, where 256 + 1 is 256.",
    keras="Sums in float32 on TensorFlow.",
    port="sums in float32 (impls/flax/pooling.py: AvgPool).",
)


@e.shows("pytorch", 1)
def _():
    import torch

    return torch.nn.AvgPool1d(512)(torch.ones(1, 1, 1024, dtype=torch.bfloat16)).min().item()


@e.shows("flax", 0.5)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.avg_pool(jnp.ones((1, 1024, 1), jnp.bfloat16), (512,)).min().item()


@e.shows("keras", 1)
def _():
    import keras

    layer = keras.layers.AveragePooling1D(512, dtype="bfloat16")
    return float(layer(keras.ops.ones((1, 1024, 1), "bfloat16")).numpy().min())
