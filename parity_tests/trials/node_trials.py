"""Trials of the proof node by node: single faults in one layer of real networks, natively built.

    python -m parity_tests.trials.node_trials --trials 3000 [--framework pytorch]

A fault is seeded into one random layer of a framework's own build and judged on the integers that
``compare`` gives that layer. One that does not change the layer's float64 output on other dense
integers, at the network's own size, is equivalent, and counted so.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from convparity.analysis.faults import Faulty
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.node_by_node import Node, judge_nodes, node_weights, nodes, run_nodes
from convparity.impls import networks, registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.networks import Network
from convparity.impls.spec import Layer, Shape, Spec, walk_shapes
from parity_tests.trials.lighting_trials import native
from parity_tests.trials.random_faults import equivalent, random_faults

NETWORKS = ("mobilenet_v1", "efficientnet_lite0")


class Trial(NamedTuple):
    """A fault in one layer, with the data that ``compare`` gives this layer."""

    node: Node
    layer: Layer
    faulty: Faulty
    equivalent: bool


def trials(network: Network, found: tuple[Node, ...], seed: int) -> Iterator[Trial]:
    """Faults without end: a random layer, a random kind that it can have, a random place."""
    rng = np.random.default_rng(seed)
    layers: dict[str, tuple[Layer, Shape]] = {
        path: (spec, shapes[0])
        for path, spec, shapes in walk_shapes(network.spec, network.input_shape)
        if isinstance(spec, Layer)
    }
    while True:
        node = found[rng.integers(len(found))]
        layer, shape = layers[node.path]
        kinds = list(random_faults(layer, rng))
        if kinds:
            faulty = kinds[rng.integers(len(kinds))]
            yield Trial(node, layer, faulty, equivalent(layer, faulty, (1, *shape[1:])))


def status(adapter: Adapter, trial: Trial) -> str:
    """What the proof says of the fault in this framework: "wrong", where it is seen."""
    node = trial.node
    try:
        output = trial.faulty.output(native(adapter), node.weights, node.x)
    except SpecError:  # the fault gives another shape at the size of the proof
        return "wrong"
    except UnsupportedError:  # the framework has no such layer, and says so
        return "unsupported"
    return structure(output, node.target).status


def right(adapter: Adapter, spec: Spec, found: tuple[Node, ...]) -> list[str]:
    """The layers of the right network that are not called right: none, or trials mean nothing."""
    outputs = run_nodes(adapter, adapter.build(spec, node_weights(found)), found)
    return [
        f"{path}: {verdict}"
        for path, verdict in judge_nodes(found, outputs)
        if verdict.status != "ok"
    ]


def main() -> None:
    """Count by network, framework and kind; exit with status 1 if a fault is unseen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300, help="over both networks")
    parser.add_argument("--framework", action="append", choices=list(registry.FRAMEWORKS))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    names = asked.framework or list(registry.FRAMEWORKS)
    counted: Counter[tuple[str, str]] = Counter()
    told: list[str] = []
    for name in NETWORKS:
        start = time.perf_counter()
        network = networks.get(name)
        found = nodes(network.spec, network.input_shape, asked.seed, "float32", True)
        adapters = [registry.get(each) for each in names]
        for adapter in adapters:
            told += [
                f"{name}, {adapter.name}: right, but {line}"
                for line in right(adapter, network.spec, found)
            ]
        drawn = trials(network, found, asked.seed)
        for _ in range(asked.trials // len(NETWORKS)):
            trial = next(drawn)
            kind = trial.faulty.detail
            if trial.equivalent:
                counted[kind, "equivalent"] += 1
                continue
            for adapter in adapters:
                said = status(adapter, trial)
                counted[kind, said] += 1
                if said not in ("wrong", "unsupported"):
                    told.append(f"{name}, {adapter.name}: {trial.node.path} {kind}: {said}")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    columns = ("wrong", "ok", "not tested", "unsupported", "equivalent")
    print(f"{'fault':32}" + "".join(f"{each:>12}" for each in columns))
    for kind in sorted({kind for kind, _ in counted}):
        print(f"{kind:32}" + "".join(f"{counted[kind, each]:12}" for each in columns))
    totals = [sum(n for (_, each), n in counted.items() if each == c) for c in columns]
    print(f"{'all':32}" + "".join(f"{each:12}" for each in totals))
    print(*told, sep="\n")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
