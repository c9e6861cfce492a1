"""What data can tell: data on which a wrong layer gives what a right one gives prove nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from convparity.analysis.proof.linear_form import Linear, features_last, filters_shape, tap_sources
from convparity.impls.reference import run
from convparity.impls.spec import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    InputNorm,
    Layer,
    Scale,
    Shape,
    Spec,
    parameter_axes,
    without_parameters,
)
from convparity.impls.values import parts
from convparity.impls.weights import Arrays, affine, init_weights

__all__ = ["Trust", "constant", "lit", "trust", "weakest"]

# Other inputs than x, each for outputs that those before it leave alone: the negative; the entries
# moved on by one, as a channel of equal ones is as normal as its negative; and the double, as the
# absolute value of one number, or an even power, is the same of both.
OTHERS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.negative,
    lambda x: np.roll(x, 1),
    lambda x: x + x,
)
SAMPLE = 64  # weights of an array that are changed one by one


@dataclass(frozen=True)
class Trust:
    """How much of a fault the data of a verdict could show: shares of all that any data could show.

    Of a network, ``outputs`` and ``weights`` are the smallest of its layers, each on its own data.

    Attributes:
        outputs: The share of the outputs that change with the input.
        weights: The share of the weights that change an output when they change.
        signal: Of a whole network: how many times what passes as rounding another input changes the
            outputs by; else None.
        blind: The path of the first layer of which the data prove nothing, "" for the whole; None
            where there is none.
    """

    outputs: float = 1.0
    weights: float = 1.0
    signal: float | None = None
    blind: str | None = None  # the path of a layer; "" is the whole

    @property
    def ok(self) -> bool:
        """Whether the data tell a right implementation from a wrong one."""
        return self.blind is None

    def __str__(self) -> str:
        text = f"{self.outputs:.0%} of the outputs and {self.weights:.0%} of the weights matter"
        where = "" if not self.blind else f" ({self.blind})"
        return text if self.ok else f"the data cannot tell{where}: {text}"


def trust(layer: Layer, weights: Arrays, x: np.ndarray, path: str = "") -> Trust:
    """What one layer's own data can tell of it.

    ``x`` is the layer's input. A layer whose output never depends on its input, such as a norm over
    one value, is shown whole by any data.
    """
    value = np.asarray(x, dtype=np.float64)
    matter, could = lit(layer, weights, value)
    (changes,) = changed(layer, weights, value)
    outputs = float(changes.mean()) if changes.size else 1.0
    if not changes.any() and constant(layer, value.shape):
        outputs = 1.0
    weighed = matter / could if could else 1.0
    blind = path if not outputs or matter < could else None
    return Trust(outputs, weighed, None, blind)


def changed(spec: Spec, weights: Arrays, *x: np.ndarray) -> list[np.ndarray]:
    """Which numbers of each output another input changes: the first of ``OTHERS`` that does."""

    def differ(*others: np.ndarray) -> list[np.ndarray]:
        return [
            np.asarray(a != b)
            for a, b in zip(parts(run(spec, weights, *others)), right, strict=True)
        ]

    right = parts(run(spec, weights, *x))
    found = [np.zeros(np.shape(each), bool) for each in right]
    for other in OTHERS:
        if all(each.any() for each in found):
            break
        now = differ(*(other(each) for each in x))
        found = [a if a.any() else b for a, b in zip(found, now, strict=True)]
    return found


def constant(spec: Spec, *shapes: Shape) -> bool:
    """Whether the output is the same for any input."""
    return all(constant_outputs(spec, *shapes))


def constant_outputs(spec: Spec, *shapes: Shape) -> list[bool]:
    """Whether each output is the same for any input: none of three pairs of real ones tells."""
    rng = np.random.default_rng(0)
    same: list[bool] = []
    for seed in range(3):
        weights = init_weights(spec, seed)
        a, b = (
            parts(run(spec, weights, *(rng.standard_normal(shape) for shape in shapes)))
            for _ in range(2)
        )
        # what is left of one value less its mean is 0, exactly
        found = [np.array_equal(*pair) for pair in zip(a, b, strict=True)]
        same = [x and y for x, y in zip(same or found, found, strict=True)]
    return same


def weakest(found: list[Trust], signal: float | None = None) -> Trust:
    """Of several layers that are proved by themselves: the smallest shares, the first blind one.

    A whole whose ``signal`` is no larger than what passes as rounding is blind.
    """
    if signal is not None and not signal > 1:
        found = [*found, Trust(blind="")]
    return Trust(
        min((each.outputs for each in found), default=1.0),
        min((each.weights for each in found), default=1.0),
        signal,
        next((each.blind for each in found if each.blind is not None), None),
    )


@singledispatch
def lit(layer: Layer, weights: Arrays, x: np.ndarray) -> tuple[int, int]:
    """How many weights of a layer would change its output for ``x``, and how many ever could.

    A tap that meets padding with zeros alone can change nothing at this size. Where no more is
    known of a layer, each weight is changed by itself, and the reference says whether that shows;
    of many in one array, ``SAMPLE`` of them stand for all.
    """
    matter = could = 0
    drawn = np.random.default_rng(0).standard_normal(x.shape)
    others = init_weights(layer, 0)
    for name, array in weights.items():
        for place in np.linspace(0, array.size - 1, min(array.size, SAMPLE)).astype(int):
            shows = _shows(layer, weights, name, place, x)
            matter += shows
            could += shows or any(_shows(layer, others, name, place, z) for z in (drawn, -drawn))
    return matter, could


def _shows(layer: Layer, weights: Arrays, name: str, place: int, x: np.ndarray) -> bool:
    """Whether the output changes with one number of one weight."""
    moved = np.array(weights[name], dtype=np.float64)
    moved.ravel()[place] += 1
    return bool((run(layer, {**weights, name: moved}, x) != run(layer, weights, x)).any())


@lit.register(Conv)
@lit.register(ConvTranspose)
@lit.register(Dense)
@lit.register(DepthwiseConv)
def _(layer: Linear, weights: Arrays, x: np.ndarray) -> tuple[int, int]:
    sources, x = tap_sources(layer, x.shape), features_last(layer, x)
    shown = (x != 0).any(axis=0).reshape(-1, x.shape[-1])  # pixels, channels
    met = np.stack([shown[row[row >= 0]].any(axis=0) for row in sources])
    could = (sources >= 0).any(axis=1)
    _, each_in, out = filters_shape(layer)
    each = out * each_in // x.shape[-1]  # filters that read one channel
    biases = out if layer.bias else 0
    return int(met.sum()) * each + biases, int(could.sum()) * x.shape[-1] * each + biases


@lit.register
def _(layer: BatchNorm, weights: Arrays, x: np.ndarray) -> tuple[int, int]:
    n, scaled = layer.num_features, affine(layer, weights, 1)[0] != 0
    spread = (x != weights["mean"]).any(axis=tuple(range(x.ndim - 1)))
    # the offset always; the scale where it meets a deviation, which the variance divides
    matter = (layer.offset * n, layer.scale * spread.sum(), scaled.sum(), (spread & scaled).sum())
    return int(sum(matter)), len(weights) * n


@lit.register
def _(layer: InputNorm, weights: Arrays, x: np.ndarray) -> tuple[int, int]:
    held = [axis % x.ndim for axis in parameter_axes(layer)[0]]
    others = tuple(axis for axis in range(x.ndim) if axis not in held)

    def scales(x: np.ndarray) -> int:
        """How many scales meet what is not 0."""
        normal = run(without_parameters(layer), {}, x) != 0
        return int(normal.any(axis=others).sum()) if layer.scale else 0

    offsets = weights["offset"].size if "offset" in weights else 0
    drawn = np.random.default_rng(0).standard_normal(x.shape)
    return offsets + scales(x), offsets + scales(drawn)


@lit.register
def _(layer: Scale, weights: Arrays, x: np.ndarray) -> tuple[int, int]:
    return int((x != 0).any(axis=tuple(range(x.ndim - 1))).sum()), layer.num_features
