"""Known porting faults: what each of them makes of a layer, in terms of a right implementation.

Each changes outputs, so that an output can name it; a number that is missing is of a fault that
changes none.
``FAULTS`` holds them by id, family by family; ``seed`` puts one or several into a layer or network.
"""

from convparity.analysis.faults import (  # noqa: F401, I001 (each registers its family, in this order)
    layout,
    grouping,
    padding,
    stride,
    parameters,
    normalisation,
    activation,
    pooling,
    order,
    precision,
    joins,
    movement,
    resize,
    source,
    edges,
)
from convparity.analysis.faults.fault import FAULTS, Fault, Faulty
from convparity.analysis.faults.seeding import Seed, implementation, seed
from convparity.impls.spec import Shape
from convparity.impls.spec import Spec

__all__ = [
    "FAULTS",
    "Fault",
    "Faulty",
    "Seed",
    "implementation",
    "seed",
    "symmetric_padding",
]


def symmetric_padding(spec: Spec, input_shape: Shape) -> Spec:
    """Write "same" as k // 2 on both sides: right at stride 1, shifted at stride 2.

    Shapes and counts stay as they were, so that nothing warns whoever ports from TensorFlow.
    """
    faulty = seed(spec, input_shape, FAULTS["padding-03"])
    return spec if faulty is None else faulty.spec
