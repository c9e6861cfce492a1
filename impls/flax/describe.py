"""Flax: ``flax.nnx`` modules to specs, read from the layers themselves."""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn import dtypes
from jax import lax

from convparity.impls import xla_algorithms
from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.flax import layers
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    ActivationName,
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
    effective_kernel,
    walk,
    wired,
)

# The same convolution by other algorithms.
CONVOLUTIONS = (lax.conv_general_dilated, xla_algorithms.conv_general_dilated)
# What a layer may be given in the place of its own arithmetic, and what it has otherwise.
ARITHMETIC: dict[str, tuple[Any, ...]] = {
    "conv_general_dilated": CONVOLUTIONS,
    "dot_general": (lax.dot_general,),
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
    """The layers of a Sequential, of Flax's own or of ours, or of a Graph, by name."""
    if isinstance(module, nnx.Sequential):
        return {str(i): layer for i, layer in enumerate(module.layers)}
    return {name: getattr(module, name) for name in module.names}


def _read(module: Any, rank: int) -> Spec:
    if not isinstance(module, nnx.Module):
        return _function(module)
    reader = find_reader(module, READERS, "__call__")
    with fields_of(module):
        _check_arithmetic(module)
        spec: Spec = reader(module, rank)
    return spec


def _check_arithmetic(module: nnx.Module) -> None:
    """Raise where a layer computes by other functions, or in less, than its weights say."""
    name = f"nnx.{type(module).__name__}"
    for attribute, known in ARITHMETIC.items():
        found = getattr(module, attribute, known[0])
        if not any(found is each or (isinstance(found, str) and found == each) for each in known):
            raise _refuse(
                f"{name} with {attribute}={quoted(found)}",
                f", a convolution or arithmetic of its own: leave {attribute} as it is by default",
            )
    for each in WEIGHTS:
        variable = getattr(module, each, None)
        if not isinstance(variable, nnx.Variable):
            continue
        hooked = "on_get_value" in variable.get_metadata()
        if hooked or type(variable).get_value is not nnx.Variable.get_value:
            raise _refuse(
                f"{name} whose {each} is computed when it is read (a get_value of its own)",
                f": set {each} to an nnx.Param of the values",
            )
        wide, asked = variable.dtype, getattr(module, "dtype", None)
        if asked is not None and jnp.promote_types(asked, wide) != jnp.dtype(asked):
            raise _refuse(
                f"{name} that computes in {jnp.dtype(asked).name} with a {each} of {wide.name}",
                f": a spec has one dtype: set dtype=None, or cast {each}",
            )


def _rank(module: Any) -> int:
    """The number of spatial axes, which all layers of a network share: a norm alone is for two.

    Beside dense layers alone it is of rank 1, which takes (N, C) too.
    """
    dense = False
    for _, layer in nnx.iter_modules(module):
        if isinstance(layer, nnx.Conv | nnx.ConvTranspose | layers.ConvTranspose):
            return len(layer.kernel_size)
        if isinstance(layer, layers.MaxPool | layers.AvgPool):
            return len(layer.window_shape)
        dense = dense or isinstance(layer, nnx.Linear)
    return 1 if dense else 2


def _axes(value: Any, rank: int) -> tuple[int, ...]:
    return (value or 1,) * rank if value is None or isinstance(value, int) else tuple(value)


def _name(padding: Any) -> Any:
    return padding.lower() if isinstance(padding, str) else padding


def _refuse(what: str, why: str = "") -> UnsupportedError:
    return UnsupportedError(f"flax: {what} cannot be read as a spec{why}")


# ---------------------------------------------------------------- convolutions


def _window(module: nnx.Conv) -> dict[str, Any]:
    rank = len(module.kernel_size)
    if module.mask is not None:
        raise _refuse("nnx.Conv with a mask", ": multiply the kernel by it")
    if _axes(module.input_dilation, rank) != (1,) * rank:
        raise _refuse("nnx.Conv with an input dilation")
    return {
        "in_channels": module.in_features,
        "kernel_size": module.kernel_size,
        "stride": _axes(module.strides, rank),
        "dilation": _axes(module.kernel_dilation, rank),
        "rank": rank,
        **_filled_padding(module, rank),
    }


def _filled_padding(module: nnx.Conv, rank: int) -> dict[str, Any]:
    if isinstance(module, layers.Conv):
        modes: dict[str, str] = {native: mode for mode, native in NUMPY_MODES.items()}
        return {
            "padding": _name(module.padding_before),
            "padding_mode": modes[module.padding_mode],
        }
    padding = module.padding
    if padding in ("REFLECT", "CIRCULAR"):  # nnx's own: half the kernel, whatever the stride
        extent = effective_kernel(module.kernel_size, _axes(module.kernel_dilation, rank))
        pairs = tuple(((k - 1) // 2, k // 2) for k in extent)
        return {"padding": pairs, "padding_mode": padding.lower()}
    if isinstance(padding, str) and padding not in ("SAME", "VALID", "CAUSAL"):
        raise _refuse(f"nnx.Conv with padding {quoted(padding)}")
    return {"padding": _name(padding)}


def _conv(module: nnx.Conv, rank: int) -> Spec:
    return Conv(
        out_channels=module.out_features,
        groups=module.feature_group_count,
        bias=module.use_bias,
        **_window(module),
    )


def _depthwise(module: layers.DepthwiseConv, rank: int) -> Spec:
    return DepthwiseConv(
        depth_multiplier=module.depth_multiplier, bias=module.use_bias, **_window(module)
    )


def _separable(module: layers.SeparableConv, rank: int) -> Spec:
    steps = {"depthwise": module.depthwise, "pointwise": module.pointwise}
    read_children(steps, lambda step: _read(step, rank))  # neither has code beside its own
    return SeparableConv(
        out_channels=module.pointwise.out_features,
        depth_multiplier=module.depthwise.depth_multiplier,
        depthwise_bias=module.depthwise.use_bias,
        pointwise_bias=module.pointwise.use_bias,
        **_window(module.depthwise),
    )


def _transpose(module: layers.ConvTranspose, rank: int) -> Spec:
    return ConvTranspose(
        module.in_features,
        module.out_features,
        module.kernel_size,
        module.strides,
        _name(module.padding),
        module.output_padding,
        module.feature_group_count,
        module.use_bias,
        module.kernel_dilation,
        len(module.kernel_size),
    )


def _nnx_transpose(module: nnx.ConvTranspose, rank: int) -> Spec:
    if module.mask is not None:
        raise _refuse("nnx.ConvTranspose with a mask", ": multiply the kernel by it")
    rank = len(module.kernel_size)
    stride, dilation = _axes(module.strides, rank), _axes(module.kernel_dilation, rank)
    crop, extra = _crop(module.padding, effective_kernel(module.kernel_size, dilation), stride)
    return ConvTranspose(
        module.in_features,
        module.out_features,
        module.kernel_size,
        stride,
        crop,
        extra,
        bias=module.use_bias,
        dilation=dilation,
        rank=rank,
    )


def _crop(padding: Any, extent: tuple[int, ...], stride: tuple[int, ...]) -> tuple[Any, Any]:
    """A spec's padding and output padding, from that of ``nnx.ConvTranspose``."""
    if padding == "SAME":
        return "same", 0
    if padding == "VALID":  # never fewer than n * stride places
        return "valid", tuple(max(s - k, 0) for k, s in zip(extent, stride, strict=True))
    if isinstance(padding, str):
        raise _refuse(f"nnx.ConvTranspose with padding {quoted(padding)}")
    each = (padding,) * len(extent) if isinstance(padding, int) else padding
    pads = [(pad, pad) if isinstance(pad, int) else tuple(pad) for pad in each]
    # it pads the spread input, where the whole result has extent - 1 zeros at either end
    ends = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(extent, pads, strict=True)]
    if any(low < 0 or -high >= s for (low, high), s in zip(ends, stride, strict=True)):
        raise _refuse(
            f"nnx.ConvTranspose with padding {quoted(padding)}",
            ": a spec adds places at the end alone, and fewer than the stride. Pad less",
        )
    return [(low, max(high, 0)) for low, high in ends], [max(-high, 0) for _, high in ends]


# ---------------------------------------------------------------- pooling and norms


def _pool(module: layers.MaxPool | layers.AvgPool) -> dict[str, Any]:
    return _pool_call(module.window_shape, module.strides, module.padding)


def _pool_call(window_shape: Any, strides: Any = None, padding: Any = "VALID") -> dict[str, Any]:
    return {
        "kernel_size": window_shape,
        "stride": strides or 1,  # as nnx's functions have it
        "padding": _name(padding),
        "rank": len(window_shape),
    }


def _avg_pool(module: layers.AvgPool, rank: int) -> Spec:
    return AvgPool(count_include_pad=module.count_include_pad, **_pool(module))


def _check_norm(module: Any, *, plain: bool) -> None:
    if not (module.use_scale and module.use_bias and plain):
        raise _refuse(
            f"nnx.{type(module).__name__}",
            " unless it has use_scale=True, use_bias=True, the default axes and no axis_name",
        )


def _batch_norm(module: nnx.BatchNorm, rank: int) -> Spec:
    _check_norm(module, plain=module.axis == -1)
    if isinstance(module, layers.BatchNorm):
        rank = module.rank
    # 1 - (1 - p) is not p in binary: ten digits bring back what was meant
    momentum = round(1 - module.momentum, 10)
    return BatchNorm(module.num_features, module.epsilon, momentum, rank)


def _layer_norm(module: nnx.LayerNorm, rank: int) -> Spec:
    last = (-1, (-1,), [-1])
    axes = module.reduction_axes in last and module.feature_axes in last
    _check_norm(module, plain=axes and module.axis_name is None)
    return LayerNorm(module.num_features, module.epsilon)


def _group_norm(module: nnx.GroupNorm, rank: int) -> Spec:
    plain = module.reduction_axes is None and module.axis_name is None
    _check_norm(module, plain=plain)
    return GroupNorm(module.num_groups, module.num_groups * module.group_size, module.epsilon)


def _children(module: Any, rank: int) -> dict[str, Spec]:
    return read_children(named_layers(module), lambda child: _read(child, rank))


def _sequential(module: Any, rank: int) -> Spec:
    """Behind what makes (N, C) of an image, a norm is of rank 1."""

    def read(child: Any) -> Spec:
        nonlocal rank
        spec = _read(child, rank)
        *_, (_, last) = [("", None), *walk(spec)]
        if isinstance(last, Dense | Flatten | GlobalAvgPool):
            rank = 1
        return spec

    return Sequential(read_children(named_layers(module), read))


# ---------------------------------------------------------------- functions


def _plain(name: ActivationName) -> Callable[[], Spec]:
    return lambda: Activation(name)


# What follows x in each function's arguments, with nnx's defaults, to its spec.
FUNCTIONS: dict[Callable[..., Any], Callable[..., Spec]] = {
    nnx.relu: _plain("relu"),
    nnx.relu6: _plain("relu6"),
    nnx.leaky_relu: lambda negative_slope=0.01: Activation("leaky_relu", negative_slope),
    nnx.elu: lambda alpha=1.0: Activation("elu", alpha),
    nnx.silu: _plain("silu"),
    nnx.gelu: lambda approximate=True: Activation("gelu_tanh" if approximate else "gelu"),
    nnx.sigmoid: _plain("sigmoid"),
    nnx.hard_sigmoid: _plain("hard_sigmoid"),
    nnx.hard_swish: _plain("hard_swish"),
    nnx.softplus: _plain("softplus"),
    nnx.softmax: _plain("softmax"),  # of the last axis, unless told
    nnx.tanh: _plain("tanh"),
    nnx.max_pool: lambda *window, **options: MaxPool(**_pool_call(*window, **options)),
    nnx.avg_pool: lambda *window, count_include_pad=True, **options: AvgPool(
        count_include_pad=count_include_pad, **_pool_call(*window, **options)
    ),
}


def _function(function: Any, *parameters: Any) -> Spec:
    """The spec of a function, or of a partial of one: ``partial(nnx.gelu, approximate=False)``."""
    plain, keywords = function, {}
    if isinstance(function, functools.partial) and not function.args:
        plain, keywords = function.func, function.keywords
    try:
        return FUNCTIONS[plain](*parameters, **keywords)
    except (KeyError, TypeError):  # another function, or arguments that no spec has
        known = ", ".join(f"nnx.{each.__name__}" for each in FUNCTIONS)
        raise _refuse(
            f"the function {quoted(function)}", f": write it with one of {known}"
        ) from None


READERS: dict[type, Any] = {
    nnx.Conv: _conv,
    layers.Conv: _conv,
    layers.DepthwiseConv: _depthwise,
    layers.SeparableConv: _separable,
    layers.ConvTranspose: _transpose,
    nnx.ConvTranspose: _nnx_transpose,
    layers.MaxPool: lambda module, rank: MaxPool(**_pool(module)),
    layers.AvgPool: _avg_pool,
    layers.GlobalAvgPool: lambda module, rank: GlobalAvgPool(),
    nnx.BatchNorm: _batch_norm,
    nnx.LayerNorm: _layer_norm,
    nnx.GroupNorm: _group_norm,
    layers.Scale: lambda module, rank: Scale(module.num_features),
    layers.Activation: lambda module, rank: _function(module.function, *module.parameters),
    layers.Flatten: lambda module, rank: Flatten(),
    nnx.Dropout: lambda module, rank: Dropout(module.rate),
    nnx.Linear: lambda module, rank: Dense(
        module.in_features, module.out_features, module.use_bias
    ),
    nnx.Sequential: _sequential,
    layers.Sequential: _sequential,
    layers.Graph: lambda module, rank: wired(_children(module, rank), module.steps),
}
