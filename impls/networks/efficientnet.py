"""EfficientNet-B0 (Tan and Le, arXiv 1905.11946, table 1): gated blocks, of SiLU.

Names, padding and epsilon are torchvision's. Its stochastic depth changes nothing at inference, and
is left out.
"""

from convparity.impls.networks.blocks import (
    conv_norm,
    depthwise,
    pointwise,
    skipped,
    squeeze_excitation,
)
from convparity.impls.networks.efficientnet_lite import HEAD, STAGES, STEM
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import Conv, Dense, Dropout, GlobalAvgPool, Sequential, Spec


def efficientnet_b0(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """EfficientNet-B0 for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    spec = architecture(STAGES, classes)
    return Network("efficientnet_b0", spec, picture_shape(resolution, batch))


def architecture(stages: tuple[tuple[int, int, int, int, int], ...], classes: int) -> Sequential:
    """An EfficientNet of these stages, each as in ``efficientnet_lite.STAGES``."""
    features: list[Spec] = [conv_norm(Conv(3, STEM, 3, 2, 1, bias=False), "silu")]
    channels = STEM
    for expansion, kernel_size, first_stride, out, repeats in stages:
        blocks: list[Spec] = []
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            blocks.append(mobile_block(channels, out, expansion, kernel_size, stride))
            channels = out
        features.append(Sequential(blocks))
    features.append(conv_norm(pointwise(channels, HEAD), "silu"))
    return Sequential(
        {
            "features": Sequential(features),
            "avgpool": GlobalAvgPool(),
            "classifier": Sequential(Dropout(0.2), Dense(HEAD, classes)),
        }
    )


def mobile_block(
    in_channels: int, out_channels: int, expansion: int, kernel_size: int, stride: int
) -> Spec:
    """Expand, filter each channel, gate, project without an activation."""
    wide = in_channels * expansion
    expand = [] if expansion == 1 else [conv_norm(pointwise(in_channels, wide), "silu")]
    body = Sequential(
        *expand,
        conv_norm(depthwise(wide, kernel_size, stride), "silu"),
        squeeze_excitation(wide, in_channels // 4, "silu", "sigmoid"),
        conv_norm(pointwise(wide, out_channels)),
    )
    return skipped("block", body, stride == 1 and in_channels == out_channels)
