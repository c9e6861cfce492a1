"""Networks of every kind, for trials of proofs: from real ones to oddly wired small ones."""

from typing import Any

from convparity.impls import networks
from convparity.impls.spec import (
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
    Shape,
    Spec,
)

LARGE = ("MobileNetV1", "EfficientNet-Lite0")


def _block(*layers: Spec) -> Sequential:
    return Sequential(*layers)


def _bn(n: int, act: str | None = "relu", eps: float = 1e-3, rank: int = 2) -> list[Spec]:
    return [BatchNorm(n, eps, rank=rank), *([Activation(act)] if act else [])]  # type: ignore[arg-type]


def zoo() -> dict[str, tuple[Spec, Shape]]:
    """Networks of every kind, by name, with an input shape."""
    mobile = networks.get("mobilenet_v1", width=0.25, resolution=64 / 224)
    lite = networks.get("efficientnet_lite0", resolution=64 / 224)
    same: Any = {"padding": "same"}
    no_bias: Any = {"bias": False}
    residual = Residual(
        _block(
            Conv(8, 8, 3, padding=1, **no_bias), *_bn(8), Conv(8, 8, 3, padding=1, **no_bias),
            *_bn(8, None),
        )
    )  # fmt: skip
    shortcut = Residual(
        _block(
            Conv(8, 12, 3, 2, 1, **no_bias), *_bn(12), Conv(12, 12, 3, padding=1, **no_bias),
            *_bn(12, None),
        ),
        _block(Conv(8, 12, 1, 2, **no_bias), *_bn(12, None)),
    )  # fmt: skip
    return {
        "MobileNetV1": (mobile.spec, mobile.input_shape),
        "EfficientNet-Lite0": (lite.spec, lite.input_shape),
        "ResNet": (
            _block(
                Conv(3, 8, 7, 2, 3, **no_bias), *_bn(8, eps=1e-5), MaxPool(3, 2, 1), residual,
                Activation("relu"), shortcut, Activation("relu"), GlobalAvgPool(), Dense(12, 10),
            ),
            (1, 32, 32, 3),
        ),
        "VGG": (
            _block(
                Conv(3, 8, 3, padding=1), Activation("relu"), Conv(8, 8, 3, padding=1),
                Activation("relu"), MaxPool(2), Conv(8, 16, 3, padding=1), Activation("relu"),
                MaxPool(2), Flatten(), Dense(64 * 4, 32), Activation("relu"), Dense(32, 10),
            ),
            (1, 16, 16, 3),
        ),
        "SiLU": (
            _block(
                Conv(3, 8, 3, 2, "same", **no_bias), *_bn(8, "silu"),
                DepthwiseConv(8, 5, 2, "same", **no_bias), *_bn(8, "silu"),
                Conv(8, 16, 1, **no_bias), *_bn(16, "silu"), GlobalAvgPool(), Dense(16, 10),
            ),
            (1, 32, 32, 3),
        ),
        "no norms, SiLU": (
            _block(
                Conv(3, 8, 3, 2, "same"), Activation("silu"), Conv(8, 12, 3, padding=1),
                Activation("hard_swish"), GlobalAvgPool(), Dense(12, 5),
            ),
            (1, 16, 16, 3),
        ),
        "groups and dilation": (
            _block(
                Conv(4, 12, 3, 1, "same", 2, groups=2), *_bn(12),
                Conv(12, 12, 3, 2, 1, groups=3, **no_bias), *_bn(12, "relu6"),
                DepthwiseConv(12, (3, 5), 1, "same", (1, 2), 2), *_bn(24), AvgPool(2),
                Conv(24, 8, 1), GlobalAvgPool(), Dense(8, 6),
            ),
            (1, 17, 16, 4),
        ),
        "padding modes": (
            _block(
                Conv(3, 8, 3, 1, 1, padding_mode="reflect"), Activation("relu"),
                Conv(8, 8, 5, 1, 2, padding_mode="circular"), Activation("relu"),
                DepthwiseConv(8, 3, 2, 1, padding_mode="replicate"), *_bn(8),
                Flatten(), Dense(8 * 36, 7),
            ),
            (1, 11, 12, 3),
        ),
        "LayerNorm and GroupNorm": (
            _block(
                Conv(3, 8, 4, 4), LayerNorm(8),
                Residual(
                    _block(
                        DepthwiseConv(8, 7, 1, "same"), LayerNorm(8, 1e-6), Conv(8, 24, 1),
                        Activation("gelu"), Conv(24, 8, 1), Scale(8),
                    )
                ),
                Conv(8, 12, 3, 2, 1), GroupNorm(3, 12), Activation("relu"), GlobalAvgPool(),
                Dense(12, 5),
            ),
            (1, 32, 32, 3),
        ),
        "separable, odd": (
            _block(
                SeparableConv(3, 8, 3, 2, "same", depth_multiplier=2), Activation("relu"),
                SeparableConv(8, 12, 3, 1, "same"), Activation("relu"), MaxPool(3, 2, "same"),
                Flatten(), Dense(12 * 16, 9),
            ),
            (1, 15, 15, 3),
        ),
        "transposed": (
            _block(
                Conv(3, 8, 3, 2, "same"), Activation("relu"),
                ConvTranspose(8, 6, 4, 2, 1), *_bn(6), ConvTranspose(6, 4, 3, 2, 1, 1, 2),
                Activation("relu"), Conv(4, 3, 3, padding=1),
            ),
            (1, 8, 10, 3),
        ),
        "one dimension": (
            _block(
                Conv(2, 6, 3, 1, "causal", rank=1), *_bn(6, rank=1),
                Residual(
                    _block(
                        Conv(6, 6, 3, 1, "causal", 2, rank=1), Activation("relu"),
                        Conv(6, 6, 3, 1, "causal", 4, rank=1),
                    )
                ),
                MaxPool(2, rank=1), Conv(6, 4, 5, 2, "same", rank=1), Activation("leaky_relu"),
                Flatten(), Dense(16, 5),
            ),
            (1, 16, 2),
        ),
        "three dimensions": (
            _block(
                Conv(2, 6, 3, (1, 2, 2), "same", rank=3), *_bn(6, rank=3), AvgPool(2, rank=3),
                Conv(6, 8, (1, 3, 3), padding=(0, 1, 1), rank=3), Activation("relu"),
                GlobalAvgPool(), Dense(8, 4),
            ),
            (1, 4, 8, 8, 2),
        ),
        "tanh and sigmoid": (
            _block(
                Conv(1, 6, 5, 1, 2), Activation("tanh"), AvgPool(2), Conv(6, 8, 5),
                Activation("sigmoid"), AvgPool(2), Flatten(), Dense(8 * 4, 10),
            ),
            (1, 16, 16, 1),
        ),
        "preactivation": (
            _block(
                Activation("relu"), Conv(3, 8, 3, padding=1, **no_bias),
                Residual(_block(*_bn(8), Conv(8, 8, 3, **same))), *_bn(8, "elu"),
                GlobalAvgPool(), Dense(8, 4),
            ),
            (1, 8, 8, 3),
        ),
    }  # fmt: skip
