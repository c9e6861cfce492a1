"""Sums of products along named axes: operands exchanged, an operand or the result transposed."""

from itertools import combinations

import numpy as np

from convparity.analysis.faults.arithmetic import exchanged
from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import Einsum, Shapes, each_shape, output_shape


@fault("products-01", "the two values exchanged", Einsum, hides="values of unlike shapes")
def values_exchanged(spec: Einsum, shape: Shapes) -> Faulty | None:
    first, second, _ = spec.axes
    shapes = each_shape(shape)
    if first == second or output_shape(spec, *shapes[::-1]) != output_shape(spec, *shapes):
        return None
    return Faulty(spec, "the second first", before=lambda values: values[::-1])


@fault(
    "products-02",
    "one value transposed",
    Einsum,
    hides="sizes that differ, axes that are summed in one value alone",
)
def value_transposed(spec: Einsum, shape: Shapes) -> Faulty | None:
    *taken, result = spec.axes
    for i, own in enumerate(each_shape(shape)):
        seen = {*taken[1 - i], *result}
        for a, b in combinations(range(1, len(own)), 2):
            if own[a] == own[b] > 1 and seen & {taken[i][a], taken[i][b]}:
                return exchanged(spec, i, a, b)
    return None


@fault("products-03", "the result transposed", Einsum, hides="sizes that differ")
def result_transposed(spec: Einsum, shape: Shapes) -> Faulty | None:
    made = output_shape(spec, *each_shape(shape))
    for a, b in combinations(range(1, len(made)), 2):
        if made[a] == made[b] > 1:

            def after(y: np.ndarray, a: int = a, b: int = b) -> np.ndarray:
                return y.swapaxes(a, b)

            return Faulty(spec, f"axes {a} and {b} exchanged", after=after)
    return None
