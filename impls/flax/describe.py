"""Flax: ``flax.nnx`` modules to specs, read from the layers themselves."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn import dtypes
from jax import lax

from convparity.impls import xla_algorithms
from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import quoted
from convparity.impls.flax import layers, pooling
from convparity.impls.flax.bindings import TABLE, read_function
from convparity.impls.flax.rows.common import refused, said
from convparity.impls.spec import (
    BatchNorm,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Sequential,
    Spec,
    walk,
    wired,
)

# The same convolution by other algorithms.
CONVOLUTIONS = (lax.conv_general_dilated, xla_algorithms.conv_general_dilated)
# What a layer may be given in the place of its own arithmetic, and what it has otherwise.
ARITHMETIC: dict[str, tuple[Any, ...]] = {
    "conv_general_dilated": CONVOLUTIONS,
    "dot_general": (lax.dot_general, None),
    "dot_general_cls": (None,),
    "einsum_op": (jnp.einsum,),
    "promote_dtype": (dtypes.promote_dtype,),
    "preferred_element_type": (None,),
    "precision": (None, *lax.Precision, "default", "high", "highest", "float32"),
}
WEIGHTS = ("kernel", "bias", "scale", "mean", "var")


def describe(module: Any) -> Spec:
    """The spec of a native module, or of a bare function such as ``nnx.relu`` in a Sequential."""
    with fields_of(module):
        rank = _rank(module)
    return _read(module, rank)


def named_layers(module: Any) -> dict[str, Any]:
    """The layers of a Sequential, Flax's own or ours, a Graph or a SeparableConv, by name."""
    match module:
        case nnx.Sequential():
            return {str(i): layer for i, layer in enumerate(module.layers)}
        case layers.Sequential() | layers.Graph():
            return {name: getattr(module, name) for name in module.names}
        case layers.SeparableConv():
            return {"depthwise": module.depthwise, "pointwise": module.pointwise}
    return {}


def _read(module: Any, rank: int) -> Spec:
    if not isinstance(module, nnx.Module):
        with fields_of(module):
            return read_function(module)
    reader = find_reader(module, READERS, "__call__")
    with fields_of(module):
        _check_arithmetic(module)
        spec: Spec = reader(module, rank)
    return spec


def _check_arithmetic(module: nnx.Module) -> None:
    """Raise where a layer computes by other functions, or in less, than its weights say."""
    name = said(module)
    for attribute, known in ARITHMETIC.items():
        found = getattr(module, attribute, known[0])
        if not any(found is each or (isinstance(found, str) and found == each) for each in known):
            raise refused(
                f"{name} with {attribute}={quoted(found)}",
                f"leave {attribute} as it is by default, which is the arithmetic that a spec means",
            )
    for each in WEIGHTS:
        variable = getattr(module, each, None)
        if not isinstance(variable, nnx.Variable):
            continue
        hooked = "on_get_value" in variable.get_metadata()
        if hooked or type(variable).get_value is not nnx.Variable.get_value:
            raise refused(
                f"{name} whose {each} is computed when it is read (a get_value of its own)",
                f"set {each} to an nnx.Param of the values",
            )
        wide, asked = variable.dtype, getattr(module, "dtype", None)
        if asked is not None and jnp.promote_types(asked, wide) != jnp.dtype(asked):
            raise refused(
                f"{name} that computes in {jnp.dtype(asked).name} with a {each} of {wide.name}",
                f"a spec has one dtype: set dtype=None, or cast {each}",
            )


def _rank(module: Any) -> int:
    """The number of spatial axes, which all layers of a network share: a norm alone is for two.

    Beside dense layers alone it is of rank 1, which takes (N, C) too.
    """
    dense = False
    for _, layer in nnx.iter_modules(module):
        if isinstance(layer, nnx.Conv | nnx.ConvTranspose | layers.ConvTranspose):
            return len(layer.kernel_size)
        if isinstance(layer, pooling.MaxPool | pooling.MaxPoolIndices | pooling.AvgPool):
            return len(layer.window_shape)
        if isinstance(layer, pooling.AdaptiveAvgPool | pooling.AdaptiveMaxPool):
            return len(layer.output_size)
        dense = dense or isinstance(layer, nnx.Linear)
    return 1 if dense else 2


def _children(module: Any, rank: int) -> dict[str, Spec]:
    return read_children(named_layers(module), lambda child: _read(child, rank))


def _layer(module: Any, rank: int) -> Spec:
    _children(module, rank)  # of a separable convolution: neither step has code of its own
    spec = TABLE.read(module, TABLE.rows_of(module))
    if isinstance(spec, BatchNorm) and not isinstance(module, layers.BatchNorm):
        return dataclasses.replace(spec, rank=rank)  # nnx's own keeps none
    return spec


def _sequential(module: Any, rank: int) -> Spec:
    """Behind what makes (N, C) of an image, a norm is of rank 1."""

    def read(child: Any) -> Spec:
        nonlocal rank
        spec = _read(child, rank)
        *_, (_, last) = [("", None), *walk(spec)]
        if isinstance(last, Dense | Flatten | GlobalAvgPool | GlobalMaxPool):
            rank = 1
        return spec

    return Sequential(read_children(named_layers(module), read))


READERS: dict[type, Any] = {
    **dict.fromkeys(TABLE.readers, _layer),
    layers.Activation: lambda module, rank: read_function(module.function, *module.parameters),
    nnx.Sequential: _sequential,
    layers.Sequential: _sequential,
    layers.Graph: lambda module, rank: wired(
        _children(module, rank), module.steps, module.inputs, module.outputs
    ),
}
