"""MobileNetV1 (Howard et al., arXiv 1704.04861, table 1): depthwise-separable blocks in a row."""

from convparity.impls.errors import InputError
from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Sequential,
)

STEM = 32
WIDEST = 100
BLOCKS = (  # (out_channels, stride)
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),  # table 1 prints stride 2, but its sizes (7x7 to 7x7) need 1
)
SHALLOW_BLOCKS = tuple(block for block in BLOCKS if block != (512, 1))


def mobilenet_v1(
    width: float = 1.0,
    resolution: float = 1.0,
    classes: int = 1000,
    batch: int = 1,
    separable: bool = True,
    shallow: bool = False,
) -> Network:
    """MobileNetV1 for ImageNet, with the padding and the epsilon of its TensorFlow release.

    Args:
        width: multiplies every number of channels (0.75, 0.5, 0.25 in the paper); above 0.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        classes: the size of the output.
        batch: pictures at a time.
        separable: False makes each block a regular 3x3 convolution (the paper's table 4).
        shallow: leaves out the five blocks of 512 channels and stride 1 (table 5).

    Raises ``InputError`` for a width or a resolution out of its range.
    """
    if not 0 < width <= WIDEST:
        raise InputError(
            f"width multiplies the channels and must be above 0 and at most {WIDEST}, not {width}"
        )

    def channels(count: int) -> int:
        return max(1, round(count * width))

    block = separable_block if separable else regular_block
    stem = conv_norm_relu(Conv(3, channels(STEM), 3, 2, "same", bias=False))
    blocks, last = [], channels(STEM)
    for out, stride in SHALLOW_BLOCKS if shallow else BLOCKS:
        blocks.append(block(last, channels(out), stride))
        last = channels(out)
    head = {"pool": GlobalAvgPool(), "dropout": Dropout(0.001), "dense": Dense(last, classes)}
    spec = Sequential({"stem": stem, "blocks": Sequential(blocks), "head": Sequential(head)})
    return Network("mobilenet_v1", spec, picture_shape(resolution, batch))


def conv_norm_relu(conv: Conv | DepthwiseConv) -> Sequential:
    """A convolution, its BatchNorm and its ReLU."""
    norm = BatchNorm(conv.out_channels, eps=1e-3)
    return Sequential({"conv": conv, "norm": norm, "relu": Activation("relu")})


def separable_block(in_channels: int, out_channels: int, stride: int) -> Sequential:
    """Depthwise 3x3 and pointwise, each with its BatchNorm and ReLU (figure 3, right)."""
    return Sequential(
        {
            "depthwise": conv_norm_relu(DepthwiseConv(in_channels, 3, stride, "same", bias=False)),
            "pointwise": conv_norm_relu(Conv(in_channels, out_channels, 1, bias=False)),
        }
    )


def regular_block(in_channels: int, out_channels: int, stride: int) -> Sequential:
    """The regular convolution that a separable block stands for (figure 3, left)."""
    return conv_norm_relu(Conv(in_channels, out_channels, 3, stride, "same", bias=False))
