"""Trials of lighting: a black box with one fault in one layer, lit layer by layer.

    python -m parity_tests.trials.lighting_trials faults --trials 500 [--framework keras]
    python -m parity_tests.trials.lighting_trials cheats --trials 100

Black boxes are of NumPy, or a framework's own builds. A fault that does not change its layer's own
output on dense integers is equivalent, and counted so.
"""

import argparse
import sys
import time
from collections import Counter
from functools import partial
from itertools import count
from typing import NamedTuple

import numpy as np

from convparity.analysis.faults import Faulty
from convparity.analysis.proof.black_box import lit_structure
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.lighting import Lighting, Lights
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.reference import Implementation, run
from convparity.impls.spec import (
    Activation,
    Composite,
    Shape,
    Spec,
    child_weights,
    fold_steps,
    output_shape,
    under,
    walk_shapes,
)
from convparity.impls.weights import Arrays, init_weights
from parity_tests.support.seeded_adapter import replaced
from parity_tests.trials.random_faults import equivalent, random_faults
from parity_tests.trials.trial_networks import LARGE, zoo

# ---------------------------------------------------------------- the black boxes


def black_box(path: str, faulty: Faulty, right: Implementation = run) -> Implementation:
    """A right implementation, run layer by layer, but for the fault in the layer at ``path``."""

    def compute(spec: Spec, weights: Arrays, at: str, *values: np.ndarray) -> np.ndarray:
        if isinstance(spec, Composite):
            return fold_steps(
                spec,
                values,
                lambda step, inputs: compute(
                    step.spec, step.weights(weights), step.path(at), *inputs
                ),
            )
        if at == path:
            return faulty.output(right, weights, values[0])
        return run(spec, weights, *values) if len(values) > 1 else right(spec, weights, *values)

    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        y = compute(spec, weights, "", x if right is not run else np.asarray(x, np.float64))
        return y.astype(np.float32)

    return candidate


def native(adapter: Adapter) -> Implementation:
    """A framework's own build, on the CPU in float32."""

    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        module = adapter.build(spec, {n: np.float32(w) for n, w in weights.items()})
        return adapter.forward(module, np.ascontiguousarray(x, np.float32))

    return candidate


def built(adapter: Adapter, path: str, faulty: Faulty) -> Implementation:
    """A framework's own build of a network, but for the layer at ``path``.

    A fault that no layer of the framework has is put between its layers.
    """
    if not faulty.pure:
        return black_box(path, faulty, native(adapter))

    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        if faulty.weights is not None:
            own = faulty.weights(child_weights(weights, path))
            weights = {**weights, **under(path, own)}
        network = replaced(spec, {path: faulty.spec})
        output_shape(network, x.shape)  # where layers do not fit: each framework has its own error
        return native(adapter)(network, weights, x)

    return candidate


# ---------------------------------------------------------------- the count


class Result(NamedTuple):
    """What was counted, by kind."""

    seen: Counter[str]
    unseen: Counter[str]
    equivalent: Counter[str]
    refused: Counter[str]  # the framework has no such layer, and says so
    misses: list[str]
    seconds: dict[str, float]  # of lighting each network, without the candidate
    unlit: dict[str, dict[str, str]]


def sees(lighting: Lighting, spec: Spec, candidate: Implementation) -> bool:
    """Whether the lighting tells a candidate from a right one."""
    return structure(candidate(spec, lighting.weights, lighting.x), lighting.target).wrong > 0


def run_trials(
    wanted: int, seed: int, only: str | None = None, framework: str | None = None
) -> Result:
    """So many faults in all, spread over the networks and their layers."""
    adapter = None if framework is None else registry.get(framework)
    result = Result(Counter(), Counter(), Counter(), Counter(), [], {}, {})
    nets = {name: net for name, net in zoo().items() if only in (None, name)}
    for name, (spec, shape) in nets.items():
        rng = np.random.default_rng([seed, *name.encode()])
        lights = Lights(spec, shape, seed)
        targets = lights.targets
        sizes = _shapes(lights)
        share = -(-wanted // len(nets))
        plan = Counter(rng.choice(len(targets), share).tolist())
        seconds = 0.0
        for i, target in enumerate(targets):
            start = time.process_time()
            drawn = list(lights.of(target))
            seconds += time.process_time() - start
            right = rounded if adapter is None else native(adapter)
            assert not any(sees(each, spec, right) for each in drawn), lights.path(target)
            group = [target, *lights.wiring.follows(target)]
            for _ in range(plan[i]):
                node = lights.wiring.nodes[group[rng.integers(len(group))]]
                kinds = list(random_faults(node.spec, rng))
                if not kinds:
                    continue
                fault = kinds[rng.integers(len(kinds))]
                before = [lights.wiring.nodes[j].spec for j in node.inputs if j >= 0]
                positive = any(isinstance(each, Activation) for each in before)
                shapes = [(4, *shape[1:]) for shape in sizes[node.path]]
                if all(equivalent(node.spec, fault, s, positive=positive) for s in shapes):
                    result.equivalent[fault.detail] += 1
                    continue
                candidate = black_box(node.path, fault)
                if adapter is not None:
                    candidate = built(adapter, node.path, fault)
                seen = False
                for lighting in drawn:
                    try:
                        seen = seen or sees(lighting, spec, candidate)
                    except UnsupportedError:
                        result.refused[fault.detail] += 1
                        break
                    except SpecError:
                        seen = True
                else:
                    (result.seen if seen else result.unseen)[fault.detail] += 1
                    if not seen:
                        unlit = lights.unlit.get(lights.path(target), "lit")
                        result.misses.append(f"{name}: {node.path} {fault.detail} ({unlit})")
        result.seconds[name] = seconds
        result.unlit[name] = lights.unlit
    return result


def _shapes(lights: Lights) -> dict[str, list[Shape]]:
    """The input shapes of each layer, on every shape that the network is lit on."""
    found: dict[str, list[Shape]] = {}
    for shape in lights.shapes:
        for path, each, shapes in walk_shapes(lights.spec, shape):
            if not isinstance(each, Composite):
                found.setdefault(path, []).append(shapes[0])
    return found


def rounded(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """The reference, rounded once, at the end."""
    return run(spec, weights, np.asarray(x, np.float64)).astype(np.float32)


class Cached:
    """Answers with what it first answered for a shape."""

    def __init__(self) -> None:
        self.known: dict[Shape, np.ndarray] = {}

    def __call__(self, spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.known.setdefault(x.shape, rounded(spec, weights, x))


def cheat(spec: Spec, weights: Arrays, x: np.ndarray, how: str) -> np.ndarray:
    """What does not look at its input or its weights, or at neither."""
    if how == "weights":
        return rounded(spec, init_weights(spec, 0), x)
    y = rounded(spec, weights, np.ones_like(x))
    return np.zeros_like(y) if how == "constant" else y


def cheat_trials(wanted: int, first_seed: int) -> dict[str, str]:
    """The status that each cheat gets, so many or a few more: small networks, the large at last."""
    found: dict[str, str] = {}
    nets = zoo()
    for seed in count(first_seed):
        last = len(found) + 4 * len(nets) >= wanted
        for name, (spec, shape) in nets.items():
            if name in LARGE and not last:
                continue
            candidates: dict[str, Implementation] = {
                "ignores its input": partial(cheat, how="input"),
                "constant": partial(cheat, how="constant"),
                "ignores its weights": partial(cheat, how="weights"),
                "cached by shape": Cached(),
            }
            for kind, candidate in candidates.items():
                verdict = lit_structure(candidate, spec, shape, seed, "float32", True)
                found[f"{name}, {kind}, seed {seed}"] = verdict.status
        if last:
            return found
    raise AssertionError("unreachable")


def naming_trials(wanted: int, seed: int) -> tuple[int, list[str]]:
    """How often the layer with the fault is named, and what was said where it was not."""
    named, told = 0, []
    nets = [(name, net) for name, net in zoo().items() if name not in LARGE]
    rng = np.random.default_rng(seed)
    while named + len(told) < wanted:
        name, (spec, shape) = nets[rng.integers(len(nets))]
        lights = Lights(spec, shape, seed)
        target = lights.targets[rng.integers(len(lights.targets))]
        group = [target, *lights.wiring.follows(target)]
        node = lights.wiring.nodes[group[rng.integers(len(group))]]
        kinds = list(random_faults(node.spec, rng))
        if not kinds:
            continue
        fault = kinds[rng.integers(len(kinds))]
        try:
            candidate = black_box(node.path, fault)
            verdict = lit_structure(candidate, spec, shape, seed, "float32", True)
        except SpecError:
            continue
        if verdict.status != "wrong":
            continue
        if verdict.layer == lights.path(target):
            named += 1
        else:
            told.append(f"{name}: {fault.detail} in {node.path}, named {verdict.layer}")
    return named, told


def main() -> None:
    """Count, and exit with status 1 if a fault is unseen, a right one wrong, or a cheat ok."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["faults", "cheats", "names"])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network", help="one of the networks alone")
    parser.add_argument("--framework", help="black boxes of its builds, not of NumPy")
    asked = parser.parse_args()
    failed = False
    if asked.what == "faults":
        outcome = run_trials(asked.trials, asked.seed, asked.network, asked.framework)
        names = ("seen", "unseen", "equivalent", "refused")
        counts = [getattr(outcome, name) for name in names]
        print(f"{'fault':32}" + "".join(f"{name:>12}" for name in names))
        for kind in sorted(set().union(*counts)):
            print(f"{kind:32}" + "".join(f"{each[kind]:12}" for each in counts))
        print(f"{'all':32}" + "".join(f"{each.total():12}" for each in counts))
        for line in outcome.misses:
            print("unseen:", line)
        for name, seconds in outcome.seconds.items():
            print(
                f"{name}: lit in {seconds:.1f} s of processor time; {outcome.unlit[name] or 'all'}"
            )
        failed = bool(outcome.misses)
    elif asked.what == "cheats":
        statuses = cheat_trials(asked.trials, asked.seed)
        print(Counter(statuses.values()), *(k for k, v in statuses.items() if v == "ok"), sep="\n")
        failed = "ok" in statuses.values()
    else:
        named, told = naming_trials(asked.trials, asked.seed)
        print(f"named {named}, not {len(told)}", *told, sep="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
