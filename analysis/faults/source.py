"""Values that a network holds by itself: left out, laid along another axis, rounded."""

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, own
from convparity.analysis.proof.rounded import round_to
from convparity.impls.spec import Constant, Parameter, Shape


@fault("source-01", "a parameter that the checkpoint was not read for: it is zero", Parameter)
def parameter_left_out(spec: Parameter, shape: Shape) -> Faulty | None:
    return Faulty(spec, "zeros for the value", weights=own("value", np.zeros_like))


@fault(
    "source-02",
    "a parameter laid along another axis of the same size",
    Parameter,
    hides="parameters without two axes of one size; others show it by their shape",
)
def parameter_along_another_axis(spec: Parameter, shape: Shape) -> Faulty | None:
    sizes = spec.shape
    pairs = ((i, j) for j in range(len(sizes)) for i in range(j) if sizes[i] == sizes[j] > 1)
    axes = next(pairs, None)
    if axes is None:
        return None
    return Faulty(
        spec,
        f"axes {axes} of one example exchanged",
        weights=own("value", lambda v: v.swapaxes(*axes)),
    )


def _held(spec: Constant, shape: Shape) -> bool:
    values = np.float32(spec.values)
    return np.array_equal(round_to(values, "bfloat16"), values)


@fault(
    "source-03",
    "a constant rounded to bfloat16",
    Constant,
    hides="numbers that bfloat16 holds",
    hidden=_held,
)
def constant_in_bfloat16(spec: Constant, shape: Shape) -> Faulty | None:
    if _held(spec, shape):
        return None
    return Faulty(spec, "its numbers in bfloat16", after=lambda y: round_to(y, "bfloat16"))
