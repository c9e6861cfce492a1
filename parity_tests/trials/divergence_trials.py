"""A MobileNetV1 with one fault in one random layer: does first divergence name that layer?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from convparity import init_weights
from convparity.analysis.faults import FAULTS, Fault, Faulty, seed
from convparity.analysis.layerwise.compare import first_divergence
from convparity.impls import networks, registry
from convparity.impls.adapter import Adapter
from convparity.impls.reference import run as reference
from convparity.impls.spec import Layer, Shape, Spec, child_weights, walk_shapes
from convparity.impls.weights import Weights

# Narrow arithmetic is the business of probes, which ask a layer for other weights than its own.
SEEDED = [fault for fault in FAULTS.values() if fault.family != "precision"]


@dataclass(frozen=True)
class Result:
    """What the trials counted."""

    trials: int
    named: int
    alarms: int
    faults: int
    layers: int
    misses: tuple[str, ...]


def run(
    count: int, first_seed: int, width: float, size: int, frameworks: tuple[str, ...]
) -> Result:
    """Run ``count`` trials with a fault, and as many without."""
    network = networks.get("mobilenet_v1", width=width, classes=10)
    shape = (1, size, size, 3)
    rng = np.random.default_rng(first_seed)
    misses, alarms, faults, layers = [], 0, set(), set()
    for trial in range(count):
        weights = init_weights(network.spec, first_seed + trial)
        path, fault, faulty = _draw(rng, network.spec, weights, shape, trial)
        faults.add(fault.id)
        layers.add(path)
        ours, theirs = (str(name) for name in rng.choice(frameworks, 2))
        expected = registry.get(theirs).build(network.spec, weights)
        adapter = registry.get(ours)
        options: dict[str, Any] = {"input_shape": shape, "seed": trial}
        with _wrong(adapter, network.spec, weights, shape, path, fault, faulty) as module:
            found = first_divergence(module, expected, **options)
        if found.first is None or found.first.path != path or found.suspect is not None:
            misses.append(f"trial {trial}: {fault.id} at {path}, {ours} against {theirs}: {found}")
        right = first_divergence(adapter.build(network.spec, weights), expected, **options)
        if not right.ok:
            alarms += 1
            misses.append(f"trial {trial}: no fault, {ours} against {theirs}: {right}")
    named = count - sum("no fault" not in miss for miss in misses)
    return Result(count, named, alarms, len(faults), len(layers), tuple(misses))


def _draw(
    rng: np.random.Generator, spec: Spec, weights: Weights, shape: Shape, trial: int
) -> tuple[str, Fault, Faulty]:
    """A random layer with a random fault that changes its output."""
    nodes = list(_layers(spec, weights, shape))
    x_rng = np.random.default_rng(trial)
    while True:
        path, layer, own, layer_shape = nodes[rng.integers(len(nodes))]
        fault = SEEDED[rng.integers(len(SEEDED))]
        faulty = fault.seed(layer, layer_shape)
        if faulty is None:
            continue
        x = x_rng.standard_normal(layer_shape)
        right, wrong = reference(layer, own, x), faulty.output(reference, own, x)
        if right.shape != wrong.shape or not np.array_equal(np.float32(right), np.float32(wrong)):
            return path, fault, faulty


def _layers(
    spec: Spec, weights: Weights, shape: Shape
) -> Iterator[tuple[str, Spec, Weights, Shape]]:
    """Every layer, with its path, its weights and the shape of its input."""
    for path, layer, shapes in walk_shapes(spec, shape):
        if isinstance(layer, Layer):
            yield path, layer, child_weights(weights, path) if path else weights, shapes[0]


@contextmanager
def _wrong(
    adapter: Adapter,
    spec: Spec,
    weights: Weights,
    shape: Shape,
    path: str,
    fault: Fault,
    faulty: Faulty,
) -> Iterator[Any]:
    """A native module with the fault: built wrong, or a right one whose layer is run wrong."""
    whole = seed(spec, shape, (fault, path)) if faulty.pure else None
    if whole is not None:
        changed = weights if whole.weights is None else whole.weights(weights)
        yield adapter.build(whole.spec, changed)
        return
    module = adapter.build(spec, weights)
    target, own = module, weights
    for name in path.split("."):
        target, own = adapter.children(target)[name], child_weights(own, name)
    forward = type(adapter).forward

    def right(spec: Spec, weights: Any, x: np.ndarray) -> np.ndarray:
        return forward(adapter, adapter.build(spec, weights), np.asarray(x, dtype=np.float32))

    def run_wrong(self: Adapter, module: Any, x: np.ndarray) -> np.ndarray:
        if module is target:
            return np.asarray(faulty.output(right, own, x), dtype=np.float32)
        return forward(self, module, x)

    with patch.object(type(adapter), "forward", run_wrong):
        yield module
