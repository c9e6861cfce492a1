"""Keras layers and models to specs: ours, and Keras's own where their meaning is ours."""

from collections.abc import Iterable
from typing import Any

import keras

from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.keras import layers, pooling
from convparity.impls.keras.windows import extent_of
from convparity.impls.spec import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Scale,
    SeparableConv,
    Sequential,
    Spec,
    wired,
)


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


def _check_arithmetic(module: Any) -> None:
    """Raise where a layer computes in another dtype, or with other weights, than its fields say."""
    policy = module.dtype_policy
    mode = getattr(module, "quantization_mode", None) or getattr(policy, "quantization_mode", None)
    if mode is not None:
        raise _unreadable(
            module, f"it was quantized, to {mode}: read the layer as it was before quantize()"
        )
    if policy.compute_dtype != policy.variable_dtype:
        raise _unreadable(
            module,
            f"it computes in {policy.compute_dtype} with weights of {policy.variable_dtype} "
            f"(policy {policy.name!r}), and a spec has one dtype: make it with "
            f"dtype={policy.variable_dtype!r}, or with dtype={policy.compute_dtype!r}",
        )
    if getattr(module, "lora_enabled", False):
        raise _unreadable(
            module,
            "its kernel is computed from another and two of LoRA: give a layer without LoRA the "
            "values of layer.kernel",
        )


def _unreadable(module: Any, why: str) -> UnsupportedError:
    kind = type(module).__name__
    return UnsupportedError(f"keras: {kind} {module.name!r} cannot be read as a spec: {why}")


def _require(module: Any, **needed: Any) -> None:
    for attribute, value in needed.items():
        if getattr(module, attribute, value) != value:
            found = getattr(module, attribute)
            raise _unreadable(module, f"it needs {attribute}={value!r}, not {quoted(found)}")


def _require_built(module: Any) -> None:
    if not module.built:
        raise UnsupportedError(f"keras: {module.name!r} is not built: call it on an input first")


# ---------------------------------------------------------------- windows


def _window(module: Any) -> dict[str, Any]:
    _require(module, data_format="channels_last")
    if getattr(module, "activation", None) not in (None, keras.activations.linear):
        raise _unreadable(module, "it has an activation inside: give it a layer of its own")
    _require_built(module)
    return {
        "in_channels": module.input_spec.axes[-1],
        "kernel_size": module.kernel_size,
        "stride": getattr(module, "asked_strides", module.strides),
        "padding": getattr(module, "asked_padding", module.padding),
        "dilation": module.dilation_rate,
        "rank": len(module.kernel_size),
    }


def _mode(module: Any) -> dict[str, Any]:
    return {"padding_mode": getattr(module, "padding_mode", "zeros")}


def _conv(module: Any) -> Spec:
    return Conv(
        out_channels=module.filters,
        groups=module.groups,
        bias=module.use_bias,
        **_mode(module),
        **_window(module),
    )


def _depthwise(module: Any) -> Spec:
    return DepthwiseConv(
        depth_multiplier=module.depth_multiplier,
        bias=module.use_bias,
        **_mode(module),
        **_window(module),
    )


def _separable(module: Any) -> Spec:
    steps = {"depthwise": module.depthwise, "pointwise": module.pointwise}
    read_children(steps, describe)  # neither has code beside its own
    return SeparableConv(
        out_channels=module.pointwise.filters,
        depth_multiplier=module.depthwise.depth_multiplier,
        depthwise_bias=module.depthwise.use_bias,
        pointwise_bias=module.pointwise.use_bias,
        **_mode(module.depthwise),
        **_window(module.depthwise),
    )


def _native_separable(module: Any) -> Spec:
    return SeparableConv(
        out_channels=module.filters,
        depth_multiplier=module.depth_multiplier,
        depthwise_bias=False,
        pointwise_bias=module.use_bias,
        **_window(module),
    )


def _transpose(module: Any) -> Spec:
    return ConvTranspose(
        out_channels=module.filters,
        output_padding=module.output_padding,
        groups=module.groups,
        bias=module.use_bias,
        **_window(module),
    )


def _native_transpose(module: Any) -> Spec:
    window = _window(module)
    extra = module.output_padding
    if module.padding == "same" and extra is not None:
        raise _unreadable(module, 'it needs padding="valid" where it has an output_padding')
    if module.padding == "valid" and extra is None:  # a small kernel leaves zeros at the end
        extent = extent_of(module.kernel_size, module.dilation_rate)
        extra = [max(s - k, 0) for s, k in zip(module.strides, extent, strict=True)]
    return ConvTranspose(
        out_channels=module.filters, output_padding=extra or 0, bias=module.use_bias, **window
    )


def _pool(module: Any) -> dict[str, Any]:
    _require(module, data_format="channels_last")
    return {
        "kernel_size": module.pool_size,
        "stride": module.strides,
        "padding": getattr(module, "asked_padding", module.padding),
        "rank": len(module.pool_size),
    }


def _native_avg_pool(module: Any) -> Spec:
    # without padding there is nothing to count; AvgPool's default then
    return AvgPool(count_include_pad=module.padding == "valid", **_pool(module))


# ---------------------------------------------------------------- normalisation, activations


def _batch_norm(module: Any) -> Spec:
    _require(module, center=True, scale=True)
    _require_built(module)
    ndim = module.input_spec.ndim or 3
    if module.axis not in (-1, ndim - 1):
        raise _unreadable(module, f"it normalises axis {quoted(module.axis)}, not the last")
    # 1 - (1 - p) is not p in binary: ten digits bring back what was meant
    momentum = round(1 - module.momentum, 10)
    # behind a dense layer it is of rank 1, which takes (N, C) too
    return BatchNorm(module.moving_mean.shape[0], module.epsilon, momentum, max(ndim - 2, 1))


def _layer_norm(module: Any) -> Spec:
    _require(module, center=True, scale=True, rms_scaling=False)
    _require_built(module)
    if module.axis not in (-1, [-1]):
        raise _unreadable(
            module, f"it normalises axis {quoted(module.axis)}: write axis=-1, the channels"
        )
    return LayerNorm(module.gamma.shape[0], module.epsilon)


def _group_norm(module: Any) -> Spec:
    _require(module, center=True, scale=True, axis=-1)
    _require_built(module)
    return GroupNorm(module.groups, module.gamma.shape[0], module.epsilon)


def _scale(module: Any) -> Spec:
    _require_built(module)
    return Scale(module.gamma.shape[0])


def _relu(module: Any) -> Spec:
    _require(module, threshold=0.0)
    if module.max_value is None and module.negative_slope:
        return Activation("leaky_relu", float(module.negative_slope))
    _require(module, negative_slope=0.0)
    if module.max_value not in (None, 6):
        raise _unreadable(module, f"it stops at {quoted(module.max_value)}, not at 6")
    return Activation("relu" if module.max_value is None else "relu6")


def _softmax(module: Any) -> Spec:
    _require(module, axis=-1)
    return Activation("softmax")


FUNCTIONS = {
    keras.activations.relu: Activation("relu"),
    keras.activations.relu6: Activation("relu6"),
    keras.activations.leaky_relu: Activation("leaky_relu", 0.2),  # Keras's default
    keras.activations.elu: Activation("elu"),
    keras.activations.silu: Activation("silu"),
    keras.activations.gelu: Activation("gelu"),
    layers.gelu_tanh: Activation("gelu_tanh"),
    keras.activations.sigmoid: Activation("sigmoid"),
    keras.activations.hard_sigmoid: Activation("hard_sigmoid"),
    keras.activations.hard_silu: Activation("hard_swish"),
    keras.activations.softplus: Activation("softplus"),
    keras.activations.softmax: Activation("softmax"),
    keras.activations.tanh: Activation("tanh"),
}


def _activation(module: Any) -> Spec:
    if module.activation not in FUNCTIONS:
        known = ", ".join(function.__name__ for function in FUNCTIONS)
        name = getattr(module.activation, "__name__", module.activation)
        raise _unreadable(module, f"{name} is none of {known}")
    return FUNCTIONS[module.activation]


# ---------------------------------------------------------------- other layers


def _global_avg_pool(module: Any) -> Spec:
    _require(module, data_format="channels_last", keepdims=False)
    return GlobalAvgPool()


def _flatten(module: Any) -> Spec:
    _require(module, data_format="channels_last")
    return Flatten()


def _dense(module: Any) -> Spec:
    if module.activation is not keras.activations.linear:
        raise _unreadable(module, "it has an activation inside: give it a layer of its own")
    _require_built(module)
    in_features, out_features = module.kernel.shape
    return Dense(in_features, out_features, module.use_bias)


READERS: dict[type, Any] = {
    **dict.fromkeys((keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D), _conv),
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.Conv3D), _conv),
    **dict.fromkeys((keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D), _depthwise),
    **dict.fromkeys(
        (layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.DepthwiseConv3D), _depthwise
    ),
    **dict.fromkeys(
        (layers.SeparableConv1D, layers.SeparableConv2D, layers.SeparableConv3D), _separable
    ),
    **dict.fromkeys(
        (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D), _native_separable
    ),
    **dict.fromkeys(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transpose
    ),
    **dict.fromkeys(
        (
            keras.layers.Conv1DTranspose,
            keras.layers.Conv2DTranspose,
            keras.layers.Conv3DTranspose,
        ),
        _native_transpose,
    ),
    **dict.fromkeys(
        (
            keras.layers.MaxPooling1D,
            keras.layers.MaxPooling2D,
            keras.layers.MaxPooling3D,
            pooling.MaxPooling1D,
            pooling.MaxPooling2D,
            pooling.MaxPooling3D,
        ),
        lambda module: MaxPool(**_pool(module)),
    ),
    **dict.fromkeys(
        (
            keras.layers.AveragePooling1D,
            keras.layers.AveragePooling2D,
            keras.layers.AveragePooling3D,
        ),
        _native_avg_pool,
    ),
    **dict.fromkeys(
        (pooling.AveragePooling1D, pooling.AveragePooling2D, pooling.AveragePooling3D),
        lambda module: AvgPool(count_include_pad=module.count_include_pad, **_pool(module)),
    ),
    keras.layers.BatchNormalization: _batch_norm,
    layers.BatchNormalization: _batch_norm,
    keras.layers.LayerNormalization: _layer_norm,
    keras.layers.GroupNormalization: _group_norm,
    layers.Scale: _scale,
    keras.layers.ReLU: _relu,
    keras.layers.LeakyReLU: lambda module: Activation("leaky_relu", float(module.negative_slope)),
    layers.LeakyReLU: lambda module: Activation("leaky_relu", float(module.negative_slope)),
    keras.layers.ELU: lambda module: Activation("elu", float(module.alpha)),
    keras.layers.Softmax: _softmax,
    keras.layers.Activation: _activation,
    **dict.fromkeys(
        (
            keras.layers.GlobalAveragePooling1D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.GlobalAveragePooling3D,
        ),
        _global_avg_pool,
    ),
    pooling.GlobalAveragePooling: lambda module: GlobalAvgPool(),
    keras.layers.Flatten: _flatten,
    keras.layers.Dropout: lambda module: Dropout(module.rate),
    keras.layers.Dense: _dense,
    keras.Sequential: lambda module: Sequential(read_children(by_name(module.layers), describe)),
    layers.Graph: lambda module: wired(read_children(module.children, describe), module.steps),
}
