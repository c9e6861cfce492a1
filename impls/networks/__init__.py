"""Standard networks, each written once as a spec: ``get(name, **options)``."""

import inspect
from collections.abc import Callable
from typing import Any

from convparity.impls.errors import InputError, unknown_name
from convparity.impls.networks import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_lite,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    shufflenet_v2,
    unet,
    xception,
)
from convparity.impls.networks.network import Network

__all__ = ["Network", "get", "names"]

_FACTORIES: dict[str, Callable[..., Network]] = {
    "efficientnet_lite0": efficientnet_lite.efficientnet_lite0,
    "mobilenet_v1": mobilenet_v1.mobilenet_v1,
    "resnet18": resnet.resnet18,
    "mobilenet_v2": mobilenet_v2.mobilenet_v2,
    "densenet121": densenet.densenet121,
    "unet": unet.unet,
    "xception": xception.xception,
    "convnext_tiny": convnext.convnext_tiny,
    "mobilenet_v3_large": mobilenet_v3.mobilenet_v3_large,
    "efficientnet_b0": efficientnet.efficientnet_b0,
    "shufflenet_v2": shufflenet_v2.shufflenet_v2,
}


def names() -> tuple[str, ...]:
    """The networks that ``get`` knows."""
    return tuple(_FACTORIES)


def get(name: str, **options: Any) -> Network:
    """The network ``name``; ``options`` are the arguments of the function that makes it.

    Raises ``InputError`` for an unknown name or option, or an option out of its range.
    """
    if name not in _FACTORIES:
        raise InputError(unknown_name("network", name, _FACTORIES))
    factory = _FACTORIES[name]
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise InputError(unknown_name(f"option of {name}", option, known))
    return factory(**options)
