"""DenseNet-121 (Huang et al., arXiv 1608.06993, table 1): each layer sees all before it.

Names, padding and epsilon are torchvision's.
"""

from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Sequential,
    Spec,
)

STEM, GROWTH, BOTTLENECK = 64, 32, 4
BLOCKS = (6, 12, 24, 16)  # layers of each dense block


def densenet121(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """DenseNet-121 for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    return Network("densenet121", architecture(BLOCKS, classes), picture_shape(resolution, batch))


def architecture(blocks: tuple[int, ...], classes: int) -> Sequential:
    """A DenseNet with so many layers in each block, and a transition between two blocks."""
    features: dict[str, Spec] = {
        "conv0": Conv(3, STEM, 7, 2, 3, bias=False),
        "norm0": BatchNorm(STEM),
        "relu0": Activation("relu"),
        "pool0": MaxPool(3, 2, 1),
    }
    channels = STEM
    for number, layers in enumerate(blocks, 1):
        features[f"denseblock{number}"] = dense_block(channels, layers)
        channels += layers * GROWTH
        if number < len(blocks):
            features[f"transition{number}"] = transition(channels)
            channels //= 2
    features[f"norm{len(blocks) + 1}"] = BatchNorm(channels)
    return Sequential(
        {
            "features": Sequential(features),
            "relu": Activation("relu"),
            "pool": GlobalAvgPool(),
            "classifier": Dense(channels, classes),
        }
    )


def dense_block(channels: int, layers: int) -> Graph:
    """Layers whose outputs are each joined to all that came before (eq. 2)."""
    nodes: dict[str, tuple[Spec | str, ...]] = {}
    before = "x"
    for number in range(1, layers + 1):
        layer, joined = f"denselayer{number}", f"concat{number}"
        nodes[layer] = (dense_layer(channels), before)
        nodes[joined] = (Concat(), before, layer)
        before = joined
        channels += GROWTH
    return Graph(nodes)


def dense_layer(channels: int) -> Sequential:
    """A 1x1 convolution and a 3x3 one, each behind its BatchNorm and ReLU (sec. 3)."""
    wide = BOTTLENECK * GROWTH
    return Sequential(
        {
            "norm1": BatchNorm(channels),
            "relu1": Activation("relu"),
            "conv1": Conv(channels, wide, 1, bias=False),
            "norm2": BatchNorm(wide),
            "relu2": Activation("relu"),
            "conv2": Conv(wide, GROWTH, 3, padding=1, bias=False),
        }
    )


def transition(channels: int) -> Sequential:
    """Half of the channels, and half of the pixels along each axis."""
    return Sequential(
        {
            "norm": BatchNorm(channels),
            "relu": Activation("relu"),
            "conv": Conv(channels, channels // 2, 1, bias=False),
            "pool": AvgPool(2),
        }
    )
