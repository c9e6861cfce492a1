"""U-Net (Ronneberger et al., arXiv 1505.04597, figure 1): down, up, and joined across.

As on PyTorch Hub (mateuszbuda/brain-segmentation-pytorch), with its names: convolutions are padded,
so that nothing is cropped, and each has a BatchNorm.
"""

from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Graph,
    MaxPool,
    Sequential,
    Spec,
)

LEVELS = 4  # times that pixels are halved and doubled
SIZE = 256  # pixels a side; a multiple of 2^LEVELS


def unet(features: int = 32, classes: int = 1, resolution: float = 1.0, batch: int = 1) -> Network:
    """U-Net for the segmentation of pictures.

    Args:
        features: channels of the first level, 64 in the paper; each level has twice as many.
        classes: channels of the output, each a probability.
        resolution: multiplies the input's 256 pixels, in (0, 1]; 16 divides what comes.
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    spec = architecture(LEVELS, features, classes)
    return Network("unet", spec, picture_shape(resolution, batch, SIZE))


def architecture(levels: int, features: int, classes: int) -> Graph:
    """A U-Net that halves and doubles the pixels so many times."""
    nodes: dict[str, tuple[Spec | str, ...]] = {}
    value, channels = "x", 3
    for level in range(1, levels + 1):
        out = features * 2 ** (level - 1)
        nodes[f"encoder{level}"] = (double_conv(channels, out, f"enc{level}"), value)
        nodes[f"pool{level}"] = (MaxPool(2), f"encoder{level}")
        value, channels = f"pool{level}", out
    nodes["bottleneck"] = (double_conv(channels, 2 * channels, "bottleneck"), value)
    value, channels = "bottleneck", 2 * channels
    for level in range(levels, 0, -1):
        out = channels // 2
        nodes[f"upconv{level}"] = (ConvTranspose(channels, out, 2, 2), value)
        nodes[f"concat{level}"] = (Concat(), f"upconv{level}", f"encoder{level}")
        nodes[f"decoder{level}"] = (double_conv(channels, out, f"dec{level}"), f"concat{level}")
        value, channels = f"decoder{level}", out
    nodes["conv"] = (Conv(channels, classes, 1), value)
    nodes["sigmoid"] = (Activation("sigmoid"), "conv")
    return Graph(nodes)


def double_conv(in_channels: int, out_channels: int, name: str) -> Sequential:
    """Two 3x3 convolutions, each with its BatchNorm and ReLU; ``name`` is in front of each."""
    steps: dict[str, Spec] = {}
    for number, channels in ((1, in_channels), (2, out_channels)):
        steps[f"{name}conv{number}"] = Conv(channels, out_channels, 3, padding=1, bias=False)
        steps[f"{name}norm{number}"] = BatchNorm(out_channels)
        steps[f"{name}relu{number}"] = Activation("relu")
    return Sequential(steps)
