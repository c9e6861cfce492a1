"""Flax's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. A layer is nnx's own where that can
say the spec. Activations are functions in Flax: ``layers.Activation`` calls them, and they are read
as they stand, too.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from convparity.impls.axis_patterns import is_dense
from convparity.impls.bindings import OF_THE_OLD, Field, Fields, Row, Table, Weight, same
from convparity.impls.errors import SpecError, UnsupportedError, quoted
from convparity.impls.flax import activation as functions
from convparity.impls.flax import (
    arithmetic,
    einsum,
    layers,
    movement,
    normalisation,
    pooling,
    reduction,
    resize,
)
from convparity.impls.layouts import SAME, Layout, depthwise_as_grouped
from convparity.impls.spec import (
    NUMPY_MODES,
    Activation,
    ActivationName,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Slice,
    Spec,
    Subtract,
    effective_kernel,
)


def said(module: Any) -> str:
    """How an error names a layer: by its class."""
    kind = type(module)
    return f"nnx.{kind.__name__}" if kind.__module__.startswith("flax.") else kind.__name__


def refused(what: str, why: str) -> UnsupportedError:
    """The error for what no spec says."""
    return UnsupportedError(f"flax: {what} cannot be read as a spec: {why}")


def _upper(padding: Any) -> Any:
    return padding.upper() if isinstance(padding, str) else padding


def _lower(padding: Any) -> Any:
    return padding.lower() if isinstance(padding, str) else padding


def _given(value: Any) -> Any:
    """A stride or a dilation: none is 1."""
    return 1 if value is None else value


PADDING = Field("padding", None, _upper, _lower)
PADDINGS = "give 'SAME', 'VALID' or a pair for each axis"
WEIGHTED = ("kernel_init", "param_dtype", "rngs")  # what a layer with a kernel takes

# ---------------------------------------------------------------- convolutions


def _check_mask(module: Any) -> None:
    if module.mask is not None:
        raise refused(f"{said(module)} with a mask", "multiply the kernel by it")


def _check_conv(module: Any) -> None:
    _check_mask(module)
    if np.any(np.not_equal(_given(module.input_dilation), 1)):
        raise refused(
            f"{said(module)} with an input dilation",
            "write it as nnx.ConvTranspose, whose strides spread the input",
        )


def _mode(module: nnx.Conv) -> str:
    """What ``nnx.Conv`` fills the padding with."""
    padding = module.padding
    return padding.lower() if isinstance(padding, str) and padding in NNX_MODES else "zeros"


def _padding(module: nnx.Conv) -> Any:
    """The padding of ``nnx.Conv``: under a mode half the kernel, whatever the stride."""
    padding = module.padding
    if _mode(module) != "zeros":
        dilation = _given(module.kernel_dilation)
        each = (dilation,) * len(module.kernel_size) if isinstance(dilation, int) else dilation
        extent = effective_kernel(module.kernel_size, tuple(each))
        return tuple(((k - 1) // 2, k // 2) for k in extent)
    if isinstance(padding, str) and padding not in ("SAME", "VALID", "CAUSAL"):
        raise refused(f"{said(module)} with padding {quoted(padding)}", PADDINGS)
    return _lower(padding)


def _crop(module: nnx.ConvTranspose) -> tuple[Any, Any]:
    """A spec's padding and output padding, from that of ``nnx.ConvTranspose``."""
    padding, rank = module.padding, len(module.kernel_size)
    stride, dilation = (
        (each,) * rank if isinstance(each, int) else tuple(each)
        for each in map(_given, (module.strides, module.kernel_dilation))
    )
    extent = effective_kernel(module.kernel_size, dilation)
    if padding == "SAME":
        return "same", 0
    if padding == "VALID":  # never fewer than n * stride places
        return "valid", tuple(max(s - k, 0) for k, s in zip(extent, stride, strict=True))
    if isinstance(padding, str):
        raise refused(f"{said(module)} with padding {quoted(padding)}", PADDINGS)
    pads = [
        (pad, pad) if isinstance(pad, int) else tuple(pad)
        for pad in ((padding,) * rank if isinstance(padding, int) else padding)
    ]
    # it pads the spread input, where the whole result has extent - 1 zeros at either end
    ends = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(extent, pads, strict=True)]
    if any(low < 0 or -high >= s for (low, high), s in zip(ends, stride, strict=True)):
        raise refused(
            f"{said(module)} with padding {quoted(padding)}",
            "a spec adds places at the end alone, and fewer than the stride. Pad less",
        )
    return [(low, max(high, 0)) for low, high in ends], [max(-high, 0) for _, high in ends]


def _flip(kernel: np.ndarray) -> np.ndarray:
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).swapaxes(-1, -2)


# nnx.ConvTranspose slides its kernel, (*k, in, out), over the spread input; the canonical one is
# spread itself: its own inverse
SLIDING = Layout(_flip, _flip)


def _of_step(step: str, each: str | Field) -> Field:
    """The field of a step, as the whole layer has it."""
    own = Field(each) if isinstance(each, str) else each
    return Field(own.argument, lambda module: own.read(getattr(module, step)), own.to_native)


NNX_MODES = ("REFLECT", "CIRCULAR")  # names of nnx.Conv's padding
MODES: dict[str, str] = {native: mode for mode, native in NUMPY_MODES.items()}
WINDOW: Fields = {
    "in_channels": "in_features",
    "kernel_size": "kernel_size",
    "stride": Field("strides", None, None, _given),
    "dilation": Field("kernel_dilation", None, None, _given),
    "rank": Field(None, lambda module: len(module.kernel_size)),
}
PADS: Fields = {
    "padding": Field("padding", "padding_before", _upper, _lower),
    "padding_mode": Field("padding_mode", None, NUMPY_MODES.__getitem__, MODES.__getitem__),
}
CONV: Fields = {
    **WINDOW,
    "out_channels": "out_features",
    "groups": "feature_group_count",
    "bias": "use_bias",
}
DEPTHWISE: Fields = {**WINDOW, **PADS, "depth_multiplier": "depth_multiplier"}
BIASED = {"bias": Weight("bias", when="bias")}
KERNEL = {"kernel": Weight("kernel"), **BIASED}

CONVOLUTIONS = [
    Row(
        Conv,
        nnx.Conv,
        {
            **CONV,
            "padding": Field("padding", _padding, _upper),
            "padding_mode": Field(None, _mode),
        },
        KERNEL,
        says={"padding_mode": "zeros"},
        check=_check_conv,
        takes=WEIGHTED,
    ),
    Row(Conv, layers.Conv, {**CONV, **PADS}, KERNEL, check=_check_conv, takes=WEIGHTED),
    Row(
        DepthwiseConv,
        layers.DepthwiseConv,
        {**DEPTHWISE, "bias": "use_bias"},
        {"kernel": Weight("kernel", lambda m: depthwise_as_grouped(m.depth_multiplier)), **BIASED},
        check=_check_conv,
        takes=WEIGHTED,
    ),
    Row(
        SeparableConv,
        layers.SeparableConv,
        {
            **{name: _of_step("depthwise", each) for name, each in DEPTHWISE.items()},
            "out_channels": _of_step("pointwise", "out_features"),
            "depthwise_bias": Field("depthwise_bias", "depthwise.use_bias"),
            "pointwise_bias": Field("pointwise_bias", "pointwise.use_bias"),
        },
        takes=WEIGHTED,
    ),
    Row(
        ConvTranspose,
        layers.ConvTranspose,
        {**CONV, "padding": PADDING, "output_padding": "output_padding"},
        KERNEL,
        takes=WEIGHTED,
    ),
    Row(  # read and never made: it has no groups, and pads where a spec crops
        ConvTranspose,
        nnx.ConvTranspose,
        {
            **{name: each for name, each in CONV.items() if name != "groups"},
            "padding": Field(None, lambda module: _crop(module)[0]),
            "output_padding": Field(None, lambda module: _crop(module)[1]),
        },
        {"kernel": Weight("kernel", lambda m: SAME if m.transpose_kernel else SLIDING), **BIASED},
        check=_check_mask,
    ),
]

# ---------------------------------------------------------------- pooling, norms, other layers


def _kind(module: Any) -> str:
    """What a dropout sets to zero at once."""
    dims = tuple(module.broadcast_dims)
    if dims != tuple(range(1, len(dims) + 1)):
        raise TABLE.refused(
            module,
            f"it broadcasts axes {quoted(dims)}, where a spec's is of values, or of whole channels "
            "over all spatial axes, (1, ...)",
        )
    return "channel" if dims else "element"


def _axes(module: Any) -> tuple[int, ...]:
    """What a norm is over."""
    given = module.feature_axes
    return (given,) if isinstance(given, int) else tuple(given)


def _check_one_axis(module: Any) -> None:
    """Nnx keeps the parameters of several axes flat, and no sizes."""
    reduced = module.reduction_axes
    reduced = (reduced,) if isinstance(reduced, int) else tuple(reduced)
    if len(reduced) != 1 or reduced != _axes(module):
        raise TABLE.refused(
            module,
            "it needs one axis, the same as reduction_axes and feature_axes, not "
            f"{quoted(module.reduction_axes)} and {quoted(module.feature_axes)}: over several, "
            f"write it as the {type(module).__name__} of convparity.impls.flax.normalisation, "
            "which is told their sizes",
        )


def _check_channels(module: Any) -> None:
    if _axes(module) != (-1,):
        raise TABLE.refused(module, f"it needs feature_axes=-1, not {quoted(module.feature_axes)}")


SCALAR = Layout(lambda array: array.reshape(()), lambda array: array.reshape(1))


def _check_general(module: Any) -> None:
    one = len(module.in_features) == len(module.out_features) == 1
    if not one or module.axis != (-1,) or module.batch_axis:
        raise TABLE.refused(
            module, "a dense layer takes the last axis for another one, without a batch_axis"
        )


def _check_einsum(module: Any) -> None:
    if not is_dense(module.einsum_str or ""):
        raise TABLE.refused(
            module,
            f"{quoted(module.einsum_str)} is no dense layer, which takes the last axis for another "
            'one, as "...c,cd->...d" does',
        )


ADAPTIVE: Fields = {
    "output_size": "output_size",
    "rank": Field(None, lambda module: len(module.output_size)),
}
POOL: Fields = {
    "kernel_size": "window_shape",
    "stride": Field("strides", None, None, _given),
    "padding": PADDING,
    "ceil_mode": "ceil_mode",
    "rank": Field(None, lambda module: len(module.window_shape)),
}
NORM: Fields = {"num_features": "num_features", "eps": "epsilon"}
AFFINE: Fields = {"scale": "use_scale", "offset": "use_bias"}
SCALED = {"scale": Weight("scale", when="scale"), "offset": Weight("bias", when="offset")}
ONE_AXIS: Fields = {**NORM, "axes": Field(None, lambda module: _axes(module)[0])}
SEVERAL_AXES: Fields = {"num_features": "sizes", "eps": "epsilon", "axes": Field("axes", _axes)}
STATISTICS = {"mean": Weight("mean"), "variance": Weight("var")}
SLOW = {"use_fast_variance": False}  # see layers.BatchNorm
NORMALISED = ("param_dtype", "rngs")  # what a norm takes

OTHERS = [
    Row(MaxPool, pooling.MaxPool, {**POOL, "dilation": Field("dilation", None, None, _given)}),
    Row(AvgPool, pooling.AvgPool, {**POOL, **same("count_include_pad", "divisor_override")}),
    Row(GlobalAvgPool, pooling.GlobalAvgPool),
    Row(
        BatchNorm,
        layers.BatchNorm,
        {
            **NORM,
            **AFFINE,
            "momentum": OF_THE_OLD,
            "rank": Field("rank", lambda m: getattr(m, "rank", 2)),  # nnx's own has none
        },
        {**SCALED, **STATISTICS},
        needs={"axis": -1},
        also=(nnx.BatchNorm,),
        takes=NORMALISED,
    ),
    Row(
        LayerNorm,
        nnx.LayerNorm,
        {**ONE_AXIS, **AFFINE},
        SCALED,
        says={"axes": -1},
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_one_axis,
        takes=NORMALISED,
    ),
    Row(
        LayerNorm,
        normalisation.LayerNorm,
        {**SEVERAL_AXES, **AFFINE},
        SCALED,
        takes=NORMALISED,
    ),
    Row(
        GroupNorm,
        nnx.GroupNorm,
        {
            "num_groups": "num_groups",
            "num_features": Field("num_features", lambda m: m.num_groups * m.group_size),
            "eps": "epsilon",
            **AFFINE,
        },
        SCALED,
        gives=SLOW,
        needs={"reduction_axes": None, "axis_name": None},
        takes=NORMALISED,
    ),
    Row(
        Scale,
        layers.Scale,
        same("num_features"),
        {"scale": Weight("scale")},
        takes=("param_dtype",),
    ),
    Row(Flatten, layers.Flatten),
    Row(
        Dropout,
        nnx.Dropout,
        {"p": "rate", "kind": Field(None, _kind)},
        says={"kind": "element"},
        takes=("rngs",),
    ),
    Row(
        Dropout,
        layers.Dropout,
        {"p": "rate", "kind": "kind"},
        takes=("rngs",),
    ),
    Row(
        Dense,
        nnx.Linear,
        {**same("in_features", "out_features"), "bias": "use_bias"},
        KERNEL,
        takes=WEIGHTED,
    ),
    Row(  # read and never made, as the next one
        Dense,
        nnx.LinearGeneral,
        {
            "in_features": Field(None, lambda module: module.in_features[0]),
            "out_features": Field(None, lambda module: module.out_features[0]),
            "bias": "use_bias",
        },
        KERNEL,
        check=_check_general,
    ),
    Row(
        Dense,
        nnx.Einsum,
        {
            "in_features": Field(None, lambda module: module.kernel_shape[0]),
            "out_features": Field(None, lambda module: module.kernel_shape[1]),
            "bias": Field(None, lambda module: module.bias_shape is not None),
        },
        KERNEL,
        check=_check_einsum,
    ),
    Row(AdaptiveAvgPool, pooling.AdaptiveAvgPool, ADAPTIVE),
    Row(AdaptiveMaxPool, pooling.AdaptiveMaxPool, ADAPTIVE),
    Row(GlobalMaxPool, pooling.GlobalMaxPool),
    Row(
        MaxPoolIndices,
        pooling.MaxPoolIndices,
        {**POOL, "dilation": Field("dilation", None, None, _given)},
    ),
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(
        PReLU,
        layers.PReLU,
        same("num_parameters"),
        {"slope": Weight("negative_slope")},
        takes=("param_dtype",),
    ),
    Row(PReLU, nnx.PReLU, weights={"slope": Weight("negative_slope", SCALAR)}),
    Row(
        InstanceNorm,
        nnx.InstanceNorm,
        {**NORM, **AFFINE},
        SCALED,
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_channels,
        takes=NORMALISED,
    ),
    Row(
        RMSNorm,
        nnx.RMSNorm,
        {**ONE_AXIS, "scale": "use_scale"},
        {"scale": SCALED["scale"]},
        says={"axes": -1},
        gives=SLOW,
        needs={"axis_name": None},
        check=_check_one_axis,
        takes=NORMALISED,
    ),
    Row(
        RMSNorm,
        normalisation.RMSNorm,
        {**SEVERAL_AXES, "scale": "use_scale"},
        {"scale": SCALED["scale"]},
        takes=NORMALISED,
    ),
]

JOINS = [
    Row(Add, layers.Add),
    Row(Multiply, layers.Multiply),
    Row(Subtract, layers.Subtract),
    Row(Concat, layers.Concat, same("axis")),
]

MOVEMENT = [
    Row(
        Pad,
        movement.Pad,
        {
            **same("pads", "value", "channels"),
            "mode": Field("mode", None, NUMPY_MODES.__getitem__, MODES.__getitem__),
        },
    ),
    Row(Rearrange, movement.Rearrange, same("pattern", "sizes")),
    Row(Slice, movement.Slice, same("axis", "start", "stop", "step")),
]

ARITHMETIC = [
    Row(Divide, arithmetic.Divide),
    Row(Maximum, arithmetic.Maximum),
    Row(Minimum, arithmetic.Minimum),
    Row(Average, arithmetic.Average),
    Row(Rescale, arithmetic.Rescale, same("scale", "offset")),
    Row(Power, arithmetic.Power, same("exponent")),
    Row(Einsum, einsum.Einsum, same("pattern")),
    Row(Reduce, reduction.Reduce, same("function", "axes", "keepdims", "correction")),
]

# ---------------------------------------------------------------- functions


class Function(Row):
    """An activation: nnx's function in ``gives``, its arguments behind x in ``needs``."""

    def make(self, spec: Any, **common: Any) -> layers.Activation:
        """The layer that calls the function."""
        behind_x = [getattr(spec, name) for name in self.fields] or self.needs.values()
        return layers.Activation(self.gives["function"], *behind_x)


def activation(
    function: ActivationName,
    native: Callable[..., Any],
    alpha: str | None = None,
    axis: str | None = None,
    says: Mapping[str, Any] | None = None,
    **needs: Any,
) -> Function:
    """The row of an activation; ``alpha`` and ``axis`` are nnx's names for the spec's."""
    given = {"alpha": alpha, "axis": axis}
    return Function(
        Activation,
        layers.Activation,
        {name: native_name for name, native_name in given.items() if native_name is not None},
        says={"function": function, **(says or {})},
        gives={"function": native},
        needs=needs,
    )


CLIPS: Fields = {"low": "min", "high": "max"}
ACTIVATIONS = [
    activation("relu", nnx.relu),
    activation("relu6", nnx.relu6),
    activation("leaky_relu", nnx.leaky_relu, alpha="negative_slope"),
    activation("elu", nnx.elu, alpha="alpha"),
    activation("silu", nnx.silu),
    activation("gelu", nnx.gelu, approximate=False),
    activation("gelu_tanh", nnx.gelu, approximate=True),
    activation("sigmoid", nnx.sigmoid),
    activation("hard_sigmoid", nnx.hard_sigmoid),
    activation("hard_swish", nnx.hard_swish),
    activation("softplus", nnx.softplus, says={"alpha": 1.0}),
    activation("softmax", nnx.softmax, axis="axis"),
    activation("tanh", nnx.tanh),
    activation("softplus", functions.softplus, alpha="beta"),
    activation("log_softmax", nnx.log_softmax, axis="axis"),
    activation("mish", jax.nn.mish),
    activation("selu", nnx.selu),
    activation("celu", nnx.celu, alpha="alpha"),
    activation("log_sigmoid", nnx.log_sigmoid),
    activation("softsign", nnx.soft_sign),
    activation("tanhshrink", functions.tanhshrink),
    activation("soft_shrink", functions.soft_shrink, alpha="alpha"),
    activation("hard_shrink", functions.hard_shrink, alpha="alpha"),
    activation("quick_gelu", functions.quick_gelu),
    activation("relu_squared", functions.relu_squared),
    activation("abs", jnp.abs),
    Function(Identity, layers.Activation, gives={"function": nnx.identity}),
    Function(Clamp, layers.Activation, CLIPS, gives={"function": jnp.clip}),
    Function(
        Clamp,
        layers.Activation,
        says={"low": -1.0, "high": 1.0},
        gives={"function": nnx.hard_tanh},
    ),
]
# Functions that are read as the layer that takes the same arguments.
POOLS: dict[Callable[..., Any], type] = {
    nnx.max_pool: pooling.MaxPool,
    nnx.avg_pool: pooling.AvgPool,
}
SIGNATURES = {
    each: inspect.signature(each)
    for each in dict.fromkeys([*(row.gives["function"] for row in ACTIVATIONS), *POOLS])
}
ROWS = (*CONVOLUTIONS, *OTHERS, *JOINS, *ACTIVATIONS, *MOVEMENT, *ARITHMETIC)
TABLE = Table("flax", ROWS, said)


def read_function(function: Any, *parameters: Any) -> Spec:
    """The spec of a function, or of a partial of one: ``partial(nnx.gelu, approximate=False)``."""
    plain, keywords = function, {}
    if isinstance(function, partial) and not function.args:
        plain, keywords = function.func, function.keywords
    if any(plain is each for each in SIGNATURES):
        try:
            return _read_call(plain, *parameters, **keywords)
        except TypeError:  # arguments that it does not take, or that no spec can say
            pass
        except SpecError as error:
            raise refused(f"the function {quoted(function)}", str(error)) from error
    known = ", ".join(f"nnx.{each.__name__}" for each in SIGNATURES if hasattr(nnx, each.__name__))
    raise refused(f"the function {quoted(function)}", f"write it with one of {known}")


def _read_call(function: Callable[..., Any], *parameters: Any, **keywords: Any) -> Spec:
    """The spec of a known function with these arguments behind x; a ``TypeError`` if none is."""
    bound = SIGNATURES[function].bind(None, *parameters, **keywords)
    given = {*list(bound.arguments)[1:]}
    bound.apply_defaults()
    if function in POOLS:
        pool = POOLS[function](*bound.args[1:])
        return TABLE.read(pool, TABLE.rows_of(pool))
    call = SimpleNamespace(**bound.arguments)
    for row in [each for each in ACTIVATIONS if each.gives["function"] is function]:
        if given <= {*row.needs, *row.fields.values()} and row.unmet(call) is None:
            return row.read(call)
    raise TypeError("no row has these arguments")
