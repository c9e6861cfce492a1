"""EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, arXiv 1905.11946, table 1) made for phones.

Lite0 has ReLU6 for SiLU and no squeeze-and-excitation; padding and epsilon are TensorFlow's.
"""

from convparity.impls.networks.network import Network, picture_shape
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Residual,
    Sequential,
    Spec,
)

STEM, HEAD = 32, 1280
STAGES = (  # (expansion, kernel_size, stride of the first block, out_channels, blocks)
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_lite0(classes: int = 1000, resolution: float = 1.0, batch: int = 1) -> Network:
    """EfficientNet-Lite0 for ImageNet, as in its TensorFlow release.

    Args:
        classes: the size of the output.
        resolution: multiplies the input's 224 pixels, in (0, 1].
        batch: pictures at a time.

    Raises ``InputError`` for a resolution out of its range.
    """
    blocks: list[Spec] = []
    channels = STEM
    for expansion, kernel_size, first_stride, out, repeats in STAGES:
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            blocks.append(inverted_residual(channels, out, expansion, kernel_size, stride))
            channels = out
    head = {
        **conv_norm(Conv(channels, HEAD, 1, bias=False)),
        "relu6": Activation("relu6"),
        "pool": GlobalAvgPool(),
        "dropout": Dropout(0.2),
        "dense": Dense(HEAD, classes),
    }
    spec = Sequential(
        {
            "stem": conv_norm_relu6(Conv(3, STEM, 3, 2, "same", bias=False)),
            "blocks": Sequential(blocks),
            "head": Sequential(head),
        }
    )
    return Network("efficientnet_lite0", spec, picture_shape(resolution, batch))


def conv_norm(conv: Conv | DepthwiseConv) -> dict[str, Spec]:
    """A convolution and its BatchNorm, by name."""
    return {"conv": conv, "norm": BatchNorm(conv.out_channels, eps=1e-3, momentum=0.01)}


def conv_norm_relu6(conv: Conv | DepthwiseConv) -> Sequential:
    """A convolution, its BatchNorm and ReLU6."""
    return Sequential({**conv_norm(conv), "relu6": Activation("relu6")})


def inverted_residual(
    in_channels: int, out_channels: int, expansion: int, kernel_size: int, stride: int
) -> Spec:
    """Expand by a pointwise, filter by a depthwise, project by a linear pointwise convolution.

    The input is added where the shape allows it (Sandler et al., arXiv 1801.04381, sec. 3.3).
    """
    wide = in_channels * expansion
    steps: dict[str, Spec] = {}
    if expansion != 1:
        steps["expand"] = conv_norm_relu6(Conv(in_channels, wide, 1, bias=False))
    depthwise = DepthwiseConv(wide, kernel_size, stride, "same", bias=False)
    steps["depthwise"] = conv_norm_relu6(depthwise)
    steps["project"] = Sequential(conv_norm(Conv(wide, out_channels, 1, bias=False)))
    body = Sequential(steps)
    return Residual(body) if stride == 1 and in_channels == out_channels else body


_RELEASED = {
    "stem.conv": "_conv_stem",
    "stem.norm": "_bn0",
    "expand.conv": "_expand_conv",
    "expand.norm": "_bn0",
    "depthwise.conv": "_depthwise_conv",
    "depthwise.norm": "_bn1",
    "project.conv": "_project_conv",
    "project.norm": "_bn2",
    "head.conv": "_conv_head",
    "head.norm": "_bn1",
    "head.dense": "_fc",
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def released_name(name: str) -> str:
    """What the checkpoint released for PyTorch calls a canonical weight.

    ``blocks.3.body.expand.conv.kernel`` is its ``_blocks.3._expand_conv.weight``.
    """
    *blocks, step, layer, weight = name.replace(".body", "").split(".")
    module = _RELEASED[f"{step}.{layer}"]
    return ".".join(
        [*("_" + each if each == "blocks" else each for each in blocks), module, _RELEASED[weight]]
    )
