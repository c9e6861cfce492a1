"""Resizing images."""

from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Resizing")

e = CHAPTER.entry(
    "resize-antialias",
    "Shrinking: JAX antialiases by default, the others do not",
    kind="default",
    pytorch="antialias=False.",
    flax="jax.image.resize(antialias=True).",
    keras="keras.ops.image.resize(antialias=False).",
    port="says it, always.",
)


@e.shows("pytorch", [0, 0])
def _():
    import torch

    x = torch.tensor([28.0, 0, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 1, 8)
    y = torch.nn.functional.interpolate(x, (1, 2), mode="bilinear")
    return y.flatten()


@e.shows("flax", [5, 0])
def _():
    import jax

    x = jax.numpy.array([28.0, 0, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 8, 1)
    y = jax.image.resize(x, (1, 1, 2, 1), "bilinear").flatten()
    return [round(each) for each in y.tolist()]


@e.shows("flax", [0, 0], "Flax, antialias=False")
def _():
    import jax

    x = jax.numpy.array([28.0, 0, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 8, 1)
    return jax.image.resize(x, (1, 1, 2, 1), "bilinear", antialias=False).flatten()


@e.shows("keras", [0, 0])
def _():
    import keras
    import numpy as np

    x = np.array([28.0, 0, 0, 0, 0, 0, 0, 0], "float32").reshape(1, 1, 8, 1)
    return keras.ops.ravel(keras.ops.image.resize(x, (1, 2), "bilinear"))


e = CHAPTER.entry(
    "resize-nearest",
    'PyTorch\'s "nearest" takes the pixel at the floor, the others the one at the centre',
    kind="meaning",
    pytorch='"nearest": pixel floor(i * n / m); "nearest-exact" is that of the others.',
    flax="Pixel floor((i + 0.5) * n / m).",
    keras="Pixel floor((i + 0.5) * n / m).",
    port='"nearest-exact" in PyTorch. Enlarging by a whole factor is the same in all.',
)


@e.shows("pytorch", [0, 2])
def _():
    import torch

    x = torch.arange(5.0).reshape(1, 1, 1, 5)
    return torch.nn.functional.interpolate(x, (1, 2), mode="nearest").flatten()


@e.shows("pytorch", [1, 3], "PyTorch, nearest-exact")
def _():
    import torch

    x = torch.arange(5.0).reshape(1, 1, 1, 5)
    return torch.nn.functional.interpolate(x, (1, 2), mode="nearest-exact").flatten()


@e.shows("flax", [1, 3])
def _():
    import jax

    x = jax.numpy.arange(5.0).reshape(1, 1, 5, 1)
    return jax.image.resize(x, (1, 1, 2, 1), "nearest").flatten()


@e.shows("keras", [1, 3])
def _():
    import keras
    import numpy as np

    x = np.arange(5, dtype="float32").reshape(1, 1, 5, 1)
    return keras.ops.ravel(keras.ops.image.resize(x, (1, 2), "nearest"))


e = CHAPTER.entry(
    "resize-bicubic",
    "The bicubic kernel: a = -0.75 in PyTorch, -0.5 in JAX and Keras",
    kind="meaning",
    pytorch="The cubic kernel with a = -0.75, as OpenCV has it.",
    flax="The cubic kernel with a = -0.5, as Keys has it.",
    keras="The cubic kernel with a = -0.5.",
    port="no layer of ours resizes; bilinear agrees where every option does.",
)


@e.shows("pytorch", [-27, 67, 225, 225])
def _():
    import torch

    x = torch.tensor([0.0, 0, 0, 256, 0, 0, 0]).reshape(1, 1, 1, 7)
    y = torch.nn.functional.interpolate(x, (1, 14), mode="bicubic")
    return y.flatten()[4:8]


@e.shows("flax", [-18, 58, 222, 222])
def _():
    import jax

    x = jax.numpy.array([0.0, 0, 0, 256, 0, 0, 0]).reshape(1, 1, 7, 1)
    return jax.image.resize(x, (1, 1, 14, 1), "cubic").flatten()[4:8]


@e.shows("keras", [-18, 58, 222, 222])
def _():
    import keras
    import numpy as np

    x = np.array([0.0, 0, 0, 256, 0, 0, 0], "float32").reshape(1, 1, 7, 1)
    return keras.ops.ravel(keras.ops.image.resize(x, (1, 14), "bicubic"))[4:8]
