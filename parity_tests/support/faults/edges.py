"""Inputs that do not fit, arrays that are not the port's own, other devices."""

from typing import Any

from convparity.impls.spec import Conv, ConvTranspose, DepthwiseConv, Shape
from parity_tests.support.faults.fault import Misport, misbehaviour


@misbehaviour(
    "edges-05",
    "an error swallowed where the kernel exceeds the input",
    Conv,
    DepthwiseConv,
    hides="inputs that fit",
    reference="keras #19753",
    operation="apply",
)
def error_swallowed(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "an empty output", accepts=True)


@misbehaviour(
    "edges-06",
    "the caller's input overwritten",
    Conv,
    hides="whoever does not look at it again",
    operation="apply",
)
def input_overwritten(spec: Conv, shape: Shape) -> Misport | None:
    return Misport(spec, "x is 0 afterwards", overwrites=True)


@misbehaviour(
    "edges-07",
    "bias added twice on any device but the first",
    *(Conv, DepthwiseConv, ConvTranspose),
    hides="the first device",
    operation="device",
)
def other_device(spec: Any, shape: Shape) -> Misport | None:
    return Misport(spec, "1 too much", elsewhere=True, after=lambda y: y + y.dtype.type(1))
