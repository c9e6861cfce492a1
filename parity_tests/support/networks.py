"""Small networks, which hold every kind of layer and each activation."""

from convparity import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
)
from convparity.impls.networks import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_lite,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    shufflenet_v2,
    unet,
    xception,
)
from convparity.impls.spec import ACTIVATIONS

ALPHAS = {"leaky_relu": 0.3, "elu": 0.5}
NETWORK = Sequential(
    Conv(3, 8, 3, stride=2, padding="same", bias=False),
    BatchNorm(8, eps=1e-3),
    Activation("relu6"),
    Residual(SeparableConv(8, 8, 3, padding="same")),
    Activation("relu"),
    Sequential({"pool": GlobalAvgPool(), "flatten": Flatten(), "dense": Dense(8, 5)}),
)
DECODER = Sequential(
    ConvTranspose(3, 8, 3, 2, 1, 1, dilation=2),
    GroupNorm(2, 8),
    MaxPool(3, 2, 1),
    Conv(8, 6, 3, padding=2, padding_mode="reflect"),
    LayerNorm(6),
    AvgPool(2, 1, "same", count_include_pad=False),
    Sequential(GlobalAvgPool(), Dense(6, 5)),
)


POOLED = Sequential(AvgPool(3, 2, "same"), Conv(3, 4, 3), GlobalAvgPool(), Dense(4, 5))
BLOCK = Sequential(  # of ConvNeXt
    Conv(3, 8, 2, 2),
    Residual(
        Sequential(
            {
                "depthwise": DepthwiseConv(8, 3, padding="same"),
                "norm": LayerNorm(8),
                "wide": Conv(8, 12, 1),
                "act": Activation("gelu"),
                "narrow": Conv(12, 8, 1),
                "scale": Scale(8),
            }
        )
    ),
    Sequential(GlobalAvgPool(), Dense(8, 5)),
)
NETWORKS = [
    NETWORK,
    DECODER,
    POOLED,
    BLOCK,
    *(
        Sequential(Conv(3, 4, 3), Activation(function, alpha), GlobalAvgPool(), Dense(4, 5))
        for function in ACTIVATIONS
        for alpha in ((None, ALPHAS[function]) if function in ALPHAS else (None,))
    ),
]

# Standard networks, as wide as they are, with every kind of block that they have, and few of them.
SHORTENED = {
    "resnet18": resnet.architecture((64, 128), classes=10),
    "mobilenet_v2": mobilenet_v2.architecture(mobilenet_v2.STAGES[1:2], classes=10),
    "densenet121": densenet.architecture((2, 2), classes=10),
    "unet": unet.architecture(levels=2, features=32, classes=10),
    "xception": xception.architecture((128,), middle=1, classes=10),
    "convnext_tiny": convnext.architecture(((96, 1), (192, 1)), classes=10),
    "mobilenet_v3_large": mobilenet_v3.architecture(mobilenet_v3.BLOCKS[3:5], classes=10),
    "efficientnet_b0": efficientnet.architecture(efficientnet_lite.STAGES[1:2], classes=10),
    "shufflenet_v2": shufflenet_v2.architecture(((116, 2),), classes=10),
}
