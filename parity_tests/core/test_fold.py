"""The one schedule: steps run in order on the values that they name, and keep no others."""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from convparity import Activation, Conv, Dense, Flatten, Residual, SeparableConv, Sequential
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import reference
from convparity.impls.spec import (
    INPUT,
    Add,
    Composite,
    Spec,
    Step,
    fold_steps,
    is_chain,
    output_shape,
    stretches,
)

RELU = Activation("relu")


@dataclass(frozen=True)
class Branches(Composite):
    """A wiring that no Residual has: two joins, a child that runs twice, three values at a join."""

    child: Spec = RELU

    @property
    def steps(self) -> tuple[Step, ...]:
        return (
            Step("first", self.child, (INPUT,), "twice"),
            Step("middle", RELU, ("first",), "middle"),
            Step("second", self.child, ("middle",), "twice"),
            Step("sum", Add(), ("first", "second", INPUT), None),
            Step("last", RELU, ("sum",), "last"),
            Step("end", Add(), ("last", "sum"), None),
        )

    def with_children(self, children: Mapping[str, Spec]) -> "Branches":
        return Branches(children["twice"])


def names(spec: Composite) -> list[list[str]]:
    return [[step.name for step in stretch] for stretch in stretches(spec)]


def test_each_step_gets_the_values_that_it_names() -> None:
    seen = []

    def visit(step: Step, values: list[str]) -> str:
        seen.append(f"{step.name}({', '.join(values)})")
        return step.name

    assert fold_steps(Branches(), "x", visit) == "end"
    assert seen == [
        "first(x)",
        "middle(first)",
        "second(middle)",
        "sum(first, second, x)",
        "last(sum)",
        "end(last, sum)",
    ]


class Value:
    """What can be watched."""


def test_a_value_is_let_go_once_its_last_step_has_taken_it() -> None:
    alive: dict[str, weakref.ref[Value]] = {}

    def visit(step: Step, values: list[Value]) -> Value:
        kept = {name for name, value in alive.items() if value() is not None}
        needed = {
            name
            for later in Branches().steps[[s.name for s in Branches().steps].index(step.name) :]
            for name in later.inputs
        }
        assert kept == needed & alive.keys()
        made = Value()
        alive[step.name] = weakref.ref(made)
        return made

    fold_steps(Branches(), [Value()], visit)


def test_a_child_that_runs_twice_is_one_child() -> None:
    assert [name for name, _ in Branches().children] == ["twice", "middle", "last"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (Sequential(Flatten(), Dense(4, 2)), [["0", "1"]]),
        (Sequential(Flatten()), [["0"]]),
        (SeparableConv(2, 3, 3), [["depthwise", "pointwise"]]),
        (Residual(RELU), [["body"], ["add"]]),
        (Residual(RELU, RELU), [["body"], ["shortcut"], ["add"]]),
        (Branches(), [["first"], ["middle", "second"], ["sum"], ["last"], ["end"]]),
    ],
)
def test_stretches_are_what_nobody_else_reads(spec: Composite, expected: list[list[str]]) -> None:
    assert names(spec) == expected
    assert is_chain(spec) == (len(expected) == 1)


def test_other_children_in_the_same_wiring() -> None:
    assert Residual(RELU, Flatten()).with_children({"body": Flatten(), "shortcut": RELU}) == (
        Residual(Flatten(), RELU)
    )
    spec = Sequential({"a": RELU, "b": Flatten()})
    assert spec.with_children(dict(spec.children)) == spec
    separable = SeparableConv(2, 3, 3)
    assert separable.with_children(dict(separable.children)) == Sequential(
        {"depthwise": separable.depthwise, "pointwise": separable.pointwise}
    )


def test_shapes_go_through_any_wiring() -> None:
    assert output_shape(Branches(), (2, 3, 4)) == (2, 3, 4)
    assert output_shape(Branches(Conv(4, 4, 3, padding="same")), (2, 5, 5, 4)) == (2, 5, 5, 4)


def test_the_reference_and_its_bound_go_through_any_wiring() -> None:
    spec = Branches(Conv(2, 2, 1, bias=False))
    kernel = np.array([[[[1.0, 2.0], [-3.0, 1.0]]]])
    x = np.array([[[[2.0, -1.0]]]])
    first = np.array([2 * 1 + 1 * 3, 2 * 2 - 1])  # 5, 3
    second = np.array([5 * 1 - 3 * 3, 5 * 2 + 3])  # -4, 13
    total = first + second + x[0, 0, 0]  # 3, 15
    y = reference(spec, {"twice.kernel": kernel}, x)
    assert y.ravel().tolist() == (total * 2).tolist() == [6, 30]
    target = trace(spec, {"twice.kernel": kernel}, exact_input(x))
    assert target.exact
    assert target.value.ravel().tolist() == [6, 30]
