"""ShuffleNetV2 x1.0 (Ma et al., arXiv 1807.11164, table 5): half of the channels pass each block.

Names, padding and epsilon are torchvision's.
"""

from convparity.impls.networks.blocks import depthwise, pointwise
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Rearrange,
    Sequential,
    Slice,
    Spec,
)

STEM, HEAD = 24, 1024
STAGES = ((116, 4), (232, 8), (464, 4))  # (out_channels, blocks)


def shufflenet_v2(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """ShuffleNetV2 x1.0 for ImageNet, as in torchvision.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    return Network("shufflenet_v2", architecture(STAGES, classes), picture_shape(resolution, batch))


def architecture(stages: tuple[tuple[int, int], ...], classes: int) -> Sequential:
    """A ShuffleNetV2 of these stages, each as in ``STAGES``."""
    steps: dict[str, Spec] = {
        "conv1": Sequential(_activated(Conv(3, STEM, 3, 2, 1, bias=False))),
        "maxpool": MaxPool(3, 2, 1),
    }
    channels = STEM
    for number, (out, blocks) in enumerate(stages, 2):  # the stem is the first stage
        others = [unit(out) for _ in range(blocks - 1)]
        steps[f"stage{number}"] = Sequential(downsampling_unit(channels, out), *others)
        channels = out
    steps[f"conv{len(stages) + 2}"] = Sequential(_activated(pointwise(channels, HEAD)))
    return Sequential({**steps, "pool": GlobalAvgPool(), "fc": Dense(HEAD, classes)})


def unit(channels: int) -> Graph:
    """One half of the channels goes through, the other through a branch (figure 3c)."""
    half = channels // 2
    return Graph(
        {
            "first": (Slice(-1, 0, half), "x"),
            "second": (Slice(-1, half, channels), "x"),
            "branch2": (Sequential(_branch(half, half, 1)), "second"),
            "both": (Concat(), "first", "branch2"),
            "shuffle": (channel_shuffle(2), "both"),
        }
    )


def downsampling_unit(in_channels: int, out_channels: int) -> Graph:
    """Two branches halve the pixels, and all channels go through both (figure 3d)."""
    half = out_channels // 2
    filtered = (depthwise(in_channels, 3, 2), BatchNorm(in_channels))
    return Graph(
        {
            "branch1": (Sequential(*filtered, *_activated(pointwise(in_channels, half))), "x"),
            "branch2": (Sequential(_branch(in_channels, half, 2)), "x"),
            "both": (Concat(), "branch1", "branch2"),
            "shuffle": (channel_shuffle(2), "both"),
        }
    )


def channel_shuffle(groups: int) -> Rearrange:
    """One channel of each group after another (Zhang et al., arXiv 1707.01083, sec. 3.1)."""
    return Rearrange("n h w (g c) -> n h w (c g)", g=groups)


def _branch(in_channels: int, channels: int, stride: int) -> list[Spec]:
    """Pointwise, depthwise, pointwise; no activation follows the depthwise convolution."""
    filtered = (depthwise(channels, 3, stride), BatchNorm(channels))
    return [
        *_activated(pointwise(in_channels, channels)),
        *filtered,
        *_activated(pointwise(channels, channels)),
    ]


def _activated(conv: Conv) -> list[Spec]:
    return [conv, BatchNorm(conv.out_channels), Activation("relu")]
