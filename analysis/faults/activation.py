"""Activations: the wrong one of two of a name, the wrong slope, axis or limits."""

from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.faults.fault import Faulty, fault, own
from convparity.impls.reference import Implementation
from convparity.impls.spec import (
    DEFAULT_ALPHA,
    OVER_AXIS,
    Activation,
    ActivationName,
    Clamp,
    Dropout,
    Identity,
    PReLU,
    Sequential,
    Shape,
)
from convparity.impls.weights import Arrays


def _replaced(spec: Activation, name: ActivationName, by: ActivationName) -> Faulty | None:
    if spec.function != name:
        return None
    alpha = spec.alpha if by in DEFAULT_ALPHA else None
    return Faulty(Activation(by, alpha, spec.axis if by in OVER_AXIS else None), f"{by} for {name}")


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


@fault(
    "activation-09",
    "softmax over the wrong axis",
    Activation,
    hides="others than softmax and its logarithm, axes of one entry",
    reference="onnx2tf #152",
)
def softmax_axis(spec: Activation, shape: Shape) -> Faulty | None:
    if spec.axis is None:
        return None
    own = spec.axis % len(shape)
    others = [axis for axis, n in enumerate(shape) if axis not in (0, own) and n * shape[own] > 1]
    if not others:
        return None
    return Faulty(replace(spec, axis=others[0]), f"over axis {others[0]}, not {own}")


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


WRONG_ONES: tuple[tuple[str, str, ActivationName, ActivationName, str], ...] = (
    ("13", "softmax for its logarithm", "log_softmax", "softmax", ""),
    ("14", "the logarithm of softmax for softmax", "softmax", "log_softmax", ""),
    ("15", "swish for mish", "mish", "silu", ""),
    ("16", "ELU for SELU: its constants left out", "selu", "elu", ""),
    ("17", "ELU for CELU: no division by its alpha", "celu", "elu", ""),
    ("18", "quick GELU for the exact one", "gelu", "quick_gelu", "mindone #225"),
    ("19", "exact GELU for the quick one", "quick_gelu", "gelu", "mindone #225"),
    ("20", "swish for quick GELU: its 1.702 left out", "quick_gelu", "silu", ""),
    ("21", "hard sigmoid for sigmoid", "sigmoid", "hard_sigmoid", ""),
    ("22", "sigmoid for its logarithm", "log_sigmoid", "sigmoid", ""),
    ("23", "hard shrink for soft shrink", "soft_shrink", "hard_shrink", ""),
    ("24", "soft shrink for hard shrink", "hard_shrink", "soft_shrink", ""),
    ("25", "ReLU that is not squared", "relu_squared", "relu", ""),
)

for _number, _title, _name, _by, _report in WRONG_ONES:
    fault(
        f"activation-{_number}",
        _title,
        Activation,
        hides=f"others than {_name}" + (", an alpha of 1" if _name == "celu" else ""),
        hidden=lambda spec, shape: spec.function == "celu" and spec.alpha == 1,
        reference=_report,
    )(lambda spec, shape, name=_name, by=_by: _replaced(spec, name, by))


@fault("activation-26", "softplus without its beta", Activation, hides="a beta of 1")
def softplus_beta(spec: Activation, shape: Shape) -> Faulty | None:
    if spec.function != "softplus" or spec.alpha == 1:
        return None
    return Faulty(Activation("softplus"), f"beta 1 instead of {spec.alpha}")


@fault(
    "activation-27",
    "one slope for all channels",
    PReLU,
    hides="one channel, values from 0 on",
    reference="onnx2tf #467",
)
def one_slope(spec: PReLU, shape: Shape) -> Faulty | None:
    if spec.num_parameters == 1:
        return None
    return Faulty(PReLU(), "the first", own("slope", lambda slope: slope[:1]))


@fault(
    "activation-28",
    "the slope of the neighbouring channel",
    PReLU,
    hides="one slope, values from 0 on",
)
def neighbouring_slope(spec: PReLU, shape: Shape) -> Faulty | None:
    if spec.num_parameters == 1:
        return None
    return Faulty(spec, "that before", own("slope", lambda slope: np.roll(slope, 1)))


def _clamped(low: float | None, high: float | None) -> Clamp | Identity:
    return Identity() if low is None and high is None else Clamp(low, high)


@fault(
    "activation-29",
    "the lower limit of a clamp left out",
    Clamp,
    hides="no such limit, values within it",
    reference="onnx2keras #167",
)
def lower_limit_left_out(spec: Clamp, shape: Shape) -> Faulty | None:
    return None if spec.low is None else Faulty(_clamped(None, spec.high), f"no {spec.low:g}")


@fault(
    "activation-30",
    "the upper limit of a clamp left out",
    Clamp,
    hides="no such limit, values within it",
    reference="onnx2keras #167",
)
def upper_limit_left_out(spec: Clamp, shape: Shape) -> Faulty | None:
    return None if spec.high is None else Faulty(_clamped(spec.low, None), f"no {spec.high:g}")


@fault("activation-31", "the limits of a clamp exchanged", Clamp)
def limits_exchanged(spec: Clamp, shape: Shape) -> Faulty | None:
    both = Sequential(_clamped(spec.high, None), _clamped(None, spec.low))
    return Faulty(both, f"above {spec.high}, then below {spec.low}")
