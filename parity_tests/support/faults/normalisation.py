"""Running statistics: how training changes them."""

from dataclasses import replace

import numpy as np

from convparity.analysis.faults.fault import pixels
from convparity.impls.registry import FRAMEWORKS
from convparity.impls.spec import BatchNorm, Shape
from convparity.impls.weights import Arrays
from parity_tests.support.faults.fault import Misport, misbehaviour


@misbehaviour(
    "normalisation-01",
    "momentum as the weight of the old statistics",
    BatchNorm,
    hides="a momentum of 0.5; no output shows it before it is trained",
    reference="transformers #19454",
    operation="train",
)
def momentum_inverted(spec: BatchNorm, shape: Shape) -> Misport | None:
    wrong = replace(spec, momentum=1 - spec.momentum)
    if wrong == spec:
        return None
    return Misport(spec, f"momentum {wrong.momentum:g} instead of {spec.momentum:g}", train=wrong)


def _other_variance(spec: BatchNorm, to_unbiased: bool) -> Misport:
    def convert(old: Arrays, new: Arrays, shape: Shape) -> Arrays:
        n, m = shape[0] * pixels(shape), spec.momentum
        kept = (1 - m) * old["variance"].astype(np.float64)
        factor = n / (n - 1) if to_unbiased else (n - 1) / n
        return {**new, "variance": kept + factor * (new["variance"] - kept)}

    given, wanted = ("n - 1", "n") if to_unbiased else ("n", "n - 1")
    return Misport(spec, f"squares over {given} instead of {wanted}", trained=convert)


@misbehaviour(
    "normalisation-04",
    "running variance biased where the framework stores the unbiased one",
    BatchNorm,
    hides="large batches; no output shows it before it is trained",
    reference="pytorch #19902",
    operation="train",
    frameworks=tuple(name for name, row in FRAMEWORKS.items() if row.unbiased_variance),
)
def variance_biased(spec: BatchNorm, shape: Shape) -> Misport | None:
    return _other_variance(spec, to_unbiased=False)


@misbehaviour(
    "normalisation-05",
    "running variance unbiased where the framework stores the biased one",
    BatchNorm,
    hides="large batches; no output shows it before it is trained",
    reference="tensorflow #55545",
    operation="train",
    frameworks=tuple(name for name, row in FRAMEWORKS.items() if not row.unbiased_variance),
)
def variance_unbiased(spec: BatchNorm, shape: Shape) -> Misport | None:
    return _other_variance(spec, to_unbiased=True)
