"""Weights that are given to a layer: what is checked, and what is matched by which name."""

from convparity.analysis.catalogue.answers import Raises
from convparity.analysis.catalogue.entry import Chapter

CHAPTER = Chapter("Loading weights")

e = CHAPTER.entry(
    "weights-wrong-shape",
    "A kernel of another size can be put into a layer of PyTorch and Flax, and runs",
    kind="edge",
    pytorch="weight = Parameter(...) and weight.data = ... take any shape; load_state_dict checks.",
    flax="set_value, update and merge take any shape: a 5 x 5 kernel runs in a 3 x 3 layer.",
    keras="assign and set_weights check.",
    port="checks every array against convparity.parameter_shapes first: WeightError.",
)


@e.shows("pytorch", [1, 1, 5, 5])
def _():
    import torch

    layer = torch.nn.Conv2d(1, 1, 3)
    layer.weight = torch.nn.Parameter(torch.zeros(1, 1, 5, 5))
    return layer(torch.zeros(1, 1, 9, 9)).shape


@e.shows("flax", [1, 5, 5, 1])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (3, 3), padding="VALID", rngs=nnx.Rngs(0))
    layer.kernel.set_value(jnp.zeros((5, 5, 1, 1)))
    return layer(jnp.zeros((1, 9, 9, 1))).shape


@e.shows(
    "keras",
    Raises("ValueError", "The shape of the target variable and the shape of the target value"),
)
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv2D(1, 3)
    layer.build((1, 9, 9, 1))
    layer.kernel.assign(np.zeros((5, 5, 1, 1)))


e = CHAPTER.entry(
    "weights-broadcast",
    "Copying into a weight broadcasts in PyTorch and Flax: one channel becomes all",
    kind="edge",
    pytorch="copy_ broadcasts; load_state_dict does not.",
    flax="kernel[...] = value broadcasts.",
    keras="assign does not broadcast.",
    port="checks every array against convparity.parameter_shapes first: WeightError.",
)


@e.shows("pytorch", [7, 7, 7])
def _():
    import torch

    layer = torch.nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([7.0]))
    return layer.bias


@e.shows("flax", [7, 7, 7])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 3, (1, 1), rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([7.0])
    return layer.bias.get_value()


@e.shows(
    "keras",
    Raises("ValueError", "The shape of the target variable and the shape of the target value"),
)
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv2D(3, 1)
    layer.build((1, 9, 9, 1))
    layer.bias.assign(np.array([7.0]))


e = CHAPTER.entry(
    "weights-missing",
    "Weights that are missing: PyTorch and Keras raise, Flax keeps the old ones",
    kind="edge",
    pytorch="load_state_dict raises and names them, unless strict=False.",
    flax="nnx.update replaces what the state names, and leaves the rest.",
    keras="set_weights raises: the number of arrays must fit.",
    port="needs every name exactly once: WeightError.",
)


@e.shows("pytorch", Raises("RuntimeError", 'Missing key(s) in state_dict: "bias"'))
def _():
    import torch

    torch.nn.Conv2d(1, 1, 1).load_state_dict({"weight": torch.zeros(1, 1, 1, 1)})


@e.shows("flax", [0, 7])
def _():
    import jax.numpy as jnp
    from flax import nnx

    layer = nnx.Conv(1, 1, (1, 1), bias_init=nnx.initializers.constant(7), rngs=nnx.Rngs(0))
    nnx.update(layer, {"kernel": jnp.zeros((1, 1, 1, 1))})
    return layer.kernel.get_value().item(), layer.bias.get_value().item()


@e.shows(
    "keras", Raises("ValueError", "with a weight list of length 1, but the layer was expecting 2")
)
def _():
    import keras
    import numpy as np

    layer = keras.layers.Conv2D(1, 1)
    layer.build((1, 9, 9, 1))
    layer.set_weights([np.zeros((1, 1, 1, 1))])


e = CHAPTER.entry(
    "weights-by-position",
    "Files of weights: PyTorch goes by name, Keras by position",
    kind="meaning",
    pytorch="A state_dict's keys are the names of the attributes.",
    flax="A state's keys are the names of the attributes.",
    keras="A .weights.h5 file of a Sequential goes by class and position: layers of other names "
    "take the weights.",
    port="dotted names, in one safetensors file for all frameworks.",
)


@e.shows("pytorch", Raises("RuntimeError", "Missing key(s) in state_dict"))
def _():
    from collections import OrderedDict

    import torch

    old = torch.nn.Sequential(OrderedDict(stem=torch.nn.Conv2d(1, 1, 1)))
    new = torch.nn.Sequential(OrderedDict(head=torch.nn.Conv2d(1, 1, 1)))
    new.load_state_dict(old.state_dict())


@e.shows("keras", 7)
def _():
    import tempfile

    import keras

    old = keras.Sequential([keras.layers.Conv2D(1, 1, bias_initializer="ones", name="stem")])
    new = keras.Sequential([keras.layers.Conv2D(1, 1, name="head")])
    old.build((None, 2, 2, 1))
    new.build((None, 2, 2, 1))
    old.layers[0].bias.assign([7.0])
    with tempfile.TemporaryDirectory() as folder:
        old.save_weights(f"{folder}/old.weights.h5")
        new.load_weights(f"{folder}/old.weights.h5")
    return new.layers[0].bias.numpy().item()


e = CHAPTER.entry(
    "weights-half-loaded",
    "A file of weights that does not fit: PyTorch and Keras raise, and have loaded the rest",
    kind="edge",
    pytorch="load_state_dict copies what fits, then raises.",
    flax="nnx.update checks nothing: all is loaded.",
    keras="load_weights raises at the layer that does not fit; those before it are loaded.",
    port="checks all arrays before it touches the first.",
)


@e.shows("pytorch", ["RuntimeError", 7])
def _():
    import torch

    old = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 1, 1))
    new = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 1, 3))
    torch.nn.init.constant_(old[0].bias, 7)
    try:
        new.load_state_dict(old.state_dict())
    except RuntimeError as error:
        return type(error).__name__, new[0].bias.item()


@e.shows("flax", ["no error", 7])
def _():
    from flax import nnx

    seven = nnx.initializers.constant(7)
    old = nnx.Sequential(
        nnx.Conv(1, 1, (1, 1), bias_init=seven, rngs=nnx.Rngs(0)),
        nnx.Conv(1, 1, (1, 1), rngs=nnx.Rngs(0)),
    )
    new = nnx.Sequential(
        nnx.Conv(1, 1, (1, 1), rngs=nnx.Rngs(0)), nnx.Conv(1, 1, (3, 3), rngs=nnx.Rngs(0))
    )
    nnx.update(new, nnx.state(old))
    return "no error", new.layers[0].bias.get_value().item()


@e.shows("keras", ["ValueError", 7])
def _():
    import tempfile

    import keras

    seven = keras.initializers.Constant(7)
    old = keras.Sequential(
        [keras.layers.Conv2D(1, 1, bias_initializer=seven), keras.layers.Conv2D(1, 1)]
    )
    new = keras.Sequential([keras.layers.Conv2D(1, 1), keras.layers.Conv2D(1, 3)])
    old.build((None, 4, 4, 1))
    new.build((None, 4, 4, 1))
    with tempfile.TemporaryDirectory() as folder:
        old.save_weights(f"{folder}/old.weights.h5")
        try:
            new.load_weights(f"{folder}/old.weights.h5")
        except ValueError as error:
            return type(error).__name__, new.layers[0].bias.numpy().item()
