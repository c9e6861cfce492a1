"""Flax: specs to ``flax.nnx`` modules."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from flax import nnx

from convparity.impls.adapter import check_names
from convparity.impls.flax import layers
from convparity.impls.flax.bindings import TABLE
from convparity.impls.spec import (
    Composite,
    Dropout,
    Sequential,
    Spec,
    is_one_layer,
    wiring,
)


class How(NamedTuple):
    """How a module is made: the dtype of its weights, and what their first values are."""

    param_dtype: Any
    rngs: nnx.Rngs
    kernel_init: nnx.Initializer = layers.KERNEL_INIT


def make(spec: Spec, how: How) -> Any:
    """The native module of a spec, as ``how`` initialises it."""
    if not isinstance(spec, Composite) or is_one_layer(spec):
        return TABLE.make(spec, **how._asdict())
    return compose(spec, lambda child: make(child, how))


def outline(spec: Spec, dtype: Any) -> Any:
    """The native module of a spec with shapes in place of its arrays: no initialiser runs.

    Each would compile for every new shape. Layer by layer, and alike ones once, as tracing many
    layers together takes time that grows with the square of their number.
    """
    if not isinstance(spec, Composite) or is_one_layer(spec):
        return nnx.clone(_traced(spec, dtype))
    return compose(spec, lambda child: outline(child, dtype))


@lru_cache(maxsize=1024)
def _traced(spec: Spec, dtype: Any) -> Any:
    def traced() -> Any:
        # zeros, and no keys: to trace what draws numbers takes several times as long
        rngs: Any = nnx.Rngs(0) if isinstance(spec, Dropout) else _NoKeys()
        return make(spec, How(dtype, rngs, nnx.initializers.zeros))

    return nnx.eval_shape(traced)


class _NoKeys:
    """For initialisers that look at no key."""

    def params(self) -> None:
        """No key."""


def compose(spec: Composite, child: Callable[[Spec], Any]) -> Any:
    """The native module of a composite from those of its children."""
    chain = isinstance(spec, Sequential)
    check_names("flax", spec, layers.Sequential if chain else layers.Graph)
    children = {name: child(each) for name, each in spec.children}
    return layers.Sequential(children) if chain else layers.Graph(children, *wiring(spec))
