"""Keras layers and models to specs: ours, and Keras's own where their meaning is ours."""

from collections.abc import Callable
from typing import Any

import keras

from convparity.impls.adapter import fields_of, find_reader, inside, read_children
from convparity.impls.keras import layers
from convparity.impls.keras.bindings import TABLE
from convparity.impls.keras.functional import Functional, by_name, composite, is_raw, wires
from convparity.impls.keras.operations import describe_operation
from convparity.impls.keras.rows.common import refused
from convparity.impls.keras.rows.convolution import SEPARABLE
from convparity.impls.spec import Join, Sequential, Spec, wired


def describe(module: Any) -> Spec:
    """The spec of a native layer or model, or of a raw operation of a model."""
    if is_raw(module):
        with fields_of(module):
            return describe_operation(module)
    reader = find_reader(module, READERS, "call")
    with fields_of(module):
        if not isinstance(module, keras.Sequential | Functional | layers.Graph):
            _check_arithmetic(module)
        spec: Spec = reader(module)
    return spec


def children(module: Any) -> dict[str, Any]:
    """The layers inside a layer or model, under the names that its spec gives them."""
    if isinstance(module, keras.Sequential):
        return by_name(module.layers)
    if isinstance(module, Functional):
        return wires(module).children
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


def _functional(module: Any) -> Spec:
    """Joins of values that have the same number of axes, and layers."""
    held, steps, inputs, outputs = wires(module)
    found = read_children(held, describe)
    for name, spec in found.items():
        ranks = {len(x.shape) for node in held[name]._inbound_nodes for x in node.input_tensors}
        if isinstance(spec, Join) and len(ranks) > 1:
            with inside(name):
                raise refused(
                    held[name], f"its values have {' and '.join(map(str, sorted(ranks)))} axes"
                )
    return composite(found, steps, inputs, outputs)


def _layer(module: Any) -> Spec:
    _children(module)  # of a separable convolution: neither step has code of its own
    return TABLE.read(module, TABLE.rows_of(module))


READERS: dict[type, Callable[[Any], Spec]] = {
    **dict.fromkeys(TABLE.readers, _layer),
    Functional: _functional,
    keras.Sequential: lambda module: Sequential(_children(module)),
    layers.Graph: lambda module: wired(
        _children(module), module.steps, module.sources, module.results
    ),
}
