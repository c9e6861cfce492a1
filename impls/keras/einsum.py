"""A Keras layer of sums of products along named axes. A page to copy from."""

import re
from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered


def letters(pattern: str) -> str:
    """The pattern in letters."""
    first, second, result = (side.split() for side in re.split(",|->", pattern))
    letter = {name: chr(ord("a") + i) for i, name in enumerate(dict.fromkeys([*first, *second]))}
    sides = ["".join(letter[name] for name in side) for side in (first, second, result)]
    return f"{sides[0]},{sides[1]}->{sides[2]}"


@registered
class Einsum(keras.layers.Layer):
    """Products of a list of two values, summed over the axes that the result does not have.

    Args:
        pattern: The axes: "n q c, n k c -> n q k".
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern = pattern

    def call(self, values: Any) -> Any:
        return ops.einsum(letters(self.pattern), *values)

    def compute_output_shape(self, input_shape: Any) -> Any:
        sides, result = letters(self.pattern).split("->")
        sizes: dict[str, Any] = {}
        for side, shape in zip(sides.split(","), input_shape, strict=True):
            sizes |= {a: n for a, n in zip(side, shape, strict=True) if sizes.get(a) is None}
        return tuple(sizes[axis] for axis in result)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pattern": self.pattern}
