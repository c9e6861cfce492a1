"""What a network is: a name, a spec, and the shape of the pictures it takes."""

from typing import NamedTuple

from convparity.impls.errors import InputError
from convparity.impls.spec import Shape, Spec

IMAGENET_SIZE = 224  # pixels a side


class Network(NamedTuple):
    """A standard architecture; ``input_shape`` is ``(N, height, width, channels)``."""

    name: str
    spec: Spec
    input_shape: Shape


def picture_shape(resolution: float, batch: int, full: int = IMAGENET_SIZE) -> Shape:
    """The input of ``resolution`` times ``full`` pixels a side, rounded; ``InputError`` if none.

    It is the resolution multiplier of MobileNetV1 (arXiv 1704.04861, sec. 3.4), in (0, 1].
    """
    size = round(full * resolution) if 0 < resolution <= 1 else 0
    if size < 1:
        raise InputError(
            f"resolution multiplies {full} pixels and lies in (0, 1], not {resolution}: "
            f"for 192 pixels it is 192/{full}"
        )
    return (batch, size, size, 3)
