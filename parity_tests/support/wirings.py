"""Wirings of composites: those that specs have, and others."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from convparity import Activation, Conv, Residual, Sequential, Spec
from convparity.impls.spec import INPUT, Add, Composite, Step, Wire

CONV = Conv(3, 3, 3, padding="same")
RELU = Activation("relu")

BODY = Wire("body", "body", (INPUT,))
SHORTCUT = Wire("shortcut", "shortcut", (INPUT,))
CASES: list[tuple[dict[str, Spec], tuple[Wire, ...], Composite]] = [
    ({"body": CONV}, (BODY, Wire("add", "add", ("body", INPUT))), Residual(CONV)),
    (
        {"body": Sequential(CONV, RELU), "shortcut": CONV},
        (BODY, SHORTCUT, Wire("add", "add", ("body", "shortcut"))),
        Residual(Sequential(CONV, RELU), CONV),
    ),
    (
        {"conv": CONV, "act": RELU},
        (Wire("conv", "conv", (INPUT,)), Wire("act", "act", ("conv",))),
        Sequential({"conv": CONV, "act": RELU}),
    ),
]
each_case = pytest.mark.parametrize(("children", "steps", "spec"), CASES)

UNKNOWN: dict[str, tuple[dict[str, Spec], tuple[Wire, ...]]] = {
    "sum = add(body, <input>)": ({"body": CONV}, (BODY, Wire("sum", "add", ("body", INPUT)))),
    "add = add(<input>, body)": ({"body": CONV}, (BODY, Wire("add", "add", (INPUT, "body")))),
    "add = add(body, body)": ({"body": CONV}, (BODY, Wire("add", "add", ("body", "body")))),
    "again = body(body)": ({"body": CONV}, (BODY, Wire("again", "body", ("body",)))),
    "body = body(<input>)": ({"body": CONV, "unused": CONV}, (BODY,)),
    "b = b(<input>)": (
        {"a": CONV, "b": CONV},
        (Wire("a", "a", (INPUT,)), Wire("b", "b", (INPUT,))),
    ),
}
each_unknown = pytest.mark.parametrize("said", UNKNOWN)


@dataclass(frozen=True)
class Web(Composite):
    """A wiring that no other spec has: a child that runs twice, and a sum of three."""

    inner: Spec
    name: str = "inner"

    @property
    def steps(self) -> tuple[Step, ...]:
        return (
            Step("first", self.inner, (INPUT,), self.name),
            Step("second", self.inner, ("first",), self.name),
            Step("sum", Add(), ("second", INPUT, "first"), None),
        )

    def with_children(self, children: Mapping[str, Spec]) -> "Web":
        return Web(children[self.name], self.name)
