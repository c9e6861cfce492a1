"""The gradients of a framework, held against the float64 backward pass."""

from typing import Any

import numpy as np

from convparity.analysis.check.measured import Measure, moved
from convparity.analysis.proof.backward import Backward, backward
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run
from convparity.impls.spec import Spec, packed
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Arrays

ROUNDOFF = 2.0**-24
MOVES = 3  # backward passes on data moved by a rounding, which show what rounding makes of it


def cotangent_for(spec: Spec, weights: Arrays, x: Any, seed: int) -> Any:
    """By how much each number of each output counts, drawn, in the outputs' container."""
    rng = np.random.default_rng(seed)
    y = packed(spec, run(spec, weights, *(each.astype(np.float64) for each in parts(x))))
    return on_each(lambda each: rng.standard_normal(each.shape).astype(np.float32), y)


def gradient_gap(
    adapter: Adapter, spec: Spec, weights: Arrays, x: Any, cotangent: Any
) -> str | None:
    """Which gradients differ by more than rounding, by each input and weight; None if none does."""
    right = _named(backward(spec, weights, x, cotangent))
    measure = Measure(ROUNDOFF)
    others = []
    for seed in range(MOVES):
        near = {name: moved(w, ROUNDOFF, seed) for name, w in weights.items()}
        inputs = on_each(lambda each, seed=seed: moved(each, ROUNDOFF, seed), x)
        others.append(_named(backward(spec, near, inputs, cotangent)))
    by_x, by_weight = adapter.backward(adapter.build(spec, weights), x, cotangent)
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
