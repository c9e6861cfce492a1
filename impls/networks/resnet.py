"""ResNet-18 (He et al., arXiv 1512.03385, table 1): two 3x3 convolutions around each skip.

Names, padding and epsilon are torchvision's.
"""

from convparity.impls.networks.blocks import conv_norm
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Sequential,
    Spec,
)

STEM = 64
STAGES = (64, 128, 256, 512)  # out_channels, each of two blocks


def resnet18(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """ResNet-18 for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    return Network("resnet18", architecture(STAGES, classes), picture_shape(resolution, batch))


def architecture(stages: tuple[int, ...], classes: int) -> Sequential:
    """A ResNet with two blocks of so many channels in each stage."""
    steps: dict[str, Spec] = {
        "conv1": Conv(3, STEM, 7, 2, 3, bias=False),
        "bn1": BatchNorm(STEM),
        "relu": Activation("relu"),
        "maxpool": MaxPool(3, 2, 1),
    }
    channels = STEM
    for number, out in enumerate(stages, 1):
        first = basic_block(channels, out, 1 if number == 1 else 2)
        steps[f"layer{number}"] = Sequential(first, basic_block(out, out, 1))
        channels = out
    steps |= {"avgpool": GlobalAvgPool(), "fc": Dense(channels, classes)}
    return Sequential(steps)


def basic_block(in_channels: int, out_channels: int, stride: int) -> Graph:
    """Two convolutions and a skip, which a 1x1 convolution fits where shapes differ (sec. 3.3)."""
    fits = stride == 1 and in_channels == out_channels
    downsample = conv_norm(Conv(in_channels, out_channels, 1, stride, bias=False))
    return Graph(
        {
            "conv1": (Conv(in_channels, out_channels, 3, stride, 1, bias=False), "x"),
            "bn1": (BatchNorm(out_channels), "conv1"),
            "relu": (Activation("relu"), "bn1"),
            "conv2": (Conv(out_channels, out_channels, 3, 1, 1, bias=False), "relu"),
            "bn2": (BatchNorm(out_channels), "conv2"),
            **({} if fits else {"downsample": (downsample, "x")}),
            "sum": (Add(), "bn2", "x" if fits else "downsample"),
            "output": ("relu", "sum"),
        }
    )
