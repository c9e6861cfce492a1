"""What surrounds an image."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Padding")

e = CHAPTER.entry(
    "padding-same-strided",
    '"same" at a stride is not padding=k // 2: same shape, other values',
    kind="meaning",
    pytorch="padding=1 pads a pixel at both ends, whatever the size.",
    flax='"SAME": ceil(n / stride) outputs; the odd pixel of padding goes to the end.',
    keras='"same": the same rule as Flax, on all backends.',
    port="pads by (low, high) pairs computed from the input's size (impls/spec/windows.py: "
    "padding_pairs; impls/pytorch/layers.py: pairs_for).",
    references=(
        "pytorch/pytorch#3867",
        "pytorch/pytorch#67551",
        "keras-team/keras#19291",
    ),
)


@e.shows("pytorch", [210, 432], "PyTorch, padding=1")
def _():
    import torch

    x, kernel = torch.tensor([[[1.0, 2, 3, 4]]]), torch.tensor([[[1.0, 10, 100]]])
    return torch.nn.functional.conv1d(x, kernel, stride=2, padding=1).flatten()


@e.shows("flax", [321, 43])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3,), 2, padding="SAME", use_bias=False, rngs=nnx.Rngs(0))
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3, 4]).reshape(1, 4, 1)).flatten()


@e.shows("keras", [321, 43])
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv1D(1, 3, 2, padding="same", use_bias=False)
    layer.build((1, 4, 1))
    layer.set_weights([np.array([1.0, 10, 100]).reshape(3, 1, 1)])
    return keras.ops.ravel(layer(np.array([1.0, 2, 3, 4], "float32").reshape(1, 4, 1)))


e = CHAPTER.entry(
    "padding-same-refused",
    '"same" with a stride: PyTorch refuses it',
    kind="refusal",
    pytorch="Conv2d(padding='same', stride=2) raises when it is made.",
    flax="Any stride.",
    keras="Any stride.",
    port="pads first, then convolves without padding.",
    references=("pytorch/pytorch#67551", "pytorch/pytorch#3867"),
)


@e.shows("pytorch", Raises("ValueError", "padding='same' is not supported for strided"))
def _():
    import torch

    torch.nn.Conv2d(1, 1, 3, stride=2, padding="same")


@e.shows("flax", [1, 3, 3, 1])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3, 3), 2, padding="SAME", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 5, 1))).shape


@e.shows("keras", [1, 3, 3, 1])
def _():
    import keras

    return keras.layers.Conv2D(1, 3, 2, padding="same")(keras.ops.zeros((1, 5, 5, 1))).shape


e = CHAPTER.entry(
    "padding-default",
    'The padding left out: none in PyTorch and Keras, "SAME" in Flax',
    kind="default",
    pytorch="padding=0.",
    flax='padding="SAME".',
    keras='padding="valid".',
    port="says the padding, always.",
)


@e.shows("pytorch", 3)
def _():
    import torch

    return torch.nn.Conv1d(1, 1, 3)(torch.zeros(1, 1, 5)).shape[2]


@e.shows("flax", 5)
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.Conv(1, 1, (3,), rngs=nnx.Rngs(0))(jnp.zeros((1, 5, 1))).shape[1]


@e.shows("keras", 3)
def _():
    import keras

    return keras.layers.Conv1D(1, 3)(keras.ops.zeros((1, 5, 1))).shape[1]


e = CHAPTER.entry(
    "padding-pairs",
    "(low, high) padding pairs: Flax only",
    kind="refusal",
    pytorch="An int an axis, the same at both ends; torch.nn.functional.pad before it for pairs.",
    flax="An int, ints, or pairs.",
    keras="Names only; ZeroPadding2D before it for pairs.",
    port="pads first where the layer cannot.",
)


@e.shows("pytorch", Raises("TypeError", "conv1d() received an invalid combination"))
def _():
    import torch

    torch.nn.Conv1d(1, 1, 3, padding=((1, 2),))(torch.zeros(1, 1, 5))


@e.shows("flax", 6)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3,), padding=((1, 2),), rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 1))).shape[1]


@e.shows("keras", Raises("ValueError", "`padding` must be either `'valid'` or `'same'`"))
def _():
    import keras

    keras.layers.Conv1D(1, 3, padding=((1, 2),))(keras.ops.zeros((1, 5, 1)))


e = CHAPTER.entry(
    "padding-late-error",
    "Keras takes a padding that it does not know, and complains later",
    kind="refusal",
    pytorch="padding=(1, 1) is one pixel at both ends of H and W.",
    flax="padding=(1, 1) is one pixel at both ends of H and W.",
    keras="Conv2D(padding=(1, 1)) is made without complaint; build fails.",
    port="refuses it when the spec is made.",
    references=("keras-team/keras#19057",),
)


@e.shows("pytorch", ["made", [1, 3, 5, 5]])
def _():
    import torch

    layer = torch.nn.Conv2d(2, 3, 3, padding=(1, 1))
    return "made", layer(torch.zeros(1, 2, 5, 5)).shape


@e.shows("flax", ["made", [1, 5, 5, 3]])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 3, (3, 3), padding=(1, 1), rngs=nnx.Rngs(0))
    return "made", layer(jnp.zeros((1, 5, 5, 2))).shape


@e.shows("keras", ["made", "ValueError"])
def _():
    import keras

    layer = keras.layers.Conv2D(3, 3, padding=(1, 1))
    try:
        layer.build((1, 5, 5, 2))
    except ValueError as error:
        return "made", type(error).__name__


e = CHAPTER.entry(
    "padding-causal",
    "Causal padding: not in PyTorch",
    kind="refusal",
    pytorch="None: pad (k - 1) * dilation zeros on the left first.",
    flax='"CAUSAL" in Conv of one spatial axis, with any stride and dilation.',
    keras='"causal" in Conv1D, with any stride or dilation.',
    port="pads first in PyTorch.",
)


@e.shows("pytorch", Raises("ValueError", "Invalid padding string 'causal'"))
def _():
    import torch

    torch.nn.Conv1d(1, 1, 3, padding="causal")


@e.shows("flax", 5)
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3,), padding="CAUSAL", kernel_dilation=2, rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 1))).shape[1]


@e.shows("keras", 5)
def _():
    import keras

    layer = keras.layers.Conv1D(1, 3, padding="causal", dilation_rate=2)
    return layer(keras.ops.zeros((1, 5, 1))).shape[1]


e = CHAPTER.entry(
    "padding-causal-depthwise",
    "Causal padding of a depthwise convolution: Flax only",
    kind="refusal",
    pytorch="None, as for every convolution.",
    flax="Conv with feature_group_count takes it like any other.",
    keras='DepthwiseConv1D and SeparableConv1D refuse "causal", which Conv1D knows.',
    port="pads first (impls/keras/layers.py: AnyWindow).",
)


@e.shows("pytorch", Raises("ValueError", "Invalid padding string 'causal'"))
def _():
    import torch

    torch.nn.Conv1d(2, 2, 3, groups=2, padding="causal")


@e.shows("flax", [1, 5, 2])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 2, (3,), padding="CAUSAL", feature_group_count=2, rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 5, 2))).shape


@e.shows("keras", Raises("ValueError", "The `padding` argument must be"))
def _():
    import keras

    keras.layers.DepthwiseConv1D(3, padding="causal")(keras.ops.zeros((1, 5, 2)))


e = CHAPTER.entry(
    "padding-reflect",
    'Flax\'s "REFLECT" pads half the kernel, whatever the stride: not a "SAME" that reflects',
    kind="meaning",
    pytorch='padding_mode="reflect" pads as much as padding says.',
    flax='padding="REFLECT" and "CIRCULAR" are always ((k_e - 1) // 2, k_e // 2), where k_e is the '
    'dilated kernel: at a stride other windows than those of "SAME".',
    keras="None; keras.ops.pad first.",
    port="pads by pairs with jnp.pad, then convolves (impls/flax/layers.py: Conv).",
    references=("google/flax#1661",),
)


@e.shows("pytorch", [212, 432], "PyTorch, padding=1, reflect")
def _():
    import torch

    layer = torch.nn.Conv1d(1, 1, 3, 2, padding=1, padding_mode="reflect", bias=False)
    layer.weight.data = torch.tensor([[[1.0, 10, 100]]])
    return layer(torch.tensor([[[1.0, 2, 3, 4]]])).flatten()


@e.shows("flax", [212, 432], "Flax, REFLECT")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3,), 2, padding="REFLECT", use_bias=False, rngs=nnx.Rngs(0))
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3, 4]).reshape(1, 4, 1)).flatten()


@e.shows("flax", [321, 43], "Flax, SAME")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3,), 2, padding="SAME", use_bias=False, rngs=nnx.Rngs(0))
    layer.kernel.set_value(jnp.array([1.0, 10, 100]).reshape(3, 1, 1))
    return layer(jnp.array([1.0, 2, 3, 4]).reshape(1, 4, 1)).flatten()


@e.shows("keras", Raises("ValueError", "The `padding` argument must be"))
def _():
    import keras

    keras.layers.Conv1D(1, 3, 2, padding="reflect")(keras.ops.zeros((1, 4, 1)))


e = CHAPTER.entry(
    "padding-replicate",
    "Padding by the edge pixel: PyTorch only",
    kind="refusal",
    pytorch='padding_mode="replicate" in every convolution.',
    flax='Conv has no such mode; jnp.pad(mode="edge") first.',
    keras='None; keras.ops.pad(mode="edge") is missing on TensorFlow.',
    port="looks pixels up by their index (impls/keras/windows.py: pad), or pads with jnp.pad.",
)


@e.shows("pytorch", 5)
def _():
    import torch

    layer = torch.nn.Conv1d(1, 1, 3, padding=1, padding_mode="replicate")
    return layer(torch.zeros(1, 1, 5)).shape[2]


@e.shows("flax", Raises("RuntimeError", "Unrecognized padding type"))
def _():
    import jax.numpy as jnp
    from flax import nnx

    nnx.Conv(1, 1, (3,), padding="EDGE", rngs=nnx.Rngs(0))(jnp.zeros((1, 5, 1)))


@e.shows("keras", Raises("ValueError", "Value of argument `mode` expected to be one of"))
def _():
    import keras

    keras.ops.pad(keras.ops.zeros((1, 5, 1)), ((0, 0), (1, 1), (0, 0)), mode="edge")


e = CHAPTER.entry(
    "padding-reflect-far",
    "Reflecting more pixels than there are: Flax bounces, the others refuse",
    kind="refusal",
    pytorch="The padding must be smaller than the image.",
    flax="jnp.pad reflects as often as it takes, as numpy.pad does.",
    keras="TensorFlow refuses it.",
    port="reflects as often as it takes (impls/pytorch/layers.py: pad).",
)


@e.shows("pytorch", Raises("RuntimeError", "Padding size should be less than"))
def _():
    import torch

    torch.nn.functional.pad(torch.tensor([[[1.0, 2, 3]]]), (4, 0), mode="reflect")


@e.shows("flax", [1, 2, 3, 2, 1, 2, 3])
def _():
    import jax.numpy as jnp

    return jnp.pad(jnp.array([1, 2, 3]), (4, 0), mode="reflect")


@e.shows("keras", Raises("InvalidArgumentError", "paddings must be less than"))
def _():
    import keras

    keras.ops.pad(keras.ops.array([1.0, 2, 3]), ((4, 0),), mode="reflect")


e = CHAPTER.entry(
    "padding-circular-far",
    "Wrapping around more than once: Flax does, PyTorch refuses, Keras has none",
    kind="refusal",
    pytorch="The padding may not wrap around more than once.",
    flax='"CIRCULAR" wraps as often as it takes.',
    keras="keras.ops.pad has no wrap on TensorFlow.",
    port="wraps as often as it takes (impls/pytorch/layers.py: pad).",
    references=("pytorch/pytorch#57911",),
)


@e.shows("pytorch", Raises("RuntimeError", "wrapping around more than once"))
def _():
    import torch

    torch.nn.functional.pad(torch.tensor([[[1.0, 2, 3]]]), (4, 0), mode="circular")


@e.shows("flax", [3, 1, 2, 3, 1, 2, 3])
def _():
    import jax.numpy as jnp

    return jnp.pad(jnp.array([1, 2, 3]), (4, 0), mode="wrap")


@e.shows("keras", Raises("ValueError", "Value of argument `mode` expected to be one of"))
def _():
    import keras

    keras.ops.pad(keras.ops.array([1.0, 2, 3]), ((4, 0),), mode="wrap")
