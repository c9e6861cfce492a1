"""What the layout pass refuses, and what it says; and what is no program."""

from typing import Any

import pytest

from convparity import (
    Activation,
    Add,
    Concat,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Reduce,
    Scale,
    Sequential,
    Slice,
    SpecError,
    UnsupportedError,
)
from convparity.impls.layout import (
    BATCH,
    Along,
    Contract,
    Expand,
    Input,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    Stack,
    View,
    lay_out,
)

N = BATCH
IMAGE, ROWS = (N, 4, 6, 5), (3, N, 4)  # of each operation: x, or x and y

REFUSED: list[tuple[Any, tuple[tuple[int, ...], ...], str]] = [
    (View((N, 7)), (IMAGE,), r"\(N, 4, 6, 5\) cannot be read as \(N, 7\)"),
    (View((-1, -1)), (IMAGE,), "cannot be read"),
    (View((2, N * 2, 30)), ((N, 4, 30),), "the batch would not be the slowest factor"),
    (View((N * 4, 3)), (ROWS,), "the batch would not be the slowest factor"),
    (Permute((0, 1, 1, 2)), (IMAGE,), "is no order of 4 axes"),
    (Permute((0, 1, 2, 7)), (IMAGE,), "axis 7 is none of 4"),
    (Expand((N, 8, 6, 5)), (IMAGE,), r"an axis of \(4\) cannot become \(8\)"),
    (Expand((N, N, 1, 4)), ((N, 1, 1, 4),), r"an axis of \(1\) cannot become \(N\)"),
    (Expand((6, 5)), (IMAGE,), "has more axes"),
    (Slice(-4, 0, 1), (IMAGE,), "a part of the batch"),
    (Slice(1, 4), (IMAGE,), "nothing is left of axis 1"),
    (Select(0, 0), (IMAGE,), "a part of the batch"),
    (Select(1, 4), (IMAGE,), "axis 4 is none of 4"),
    (Concat(-4), (IMAGE, IMAGE), "along the batch"),
    (Concat(1), (IMAGE, (N, 4, 6, 3)), "unlike sizes"),
    (Stack(1), (IMAGE, (N, 4, 6, 3)), "unlike sizes"),
    (Add(), (IMAGE, (N, 4, 6, 3)), "axes of sizes .* meet"),
    (Add(), (IMAGE, ROWS), "axes of sizes .* meet"),
    (Reduce("sum", -4), (IMAGE,), "along the batch"),
    (Activation("softmax", axis=-4), (IMAGE,), "along the batch"),
    (LayerNorm(4), (IMAGE,), r"axes of sizes \(4,\)"),
    (Dense(4, 2), (IMAGE,), "it takes 4 features"),
    (Scale(5), (IMAGE,), "5 channels"),
    (Along(Conv(4, 2, 1), 1), (IMAGE,), "with a number for each channel"),
    (Conv(4, 2, 1), (ROWS,), "its first axis is the batch"),
    (Conv(3, 2, 1), (IMAGE,), "3 channels"),
    (Flatten(), (IMAGE,), "no rule lays out Flatten"),
    (Sequential(Conv(4, 2, 1)), (IMAGE,), "operations of their own"),
    (Matmul(), (IMAGE, (N, 4, 6, 3)), r"axes of sizes \(5, 6\) meet"),
    (Matmul(), ((N, 4), (N, 4)), r"axes of sizes \(4, N\) meet"),
    (Contract("n c c, n c d -> n d"), ((N, 4, 4), (N, 4, 5)), "just the axes n c c"),
    (Contract("n c d, n c e -> n z"), ((N, 4, 4), (N, 4, 5)), "just the axes n z"),
    (Contract("n c d, n c e -> d e"), ((N, 4, 4), (N, 4, 5)), "one axis of both values"),
    (Contract("n c d, m c e -> n m d"), ((N, 4, 4), (N, 4, 5)), "one axis of both values"),
]


@pytest.mark.parametrize(("what", "shapes", "message"), REFUSED, ids=str)
def test_what_cannot_be_said_names_the_operation(
    what: Any, shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    inputs = tuple(Input(name, shape, -1) for name, shape in zip(("x", "y"), shapes, strict=False))
    names = tuple(each.name for each in inputs)
    program = Program(inputs, (Operation("step", what, names),), "step")
    with pytest.raises(UnsupportedError, match=message) as caught:
        lay_out(program)
    assert str(caught.value).startswith(f"step, {what} of x (")


def test_an_input_has_a_batch() -> None:
    for shape, channels in (((3, 4), 1), ((N, N), 1), ((N, 4), 0)):
        with pytest.raises(UnsupportedError, match="the input x needs one axis of the batch"):
            lay_out(Program((Input("x", shape, channels),), (), "x"))


def test_an_output_has_an_axis_besides_the_batch() -> None:
    step = Operation("y", View((N,)), ("x",))
    with pytest.raises(UnsupportedError, match="the output y: a graph gives values with an axis"):
        lay_out(Program((Input("x", (N, 1)),), (step,), "y"))


def test_an_output_that_splits_the_batch() -> None:
    step = Operation("y", View((3 * N, 4)), ("x",))
    with pytest.raises(UnsupportedError, match="the output y: the batch would not be the first"):
        lay_out(Program((Input("x", ROWS, -1),), (step,), "y"))


def test_weights_have_one_form() -> None:
    steps = (
        Operation("a", Dense(4, 4), ("x",)),
        Operation("b", Conv(4, 4, 1, rank=1), ("x",)),
        Operation("c", "a", ("b",)),
        Operation("d", Add(), ("c", "a")),
    )
    assert lay_out(Program((Input("x", (N, 4, 4)),), steps, "d")).graph.nodes


@pytest.mark.parametrize(
    ("steps", "outputs", "message"),
    [
        ((Operation("y", Add(), ("x", "z")),), "y", "y takes 'z', which is not there yet"),
        ((Operation("y", "z", ("x",)),), "y", "y runs 'z' before it ran"),
        ((Operation("x", Add(), ("x",)),), "x", "two values are called 'x'"),
        ((), "y", "the program takes 'y', which is not there yet"),
        ((), {"a": "y"}, "the program takes 'y'"),
    ],
)
def test_what_is_no_program(steps: Any, outputs: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Program((Input("x", IMAGE),), steps, outputs)
