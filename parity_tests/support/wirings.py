"""Wirings of composites: those that specs have, written short or as graphs, and others."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from convparity import Activation, Conv, Graph, Residual, Sequential, Spec
from convparity.impls.spec import INPUT, Add, Composite, Step, Wire

CONV = Conv(3, 3, 3, padding="same")
RELU = Activation("relu")

BODY = Wire("body", "body", (INPUT,))
SHORTCUT = Wire("shortcut", "shortcut", (INPUT,))
Case = tuple[dict[str, Spec], tuple[Wire, ...], Composite]
SHORT: list[Case] = [
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
# without a short way to write them
AS_GRAPHS: list[Case] = [
    (
        {"body": CONV},
        (BODY, Wire("sum", "add", ("body", INPUT))),
        Graph({"body": (CONV, INPUT), "sum": (Add(), "body", INPUT)}, (INPUT,)),
    ),
    (
        {"body": CONV},
        (BODY, Wire("add", "add", (INPUT, "body"))),
        Graph({"body": (CONV, INPUT), "add": (Add(), INPUT, "body")}, (INPUT,)),
    ),
    (
        {"body": CONV},
        (BODY, Wire("add", "add", ("body", "body"))),
        Graph({"body": (CONV, INPUT), "add": (Add(), "body", "body")}, (INPUT,)),
    ),
    (
        {"body": CONV},
        (BODY, Wire("again", "body", ("body",))),
        Graph({"body": (CONV, INPUT), "again": ("body", "body")}, (INPUT,)),
    ),
    (  # a node bears the name of the child that it runs first
        {"a": CONV, "b": RELU},
        (Wire("b", "a", (INPUT,)), Wire("a", "b", ("b",)), Wire("c", "a", ("a",))),
        Graph({"a": (CONV, INPUT), "b": (RELU, "a"), "c": ("a", "b")}, (INPUT,)),
    ),
]
CASES = SHORT + AS_GRAPHS
each_case = pytest.mark.parametrize(("children", "steps", "spec"), CASES)

# by what the error says
REFUSED: dict[str, tuple[dict[str, Spec], tuple[Wire, ...]]] = {
    "the layer 'unused' never runs": ({"body": CONV, "unused": CONV}, (BODY,)),
    "'a' leads to no output": (
        {"a": CONV, "b": CONV},
        (Wire("a", "a", (INPUT,)), Wire("b", "b", (INPUT,))),
    ),
    "there is no layer 'mean'": (
        {"body": CONV},
        (BODY, Wire("mean", "mean", ("body", INPUT))),
    ),
    "node 'body' takes 'x', which is not there yet": (
        {"body": CONV},
        (Wire("body", "body", ("x",)),),
    ),
    "node 'body': Conv takes one input, not 2": (
        {"body": CONV},
        (Wire("body", "body", (INPUT, INPUT)),),
    ),
    "two values are called 'b'": (
        {"a": CONV, "b": CONV},
        (Wire("a", "a", (INPUT,)), Wire("b", "add", ("a", INPUT)), Wire("c", "b", ("b",))),
    ),
}
each_refused = pytest.mark.parametrize("said", REFUSED)


@dataclass(frozen=True)
class Web(Composite):
    """A wiring of a class of its own: a child that runs twice, and a sum of three."""

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

    @property
    def as_graph(self) -> Graph:
        """The graph that its native modules are read as."""
        nodes = {
            self.name: (self.inner, INPUT),
            "second": (self.name, self.name),
            "sum": (Add(), "second", INPUT, self.name),
        }
        return Graph(nodes, (INPUT,))
