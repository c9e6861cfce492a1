"""Dtypes and rounding."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Numbers")

e = CHAPTER.entry(
    "float64-truncated",
    "JAX makes float64 to float32, silently",
    kind="default",
    pytorch="float64 stays what it is.",
    flax="float32, unless JAX_ENABLE_X64=1; a warning at most.",
    keras="float64 stays what it is on TensorFlow and PyTorch.",
    port="refuses float64 for Flax without JAX_ENABLE_X64=1.",
)


@e.shows("pytorch", "float64")
def _():
    import numpy as np
    import torch

    return str(torch.asarray(np.zeros(1)).numpy().dtype)


@e.shows("flax", "float32")
def _():
    import jax.numpy as jnp
    import numpy as np

    return str(jnp.asarray(np.zeros(1)).dtype)


@e.shows("keras", "float64")
def _():
    import keras
    import numpy as np

    return str(keras.ops.convert_to_tensor(np.zeros(1)).numpy().dtype)


e = CHAPTER.entry(
    "float64-misreported",
    "Keras on JAX says float64 and holds float32",
    kind="bug",
    pytorch="float64 stays what it is.",
    flax="float32, and says so.",
    keras='A layer of dtype="float64" on JAX: its variables report float64, their values are '
    "float32.",
    port="sets JAX_ENABLE_X64=1 before it asks Keras on JAX for float64.",
    upstream="keras-team/keras",
)


@e.shows("pytorch", ["float64", "float64"])
def _():
    import torch

    weight = torch.nn.Linear(2, 3, dtype=torch.float64).weight
    return str(weight.dtype).removeprefix("torch."), str(weight.detach().numpy().dtype)


@e.shows("flax", ["float32", "float32"])
def _():
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    kernel = nnx.Linear(2, 3, param_dtype=jnp.float64, rngs=nnx.Rngs(0)).kernel
    return str(kernel.dtype), str(np.asarray(kernel.get_value()).dtype)


@e.shows("keras", ["float64", "float64"])
def _():
    import keras

    layer = keras.layers.Dense(3, dtype="float64")
    layer.build((None, 2))
    return [str(layer.kernel.dtype), str(keras.ops.convert_to_numpy(layer.kernel).dtype)]


@e.shows("keras", ["float64", "float32"], setting="Keras on JAX", right=["float64", "float64"])
def _():
    import keras

    layer = keras.layers.Dense(3, dtype="float64")
    layer.build((None, 2))
    return [str(layer.kernel.dtype), str(keras.ops.convert_to_numpy(layer.kernel).dtype)]


e = CHAPTER.entry(
    "float64-input",
    "A float64 image in a float32 layer: PyTorch raises, the others cast",
    kind="refusal",
    pytorch="Input and weights must have one dtype.",
    flax="Promotes; without JAX_ENABLE_X64=1 that is float32.",
    keras="Casts the input to the layer's compute dtype.",
    port="casts the input to the module's dtype.",
)


@e.shows("pytorch", Raises("RuntimeError", "should be the same"))
def _():
    import torch

    torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2, dtype=torch.float64))


@e.shows("flax", "float32")
def _():
    import numpy as np
    from flax import nnx

    return str(nnx.Conv(1, 1, (1, 1), rngs=nnx.Rngs(0))(np.zeros((1, 2, 2, 1))).dtype)


@e.shows("keras", "float32")
def _():
    import keras
    import numpy as np

    return keras.layers.Conv2D(1, 1)(np.zeros((1, 2, 2, 1))).dtype.name


e = CHAPTER.entry(
    "integer-input",
    "An integer image in a float32 layer: Flax casts it, PyTorch and Keras raise",
    kind="refusal",
    pytorch="Input and weights must have one dtype.",
    flax="Promotes to float32.",
    keras="Casts floats only: TensorFlow refuses an integer image and a float kernel.",
    port="casts the input to the module's dtype.",
)


@e.shows("pytorch", Raises("RuntimeError", "should be the same"))
def _():
    import torch

    torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2, dtype=torch.uint8))


@e.shows("flax", "float32")
def _():
    import numpy as np
    from flax import nnx

    return str(nnx.Conv(1, 1, (1, 1), rngs=nnx.Rngs(0))(np.zeros((1, 2, 2, 1), "uint8")).dtype)


@e.shows("keras", Raises("ValueError", "Incompatible type conversion requested to type"))
def _():
    import keras
    import numpy as np

    keras.layers.Conv2D(1, 1)(np.zeros((1, 2, 2, 1), "uint8"))


e = CHAPTER.entry(
    "bfloat16-bias",
    "A bias in bfloat16: added before rounding in PyTorch, after it in Flax and Keras",
    kind="precision",
    pytorch="Sum and bias are rounded once.",
    flax="The sum is rounded, then the sum with the bias.",
    keras="The sum is rounded, then the sum with the bias; once only where TensorFlow fuses "
    "the two in a graph.",
    port="is judged by bfloat16's rounding bound, not bit for bit.",
)


@e.shows("pytorch", 258)
def _():
    import torch

    x = torch.tensor([256.0, 1]).reshape(1, 2, 1, 1).bfloat16()
    kernel, bias = torch.ones(1, 2, 1, 1).bfloat16(), torch.tensor([0.5]).bfloat16()
    return torch.nn.functional.conv2d(x, kernel, bias).item()  # of 256 + 1 + 0.5


@e.shows("flax", 256)
def _():
    import jax.numpy as jnp
    from flax import nnx

    ones, half = nnx.initializers.ones, nnx.initializers.constant(0.5)
    layer = nnx.Conv(
        2,
        1,
        (1, 1),
        kernel_init=ones,
        bias_init=half,
        param_dtype=jnp.bfloat16,
        rngs=nnx.Rngs(0),
    )
    return layer(jnp.array([256, 1], jnp.bfloat16).reshape(1, 1, 1, 2)).item()


@e.shows("keras", 256)
def _():
    import keras

    half = keras.initializers.Constant(0.5)
    layer = keras.layers.Conv2D(
        1, 1, kernel_initializer="ones", bias_initializer=half, dtype="bfloat16"
    )
    x = keras.ops.reshape(keras.ops.array([256, 1], "bfloat16"), (1, 1, 1, 2))
    return float(layer(x).numpy().item())


e = CHAPTER.entry(
    "batchnorm-half",
    "Flax's BatchNorm makes a bfloat16 image to float32",
    kind="default",
    pytorch="The output has the input's dtype.",
    flax="param_dtype=bfloat16 leaves the statistics in float32, and the output is promoted.",
    keras="The output has the layer's dtype.",
    port="casts the statistics (impls/flax/layers.py: BatchNorm).",
)


@e.shows("pytorch", "bfloat16")
def _():
    import torch

    layer = torch.nn.BatchNorm2d(1, dtype=torch.bfloat16).eval()
    y = layer(torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16))
    return str(y.dtype).removeprefix("torch.")


@e.shows("flax", "float32")
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.BatchNorm(1, use_running_average=True, param_dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    return str(layer(jnp.zeros((1, 2, 2, 1), jnp.bfloat16)).dtype)


@e.shows("keras", "bfloat16")
def _():
    import keras

    layer = keras.layers.BatchNormalization(dtype="bfloat16")
    return layer(keras.ops.zeros((1, 2, 2, 1), "bfloat16")).dtype.name


e = CHAPTER.entry(
    "tf32-default",
    "TF32 on GPUs: convolutions yes, matrix products no in PyTorch; both in TensorFlow and JAX",
    kind="default",
    pytorch="Convolutions in TF32, matrix products in float32, by two flags.",
    flax="No flag of its own is set: XLA's default precision, which is TF32 on such GPUs.",
    keras="One flag for both on TensorFlow, on.",
    port="reports the arithmetic that it measures as effective bits. These are the flags; they "
    "change nothing on a CPU.",
    references=(
        "pytorch/pytorch#67384",
        "jax-ml/jax#12008",
    ),
)


@e.shows("pytorch", {"convolution": True, "matmul": False})
def _():
    import torch

    backends = torch.backends
    return {"convolution": backends.cudnn.allow_tf32, "matmul": backends.cuda.matmul.allow_tf32}


@e.shows("flax", None)
def _():
    import jax

    return jax.config.jax_default_matmul_precision


@e.shows("tensorflow", True)
def _():
    import tensorflow as tf

    return tf.config.experimental.tensor_float_32_execution_enabled()


e = CHAPTER.entry(
    "rsqrt-by-place",
    "TensorFlow's rsqrt of one number is another at another place of the tensor",
    kind="bug",
    pytorch="1 / sqrt, each rounded: the same at every place and on every processor.",
    flax="XLA approximates, too: within a few units, and no place differed where it was tried.",
    keras="On TensorFlow and a CPU, eight numbers at a time go through the processor's approximate "
    "reciprocal root and one Newton step, and the rest through 1 / sqrt: both are good to 4 units "
    "of float32, but not the same. On an Intel Xeon (family 6, model 207), eight times "
    "rsqrt(1), rsqrt(4), rsqrt(0.25), rsqrt(16) are 0.99999988, 0.49999994, 1.99999976, "
    "0.24999998; on an AMD EPYC (family 23, model 1) those are exact and others differ. "
    "BatchNormalization shows it: equal channels come out unequal.",
    port="says so: what takes a root is judged within its error, never bit for bit.",
    references=("tensorflow/tensorflow#123551",),
    upstream="tensorflow/tensorflow",
    date="2026-11-27",
)


@e.shows("pytorch", {"same at every place": True, "within 4 units": True})
def _():
    import torch

    numbers = range(1, 101)
    rows = [torch.rsqrt(torch.full((9,), float(n))).tolist() for n in numbers]
    errors = [abs(r * n**0.5 - 1) for row, n in zip(rows, numbers, strict=True) for r in row]
    same = all(len(set(row)) == 1 for row in rows)
    return {"same at every place": same, "within 4 units": max(errors) < 4 * 2**-23}


@e.shows(
    "tensorflow",
    {"same at every place": False, "within 4 units": True},
    right={"same at every place": True, "within 4 units": True},
)
def _():
    import tensorflow as tf

    numbers = range(1, 101)
    rows = [tf.math.rsqrt(tf.fill([9], float(n))).numpy().tolist() for n in numbers]
    errors = [abs(r * n**0.5 - 1) for row, n in zip(rows, numbers, strict=True) for r in row]
    same = all(len(set(row)) == 1 for row in rows)
    return {"same at every place": same, "within 4 units": max(errors) < 4 * 2**-23}


@e.shows(
    "tensorflow",
    {"same at every place": True, "within 4 units": True},
    "TensorFlow, 1 / sqrt",
)
def _():
    import tensorflow as tf

    numbers = range(1, 101)
    rows = [(1 / tf.sqrt(tf.fill([9], float(n)))).numpy().tolist() for n in numbers]
    errors = [abs(r * n**0.5 - 1) for row, n in zip(rows, numbers, strict=True) for r in row]
    same = all(len(set(row)) == 1 for row in rows)
    return {"same at every place": same, "within 4 units": max(errors) < 4 * 2**-23}


@e.shows(
    "keras",
    {"same at every place": False, "within 4 units": True},
    "Keras, nine equal channels",
)
def _():
    import keras

    layer = keras.layers.BatchNormalization(epsilon=0)
    layer.build((None, 9))
    x = keras.ops.ones((1, 9))
    numbers = range(1, 101)
    rows = []
    for n in numbers:
        layer.moving_variance.assign(keras.ops.full((9,), float(n)))
        rows.append(layer(x).numpy()[0].tolist())
    errors = [abs(r * n**0.5 - 1) for row, n in zip(rows, numbers, strict=True) for r in row]
    same = all(len(set(row)) == 1 for row in rows)
    return {"same at every place": same, "within 4 units": max(errors) < 4 * 2**-23}
