"""The gradients of a framework in float64, held against the backward pass in NumPy.

In float32, a rounding may take one of a hundred thousand values across the bend of a ReLU, or make
another pixel the largest: there the gradient jumps, and no bound is known. In float64 it does not
come to that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from convparity.analysis.check.measured import Measure, moved
from convparity.analysis.proof.backward import Backward, backward
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run
from convparity.impls.spec import Spec, packed
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Arrays

# PyTorch's hard functions have sixths, TensorFlow's GELU a root of 2, rounded to float32.
ROUNDOFF = UNIT_ROUNDOFF["float32"]
MOVED = 2.0**-45  # by so much the data are moved, of which float64 has 53 bits
MOVES = 3  # backward passes on data moved by a rounding, which show what rounding makes of it


@contextmanager
def in_float64(adapter: Adapter) -> Iterator[None]:
    """Where a framework has to be told before it computes in float64, it is."""
    if adapter.name != "flax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def cotangent_for(spec: Spec, weights: Arrays, x: Any, seed: int) -> Any:
    """By how much each number of each output counts, drawn, in the outputs' container."""
    rng = np.random.default_rng(seed)
    y = packed(spec, run(spec, weights, *(each.astype(np.float64) for each in parts(x))))
    return on_each(lambda each: rng.standard_normal(each.shape), y)


def gradient_gap(
    adapter: Adapter, spec: Spec, weights: Arrays, x: Any, cotangent: Any
) -> str | None:
    """Which gradients differ by more than rounding, by each input and weight; None if none does."""
    weights = {name: np.asarray(w, dtype=np.float64) for name, w in weights.items()}
    x = on_each(lambda each: np.asarray(each, dtype=np.float64), x)
    right = _named(backward(spec, weights, x, cotangent))
    measure = Measure(ROUNDOFF)
    others = []
    for seed in range(MOVES):
        near = {name: moved(w, MOVED, seed) for name, w in weights.items()}
        inputs = on_each(lambda each, seed=seed: moved(each, MOVED, seed), x)
        others.append(_named(backward(spec, near, inputs, cotangent)))
    with in_float64(adapter):
        module = adapter.build(spec, weights, dtype="float64")
        by_x, by_weight = adapter.backward(module, x, cotangent)
    found = _named(Backward(by_x, by_weight))
    trained = {n for n in right if not n.endswith((".mean", ".variance"))}
    if found.keys() != trained:
        return f"there are gradients by {', '.join(found)}, not by {', '.join(sorted(trained))}"
    for name, gradient in found.items():
        measure.learn(name, right[name], [each[name] for each in others])
        if (gap := measure.difference(name, right[name], gradient)) is not None:
            return f"{adapter.name}, by {name}: {gap}"
    return None


def _named(found: Backward) -> dict[str, np.ndarray]:
    """All gradients, by names: those by the inputs are called x0, x1, ..."""
    return {**{f"x{i}": g for i, g in enumerate(parts(found.by_x))}, **found.by_weight}
