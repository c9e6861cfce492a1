"""Canonical weights: a flat ``dict[str, numpy.ndarray]`` with dotted names, channels-last.

Layouts: ``kernel`` of Conv ``(*k, in/groups, out)``, of DepthwiseConv ``(*k, in, multiplier)``, of
Dense ``(in, out)``; ``bias (out,)``; BatchNorm ``scale``, ``offset``, ``mean``, ``variance``.
"""

import zlib
from collections.abc import Mapping

import numpy as np

from convparity.impls.errors import WeightError
from convparity.impls.spec import DepthwiseConv, Shape, Spec, dotted, parameter_shapes, walk

Weights = dict[str, np.ndarray]
Arrays = Mapping[str, np.ndarray]  # weights that are only read


def init_weights(spec: Spec, seed: int) -> Weights:
    """Random float32 weights, the same on every machine for the same seed.

    Kernels are uniform with variance 2/fan_in (He et al., arXiv 1502.01852); biases and BatchNorm's
    four arrays are random too, so that no test passes on zeros or ones. Only integer bits, sums,
    products and square roots are used, all of which IEEE 754 rounds in one way. Each array has a
    stream of its own, named by the array: a change of one layer leaves the others as they were.
    """
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
        case unknown:
            raise NotImplementedError(f"{type(layer).__name__}: how is {unknown!r} drawn?")
    return np.asarray(values, dtype=np.float32)


def check_weights(spec: Spec, weights: Arrays) -> None:
    """Raise ``WeightError`` unless ``weights`` are exactly the arrays that ``spec`` declares.

    No framework can be trusted with this: two of the three run misshaped weights without a word.
    """
    shapes = parameter_shapes(spec)
    unknown = [name for name in weights if name not in shapes]
    missing = [name for name in shapes if name not in weights]
    if unknown or missing:
        parts = [
            f"{what} {', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)})"
            for what, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise WeightError(
            f"weights do not fit {type(spec).__name__}: {'; '.join(parts)}. "
            f"parameter_shapes(spec) lists the {len(shapes)} names it takes"
        )
    for name, shape in shapes.items():
        array = np.asarray(weights[name])
        if array.shape != shape:
            raise WeightError(
                f"{name} has shape {array.shape}, the spec needs {shape}: "
                "canonical arrays are channels-last"
            )
        if array.dtype.kind not in "fiu":
            raise WeightError(f"{name} has dtype {array.dtype}: weights are real numbers")
        if not np.isfinite(array).all():
            raise WeightError(
                f"{name} holds {np.count_nonzero(~np.isfinite(array))} NaN or infinite values of "
                f"{array.size}: the weights are damaged, or training diverged"
            )
