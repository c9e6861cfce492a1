"""Canonical weights: a flat ``dict[str, numpy.ndarray]`` with dotted names, channels-last.

Layouts: ``kernel`` of Conv ``(*k, in/groups, out)``, of DepthwiseConv ``(*k, in, multiplier)``, of
Dense ``(in, out)``; ``bias (out,)``; BatchNorm ``scale``, ``offset``, ``mean``, ``variance``.
"""

import re
import zlib
from collections.abc import Collection, Mapping

import numpy as np

from convparity.impls.errors import (
    FROM_USER_CODE,
    UnsupportedError,
    WeightError,
    in_one_line,
    quoted,
)
from convparity.impls.limits import check_size
from convparity.impls.spec import (
    BatchNorm,
    Constant,
    DepthwiseConv,
    InputNorm,
    Pad,
    Shape,
    Spec,
    dotted,
    parameter_axes,
    parameter_shapes,
    walk,
)
from convparity.impls.values import OVERFLOW, check_seed, real_array

Weights = dict[str, np.ndarray]
Arrays = Mapping[str, np.ndarray]  # weights that are only read

NAME = re.compile(r"[\w.]{1,60}", re.ASCII)  # that a message shows as it is


def init_weights(spec: Spec, seed: int) -> Weights:
    """Draw random float32 weights, the same on every machine for the same seed.

    Kernels are uniform with variance 2 / fan_in (He et al., arXiv 1502.01852). Biases and the four
    arrays of a BatchNorm are random, too, so that no test passes on zeros or ones; a weight of
    another name lies between -1 and 1. Only integers, sums, products and square roots are used, all
    of which IEEE 754 rounds in one way. Each array depends on the seed and its own name: a change
    of one layer leaves the others as they were.

    Args:
        spec: Any layer or network.
        seed: An integer from 0 to 2^128 - 1.

    Returns:
        The canonical weights: an array for each name of ``parameter_shapes(spec)``, of its shape.

    Raises:
        SpecError: ``spec`` is not a spec.
        InputError: ``seed`` is not such an integer, or the weights are more than the limit.

    Example:
        >>> import convparity as cp
        >>> weights = cp.init_weights(cp.Conv(3, 8, 5), seed=0)
        >>> {name: array.shape for name, array in weights.items()}
        {'kernel': (5, 5, 3, 8), 'bias': (8,)}
    """
    check_seed(seed)
    check_size(spec)
    weights = {}
    for path, layer in walk(spec):
        for own_name, shape in layer.parameters().items():
            name = dotted(path, own_name)
            weights[name] = _draw(layer, name, shape, seed)
    return weights


def _fan_in(layer: Spec, shape: Shape) -> int:
    taps = shape[:-2] if isinstance(layer, DepthwiseConv) else shape[:-1]
    return int(np.prod(taps, dtype=int))


def _draw(layer: Spec, name: str, shape: Shape, seed: int) -> np.ndarray:
    stream = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    uniform = np.random.Generator(np.random.PCG64(stream)).random(shape) * 2 - 1  # in [-1, 1)
    match name.rpartition(".")[2]:
        case "kernel":
            values = uniform * np.sqrt(6 / _fan_in(layer, shape))
        case "scale" | "variance":  # around one, and a variance is positive
            values = 1 + uniform / 2
        case "bias" | "offset" | "mean":
            values = uniform / 4
        case _:
            values = uniform
    return np.asarray(values, dtype=np.float32)


def affine(
    spec: BatchNorm | InputNorm, weights: Arrays, ndim: int
) -> tuple[np.ndarray, np.ndarray]:
    """The scale and the offset of a norm in float64, as they meet an input of ``ndim`` axes.

    Ones and zeros where it has none.
    """
    shape = np.ones(ndim, int)
    axes, sizes = parameter_axes(spec)
    shape[list(axes)] = sizes
    scale = weights["scale"] if spec.scale else np.ones(sizes)
    offset = weights["offset"] if getattr(spec, "offset", False) else np.zeros(sizes)
    return scale.astype(np.float64).reshape(shape), offset.astype(np.float64).reshape(shape)


def check_names(spec: Spec, weights: Collection[str]) -> None:
    """Raise ``WeightError`` unless the names are those that ``spec`` declares."""
    shapes = parameter_shapes(spec)
    unknown = [name for name in weights if name not in shapes]
    missing = [name for name in shapes if name not in weights]
    if unknown or missing:
        parts = [
            f"{what} {', '.join(map(_word, names[:5]))}{', ...' if len(names) > 5 else ''} "
            f"({len(names)})"
            for what, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise WeightError(
            f"weights do not fit {type(spec).__name__}: {'; '.join(parts)}. "
            f"parameter_shapes(spec) lists the {len(shapes)} names it takes"
        )


def check_shapes(spec: Spec, shapes: Mapping[str, Shape]) -> None:
    """Raise ``WeightError`` unless names and shapes are those that ``spec`` declares."""
    check_names(spec, shapes)
    for name, needed in parameter_shapes(spec).items():
        if shapes[name] != needed:
            raise WeightError(
                f"{name} has shape {quoted(shapes[name])}, the spec needs {needed}: "
                "canonical arrays are channels-last"
            )


def check_mapping(weights: object) -> None:
    """Raise ``WeightError`` for what holds no weights; None would be an initialiser's."""
    if not isinstance(weights, Mapping):
        raise WeightError(
            f"weights are a dict of arrays by their names, not {quoted(weights)}: "
            "init_weights(spec, seed) draws some"
        )


def _word(name: object) -> str:
    """A name of a weight as it is, another thing quoted."""
    return name if isinstance(name, str) and NAME.fullmatch(name) else quoted(name)


def check_weights(spec: Spec, weights: Arrays) -> Weights:
    """The arrays that ``spec`` declares, each read once; ``WeightError`` for any others.

    Each is of real numbers, finite, and of a variance not negative. No framework can be trusted
    with this: two of the three run misshaped weights without a word, and all of them a variance
    whose root is NaN.
    """
    check_mapping(weights)
    check_size(spec)
    try:
        given = dict(weights.items())
    except FROM_USER_CODE as error:  # of a mapping with code of its own
        raise WeightError(
            f"the weights cannot be read ({in_one_line(error)}): give a dict of arrays"
        ) from error
    check_names(spec, given)
    arrays = {
        name: real_array(given[name], name, WeightError, booleans=False)
        for name in parameter_shapes(spec)
    }
    check_shapes(spec, {name: array.shape for name, array in arrays.items()})
    for name, array in arrays.items():
        _check_values(name, array)
    return arrays


def _check_values(name: str, array: np.ndarray) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        raise WeightError(
            f"{name} holds {np.count_nonzero(~finite)} NaN or infinite values of "
            f"{array.size}: the weights are damaged, or training diverged"
        )
    if name.rpartition(".")[2] == "variance" and (negative := np.count_nonzero(array < 0)):
        raise WeightError(
            f"{name} holds {negative} negative values of {array.size}, whose root would be NaN: is "
            "it another array than the variance?"
        )


def check_fills(spec: Spec, dtype: str) -> None:
    """Raise ``UnsupportedError`` for a number of a spec that the dtype has infinity for."""
    for path, layer in walk(spec):
        if not isinstance(layer, Pad | Constant):
            continue
        values = (layer.value,) if isinstance(layer, Pad) else layer.values
        largest = max(values, key=abs)
        if abs(largest) >= OVERFLOW[dtype]:
            where = f"layer {path!r}" if path else type(layer).__name__
            does = "fills with" if isinstance(layer, Pad) else "gives"
            raise UnsupportedError(
                f"{where} {does} {largest:.5g}, where {dtype} has infinity: build it in a "
                "wider dtype"
            )


def check_range(weights: Arrays, dtypes: Mapping[str, str]) -> None:
    """Raise ``WeightError`` for a number so large that its dtype has infinity for it.

    ``dtypes`` are those that the weights, which fit their spec, are about to be written in.
    """
    for name, dtype in dtypes.items():
        array, overflow = np.asarray(weights[name]), OVERFLOW[dtype]
        held = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
        if float(held.max) < overflow:
            continue
        sizes = abs(array.astype(np.float64))
        if dtype in ("float16", "bfloat16"):  # on their way there they may be rounded to float32
            with np.errstate(over="ignore"):
                sizes = sizes.astype(np.float32)
        if too_large := np.count_nonzero(sizes >= overflow):
            raise WeightError(
                f"{name} holds {too_large} values of {array.size} beyond {overflow:.5g}, where "
                f"{dtype} has infinity: build it in a wider dtype"
            )
