"""Weights that are counted, dumped or loaded wrong."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.parameters import BIASED, NORMS
from convparity.impls.spec import BatchNorm, Shape, parameter_shapes
from parity_tests.support.faults.fault import Misport, misbehaviour


@misbehaviour(
    "parameters-05",
    "a layer without a bias stores zeros for one",
    *BIASED,
    hides="a bias; no output shows it, the count does",
    operation="count",
)
def zeros_stored(spec: Any, shape: Shape) -> Misport | None:
    if spec.bias:
        return None
    (out,) = parameter_shapes(replace(spec, bias=True))["bias"]
    return Misport(
        spec, f"{out} more", count=lambda trainable, total: (trainable + out, total + out)
    )


@misbehaviour(
    "parameters-10",
    "a dump goes through float16",
    *BIASED,
    *NORMS,
    hides="values that float16 holds; no output shows it",
    operation="dump",
)
def through_float16(spec: Any, shape: Shape) -> Misport | None:
    def narrow(name: str, array: np.ndarray) -> np.ndarray:
        return array.astype(np.float16).astype(array.dtype)

    return Misport(spec, "11 bits of each weight", read=narrow)


@misbehaviour(
    "parameters-11",
    "a dump is of float64",
    *BIASED,
    *NORMS,
    hides="float64; no output shows it",
    operation="dump",
)
def dumped_double(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "float64", read=lambda name, array: array.astype(np.float64))


@misbehaviour(
    "parameters-12",
    "a dump gives the module's own arrays, which are edited later",
    *BIASED,
    *NORMS,
    hides="whoever leaves them as they are",
    operation="dump",
)
def dumped_views(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "arrays that are the module's own", view=True)


@misbehaviour(
    "parameters-13",
    "loading leaves the bias as it was",
    *BIASED,
    hides="no bias",
    operation="load",
)
def bias_not_loaded(spec: Any, shape: Shape) -> Misport | None:
    def keep(name: str, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return old if name == "bias" else new

    return Misport(spec, "bias not loaded", write=keep) if spec.bias else None


@misbehaviour(
    "parameters-14",
    "running statistics counted as trained",
    BatchNorm,
    hides="no layer of its kind; no output shows it, the count does",
    operation="count",
)
def statistics_counted(spec: BatchNorm, shape: Shape) -> Misport | None:
    return Misport(
        spec,
        f"{2 * spec.num_features} more",
        count=lambda trainable, total: (trainable + 2 * spec.num_features, total),
    )
