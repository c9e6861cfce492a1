"""A layer and an activation that the project has not, and what each of its files needs of them.

``add_to(root)`` puts them into a copy of the project, where a contributor would: a class, its
meaning, its bound, a native class and a row in each framework, a strategy. ``whole_way.py`` then
does all that one can do with a layer: nothing else was told of them.
"""

from pathlib import Path
from typing import NamedTuple


class Put(NamedTuple):
    """Text for one file: in front of ``before``, which it holds once, or at its end."""

    path: str
    text: str
    before: str = ""


LAYER = [
    Put(
        "impls/spec/normalisation.py",
        '''


@dataclass(frozen=True, init=False)
class Shift(Layer):
    """Adds a number to each channel."""

    num_features: int

    def __init__(self, num_features: int) -> None:
        set_fields(self, num_features=integer(self, "num_features", num_features))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, channels=self.num_features)
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {"amount": (self.num_features,)}
''',
    ),
    Put(
        "impls/spec/__init__.py",
        "from convparity.impls.spec.normalisation import Shift\n",
    ),
    Put(
        "src/convparity/__init__.pyi",
        "from .impls.spec import Shift as Shift\n",
    ),
    Put(
        "impls/reference.py",
        """


from convparity.impls.spec import Shift


@run.register
def _(spec: Shift, weights: Arrays, x: np.ndarray) -> np.ndarray:
    return x + weights["amount"].astype(np.float64)
""",
    ),
    Put(
        "analysis/proof/rounding.py",
        """


from convparity.impls.spec import Shift


@trace.register
def _(spec: Shift, weights: Arrays, x: Rounded) -> Rounded:
    amount = weights["amount"].astype(np.float64)
    value = x.value + amount
    return x.then(
        value,
        abs(x.value) + x.bound + abs(amount),
        inherited=x.bound,
        noise=lambda disturbed: disturbed + amount,
        variance=lambda: value**2,
        roundings=1,
        unit=finer(x.unit, common_unit(amount)),
        flushed=2 * x.tiny,
    )
""",
    ),
    Put(
        "impls/pytorch/layers.py",
        '''


class Shift(nn.Module):
    """Adds a number to each channel."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.amount = nn.Parameter(torch.zeros(num_features))

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS + self.amount.reshape(-1, *[1] * (x_NCS.ndim - 2))
''',
    ),
    Put(
        "impls/pytorch/rows/normalisation.py",
        "from convparity.impls.spec import Shift\n",
        before="ROWS = [",
    ),
    Put(
        "impls/pytorch/rows/normalisation.py",
        '    Row(Shift, layers.Shift, same("num_features"), {"amount": Weight("amount")}),\n',
        before="    Row(Scale, ",
    ),
    Put(
        "impls/flax/layers.py",
        '''


class Shift(nnx.Module):
    """Adds a number to each channel."""

    def __init__(self, num_features: int, *, param_dtype: jnp.dtype = jnp.float32) -> None:
        self.num_features = num_features
        self.amount = nnx.Param(jnp.zeros((num_features,), param_dtype))

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return x_NHWC + self.amount[...]
''',
    ),
    Put(
        "impls/flax/rows/normalisation.py",
        "from convparity.impls.spec import Shift\n",
        before="ROWS = [",
    ),
    Put(
        "impls/flax/rows/normalisation.py",
        """    Row(
        Shift,
        layers.Shift,
        same("num_features"),
        {"amount": Weight("amount")},
        takes=("param_dtype",),
    ),
""",
        before="    Row(\n        Scale,",
    ),
    Put(
        "impls/keras/layers.py",
        '''


@registered
class Shift(keras.layers.Layer):
    """Adds a number to each channel."""

    def __init__(self, amount_initializer: Any = "zeros", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.amount_initializer = keras.initializers.get(amount_initializer)

    def build(self, input_shape: Any) -> None:
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self.amount = self.add_weight(
            name="amount", shape=(input_shape[-1],), initializer=self.amount_initializer
        )

    def call(self, x_NSC: Any) -> Any:
        return x_NSC + ops.convert_to_tensor(self.amount)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"amount_initializer": keras.initializers.serialize(self.amount_initializer)}
        return {**super().get_config(), **own}
''',
    ),
    Put(
        "impls/keras/rows/normalisation.py",
        "from convparity.impls.spec import Shift\n",
        before="ROWS = [",
    ),
    Put(
        "impls/keras/rows/normalisation.py",
        """    Row(
        Shift,
        layers.Shift,
        {"num_features": Field(None, lambda module: module.amount.shape[0])},
        {"amount": Weight("amount")},
    ),
""",
        before="    Row(Scale, ",
    ),
    Put(
        "parity_tests/support/strategies.py",
        '''from convparity import Shift


@st.composite
def shifts(draw: Any, rank: int) -> Pair:
    """A number for each channel."""
    shape = draw(values(rank))
    return Shift(shape[-1]), shape


MAKERS[Shift] = shifts


''',
        before="@st.composite\ndef layers(",
    ),
]
ACTIVATION = [
    Put(
        "impls/spec/activation.py",
        '    "hard_tanh",\n',
        before='    "tanh",\n',
    ),
    Put(
        "impls/reference_activation.py",
        '        case "hard_tanh":\n            return np.clip(x, -1, 1)\n',
        before='        case "tanh":\n',
    ),
    Put(
        "analysis/proof/rounding.py",
        '    "hard_tanh": 1.0,\n',
        before='    "tanh": 1.0,\n',
    ),
    Put(
        "impls/pytorch/rows/activation.py",
        '    activation("hard_tanh", nn.Hardtanh),\n',
        before='    activation("tanh", ',
    ),
    Put(
        "impls/flax/rows/activation.py",
        '    activation("hard_tanh", nnx.hard_tanh),\n',
        before='    activation("tanh", ',
    ),
    Put(
        "impls/keras/rows/activation.py",
        '    by_function("hard_tanh", keras.activations.hard_tanh),\n',
        before='    by_function("tanh", ',
    ),
]


def add_to(root: Path) -> None:
    """Put both into the files of a copy of the project."""
    for each in (*LAYER, *ACTIVATION):
        file = root / each.path
        text = file.read_text()
        if each.before:
            assert text.count(each.before) == 1, f"{each.path} holds {each.before!r} not once"
            text = text.replace(each.before, each.text + each.before)
        else:
            text += each.text
        file.write_text(text)
