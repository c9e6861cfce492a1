"""What the rows of several families have in common, and how errors name a layer."""

from typing import Any

from convparity.impls.bindings import Field, Row, Weight, unreadable
from convparity.impls.errors import UnsupportedError
from convparity.impls.flax import layers
from convparity.impls.spec import NUMPY_MODES


def said(module: Any) -> str:
    """How an error names a layer: by its class."""
    kind = type(module)
    return f"nnx.{kind.__name__}" if kind.__module__.startswith("flax.") else kind.__name__


def refused(what: str, why: str) -> UnsupportedError:
    """The error for what no spec says."""
    return unreadable("flax", what, why)


def upper(padding: Any) -> Any:
    """A padding as nnx spells it."""
    return padding.upper() if isinstance(padding, str) else padding


def lower(padding: Any) -> Any:
    """A padding as a spec spells it."""
    return padding.lower() if isinstance(padding, str) else padding


def given(value: Any) -> Any:
    """A stride or a dilation: none is 1."""
    return 1 if value is None else value


PADDING = Field("padding", None, upper, lower)
WEIGHTED = ("kernel_init", "param_dtype", "rngs")  # what a layer with a kernel takes
MODES: dict[str, str] = {native: mode for mode, native in NUMPY_MODES.items()}
BIASED = {"bias": Weight("bias", when="bias")}
KERNEL = {"kernel": Weight("kernel"), **BIASED}


class Function(Row):
    """An activation: nnx's function in ``gives``, its arguments behind x in ``needs``."""

    def make(self, spec: Any, **common: Any) -> layers.Activation:
        """The layer that calls the function."""
        behind_x = [getattr(spec, name) for name in self.fields] or self.needs.values()
        return layers.Activation(self.gives["function"], *behind_x)
