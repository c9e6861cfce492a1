"""Specs to Keras layers and models, born with their weights."""

from typing import Any, TypeGuard

import keras

from convparity.impls.keras import layers
from convparity.impls.keras.bindings import TABLE, initializers
from convparity.impls.keras.variables import born_with
from convparity.impls.spec import (
    BatchNorm,
    Composite,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    LayerNorm,
    PReLU,
    Rearrange,
    Reduce,
    RMSNorm,
    Sequential,
    Slice,
    Source,
    Spec,
    dotted,
    is_one_layer,
    own_weights,
    parameter_axes,
    walk,
    wiring,
)
from convparity.impls.weights import Weights


def make(spec: Spec, dtype: str, name: str | None = None) -> Any:
    """The native layer or model of a spec, not built yet."""
    if not isinstance(spec, Composite) or is_one_layer(spec):
        return TABLE.make(spec, name=name, dtype=dtype)
    children = {each: make(child, dtype, each) for each, child in spec.children}
    if isinstance(spec, Sequential):
        return keras.Sequential(list(children.values()), name=name)
    return layers.Graph(children, *wiring(spec), name=name, dtype=dtype)


def input_shape(spec: Spec) -> tuple[int | None, ...] | None:
    """What ``spec`` can be built for: sizes open, channels known; None if it takes any of them."""
    if isinstance(spec, Graph):
        return None  # what it takes may meet before a layer does
    if isinstance(spec, Source):
        return (None, 1)  # or any other
    if isinstance(spec, LayerNorm | RMSNorm):
        axes, sizes = parameter_axes(spec)
        return (None, sizes[0] if axes == (-1,) else None)
    if isinstance(spec, PReLU):
        return (None, spec.num_parameters)
    # alone; inside another neither says anything of the axes
    if _of_any_rank(spec):
        return (None, spec.num_features)
    if isinstance(spec, Dense):
        behind = (None,) * (-spec.axis - 1)  # of an axis that is counted from the end
        return (*(None,) * max(spec.axis, 1), spec.in_features, *behind)
    for _, layer in walk(spec):
        match layer:
            case Conv() | DepthwiseConv() | ConvTranspose():
                return (None,) * (layer.rank + 1) + (layer.in_channels,)
            case BatchNorm() if not _of_any_rank(layer):
                return (None,) * (layer.rank + 1) + (layer.num_features,)
            case (
                Dense()
                | Flatten()
                | GlobalAvgPool()
                | GlobalMaxPool()
                | Rearrange()
                | Slice()
                | Reduce()
            ):
                return None  # what comes after says nothing about what comes in
    return None


def _of_any_rank(spec: Spec) -> TypeGuard[BatchNorm]:
    """It has weights for each channel, and takes (N, C) too: any layer of such weights may."""
    return hasattr(spec, "num_features") and getattr(spec, "rank", 1) == 1


def build(module: Any, spec: Spec, children: Any, weights: Weights | None, path: str = "") -> None:
    """Build from the leaves up: behind a Flatten, Keras could not tell a Dense's inputs.

    ``children`` finds the native modules inside a native module, by their names in the spec.
    """
    found = children(module)
    for name, child in spec.children if isinstance(spec, Composite) else ():
        build(found[name], child, children, weights, dotted(path, name))
    shape = input_shape(spec)
    if shape is None:  # Keras builds it when it sees its first input, unless nothing is to build
        module.built = module.built or (bool(found) and all(each.built for each in found.values()))
        return
    if weights is None or isinstance(spec, Composite):
        module.build(shape)
    else:
        own, attributes = own_weights(spec, path, weights), initializers(module)
        with born_with(module, {attributes[name]: array for name, array in own.items()}):
            module.build(shape)
