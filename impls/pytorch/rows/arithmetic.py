"""PyTorch's rows of arithmetic of numbers one by one."""

from convparity.impls.bindings import Row, same
from convparity.impls.pytorch import arithmetic
from convparity.impls.spec import Average, Divide, Maximum, Minimum, Power, Rescale

ROWS = [
    Row(Divide, arithmetic.Divide),
    Row(Maximum, arithmetic.Maximum),
    Row(Minimum, arithmetic.Minimum),
    Row(Average, arithmetic.Average),
    Row(Rescale, arithmetic.Rescale, same("scale", "offset")),
    Row(Power, arithmetic.Power, same("exponent")),
]
