"""How fast conversion is, beside a plain NumPy copy and transposition of the same arrays.

Both are measured in turn in one run; what came of one is freed before the next begins. ``convert``
also runs the module once on a small input, which costs by the layer and is not measured here.
"""

import gc
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from convparity.analysis.bench.growth import exponent
from convparity.analysis.bench.timing import peak_bytes
from convparity.impls import registry
from convparity.impls.convert import build, transfer
from convparity.impls.spec import (
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    Sequential,
    parameter_shapes,
    walk,
)

Data = dict[str, Any]
Step = Callable[[str], None]  # told what is done next, by a sentence

WIDTHS = (768, 1024)  # channels: about 3 and 5 MB a layer with weights
LAYERS_A_UNIT = 9
FLOAT32 = 4  # bytes
HALVINGS = 4  # the sizes: the largest, a half of it, ... down to a sixteenth
CHEAP = (
    2  # how many of the sizes, from the smallest, do where the source is not the first framework
)


def network(units: int, width: int = WIDTHS[-1]) -> Sequential:
    """Regular, depthwise, pointwise and dense layers and norms: each unit has as many bytes."""
    half = width // 2
    features = {
        f"unit{i}": Sequential(
            {
                "expand": Conv(half, width, 3, padding="same", bias=False),
                "norm1": BatchNorm(width),
                "depthwise": DepthwiseConv(width, 3, padding="same", bias=False),
                "norm2": BatchNorm(width),
                "pointwise": Conv(width, width, 1, bias=False),
                "norm3": BatchNorm(width),
                "project": Conv(width, half, 3, padding="same"),
                "norm4": BatchNorm(half),
            }
        )
        for i in range(units)
    }
    head = {f"dense{i}": Dense(width if i else half, width) for i in range(units)}
    return Sequential({**features, "pool": GlobalAvgPool(), **head})


def conversion(
    frameworks: Iterable[str],
    step: Step,
    *,
    megabytes: float = 500,
    width: int = WIDTHS[-1],
    repeats: int = 7,
) -> Data:
    """Seconds to convert synthetic networks of up to ``megabytes``, and how they grow with size.

    For each pair: for each size ``"plain"``, ``"convert"`` and ``"ratio"`` (plain over convert,
    in turn), each as a median with the extremes; the exponents fitted to the medians (1 is
    linear); of the largest, the seconds a layer costs however small its arrays, and the memory
    that converting took at its peak over the bytes of the weights (None where it is not told).
    """
    names = list(frameworks)
    each = sum(_sizes(network(1, width)))
    units = sorted({max(1, round(megabytes * 1e6 / each / 2**k)) for k in range(HALVINGS + 1)})
    data: Data = {"width": width, "repeats": repeats, "pairs": [], "failures": []}
    for source, target in itertools.permutations(names, 2):
        full = source == names[0]
        rows = []
        for count in units if full else units[:CHEAP]:
            spec = network(count, width)
            step(f"{source} to {target}: {sum(_sizes(spec)) / 1e6:.0f} MB")
            rows.append(_measure(spec, source, target, repeats, data["failures"]))
        layers = rows[-1]["layers"]
        step(f"{source} to {target}: {layers} layers of hardly any weights")
        tiny = network(layers // LAYERS_A_UNIT, 2)
        overhead = _measure(tiny, source, target, repeats, data["failures"])["convert"]["median"]
        step(f"{source} to {target}: peak memory")
        peak = _peak_in_a_new_process(source, target, layers // LAYERS_A_UNIT, width)
        data["pairs"].append(
            {
                "source": source,
                "target": target,
                "sizes": rows,
                "exponent": {key: _exponent(rows, key) for key in ("plain", "convert")},
                "seconds_per_layer": overhead / layers,
                "peak_over_weights": None if peak is None else peak / rows[-1]["bytes"],
            }
        )
    return data


def _sizes(spec: Sequential) -> list[int]:
    return [FLOAT32 * int(np.prod(shape)) for shape in parameter_shapes(spec).values()]


def _measure(spec: Sequential, source: str, target: str, repeats: int, failures: list[str]) -> Data:
    """One row: plain copy and conversion in turn, after a warm-up that proves the bits equal."""
    from_, to = registry.get(source), registry.get(target)
    module = _built(spec, source)
    held = from_.views(module, spec)
    converted = transfer(module, to=target)
    slots, came = to.slots(converted), to.views(converted, spec)
    if any(held[name].tobytes() != came[name].tobytes() for name in held):
        failures.append(f"{source} to {target}: the converted weights are not the same bits")
    # the source's memory as the target lays it out: what is left to do is to copy it
    laid_out = [slots[name].layout.to_native(view) for name, view in held.items()]
    del converted, slots, came

    def plain() -> Any:
        return [np.array(view, order="C") for view in laid_out]

    def converted_anew() -> Any:
        made = transfer(module, to=target)
        to.synchronize("cpu")
        return made

    seconds: dict[str, list[float]] = {"plain": [], "convert": []}
    for repeat in range(-1, repeats):  # the first is a warm-up
        for key, run in (("plain", plain), ("convert", converted_anew)):
            took = _seconds(run)
            if repeat >= 0:
                seconds[key].append(took)
    ratios = np.divide(seconds["plain"], seconds["convert"]).tolist()
    return {
        "bytes": sum(view.nbytes for view in laid_out),
        "arrays": len(laid_out),
        "layers": sum(bool(parameter_shapes(layer)) for _, layer in walk(spec)),
        "plain": _spread(seconds["plain"]),
        "convert": _spread(seconds["convert"]),
        "ratio": _spread(ratios),
    }


def _built(spec: Sequential, framework: str) -> Any:
    """A module with random weights; Flax would compile its own initialisers for every shape."""
    draw = np.random.default_rng(0).random
    shapes = parameter_shapes(spec)
    weights = {name: draw(shape, np.float32) for name, shape in shapes.items()}
    return build(spec, weights, framework=framework)


def _seconds(run: Callable[[], Any]) -> float:
    gc.collect()  # what the last run left, as modules hold themselves in circles
    start = time.perf_counter()
    result = run()
    took = time.perf_counter() - start
    del result
    return took


def _spread(values: Sequence[float]) -> Data:
    return {"median": float(np.median(values)), "low": min(values), "high": max(values)}


def _exponent(rows: Sequence[Data], key: str) -> float | None:
    """How the time grows with the bytes; None from a single size."""
    if len(rows) < 2:
        return None
    return exponent([row["bytes"] for row in rows], [row[key]["median"] for row in rows])


# ---------------------------------------------------------------- memory


def _peak_in_a_new_process(source: str, target: str, units: int, width: int) -> int | None:
    """``peak``, where no memory freed by earlier work can be used again, which would hide it."""
    module = "convparity.analysis.bench.conversion"
    code = f"from {module} import peak; peak{(source, target, units, width)}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def peak(source: str, target: str, units: int, width: int) -> None:
    """Print how many bytes this process grew by at the peak of a conversion; null if not told."""
    transfer(_built(network(1, 2), source), to=target)  # imports everything
    module = _built(network(units, width), source)
    print(json.dumps(peak_bytes(lambda: transfer(module, to=target))))
