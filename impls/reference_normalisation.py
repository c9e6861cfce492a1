"""Over which values a norm takes its statistics: ``reference.py`` asks it."""

import math

from convparity.impls.spec import (
    GroupNorm,
    InputNorm,
    InstanceNorm,
    Shape,
    parameter_axes,
)


def normalised(spec: InputNorm, shape: Shape) -> tuple[Shape, Shape]:
    """The form of the input in which a norm takes its statistics over whole axes, and these."""
    match spec:
        case GroupNorm():
            each = spec.num_features // spec.num_groups
            return (shape[0], math.prod(shape[1:-1]), spec.num_groups, each), (1, 3)
        case InstanceNorm():
            return shape, tuple(range(1, len(shape) - 1))
        case _:
            return shape, tuple(axis % len(shape) for axis in parameter_axes(spec)[0])
