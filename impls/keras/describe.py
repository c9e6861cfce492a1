"""Keras layers and models to specs: ours, and Keras's own where their meaning is ours."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import layers
from convparity.impls.keras.bindings import TABLE
from convparity.impls.keras.rows.convolution import SEPARABLE
from convparity.impls.spec import Sequential, Spec, wired


def describe(module: Any) -> Spec:
    """The spec of a native layer or model."""
    reader = find_reader(module, READERS, "call")
    with fields_of(module):
        if not isinstance(module, keras.Sequential | layers.Graph):
            _check_arithmetic(module)
        spec: Spec = reader(module)
    return spec


def by_name(held: Iterable[Any]) -> dict[str, Any]:
    """A model's layers by their names, which may have been changed since they were made."""
    found: dict[str, Any] = {}
    for layer in held:
        if not isinstance(layer.name, str) or layer.name in found:
            raise UnsupportedError(
                f"keras: a {type(layer).__name__} is named {quoted(layer.name)}, and each layer of "
                "a model needs a name of its own, a str: give it one"
            )
        found[layer.name] = layer
    return found


def children(module: Any) -> dict[str, Any]:
    """The layers inside a layer or model, under the names that its spec gives them."""
    if isinstance(module, keras.Sequential):
        return by_name(module.layers)
    if isinstance(module, layers.Graph):
        return dict(module.children)
    if isinstance(module, SEPARABLE):
        return {"depthwise": module.depthwise, "pointwise": module.pointwise}
    return {}


def _check_arithmetic(module: Any) -> None:
    """Raise where a layer computes in another dtype, or with other weights, than its fields say."""
    policy = module.dtype_policy
    mode = getattr(module, "quantization_mode", None) or getattr(policy, "quantization_mode", None)
    if mode is not None:
        raise TABLE.refused(
            module, f"it was quantized, to {mode}: read the layer as it was before quantize()"
        )
    if policy.compute_dtype != policy.variable_dtype:
        raise TABLE.refused(
            module,
            f"it computes in {policy.compute_dtype} with weights of {policy.variable_dtype} "
            f"(policy {policy.name!r}), and a spec has one dtype: make it with "
            f"dtype={policy.variable_dtype!r}, or with dtype={policy.compute_dtype!r}",
        )
    if getattr(module, "lora_enabled", False):
        raise TABLE.refused(
            module,
            "its kernel is computed from another and two of LoRA: give a layer without LoRA the "
            "values of layer.kernel",
        )


def _children(module: Any) -> dict[str, Spec]:
    return read_children(children(module), describe)


def _layer(module: Any) -> Spec:
    _children(module)  # of a separable convolution: neither step has code of its own
    return TABLE.read(module, TABLE.rows_of(module))


READERS: dict[type, Callable[[Any], Spec]] = {
    **dict.fromkeys(TABLE.readers, _layer),
    keras.Sequential: lambda module: Sequential(_children(module)),
    layers.Graph: lambda module: wired(
        _children(module), module.steps, module.sources, module.results
    ),
}
