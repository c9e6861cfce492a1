"""Graphs that tests share: layers that run twice, joins, several inputs and outputs."""

from convparity import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvgPool,
    Graph,
    Multiply,
    Sequential,
    Subtract,
)

SHARED = Graph(
    {
        "stem": (Conv(3, 3, 1), "x"),
        "gate": (Sequential(Conv(3, 3, 3, padding="same"), Activation("hard_sigmoid")), "stem"),
        "gated": (Multiply(), "stem", "gate"),
        "again": ("stem", "gated"),
        "diff": (Subtract(), "again", "stem"),
        "both": (Concat(), "diff", "x", "gated"),
        "out": (Conv(9, 3, 1), "both"),
    }
)
TWO = Graph(
    {
        "start": (
            Graph(
                {"c": (Conv(3, 4, 3, padding="same"), "a"), "s": (Add(), "c", "b")},
                inputs=("a", "b"),
                outputs=("c", "s"),
            ),
            *("u", "v"),
        ),
        "m": (Multiply(), "start.0", "start.1"),
        "h": (GlobalAvgPool(), "m"),
    },
    inputs=("u", "v"),
    outputs={"image": "m", "head": "h"},
)
TUPLE = Graph(
    {"a": (Conv(3, 2, 1), "x"), "b": (Activation("relu"), "a")},
    outputs=("b", "a"),
)
ONE_OF_TUPLE = Graph({"a": (Conv(3, 2, 1), "x")}, outputs=("a",))
BRANCHES = Graph(
    {
        "a": (Conv(3, 3, 1), "x"),
        "norm": (BatchNorm(3), "a"),
        "act": (Activation("relu"), "norm"),
        "again": ("a", "act"),
        "sum": (Add(), "again", "x", "act"),
    }
)
CHAIN = Graph({"a": (Conv(3, 3, 1), "x"), "b": (Activation("relu"), "a")})
