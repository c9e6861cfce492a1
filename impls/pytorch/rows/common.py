"""What the rows of several families have in common, and how errors name a layer."""

from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from convparity.impls.bindings import Field, Weight, unreadable
from convparity.impls.layouts import CHANNELS_FIRST


def said(module: nn.Module) -> str:
    """How an error names a layer: as torch prints it."""
    return str(module)


def refuse_unless(fits: bool, module: nn.Module, needs: str) -> None:
    """Raise ``UnsupportedError`` for a layer that no spec says."""
    if not fits:
        raise unreadable("pytorch", said(module), f"it needs {needs}")


def padding_of(module: Any) -> Any:
    """As it was asked for: a pad that ours does first, or its own."""
    first = getattr(module, "pad_first", None)  # torch's own layers have none
    return module.padding if first is None else first


HAS_BIAS = Field("bias", lambda module: module.bias is not None)
KERNEL = {
    "kernel": Weight("weight", CHANNELS_FIRST),  # of a transpose, too: torch's (I, O/g, *k)
    "bias": Weight("bias", when="bias"),
}
# How many axes the value has that reaches a layer, where what comes before it in its chain says it.
AXES: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
