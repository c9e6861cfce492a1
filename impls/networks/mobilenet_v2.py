"""MobileNetV2 (Sandler et al., arXiv 1801.04381, table 2): skips between narrow, linear layers.

Names, padding and epsilon are torchvision's.
"""

from convparity.impls.networks.blocks import conv_norm, depthwise, pointwise, skipped
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import Conv, Dense, Dropout, GlobalAvgPool, Sequential, Spec

STEM, HEAD = 32, 1280
STAGES = (  # (expansion, out_channels, blocks, stride of the first block)
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """MobileNetV2 for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    return Network("mobilenet_v2", architecture(STAGES, classes), picture_shape(resolution, batch))


def architecture(stages: tuple[tuple[int, int, int, int], ...], classes: int) -> Sequential:
    """A MobileNetV2 of these stages, each as in ``STAGES``."""
    features: list[Spec] = [conv_norm(Conv(3, STEM, 3, 2, 1, bias=False), "relu6")]
    channels = STEM
    for expansion, out, repeats, first_stride in stages:
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            features.append(inverted_residual(channels, out, expansion, stride))
            channels = out
    features.append(conv_norm(pointwise(channels, HEAD), "relu6"))
    return Sequential(
        {
            "features": Sequential(features),
            "pool": GlobalAvgPool(),
            "classifier": Sequential(Dropout(0.2), Dense(HEAD, classes)),
        }
    )


def inverted_residual(in_channels: int, out_channels: int, expansion: int, stride: int) -> Spec:
    """Expand, filter each channel, project without an activation (figure 4d)."""
    wide = in_channels * expansion
    expand = [] if expansion == 1 else [conv_norm(pointwise(in_channels, wide), "relu6")]
    filtered = conv_norm(depthwise(wide, 3, stride), "relu6")
    project = conv_norm(pointwise(wide, out_channels))
    body = Sequential(*expand, filtered, *dict(project.children).values())
    return skipped("conv", body, stride == 1 and in_channels == out_channels)
