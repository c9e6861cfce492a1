"""MobileNetV3-Large (Howard et al., arXiv 1905.02244, table 1): MobileNetV2 with gates.

Names, padding and epsilon are torchvision's.
"""

from typing import NamedTuple

from convparity.impls.networks.blocks import (
    conv_norm,
    depthwise,
    pointwise,
    skipped,
    squeeze_excitation,
)
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    ActivationName,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Sequential,
    Spec,
)

EPS, MOMENTUM = 1e-3, 0.01
STEM, WIDER, HEAD = 16, 6, 1280


class Block(NamedTuple):
    """A row of the table: what a block is made with, beside the channels of its input."""

    kernel_size: int
    wide: int
    out: int
    gated: bool
    activation: ActivationName
    stride: int


BLOCKS = (
    Block(3, 16, 16, False, "relu", 1),
    Block(3, 64, 24, False, "relu", 2),
    Block(3, 72, 24, False, "relu", 1),
    Block(5, 72, 40, True, "relu", 2),
    *[Block(5, 120, 40, True, "relu", 1)] * 2,
    Block(3, 240, 80, False, "hard_swish", 2),
    Block(3, 200, 80, False, "hard_swish", 1),
    *[Block(3, 184, 80, False, "hard_swish", 1)] * 2,
    Block(3, 480, 112, True, "hard_swish", 1),
    Block(3, 672, 112, True, "hard_swish", 1),
    Block(5, 672, 160, True, "hard_swish", 2),
    *[Block(5, 960, 160, True, "hard_swish", 1)] * 2,
)


def mobilenet_v3_large(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """MobileNetV3-Large for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    spec = architecture(BLOCKS, classes)
    return Network("mobilenet_v3_large", spec, picture_shape(resolution, batch))


def architecture(blocks: tuple[Block, ...], classes: int) -> Sequential:
    """A MobileNetV3 of these blocks."""
    features: list[Spec] = [_layer(Conv(3, STEM, 3, 2, 1, bias=False), "hard_swish")]
    channels = STEM
    for each in blocks:
        features.append(inverted_residual(channels, each))
        channels = each.out
    last = WIDER * channels
    features.append(_layer(pointwise(channels, last), "hard_swish"))
    classifier = (Dense(last, HEAD), Activation("hard_swish"), Dropout(0.2), Dense(HEAD, classes))
    return Sequential(
        {
            "features": Sequential(features),
            "avgpool": GlobalAvgPool(),
            "classifier": Sequential(*classifier),
        }
    )


def inverted_residual(in_channels: int, row: Block) -> Spec:
    """Expand, filter each channel, gate some, project without an activation (figure 4)."""
    body: list[Spec] = []
    if row.wide != in_channels:
        body.append(_layer(pointwise(in_channels, row.wide), row.activation))
    body.append(_layer(depthwise(row.wide, row.kernel_size, row.stride), row.activation))
    if row.gated:
        gate = squeeze_excitation(row.wide, _divisible(row.wide // 4), "relu", "hard_sigmoid")
        body.append(gate)
    body.append(_layer(pointwise(row.wide, row.out)))
    return skipped("block", Sequential(body), row.stride == 1 and in_channels == row.out)


def _layer(conv: Conv | DepthwiseConv, activation: ActivationName | None = None) -> Sequential:
    return conv_norm(conv, activation, EPS, MOMENTUM)


def _divisible(channels: int) -> int:
    """The nearest multiple of 8, from 8 on, that is no more than a tenth below ``channels``."""
    near = max(8, (channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8
