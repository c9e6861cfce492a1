"""The backward pass of a whole network, in float64 NumPy: layer by layer, by ``adjoint``."""

from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.wiring import Wiring, entry
from convparity.impls.reference import run
from convparity.impls.spec import Composite, Spec, dotted, together
from convparity.impls.values import named_parts, parts
from convparity.impls.weights import Arrays, Weights


class Backward(NamedTuple):
    """The gradients of one number, by what a network takes and by its weights."""

    by_x: Any  # an array, or a tuple of those of several inputs
    by_weight: Weights


def backward(spec: Spec, weights: Arrays, x: Any, cotangent: Any) -> Backward:
    """The gradients of the sum of each output times its ``cotangent``.

    ``cotangent`` is in the container in which the network gives its outputs.
    """
    wiring = Wiring(spec)
    values = {-1 - i: each.astype(np.float64) for i, each in enumerate(parts(x))}
    held = [_own(weights, node.path) for node in wiring.nodes]
    for i, node in enumerate(wiring.nodes):
        values[i] = run(node.spec, held[i], *(values[j] for j in node.inputs))
    given = named_parts(cotangent)
    names = list(spec.results) if isinstance(spec, Composite) else [""]
    by_value = {i: np.zeros(value.shape) for i, value in values.items()}
    for name, i in zip(names, wiring.outputs, strict=True):
        by_value[i] = by_value[i] + given[name]
    by_weight: dict[str, Any] = {}
    for i in range(len(wiring.nodes) - 1, -1, -1):
        node = wiring.nodes[i]
        found = adjoint(node.spec, held[i], [values[j] for j in node.inputs], by_value[i])
        for j, g in zip(node.inputs, found.inputs, strict=True):
            by_value[j] = by_value[j] + g
        for name, g in found.weights.items():  # of a layer that runs again, the sum
            path = dotted(node.path, name)
            by_weight[path] = by_weight.get(path, 0.0) + g
    ends = sorted((i for i in by_value if i < 0), key=entry)
    return Backward(together([by_value[i] for i in ends]), by_weight)


def _own(weights: Arrays, path: str) -> Weights:
    """The weights of one layer."""
    prefix = dotted(path, "")
    return {
        name.removeprefix(prefix): np.asarray(array, dtype=np.float64)
        for name, array in weights.items()
        if name.startswith(prefix) and "." not in name.removeprefix(prefix)
    }
