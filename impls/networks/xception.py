"""Xception (Chollet, arXiv 1610.02357, figure 5): depthwise-separable convolutions and skips.

Names, padding and epsilon are those of keras.applications; there the blocks are flat, and "_"
stands where "." is here.
"""

from itertools import pairwise

from convparity.impls.networks.blocks import chained
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
    SeparableConv,
    Sequential,
    Spec,
)

SIZE = 299  # pixels a side
EPS, MOMENTUM = 1e-3, 0.01
STEM = (32, 64)
ENTRY = (128, 256, 728)  # out_channels of the blocks that halve the pixels
MIDDLE = 8  # blocks that change no shape
EXIT = (1024, 1536, 2048)


def xception(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """Xception for ImageNet, as in keras.applications, without its softmax.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 299 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    spec = architecture(ENTRY, MIDDLE, classes)
    return Network("xception", spec, picture_shape(resolution, batch, SIZE))


def architecture(entry: tuple[int, ...], middle: int, classes: int) -> Sequential:
    """An Xception with these blocks at its entry, and so many in its middle."""
    _, wide = STEM
    blocks: list[Spec] = [stem()]
    channels = wide
    for out in entry:
        after_stem = channels == wide  # which ends with a ReLU
        blocks.append(halving_block(channels, out, out, activated=not after_stem))
        channels = out
    blocks += [middle_block(channels) for _ in range(middle)]
    blocks.append(halving_block(channels, channels, EXIT[0], activated=True))
    blocks.append(last_block())
    named = {f"block{number}": block for number, block in enumerate(blocks, 1)}
    return Sequential(
        {**named, "avg_pool": GlobalAvgPool(), "predictions": Dense(EXIT[2], classes)}
    )


def stem() -> Sequential:
    """Two 3x3 convolutions without padding."""
    steps: dict[str, Spec] = {}
    for number, (channels, out, stride) in enumerate(((3, STEM[0], 2), (*STEM, 1)), 1):
        steps[f"conv{number}"] = Conv(channels, out, 3, stride, bias=False)
        steps[f"conv{number}_bn"] = norm(out)
        steps[f"conv{number}_act"] = Activation("relu")
    return Sequential(steps)


def halving_block(in_channels: int, between: int, out_channels: int, activated: bool) -> Graph:
    """Two separable convolutions and a pool, beside a 1x1 convolution with a stride.

    ``activated`` says that a ReLU comes before the first, too.
    """
    body = separable(1, in_channels, between) | separable(2, between, out_channels)
    if not activated:
        del body["sepconv1_act"]
    body["pool"] = MaxPool(3, 2, "same")
    shortcut = {"conv": Conv(in_channels, out_channels, 1, 2, bias=False), "bn": norm(out_channels)}
    return Graph(
        {
            **chained(body),
            "shortcut": (Sequential(shortcut), "x"),
            "add": (Add(), "pool", "shortcut"),
        }
    )


def middle_block(channels: int) -> Graph:
    """Three separable convolutions and a skip."""
    body = {
        name: layer
        for number in (1, 2, 3)
        for name, layer in separable(number, channels, channels).items()
    }
    return Graph({**chained(body), "add": (Add(), "sepconv3_bn", "x")})


def last_block() -> Sequential:
    """Two separable convolutions, with a ReLU behind each."""
    steps: dict[str, Spec] = {}
    for number, (channels, out) in enumerate(pairwise(EXIT), 1):
        activation, conv, bn = separable(number, channels, out).items()
        steps |= dict((conv, bn, activation))
    return Sequential(steps)


def separable(number: int, in_channels: int, out_channels: int) -> dict[str, Spec]:
    """A ReLU, a separable 3x3 convolution and its BatchNorm, by name."""
    name = f"sepconv{number}"
    conv = SeparableConv(
        *(in_channels, out_channels, 3),
        padding="same",
        depthwise_bias=False,
        pointwise_bias=False,
    )
    return {f"{name}_act": Activation("relu"), name: conv, f"{name}_bn": norm(out_channels)}


def norm(channels: int) -> BatchNorm:
    """BatchNorm as in keras.applications."""
    return BatchNorm(channels, EPS, MOMENTUM)
