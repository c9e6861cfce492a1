"""What the rows of several families have in common, and how errors name a layer."""

from typing import Any

import keras

from convparity.impls.bindings import Weight, unreadable
from convparity.impls.errors import UnsupportedError, quoted

CHANNELS_LAST = {"data_format": "channels_last"}


def said(module: Any) -> str:
    """How an error names a layer: its class, and its name."""
    return f"{type(module).__name__} {quoted(module.name)}"


def refused(module: Any, why: str) -> UnsupportedError:
    """The error for a layer that no spec says."""
    return unreadable("keras", said(module), why)


def check_built(module: Any) -> None:
    """Raise for a layer that has no weights yet."""
    if not module.built:
        raise UnsupportedError(f"keras: {said(module)} is not built: call it on an input first")


def check_linear(module: Any) -> None:
    """Raise for a layer with an activation inside, too."""
    if getattr(module, "activation", None) not in (None, keras.activations.linear):
        raise refused(module, "it has an activation inside: give it a layer of its own")
    check_built(module)


def padding_of(module: Any) -> Any:
    """As it was asked for: Keras's own layers pad by nothing else."""
    return getattr(module, "requested_padding", module.padding)


KERNEL = {"kernel": Weight("kernel"), "bias": Weight("bias", when="bias")}
