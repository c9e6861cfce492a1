"""How two layers differ, in the words of who ported them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from convparity.impls.errors import SpecError
from convparity.impls.reference import run
from convparity.impls.reference_convolution import as_grouped
from convparity.impls.spec import Activation, DepthwiseConv, Join, Layer, Shape, output_shape
from convparity.impls.weights import Arrays, Weights


def plain(layer: Layer | Join) -> Layer | Join:
    """A depthwise layer as the grouped convolution that it is; any other as it is."""
    return as_grouped(layer) if isinstance(layer, DepthwiseConv) else layer


def same_function(
    a: Layer | Join, b: Layer | Join, weights: Arrays, *shapes: Shape
) -> tuple[bool, str]:
    """Whether two layers give the same of the same weights at every size near ``shapes``.

    The second value says at which sizes they differ, where they do at some alone.
    """
    a, b = plain(a), plain(b)
    if a == b:
        return True, ""
    differ: list[int] = []
    alike: list[int] = []
    for size, near in sizes(*shapes):
        (differ if _differ(a, b, weights, *near) else alike).append(size)
    if not differ:
        return True, ""
    if not alike:
        return False, ""
    for name, rest in (("even", 0), ("odd", 1)):
        if all(n % 2 == rest for n in differ) and all(n % 2 != rest for n in alike):
            return False, f"shows at {name} sizes"
    return False, f"shows at sizes such as {', '.join(map(str, differ[:3]))}"


def sizes(*shapes: Shape) -> Iterator[tuple[int, tuple[Shape, ...]]]:
    """Shapes like ``shapes`` with their own sizes, and others near them.

    Of several, a size of 1 stays, which may stand for any other.
    """
    if all(len(shape) < 3 for shape in shapes):
        yield 0, shapes
        return
    least = 1 if len(shapes) == 1 else 2
    for more in range(4):
        yield (
            max(shape[1] for shape in shapes) + more,
            tuple(
                (n, *(size + more * (size >= least) for size in spatial), channels)
                for n, *spatial, channels in shapes
            ),
        )


def drawn(shapes: Iterable[Shape]) -> tuple[np.ndarray, ...]:
    """Small integers of these shapes."""
    rng = np.random.default_rng(0)
    return tuple(rng.integers(-7, 7, shape, endpoint=True).astype(np.float64) for shape in shapes)


def _differ(a: Layer | Join, b: Layer | Join, weights: Arrays, *shapes: Shape) -> bool:
    inputs = drawn(shapes)
    made = []
    for layer in (a, b):
        try:
            made.append(run(layer, weights, *inputs) if output_shape(layer, *shapes) else None)
        except SpecError:
            made.append(None)
    first, second = made
    if first is None or second is None:
        return (first is None) != (second is None)
    return not (first.shape == second.shape and np.array_equal(first, second))


def fields(module: Layer | Join, twin: Layer | Join, framework: str) -> str:
    """What the twin's fields say where the module's say something else."""
    a, b = plain(module), plain(twin)
    if type(a) is not type(b):
        return f"{_an(_called(twin))} where the source has {_an(_called(module))}"
    parts = []
    for name, right in vars(a).items():
        found = getattr(b, name)
        if found != right:
            parts.append(_field(name, found, right))
    return ", ".join(parts)


def _called(layer: Layer | Join) -> str:
    return layer.function if isinstance(layer, Activation) else type(layer).__name__


def _an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiouAEIOU' else 'a'} {word}"


def _field(name: str, found: Any, right: Any) -> str:
    if name == "padding":
        return f"{_padding(found)} where the source {_pads(right)}"
    if name == "bias":
        return "a bias that the source lacks" if found else "no bias, which the source has"
    return f"{name} {_short(found)} where the source has {_short(right)}"


def _padding(value: Any) -> str:
    if isinstance(value, str):
        return value.upper()
    return f"pads of {_pairs(value)}" if any(map(any, value)) else "no pads"


def _pads(value: Any) -> str:
    if isinstance(value, str):
        return f"has {value.upper()}"
    return f"pads {_pairs(value)}" if any(map(any, value)) else "pads nothing"


def _pairs(pairs: Any) -> str:
    each = {low if low == high else (low, high) for low, high in pairs}
    return str(each.pop()) if len(each) == 1 else str(tuple(pairs))


def _short(value: Any) -> str:
    if isinstance(value, tuple) and len(set(value)) == 1:
        return str(value[0])
    return f"{value:g}" if isinstance(value, float) else repr(value).strip("'")


# ---------------------------------------------------------------- weights


def weight_difference(right: Weights, found: Weights, rows: np.ndarray | None = None) -> str | None:
    """Where the twin's weights are not the module's, bit for bit; None where they are.

    ``rows`` is the order in which the twin's dense layer meets the features of the module's.
    """
    notes = []
    for name, array in right.items():
        if name not in found:
            notes.append(f"it has no {name}")
            continue
        other = found[name]
        if other.size == array.size:
            other = other.reshape(array.shape)  # a depthwise kernel may be that of a grouped one
        if rows is not None and name == "kernel":
            array = array[rows]
        if other.shape != array.shape:
            notes.append(f"{name} has the shape {other.shape}, not {array.shape}")
            continue
        wrong = other.astype(np.float64) != array.astype(np.float64)
        if wrong.any():
            at = tuple(map(int, np.argwhere(wrong)[0]))
            how = _arrangement(array, other)
            notes.append(
                f"{name} is {how}"
                if how
                else f"{name} differs in {np.count_nonzero(wrong)} of {wrong.size} places, "
                f"first at {list(at)}: {other[at]:.9g}, not {array[at]:.9g}"
            )
    notes += [f"it has a {name} that the source lacks" for name in found if name not in right]
    return "; ".join(notes) or None


def _arrangement(right: np.ndarray, found: np.ndarray) -> str:
    """The source's array, arranged in another way; "" where it is none of the usual ones."""
    spatial = right.ndim - 2
    ways: dict[str, np.ndarray] = {}
    if right.ndim >= 2 and right.shape[-1] == right.shape[-2]:
        ways["the source's with in and out exchanged"] = right.swapaxes(-1, -2)
    if spatial > 0:
        ways["the source's, flipped"] = np.flip(right, tuple(range(spatial)))
    if spatial == 2 and right.shape[0] == right.shape[1]:
        ways["the source's with height and width exchanged"] = right.swapaxes(0, 1)
    if right.ndim >= 2:
        ways["the source's, reshaped where it had to be transposed"] = np.ascontiguousarray(
            np.moveaxis(right, (-1, -2), (0, 1))
        ).reshape(right.shape)
    for name, way in ways.items():
        if way.shape == found.shape and np.array_equal(way, found):
            return name
    ratio = found.astype(np.float64).ravel() @ right.astype(np.float64).ravel()
    return "the source's with the other sign" if np.array_equal(found, -right) and ratio else ""
