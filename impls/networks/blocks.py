"""What several networks are made of, with torchvision's names where it has any."""

from collections.abc import Mapping

from convparity.impls.spec import (
    Activation,
    ActivationName,
    AdaptiveAvgPool,
    Add,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Graph,
    Multiply,
    Sequential,
    Spec,
)


def conv_norm(
    conv: Conv | DepthwiseConv,
    activation: ActivationName | None = None,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> Sequential:
    """A convolution, its BatchNorm, and an activation if one is named: "0", "1" and "2"."""
    layers: list[Spec] = [conv, BatchNorm(conv.out_channels, eps, momentum)]
    return Sequential(layers if activation is None else [*layers, Activation(activation)])


def pointwise(in_channels: int, out_channels: int) -> Conv:
    """A 1x1 convolution without a bias."""
    return Conv(in_channels, out_channels, 1, bias=False)


def depthwise(channels: int, kernel_size: int, stride: int) -> DepthwiseConv:
    """A depthwise convolution without a bias, padded alike on all sides."""
    return DepthwiseConv(channels, kernel_size, stride, kernel_size // 2, bias=False)


def skipped(name: str, body: Spec, skip: bool) -> Spec:
    """``body`` as the child ``name``, and with ``skip`` its input added to what it makes."""
    if not skip:
        return Sequential({name: body})
    return Graph({name: (body, "x"), "sum": (Add(), name, "x")})


def chained(layers: Mapping[str, Spec]) -> dict[str, tuple[Spec, str]]:
    """The nodes of a ``Graph`` in which ``layers`` run one after another on its input "x"."""
    return {
        name: (layer, before)
        for before, (name, layer) in zip(("x", *layers), layers.items(), strict=False)
    }


def squeeze_excitation(
    channels: int, squeezed: int, activation: ActivationName, gate: ActivationName
) -> Graph:
    """Each channel times a gate made of the means of all (Hu et al., arXiv 1709.01507)."""
    layers = {
        "avgpool": AdaptiveAvgPool(1),
        "fc1": Conv(channels, squeezed, 1),
        "activation": Activation(activation),
        "fc2": Conv(squeezed, channels, 1),
        "scale_activation": Activation(gate),
    }
    return Graph({**chained(layers), "scaled": (Multiply(), "scale_activation", "x")})
