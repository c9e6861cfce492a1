"""Activations: the wrong one of two of a name, the wrong slope, the wrong axis."""

from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.reference import Implementation
from convparity.impls.spec import Activation, ActivationName, Dropout, Sequential, Shape
from convparity.impls.weights import Arrays


def _replaced(spec: Activation, name: ActivationName, by: ActivationName) -> Faulty | None:
    return Faulty(Activation(by), f"{by} for {name}") if spec.function == name else None


@fault("activation-01", "ReLU6 for ReLU", Activation, hides="values up to 6")
def relu6_for_relu(spec: Activation, shape: Shape) -> Faulty | None:
    return _replaced(spec, "relu", "relu6")


@fault("activation-02", "ReLU for ReLU6", Activation, hides="values up to 6")
def relu_for_relu6(spec: Activation, shape: Shape) -> Faulty | None:
    return _replaced(spec, "relu6", "relu")


@fault(
    "activation-03",
    "tanh GELU for the exact one",
    Activation,
    hides="others than gelu",
    reference="jax #4428",
)
def tanh_gelu(spec: Activation, shape: Shape) -> Faulty | None:
    return _replaced(spec, "gelu", "gelu_tanh")


@fault(
    "activation-04",
    "exact GELU for the one by tanh",
    Activation,
    hides="others than gelu_tanh",
    reference="coremltools #2863",
)
def exact_gelu(spec: Activation, shape: Shape) -> Faulty | None:
    return _replaced(spec, "gelu_tanh", "gelu")


@fault(
    "activation-05",
    "leaky ReLU with another framework's slope",
    Activation,
    hides="values from 0 on",
    reference="DW2TF #2",
)
def leaky_slope(spec: Activation, shape: Shape) -> Faulty | None:
    if spec.function != "leaky_relu":
        return None
    slope = 0.01 if spec.alpha == 0.3 else 0.3
    return Faulty(Activation("leaky_relu", slope), f"slope {slope:g} instead of {spec.alpha:g}")


@fault("activation-06", "ELU without its alpha", Activation, hides="an alpha of 1")
def elu_alpha(spec: Activation, shape: Shape) -> Faulty | None:
    if spec.function != "elu" or spec.alpha == 1:
        return None
    return Faulty(Activation("elu"), f"alpha 1 instead of {spec.alpha}")


@fault(
    "activation-07",
    "hard sigmoid as 0.2 x + 0.5",
    Activation,
    hides="values beyond 3",
    reference="keras #19477",
)
def hard_sigmoid_by_fifths(spec: Activation, shape: Shape) -> Faulty | None:
    if spec.function != "hard_sigmoid":
        return None
    return Faulty(spec, "clip(0.2 x + 0.5, 0, 1)", before=lambda x: x * x.dtype.type(1.2))


@fault("activation-08", "swish for hard swish", Activation, hides="others than hard_swish")
def swish_for_hard_swish(spec: Activation, shape: Shape) -> Faulty | None:
    return _replaced(spec, "hard_swish", "silu")


@fault("activation-09", "softmax over the wrong axis", Activation, hides="others than softmax")
def softmax_axis(spec: Activation, shape: Shape) -> Faulty | None:
    if spec != Activation("softmax") or len(shape) < 3:
        return None

    def across(x: np.ndarray) -> np.ndarray:
        return x.swapaxes(1, -1)

    return Faulty(spec, "over axis 1, not the channels", before=across, after=across)


@fault("activation-10", "softmax of what is one already", Activation, hides="others than softmax")
def softmax_twice(spec: Activation, shape: Shape) -> Faulty | None:
    return Faulty(Sequential(spec, spec), "twice") if spec.function == "softmax" else None


@fault(
    "activation-11",
    "dropout left on",
    Dropout,
    hides="p = 0",
    reference="pytorch #103681",
)
def dropout_left_on(spec: Dropout, shape: Shape) -> Faulty | None:
    if spec.p == 0:
        return None

    def run(right: Implementation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        kept = np.random.default_rng(x.size).random(x.shape) >= spec.p
        y: Any = x * kept / (1 - spec.p)
        return y.astype(x.dtype)

    return Faulty(spec, f"{spec.p:g} of the values are 0", run=run)


@fault("activation-12", "dropout scales at inference", Dropout, hides="p = 0")
def dropout_scales(spec: Dropout, shape: Shape) -> Faulty | None:
    if spec.p == 0:
        return None
    return Faulty(spec, f"{1 - spec.p:g} x for x", after=lambda y: y * y.dtype.type(1 - spec.p))
