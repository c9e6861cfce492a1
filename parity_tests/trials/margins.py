"""How far each framework's library functions are from the float64 reference, on this processor.

    python -m parity_tests.trials.margins [relu_squared quotient ...]

The error of an activation is counted in u (|x| + |y| + 1), u = 2**-24: exp(x) - 1 and 1 + tanh(x)
cancel, so that the error of a small y may be one of numbers as large as 1. That of a quotient is
counted in u |y|, and that of x ** e in u (1 + |e log x|) |y|, as what a relative error of x makes.
A margin is measured, not proved: it holds for the libraries and the processors that it was
measured on. The bounds of ``analysis/proof`` allow four times what was seen, or more.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from convparity.analysis.proof.rounded import UNIT_ROUNDOFF
from convparity.impls import registry
from convparity.impls.reference import run
from convparity.impls.reference_activation import activate
from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    OVER_AXIS,
    Activation,
    Divide,
    Graph,
    Power,
    Reduce,
    Spec,
    together,
)
from parity_tests.support.processor import processor

CHUNK = (2**14, 64)  # a million values at a time
LARGEST = 2.0**100  # beyond it x**3 and 6 x overflow in some frameworks, as they do on paper
LARGEST_SQUARED = 2.0**63


def inputs(function: str) -> Iterator[np.ndarray]:
    """Every sign and exponent, subnormals too, and [-20, 20] densely; of softmax, random rows."""
    rng = np.random.default_rng(0)
    if function in OVER_AXIS:
        for classes in range(1, 65):
            size = 2.0 ** rng.uniform(-12, 7, (2**10, 1))
            yield (size * rng.standard_normal((2**10, classes))).astype(np.float32)
            yield rng.integers(-7, 7, (2**8, classes), endpoint=True).astype(np.float32)
        return
    yield np.arange(-(2**14), 2**14, dtype=np.float32).reshape(-1, 64) / 8
    for _ in range(4):
        yield rng.uniform(-20, 20, CHUNK).astype(np.float32)
        yield rng.uniform(-1, 1, CHUNK).astype(np.float32)
    for _ in range(4):
        bits = rng.integers(0, 2**32, CHUNK, dtype=np.uint32)
        x = bits.view(np.float32)
        largest = LARGEST_SQUARED if function == "relu_squared" else LARGEST
        yield np.where(abs(x) <= largest, x, np.float32(0))


def specs(function: str) -> Iterator[Activation]:
    """The function; one that takes an alpha with others, too."""
    yield Activation(function)
    if function in DEFAULT_ALPHA:
        yield from (Activation(function, alpha) for alpha in (0.3, 2.0))


def margins(function: str) -> dict[str, tuple[float, float]]:
    """The largest error of each framework, and the input where it was seen."""
    worst = dict.fromkeys(registry.FRAMEWORKS, (0.0, 0.0))
    for spec in specs(function):
        modules = {name: registry.get(name).build(spec, {}) for name in worst}
        for x in inputs(function):
            value = activate(spec, x.astype(np.float64))
            size = UNIT_ROUNDOFF["float32"] * (abs(x.astype(np.float64)) + abs(value) + 1)
            for name, module in modules.items():
                y = registry.get(name).apply(module, spec, x)
                error = abs(y - value) / size
                error[np.isnan(error)] = np.inf
                at = np.unravel_index(error.argmax(), error.shape)
                worst[name] = max(worst[name], (float(error[at]), float(x[at])))
    return worst


def positive(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Numbers from 2 ** -exponent to its inverse, as many of every size."""
    return (2.0 ** rng.uniform(-exponent, exponent, CHUNK)).astype(np.float32)


RATIOS = ("quotient", "inverse", "mean", "power")
EXPONENTS = (0.5, -0.5, 1.5, 2.5, 0.3, -1.7, 1 / 3)


def ratios(name: str) -> Iterator[tuple[Spec, list[np.ndarray]]]:
    """What is measured beside its result, which is neither subnormal nor infinite, and of what."""
    rng = np.random.default_rng(0)
    if name == "quotient":
        spec = Graph({"y": (Divide(), "a", "b")}, inputs=("a", "b"), outputs="y")
        yield spec, [positive(rng, 60), positive(rng, 60)]
    elif name == "inverse":
        yield Power(-1.0), [positive(rng, 120)]
    elif name == "mean":  # of one number and zeros, whose sum is exact
        for count in (3, 7, 49):
            x = np.zeros((CHUNK[0], count), np.float32)
            x[:, 0] = positive(rng, 110)[:, 0]
            yield Reduce("mean", -1, keepdims=True), [x]
    else:
        for exponent in EXPONENTS:
            yield Power(exponent), [positive(rng, 40)]


def relative(name: str) -> dict[str, tuple[float, float]]:
    """``margins`` of a quotient, a mean or a power."""
    worst = dict.fromkeys(registry.FRAMEWORKS, (0.0, 0.0))
    for spec, values in ratios(name):
        wide = [each.astype(np.float64) for each in values]
        exact: Any = run(spec, {}, *wide)
        steep = abs(spec.exponent * np.log(wide[0])) if name == "power" else 0  # type: ignore[attr-defined]
        size = UNIT_ROUNDOFF["float32"] * (1 + steep) * exact
        for framework in worst:
            adapter = registry.get(framework)
            y = adapter.apply(adapter.build(spec, {}), spec, together(values))
            error = abs(y - exact) / size
            error[np.isnan(error)] = np.inf
            at = np.unravel_index(error.argmax(), error.shape)
            worst[framework] = max(worst[framework], (float(error[at]), float(values[0][at])))
    return worst


def main() -> None:
    """Print the table, or the lines that are asked for."""
    print(processor())
    for name in registry.FRAMEWORKS:
        parts = (f"{each} {version}" for each, version in registry.versions(name).items())
        print(f"  {name}: {', '.join(parts)}")
    print("largest error in the unit of the function, and the x where it was seen")
    print(f"{'':13}" + "".join(f"{name:>24}" for name in registry.FRAMEWORKS))
    for function in sys.argv[1:] or (*ACTIVATIONS, *RATIOS):
        found = relative(function) if function in RATIOS else margins(function)
        cells = (f"{error:12.3f} at {x:<8.3g}" for error, x in found.values())
        print(f"{function:13}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
