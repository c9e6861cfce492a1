"""ConvNeXt-Tiny (Liu et al., arXiv 2201.03545, table 9): a convolutional network like Swin.

Names, padding and epsilon are torchvision's. Its linear layers act on the channels of each pixel:
they are 1x1 convolutions here. Its stochastic depth changes nothing at inference, and is left out.
"""

from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    Add,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    Graph,
    LayerNorm,
    Scale,
    Sequential,
    Spec,
)

EPS = 1e-6
STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))  # (channels, blocks)


def convnext_tiny(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """ConvNeXt-Tiny for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    return Network("convnext_tiny", architecture(STAGES, classes), picture_shape(resolution, batch))


def architecture(stages: tuple[tuple[int, int], ...], classes: int) -> Sequential:
    """A ConvNeXt of these stages, each as in ``STAGES``."""
    (channels, _), *_ = stages
    features: list[Spec] = [Sequential(Conv(3, channels, 4, 4), LayerNorm(channels, EPS))]
    for out, blocks in stages:
        if out != channels:
            features.append(Sequential(LayerNorm(channels, EPS), Conv(channels, out, 2, 2)))
        features.append(Sequential([block(out) for _ in range(blocks)]))
        channels = out
    # torchvision has a Flatten between the two, which is "1"
    classifier = {"0": LayerNorm(channels, EPS), "2": Dense(channels, classes)}
    return Sequential(
        {
            "features": Sequential(features),
            "avgpool": GlobalAvgPool(),
            "classifier": Sequential(classifier),
        }
    )


def block(channels: int) -> Graph:
    """A depthwise convolution, then two pointwise ones, four times as wide between (figure 4).

    torchvision's "1" and "6" move the channels to the end and back.
    """
    body = {
        "0": DepthwiseConv(channels, 7, padding=3),
        "2": LayerNorm(channels, EPS),
        "3": Conv(channels, 4 * channels, 1),
        "4": Activation("gelu"),
        "5": Conv(4 * channels, channels, 1),
    }
    return Graph(
        {
            "block": (Sequential(body), "x"),
            "layer_scale": (Scale(channels), "block"),
            "sum": (Add(), "layer_scale", "x"),
        }
    )
