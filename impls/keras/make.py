"""Specs to Keras layers and models, born with their weights."""

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import keras

from convparity.impls.keras import layers
from convparity.impls.keras.bindings import TABLE, initializers
from convparity.impls.keras.functional import functional
from convparity.impls.keras.input_shapes import input_shapes
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


def make(
    spec: Spec,
    dtype: str,
    children: Callable[[Any], dict[str, Any]],
    weights: Weights | None,
    name: str | None = None,
    path: str = "",
) -> Any:
    """The native layer or model of a spec, born with its weights.

    ``children`` finds the native modules inside a native module, by their names in the spec.
    """
    if not isinstance(spec, Composite) or is_one_layer(spec):
        module = TABLE.make(spec, name=name, dtype=dtype)
        build(module, spec, children, weights, path)
        return module
    held = {
        each: make(child, dtype, children, weights, each, dotted(path, each))
        for each, child in spec.children
    }
    if isinstance(spec, Sequential):
        model = keras.Sequential(list(held.values()), name=name)
        model.dtype_policy = dtype  # else one inside another rounds what it is given to float32
        _build_whole(model, spec, held)
        return model
    shapes = input_shapes(spec)
    found = None if shapes is None else functional(held, spec, shapes, dtype, name)
    if found is None:
        found = layers.Graph(held, *wiring(spec), name=name, dtype=dtype)
        _build_whole(found, spec, held)
    return found


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


def build(module: Any, spec: Spec, children: Any, weights: Weights | None, path: str) -> None:
    """Build one layer, born with its weights; the steps of a separable convolution first."""
    if isinstance(spec, Composite):
        found = children(module)
        for name, child in spec.children:
            build(found[name], child, children, weights, dotted(path, name))
        _build_whole(module, spec, found)
        return
    shape = input_shape(spec)
    if shape is None:  # Keras builds it when it sees its first input, if there is anything to build
        return
    own, attributes = own_weights(spec, path, weights or {}), initializers(module)
    with born_with(module, {attributes[name]: array for name, array in own.items()}):
        module.build(shape)


def _build_whole(module: Any, spec: Composite, children: Mapping[str, Any]) -> None:
    """Build what holds others that are built: behind a Flatten, Keras could not tell a Dense's."""
    shape = input_shape(spec)
    if shape is not None:
        module.build(shape)
    else:
        module.built = module.built or all(each.built for each in children.values())
