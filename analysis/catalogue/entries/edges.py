"""Empty, tiny and ill-fitting inputs."""

from convparity.analysis.catalogue.answers import Dies, Raises, Since
from convparity.analysis.catalogue.entries.environments import ONEDNN, VERSIONS
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Edges")

e = CHAPTER.entry(
    "kernel-too-large",
    "A kernel larger than the image: an error in PyTorch and Keras, nothing in Flax",
    kind="edge",
    pytorch="Raises.",
    flax="Returns an empty array.",
    keras="Raises, since Keras 3.14.",
    port="refuses it: SpecError.",
    references=("keras-team/keras#22416",),
)


@e.shows("pytorch", Raises("RuntimeError", "Kernel size can't be greater than actual input size"))
def _():
    import torch

    torch.nn.Conv2d(2, 5, 4)(torch.zeros(1, 2, 3, 3))


@e.shows("flax", [1, 0, 0, 5])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 5, (4, 4), padding="VALID", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 3, 3, 2))).shape


REFUSED = Raises("ValueError", "Computed output size would be zero or negative")


@e.shows("keras", Since("keras", "3.14", REFUSED, None))
def _():
    import keras

    keras.layers.Conv2D(5, 4, use_bias=False)(keras.ops.zeros((1, 3, 3, 2)))


e = CHAPTER.entry(
    "kernel-too-large-tensorflow",
    "tf.nn.conv2d with a kernel one larger than the image returns uninitialised memory",
    kind="bug",
    pytorch="Raises.",
    flax="Returns an empty array.",
    keras="The layer raises when it knows the size; tf.nn.conv2d, in float32 with oneDNN, returns "
    "a tensor of the input's shape that nobody wrote to.",
    port="counts the windows first (impls/keras/windows.py: fit).",
    upstream="tensorflow/tensorflow",
    references=(
        "tensorflow/tensorflow#64396",
        "tensorflow/tensorflow#109175",
    ),
)


@e.shows("flax", [1, 0, 0, 5])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 5, (4, 4), padding="VALID", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((1, 3, 3, 2))).shape


@e.shows("tensorflow", [1, 3, 3, 2], setting=ONEDNN, right=[1, 0, 0, 5])
def _():
    import tensorflow as tf

    return tf.nn.conv2d(tf.ones((1, 3, 3, 2)), tf.ones((4, 4, 2, 5)), 1, "VALID").shape.as_list()


e = CHAPTER.entry(
    "pool-too-large",
    "tf.nn.max_pool2d with a window one larger than the image kills the process",
    kind="bug",
    pytorch="Raises.",
    flax="Returns an empty array.",
    keras="The layer raises when it knows the size; tf.nn.max_pool2d with oneDNN dies of a "
    "division by 0.",
    port="counts the windows first (impls/keras/windows.py: fit).",
    upstream="tensorflow/tensorflow",
    references=(
        "tensorflow/tensorflow#88481",
        "keras-team/keras#22916",
    ),
)


@e.shows("pytorch", Raises("RuntimeError", "Output size is too small"))
def _():
    import torch

    torch.nn.functional.max_pool2d(torch.ones(1, 2, 3, 3), 4, 1)


@e.shows("flax", [1, 0, 0, 2])
def _():
    import jax.numpy as jnp
    from flax import nnx

    return nnx.max_pool(jnp.ones((1, 3, 3, 2)), (4, 4), (1, 1)).shape


@e.shows("tensorflow", Dies("SIGFPE"), setting=ONEDNN, right="an error, or an empty array")
def _():
    import tensorflow as tf

    return tf.nn.max_pool2d(tf.ones((1, 3, 3, 2)), 4, 1, "VALID").shape.as_list()


e = CHAPTER.entry(
    "batch-of-zero",
    "A batch of 0: TensorFlow's convolution returns the shape of its input",
    kind="bug",
    pytorch="The right empty shape.",
    flax="The right empty shape.",
    keras="On TensorFlow with oneDNN: the input's shape, even its number of channels.",
    port="returns zeros of the right shape (impls/keras/windows.py: without_examples).",
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", [0, 3, 3, 5], "PyTorch, channels last")
def _():
    import torch

    return torch.nn.Conv2d(2, 5, 4)(torch.zeros(0, 2, 6, 6)).permute(0, 2, 3, 1).shape


@e.shows("flax", [0, 3, 3, 5])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(2, 5, (4, 4), padding="VALID", rngs=nnx.Rngs(0))
    return layer(jnp.zeros((0, 6, 6, 2))).shape


@e.shows("tensorflow", [0, 6, 6, 2], setting=ONEDNN, right=[0, 3, 3, 5])
def _():
    import tensorflow as tf

    return tf.nn.conv2d(tf.zeros((0, 6, 6, 2)), tf.ones((4, 4, 2, 5)), 1, "VALID").shape.as_list()


e = CHAPTER.entry(
    "one-channel-unequal-strides",
    "TensorFlow leaves rows uninitialised: one channel, one output column, unequal strides",
    kind="bug",
    pytorch="Right.",
    flax="Right.",
    keras="On TensorFlow with oneDNN, on a processor with AVX-512: with more than one example, one "
    "input channel, unequal strides and an output one column wide, rows of the output are never "
    "written.",
    port="convolves at stride 1 and takes every s-th pixel (impls/keras/layers.py: AnyWindow).",
    upstream="tensorflow/tensorflow",
)


@e.shows("pytorch", True)
def _():
    import torch

    x = torch.ones(2, 1, 4, 4)
    runs = [torch.nn.functional.conv2d(x, torch.ones(1, 1, 2, 2), stride=(1, 3)) for _ in "1234"]
    return all((y == 4).all().item() for y in runs)


@e.shows("flax", True)
def _():
    import jax.numpy as jnp
    from flax import nnx

    ones = nnx.initializers.ones
    layer = nnx.Conv(1, 1, (2, 2), (1, 3), padding="VALID", kernel_init=ones, rngs=nnx.Rngs(0))
    return all((layer(jnp.ones((2, 4, 4, 1))) == 4).all().item() for _ in range(4))


@e.shows("tensorflow", False, setting=ONEDNN, flag="avx512f", right=True)
def _():
    import tensorflow as tf

    x, kernel, right = tf.ones((2, 4, 4, 1)), tf.ones((2, 2, 1, 1)), True
    for _ in range(100):
        used = [tf.fill((2, 3, 1, 1), 7.0) for _ in range(8)]  # memory that is not 4
        del used
        y = tf.nn.conv2d(x, kernel, (1, 3), "VALID")
        right = right and bool((y.numpy() == 4).all())
    return right


e = CHAPTER.entry(
    "zero-channels",
    "No input channels: PyTorch returns no output channels, the others raise",
    kind="edge",
    pytorch="The output has no channels either, on purpose. A sum over none would be the bias.",
    flax="ZeroDivisionError, from the initialiser.",
    keras="An error that depends on the backend, and on oneDNN.",
    port="refuses it: SpecError.",
    references=("pytorch/pytorch#118797", "pytorch/pytorch#120944"),
)


@e.shows("pytorch", [1, 0, 5, 5])
def _():
    import torch

    return torch.nn.Conv2d(0, 3, 1)(torch.zeros(1, 0, 5, 5)).shape


@e.shows("flax", Raises("ZeroDivisionError", "division by zero"))
def _():
    from flax import nnx

    nnx.Conv(0, 3, (1, 1), rngs=nnx.Rngs(0))


@e.shows("keras", Raises("InvalidArgumentError", ""))
def _():
    import keras

    keras.layers.Conv2D(3, 1)(keras.ops.zeros((1, 5, 5, 0)))


e = CHAPTER.entry(
    "triton-after-tensorflow",
    "TensorFlow kills a process that imports triton after it, as PyTorch does late",
    kind="bug",
    pytorch="The CUDA build brings triton, and imports it for the first optimizer, torch.compile "
    "or torch._dynamo: after `import tensorflow`, the process dies of it.",
    flax="JAX and triton do not meet.",
    keras="From 2.20 on, TensorFlow shows its own LLVM to every library that is loaded after it, "
    "and triton's code, from 3.7 on, finds that instead of the LLVM that it carries. The other "
    "order is fine.",
    port="imports triton before TensorFlow; where TensorFlow is there first, blocks triton and "
    "warns of what is lost (impls/import_order.py: watch).",
    references=(
        "tensorflow/tensorflow#124205",
        "tensorflow/tensorflow#93969",
        "PythonOT/POT#839",
    ),
    upstream="tensorflow/tensorflow",
    needs="triton",
    date="2026-11-27",
    versions={**VERSIONS, "torch": "2.14.1", "triton": "3.8.0"},
)


@e.shows("tensorflow", Since("triton", "3.7", Dies("SIGSEGV"), "triton"), right="triton")
def _():
    import tensorflow as tf
    import triton

    tf.zeros(1)
    return triton.__name__


@e.shows("tensorflow", "triton", "TensorFlow, triton first")
def _():
    import triton

    name = triton.__name__
    import tensorflow as tf

    tf.zeros(1)
    return name


@e.shows("pytorch", "triton")
def _():
    import torch
    import triton

    torch.zeros(1)
    return triton.__name__


@e.shows("flax", "triton")
def _():
    import jax.numpy as jnp
    import triton

    jnp.zeros(1)
    return triton.__name__
