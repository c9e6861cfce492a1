"""The control: what no correct suite may see."""

from typing import Any

import numpy as np

from convparity.analysis.proof.linear_form import LINEAR, filters_shape
from convparity.impls.spec import Shape
from parity_tests.support.faults.fault import Misport, misbehaviour

NOISE = 1e-7  # relative: less than two roundings of float32
FEWEST = 4  # products: of fewer, two roundings more are all that the bound has room for
EXACT = 2.0**-10  # multiples of it are sums that were not rounded, and bear no noise


@misbehaviour(
    "control-01",
    "relative noise of 1e-7 in float32",
    *LINEAR,
    hides="everything: another order of summation does as much",
)
def noise(spec: Any, shape: Shape) -> Misport | None:
    taps, channels, _ = filters_shape(spec)
    if taps * channels < FEWEST:
        return None

    def after(y: np.ndarray) -> np.ndarray:
        drawn = np.random.default_rng(y.size).uniform(-NOISE, NOISE, y.shape)
        noisy = (y * (1 + drawn)).astype(y.dtype)
        with np.errstate(invalid="ignore"):
            rounded = y / EXACT != np.rint(y / EXACT)
        return np.where(rounded, noisy, y)

    return Misport(spec, "as of another order of summation", after=after)
