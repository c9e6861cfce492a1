"""Trials of lighting: a black box of NumPy with one fault in one layer, lit layer by layer.

    python -m parity_tests.meta.lighting_trials faults --trials 500
    python -m parity_tests.meta.lighting_trials right --trials 200
    python -m parity_tests.meta.lighting_trials cheats

A fault that does not change its layer's own output on dense integers is equivalent, and counted so.
"""

import argparse
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.filled import Filled
from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.lighting import Lighting, Lights
from convparity.analysis.proof.linear_form import LINEAR, filters_shape, to_filters, to_kernel
from convparity.analysis.proof.lit import lit_structure
from convparity.impls import networks
from convparity.impls.errors import SpecError
from convparity.impls.reference import Implementation, run
from convparity.impls.spec import (
    ACTIVATIONS,
    PADDING_MODES,
    Activation,
    AvgPool,
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
    Shape,
    Spec,
    fold_steps,
    output_shape,
    walk_shapes,
)
from convparity.impls.weights import Arrays
from parity_tests.meta.doubles import draw_double

Wrong = Callable[[Spec, Arrays, np.ndarray], np.ndarray]  # one layer, with its fault


def black_box(path: str, wrong: Wrong) -> Implementation:
    """A right implementation in float32's dtype, but for the layer at ``path``."""

    def compute(spec: Spec, weights: Arrays, at: str, *values: np.ndarray) -> np.ndarray:
        if isinstance(spec, Composite):
            return fold_steps(
                spec,
                values[0],
                lambda step, inputs: compute(
                    step.spec, step.weights(weights), step.path(at), *inputs
                ),
            )
        return wrong(spec, weights, *values) if at == path else run(spec, weights, *values)

    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        y = compute(spec, weights, "", np.asarray(x, np.float64))
        return y.astype(np.float32)

    return candidate


# ---------------------------------------------------------------- the networks


def _block(*layers: Spec) -> Sequential:
    return Sequential(*layers)


def _bn(n: int, act: str | None = "relu", eps: float = 1e-3, rank: int = 2) -> list[Spec]:
    return [BatchNorm(n, eps, rank=rank), *([Activation(act)] if act else [])]  # type: ignore[arg-type]


def zoo() -> dict[str, tuple[Spec, Shape]]:
    """Networks of every kind, by name, with an input shape."""
    mobile = networks.get("mobilenet_v1", width=0.25, resolution=64 / 224)
    lite = networks.get("efficientnet_lite0", resolution=64 / 224)
    same: Any = {"padding": "same"}
    no_bias: Any = {"bias": False}
    residual = Residual(
        _block(
            Conv(8, 8, 3, padding=1, **no_bias), *_bn(8), Conv(8, 8, 3, padding=1, **no_bias),
            *_bn(8, None),
        )
    )  # fmt: skip
    shortcut = Residual(
        _block(
            Conv(8, 12, 3, 2, 1, **no_bias), *_bn(12), Conv(12, 12, 3, padding=1, **no_bias),
            *_bn(12, None),
        ),
        _block(Conv(8, 12, 1, 2, **no_bias), *_bn(12, None)),
    )  # fmt: skip
    return {
        "MobileNetV1": (mobile.spec, mobile.input_shape),
        "EfficientNet-Lite0": (lite.spec, lite.input_shape),
        "ResNet": (
            _block(
                Conv(3, 8, 7, 2, 3, **no_bias), *_bn(8, eps=1e-5), MaxPool(3, 2, 1), residual,
                Activation("relu"), shortcut, Activation("relu"), GlobalAvgPool(), Dense(12, 10),
            ),
            (1, 32, 32, 3),
        ),
        "VGG": (
            _block(
                Conv(3, 8, 3, padding=1), Activation("relu"), Conv(8, 8, 3, padding=1),
                Activation("relu"), MaxPool(2), Conv(8, 16, 3, padding=1), Activation("relu"),
                MaxPool(2), Flatten(), Dense(64 * 4, 32), Activation("relu"), Dense(32, 10),
            ),
            (1, 16, 16, 3),
        ),
        "SiLU": (
            _block(
                Conv(3, 8, 3, 2, "same", **no_bias), *_bn(8, "silu"),
                DepthwiseConv(8, 5, 2, "same", **no_bias), *_bn(8, "silu"),
                Conv(8, 16, 1, **no_bias), *_bn(16, "silu"), GlobalAvgPool(), Dense(16, 10),
            ),
            (1, 32, 32, 3),
        ),
        "no norms, SiLU": (
            _block(
                Conv(3, 8, 3, 2, "same"), Activation("silu"), Conv(8, 12, 3, padding=1),
                Activation("hard_swish"), GlobalAvgPool(), Dense(12, 5),
            ),
            (1, 16, 16, 3),
        ),
        "groups and dilation": (
            _block(
                Conv(4, 12, 3, 1, "same", 2, groups=2), *_bn(12),
                Conv(12, 12, 3, 2, 1, groups=3, **no_bias), *_bn(12, "relu6"),
                DepthwiseConv(12, (3, 5), 1, "same", (1, 2), 2), *_bn(24), AvgPool(2),
                Conv(24, 8, 1), GlobalAvgPool(), Dense(8, 6),
            ),
            (1, 17, 16, 4),
        ),
        "padding modes": (
            _block(
                Conv(3, 8, 3, 1, 1, padding_mode="reflect"), Activation("relu"),
                Conv(8, 8, 5, 1, 2, padding_mode="circular"), Activation("relu"),
                DepthwiseConv(8, 3, 2, 1, padding_mode="replicate"), *_bn(8),
                Flatten(), Dense(8 * 36, 7),
            ),
            (1, 11, 12, 3),
        ),
        "LayerNorm and GroupNorm": (
            _block(
                Conv(3, 8, 4, 4), LayerNorm(8),
                Residual(
                    _block(
                        DepthwiseConv(8, 7, 1, "same"), LayerNorm(8, 1e-6), Conv(8, 24, 1),
                        Activation("gelu"), Conv(24, 8, 1), Scale(8),
                    )
                ),
                Conv(8, 12, 3, 2, 1), GroupNorm(3, 12), Activation("relu"), GlobalAvgPool(),
                Dense(12, 5),
            ),
            (1, 32, 32, 3),
        ),
        "separable, odd": (
            _block(
                SeparableConv(3, 8, 3, 2, "same", depth_multiplier=2), Activation("relu"),
                SeparableConv(8, 12, 3, 1, "same"), Activation("relu"), MaxPool(3, 2, "same"),
                Flatten(), Dense(12 * 16, 9),
            ),
            (1, 15, 15, 3),
        ),
        "transposed": (
            _block(
                Conv(3, 8, 3, 2, "same"), Activation("relu"),
                ConvTranspose(8, 6, 4, 2, 1), *_bn(6), ConvTranspose(6, 4, 3, 2, 1, 1, 2),
                Activation("relu"), Conv(4, 3, 3, padding=1),
            ),
            (1, 8, 10, 3),
        ),
        "one dimension": (
            _block(
                Conv(2, 6, 3, 1, "causal", rank=1), *_bn(6, rank=1),
                Residual(
                    _block(
                        Conv(6, 6, 3, 1, "causal", 2, rank=1), Activation("relu"),
                        Conv(6, 6, 3, 1, "causal", 4, rank=1),
                    )
                ),
                MaxPool(2, rank=1), Conv(6, 4, 5, 2, "same", rank=1), Activation("leaky_relu"),
                Flatten(), Dense(16, 5),
            ),
            (1, 16, 2),
        ),
        "three dimensions": (
            _block(
                Conv(2, 6, 3, (1, 2, 2), "same", rank=3), *_bn(6, rank=3), AvgPool(2, rank=3),
                Conv(6, 8, (1, 3, 3), padding=(0, 1, 1), rank=3), Activation("relu"),
                GlobalAvgPool(), Dense(8, 4),
            ),
            (1, 4, 8, 8, 2),
        ),
        "tanh and sigmoid": (
            _block(
                Conv(1, 6, 5, 1, 2), Activation("tanh"), AvgPool(2), Conv(6, 8, 5),
                Activation("sigmoid"), AvgPool(2), Flatten(), Dense(8 * 4, 10),
            ),
            (1, 16, 16, 1),
        ),
        "preactivation": (
            _block(
                Activation("relu"), Conv(3, 8, 3, padding=1, **no_bias),
                Residual(_block(*_bn(8), Conv(8, 8, 3, **same))), *_bn(8, "elu"),
                GlobalAvgPool(), Dense(8, 4),
            ),
            (1, 8, 8, 3),
        ),
    }  # fmt: skip


# ---------------------------------------------------------------- the faults


class Fault(NamedTuple):
    """A fault of one layer: its kind, and the layer with it."""

    kind: str
    wrong: Wrong


def faults(spec: Spec, rng: np.random.Generator) -> Iterator[Fault]:
    """One fault of each kind that the layer can have, at random places."""
    if isinstance(spec, LINEAR):
        yield from _kernel_faults(spec, rng)
        yield from _filter_faults(spec, rng)
    if isinstance(spec, Conv | DepthwiseConv | ConvTranspose | MaxPool | AvgPool):
        yield from _window_faults(spec, rng)
    if isinstance(spec, BatchNorm | LayerNorm | GroupNorm | Scale):
        yield from _norm_faults(spec, rng)
    if isinstance(spec, Activation):
        yield Fault("activation missing", lambda s, w, x: x)
        others = [name for name in ACTIVATIONS if name != spec.function]
        other = Activation(others[rng.integers(len(others))])
        yield Fault("another activation", lambda s, w, x: run(other, w, x))
        if spec.function in ("relu", "relu6"):
            near = Activation("relu6" if spec.function == "relu" else "relu")
            yield Fault("ReLU and ReLU6", lambda s, w, x: run(near, w, x))
        if spec.function == "silu":
            swish = Activation("hard_swish")
            yield Fault("another SiLU", lambda s, w, x: run(swish, w, x))
    if isinstance(spec, Flatten):
        yield Fault("flatten order", lambda s, w, x: np.moveaxis(x, -1, 1).reshape(len(x), -1))
    if isinstance(spec, GlobalAvgPool):
        yield Fault("maximum for mean", lambda s, w, x: x.max(axis=tuple(range(1, x.ndim - 1))))


def _with(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Wrong:
    """The layer with one array changed."""

    def wrong(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        array = np.array(weights[name], dtype=np.float64)
        return run(spec, {**weights, name: change(array)}, x)

    return wrong


def _filters(spec: Any, change: Callable[[np.ndarray], None]) -> Wrong:
    def changed(kernel: np.ndarray) -> np.ndarray:
        filters = to_filters(spec, kernel).copy()
        change(filters)
        return to_kernel(spec, filters)

    return _with("kernel", changed)


def _kernel_faults(spec: Any, rng: np.random.Generator) -> Iterator[Fault]:
    taps, channels, out = filters_shape(spec)
    n = taps * channels
    j = int(rng.integers(out))
    if n > 1:
        a, b = rng.choice(n, 2, replace=False)

        def exchanged(filters: np.ndarray) -> None:
            flat = filters.reshape(n, out)
            flat[[a, b], j] = flat[[b, a], j]

        yield Fault("two taps exchanged", _filters(spec, exchanged))
    at = int(rng.integers(n))

    def off_by_one(filters: np.ndarray) -> None:
        flat = filters.reshape(n, out)
        step = abs(flat[flat != 0]).min(initial=abs(flat).max())
        flat[at, j] += step

    yield Fault("one weight off by a step", _filters(spec, off_by_one))
    if channels > 1:
        c, d = rng.choice(channels, 2, replace=False)

        def dropped(filters: np.ndarray) -> None:
            filters[:, c] = 0

        def repeated(filters: np.ndarray) -> None:
            filters[:, c] += filters[:, d]
            filters[:, d] = 0

        def rolled(filters: np.ndarray) -> None:
            filters[:] = np.roll(filters, 1, axis=1)

        yield Fault("input channel dropped", _filters(spec, dropped))
        yield Fault("input channel repeated", _filters(spec, repeated))
        yield Fault("input channels rolled", _filters(spec, rolled))
    for axis, k in enumerate(getattr(spec, "kernel_size", ())):
        if k > 1:
            yield Fault(f"flipped axis {axis}", _with("kernel", partial(np.flip, axis=axis)))
    sizes = getattr(spec, "kernel_size", ())
    if len(sizes) > 1 and sizes[-1] == sizes[-2] > 1:
        last = len(sizes) - 1
        yield Fault("H and W exchanged", _with("kernel", lambda w: w.swapaxes(last, last - 1)))


def _filter_faults(spec: Any, rng: np.random.Generator) -> Iterator[Fault]:
    out = filters_shape(spec)[2]
    if out > 1:
        a, b = rng.choice(out, 2, replace=False)

        def exchanged(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
            y = run(s, w, x)
            y[..., [a, b]] = y[..., [b, a]]
            return y

        def repeated(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
            y = run(s, w, x)
            y[..., a] = y[..., b]
            return y

        yield Fault("two filters exchanged", exchanged)
        yield Fault("output channel repeated", repeated)

    def dropped(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
        y = run(s, w, x)
        y[..., out - 1] = 0
        return y

    yield Fault("output channel dropped", dropped)
    if spec.bias:
        yield Fault("bias missing", _with("bias", lambda b: 0 * b))
        if out > 1:
            yield Fault("bias rolled", _with("bias", lambda b: np.roll(b, 1)))
    groups = getattr(spec, "groups", 1)
    if groups > 1:
        each = spec.in_channels // groups

        def interleaved(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
            split = x.reshape(*x.shape[:-1], each, groups).swapaxes(-1, -2)
            return run(s, w, split.reshape(x.shape))

        yield Fault("groups interleaved", interleaved)


def _window_faults(spec: Any, rng: np.random.Generator) -> Iterator[Fault]:
    def changed(**fields: Any) -> Wrong:
        def wrong(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
            other = dataclasses.replace(s, **fields)  # type: ignore[type-var]
            if output_shape(other, x.shape) != output_shape(s, x.shape):
                raise SpecError("another shape")
            return run(other, w, x)

        return wrong

    half = tuple(k // 2 for k in spec.kernel_size)
    if spec.padding == "same":
        yield Fault("k//2 for SAME", changed(padding=half))
    elif spec.padding == tuple((h, h) for h in half):
        yield Fault("SAME for k//2", changed(padding="same"))
    if not isinstance(spec.padding, str):
        moved = tuple((max(low - 1, 0), high + min(low, 1)) for low, high in spec.padding)
        yield Fault("padding moved", changed(padding=moved))
    if hasattr(spec, "padding_mode"):
        modes = [mode for mode in PADDING_MODES if mode != spec.padding_mode]
        yield Fault("padding mode", changed(padding_mode=modes[rng.integers(len(modes))]))
    if hasattr(spec, "dilation"):
        yield Fault("dilation", changed(dilation=tuple(d + 1 for d in spec.dilation)))
        yield Fault("no dilation", changed(dilation=1))
    if isinstance(spec, AvgPool):
        yield Fault("padding counted", changed(count_include_pad=not spec.count_include_pad))
    if isinstance(spec, MaxPool | AvgPool):
        other = MaxPool if isinstance(spec, AvgPool) else AvgPool
        pool = other(spec.kernel_size, spec.stride, spec.padding, rank=spec.rank)
        yield Fault("another pool", lambda s, w, x: run(pool, w, x))
    if max(spec.stride) > 1 and not isinstance(spec, ConvTranspose):

        def phase(s: Any, w: Arrays, x: np.ndarray) -> np.ndarray:
            axes = [i + 1 for i, each in enumerate(s.stride) if each > 1]
            n = x.shape[axes[0]]
            return run(s, w, np.take(x, [*range(1, n), n - 1], axis=axes[0]))

        yield Fault("stride phase", phase)


def _norm_faults(spec: Any, rng: np.random.Generator) -> Iterator[Fault]:
    n = spec.num_features
    names = list(spec.parameters())
    name = names[rng.integers(len(names))]
    if n > 1:
        yield Fault("statistics or affine rolled", _with(name, lambda a: np.roll(a, 1)))
    if hasattr(spec, "eps"):
        eps = 1e-5 if spec.eps != 1e-5 else 1e-3
        yield Fault("eps", lambda s, w, x: run(dataclasses.replace(s, eps=eps), w, x))
    if isinstance(spec, BatchNorm):
        yield Fault("mean missing", _with("mean", lambda a: 0 * a))
        yield Fault("variance missing", _with("variance", lambda a: 0 * a + 1))

        def crossed(s: Spec, w: Arrays, x: np.ndarray) -> np.ndarray:
            return run(s, {**w, "mean": w["offset"], "offset": w["mean"]}, x)

        yield Fault("mean and offset exchanged", crossed)
    if not isinstance(spec, Scale):
        yield Fault("scale missing", _with("scale", lambda a: 0 * a + 1))
        yield Fault("offset missing", _with("offset", lambda a: 0 * a))


# ---------------------------------------------------------------- the count


class Result(NamedTuple):
    """What was counted, by kind."""

    seen: Counter[str]
    unseen: Counter[str]
    equivalent: Counter[str]
    misses: list[str]
    seconds: dict[str, float]  # of lighting each network, without the candidate
    unlit: dict[str, dict[str, str]]


def equivalent(spec: Spec, fault: Fault, shapes: list[Shape], positive: bool) -> bool:
    """Whether the fault does not change the layer's output on dense integers of its own."""
    for shape in shapes:
        rng = np.random.default_rng(0)
        x = rng.integers(-7, 7, (4, *shape[1:]), endpoint=True).astype(np.float64)
        x = np.maximum(x, 0) if positive else x
        weights: Arrays = {}
        if spec.parameters():  # type: ignore[attr-defined]
            weights = Filled(rng, 47).weights(spec, x, None)
        try:
            if (fault.wrong(spec, weights, x) != run(spec, weights, x)).any():
                return False
        except SpecError:
            return True  # another shape, which anybody would see
    return True


def sees(lighting: Lighting, spec: Spec, candidate: Implementation) -> bool:
    """Whether the lighting tells a candidate from a right one."""
    return structure(candidate(spec, lighting.weights, lighting.x), lighting.target).wrong > 0


def run_trials(wanted: int, seed: int, only: str | None = None) -> Result:
    """So many faults in all, spread over the networks and their layers."""
    result = Result(Counter(), Counter(), Counter(), [], {}, {})
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
            assert all(not sees(each, spec, rounded) for each in drawn), lights.path(target)
            group = [target, *lights.wiring.follows(target)]
            for _ in range(plan[i]):
                node = lights.wiring.nodes[group[rng.integers(len(group))]]
                kinds = list(faults(node.spec, rng))
                if not kinds:
                    continue
                fault = kinds[rng.integers(len(kinds))]
                before = [lights.wiring.nodes[j].spec for j in node.inputs if j >= 0]
                positive = any(isinstance(b, Activation) for b in before)
                if equivalent(node.spec, fault, sizes[node.path], positive):
                    result.equivalent[fault.kind] += 1
                    continue
                candidate = black_box(node.path, fault.wrong)
                seen = False
                for lighting in drawn:
                    try:
                        seen = seen or sees(lighting, spec, candidate)
                    except SpecError:
                        seen = True
                (result.seen if seen else result.unseen)[fault.kind] += 1
                if not seen:
                    unlit = lights.unlit.get(lights.path(target), "lit")
                    result.misses.append(f"{name}: {node.path} {fault.kind} ({unlit})")
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


def right_trials(wanted: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Right candidates, each off as another library might be: how many are called what."""
    counted: Counter[str] = Counter()
    told = []
    nets = {name: net for name, net in zoo().items() if name not in LARGE}
    each = -(-wanted // len(nets))
    for name, (spec, shape) in nets.items():
        rng = np.random.default_rng([seed, *name.encode()])
        lights = Lights(spec, shape, seed)
        drawn = [lighting for target in lights.targets for lighting in lights.of(target)]
        doubles = [rounded, *(draw_double(rng) for _ in range(each - 1))]
        for double in doubles:
            found = [
                structure(double(spec, lighting.weights, lighting.x), lighting.target)
                for lighting in drawn
            ]
            wrong = [str(one) for one in found if one.wrong or one.problem]
            counted["wrong" if wrong else "right"] += 1
            told += [f"{name}: {double}: {one}" for one in wrong[:1]]
    return counted, told


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
    """What does not look at its input: a constant, or the output of another input."""
    y = rounded(spec, weights, np.ones_like(x))
    return np.zeros_like(y) if how == "constant" else y


def cheat_trials(seed: int) -> dict[str, str]:
    """The status that each cheat gets on each small network."""
    found = {}
    for name, (spec, shape) in zoo().items():
        if name in LARGE:
            continue
        candidates: dict[str, Implementation] = {
            "ignores its input": partial(cheat, how="input"),
            "constant": partial(cheat, how="constant"),
            "cached by shape": Cached(),
        }
        for kind, candidate in candidates.items():
            verdict = lit_structure(candidate, spec, shape, seed, "float32", True)
            found[f"{name}, {kind}"] = verdict.status
    return found


LARGE = ("MobileNetV1", "EfficientNet-Lite0")


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
        kinds = list(faults(node.spec, rng))
        if not kinds:
            continue
        fault = kinds[rng.integers(len(kinds))]
        try:
            candidate = black_box(node.path, fault.wrong)
            verdict = lit_structure(candidate, spec, shape, seed, "float32", True)
        except SpecError:
            continue
        if verdict.status != "wrong":
            continue
        if verdict.layer == lights.path(target):
            named += 1
        else:
            told.append(f"{name}: {fault.kind} in {node.path}, named {verdict.layer}")
    return named, told


def main() -> None:
    """Count, and exit with status 1 if a fault is unseen, a right one wrong, or a cheat ok."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["faults", "right", "cheats", "names"])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network", help="one of the networks alone")
    asked = parser.parse_args()
    failed = False
    if asked.what == "faults":
        outcome = run_trials(asked.trials, asked.seed, asked.network)
        counts = (outcome.seen, outcome.unseen, outcome.equivalent)
        print(f"{'fault':32}  seen unseen equivalent")
        for kind in sorted(set().union(*counts)):
            print(f"{kind:32}" + "".join(f"{each[kind]:6}" for each in counts))
        print(f"{'all':32}" + "".join(f"{each.total():6}" for each in counts))
        for line in outcome.misses:
            print("unseen:", line)
        for name, seconds in outcome.seconds.items():
            print(
                f"{name}: lit in {seconds:.1f} s of processor time; {outcome.unlit[name] or 'all'}"
            )
        failed = bool(outcome.misses)
    elif asked.what == "right":
        counted, told = right_trials(asked.trials, asked.seed)
        print(dict(counted), *told, sep="\n")
        failed = bool(told)
    elif asked.what == "cheats":
        statuses = cheat_trials(asked.seed)
        print(Counter(statuses.values()), *(k for k, v in statuses.items() if v == "ok"), sep="\n")
        failed = "ok" in statuses.values()
    else:
        named, told = naming_trials(asked.trials, asked.seed)
        print(f"named {named}, not {len(told)}", *told, sep="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
