"""How far each framework's activations are from the float64 reference, on this processor.

    python -m parity_tests.trials.margins

The error is counted in u (|x| + |y| + 1), u = 2**-24: exp(x) - 1 and 1 + tanh(x) cancel, so that
the error of a small y may be one of numbers as large as 1. A margin is measured, not proved: it
holds for the libraries and the processors that it was measured on.
"""

from collections.abc import Iterator

import numpy as np

from convparity.analysis.proof.rounded import UNIT_ROUNDOFF
from convparity.impls import registry
from convparity.impls.reference_activation import activate
from convparity.impls.spec import ACTIVATIONS, DEFAULT_ALPHA, OVER_AXIS, Activation
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


def main() -> None:
    """Print the table."""
    print(processor())
    for name in registry.FRAMEWORKS:
        parts = (f"{each} {version}" for each, version in registry.versions(name).items())
        print(f"  {name}: {', '.join(parts)}")
    print("largest error in u (|x| + |y| + 1), and the x where it was seen")
    print(f"{'':13}" + "".join(f"{name:>24}" for name in registry.FRAMEWORKS))
    for function in ACTIVATIONS:
        found = margins(function)
        cells = (f"{error:12.3f} at {x:<8.3g}" for error, x in found.values())
        print(f"{function:13}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
