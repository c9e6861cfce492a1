"""Integer arithmetic on specs: padding amounts, output shapes, parameter shapes.

Shapes are channels-last and bear the batch: ``(N, *spatial, C)``, or ``(N, features)`` after a
pooling, flatten or dense layer.
"""

from functools import singledispatch

from convparity.impls.errors import SpecError
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
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    walk,
)
from convparity.impls.validation import Pairs

Shape = tuple[int, ...]


def effective_kernel(kernel_size: Shape, dilation: Shape) -> Shape:
    """The extent of a dilated kernel along each axis: ``(k - 1) * d + 1``."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True))


def window_extent(spec: Conv | DepthwiseConv | MaxPool | AvgPool) -> Shape:
    """The extent of a layer's window; a pool's is its kernel."""
    if isinstance(spec, MaxPool | AvgPool):
        return spec.kernel_size
    return effective_kernel(spec.kernel_size, spec.dilation)


def padding_pairs(spec: Conv | DepthwiseConv | MaxPool | AvgPool, spatial: Shape) -> Pairs:
    """What to pad before and after each spatial axis of size ``spatial``, as (low, high) pairs.

    "same" is TensorFlow's rule: the output has ``ceil(n / stride)`` entries, and an odd total puts
    the extra one at the end.
    """
    extent = window_extent(spec)
    if spec.padding == "valid":
        return ((0, 0),) * spec.rank
    if spec.padding == "causal":
        return ((extent[0] - 1, 0),)
    if spec.padding == "same":
        totals = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, s, k in zip(spatial, spec.stride, extent, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    pairs: Pairs = spec.padding
    return pairs


# ---------------------------------------------------------------- output shapes


@singledispatch
def output_shape(spec: Spec, input_shape: Shape) -> Shape:
    """The shape that ``spec`` makes of a channels-last ``input_shape``.

    Raises ``SpecError`` when the input does not fit: its rank, its channels, or its size.
    """
    raise SpecError(f"{spec!r} is not a spec")


def _check(spec: Spec, shape: Shape, ndim: int | None, channels: int | None) -> None:
    who, shape = type(spec).__name__, tuple(shape)
    if ndim is not None and len(shape) != ndim:
        form = "(N, features)" if ndim == 2 else f"(N, {ndim - 2} spatial sizes, C)"
        raise SpecError(f"{who} takes an input of {ndim} axes {form}, channels last, not {shape}")
    if len(shape) < 2:
        raise SpecError(f"{who} takes (N, ..., C), not {shape}")
    if any(n < 1 for n in shape):
        raise SpecError(f"{who}: every size of an input shape must be at least 1, not {shape}")
    if channels is not None and shape[-1] != channels:
        raise SpecError(
            f"{who} takes {channels} channels on the last axis, not {shape[-1]} in {shape}: "
            "move the channels last, or change the spec"
        )


def _windows(spec: Conv | DepthwiseConv | MaxPool | AvgPool, shape: Shape) -> Shape:
    _check(spec, shape, spec.rank + 2, getattr(spec, "in_channels", None))
    spatial = tuple(shape[1:-1])
    pairs = padding_pairs(spec, spatial)
    padded = tuple(n + low + high for n, (low, high) in zip(spatial, pairs, strict=True))
    extent = window_extent(spec)
    if any(k > n for k, n in zip(extent, padded, strict=True)):
        raise SpecError(
            f"{type(spec).__name__}: the dilated kernel {extent} is larger than the padded input "
            f"{padded}: pad more, or give a larger input than {spatial}"
        )
    if getattr(spec, "padding_mode", "zeros") == "reflect":
        _check_reflection(spec, spatial, pairs)
    return tuple((n - k) // s + 1 for n, k, s in zip(padded, extent, spec.stride, strict=True))


def _check_reflection(spec: Spec, spatial: Shape, pairs: Pairs) -> None:
    if any(n == 1 and max(pair) > 0 for n, pair in zip(spatial, pairs, strict=True)):
        raise SpecError(f"{type(spec).__name__}: one pixel cannot be reflected, input {spatial}")


@output_shape.register
def _(spec: Conv, input_shape: Shape) -> Shape:
    return (input_shape[0], *_windows(spec, input_shape), spec.out_channels)


@output_shape.register
def _(spec: DepthwiseConv, input_shape: Shape) -> Shape:
    return (input_shape[0], *_windows(spec, input_shape), spec.out_channels)


@output_shape.register(MaxPool)
@output_shape.register(AvgPool)
def _(spec: MaxPool | AvgPool, input_shape: Shape) -> Shape:
    return (input_shape[0], *_windows(spec, input_shape), input_shape[-1])


@output_shape.register
def _(spec: ConvTranspose, input_shape: Shape) -> Shape:
    _check(spec, input_shape, spec.rank + 2, spec.in_channels)
    n, *spatial, _ = input_shape
    low_high, extra = transposed_crop(spec)
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    out = tuple(
        (size - 1) * s + k + more - low - high
        for size, s, k, more, (low, high) in zip(
            spatial, spec.stride, extent, extra, low_high, strict=True
        )
    )
    if min(out) < 1:
        raise SpecError(
            f"ConvTranspose: nothing of {tuple(spatial)} is left, {out}: pad less, "
            "or give a larger input"
        )
    return (n, *out, spec.out_channels)


def transposed_crop(spec: ConvTranspose) -> tuple[Pairs, Shape]:
    """What a transposed convolution crops off its full result, after adding zeros at its ends.

    The full result has ``(n - 1) * stride + extent`` entries an axis; "same" keeps ``n * stride``.
    """
    if spec.padding != "same":
        pairs = ((0, 0),) * spec.rank if spec.padding == "valid" else spec.padding
        return pairs, spec.output_padding
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    totals = [k - s for k, s in zip(extent, spec.stride, strict=True)]
    pairs = tuple((max(t, 0) // 2, max(t, 0) - max(t, 0) // 2) for t in totals)
    return pairs, tuple(max(-t, 0) for t in totals)


@output_shape.register
def _(spec: SeparableConv, input_shape: Shape) -> Shape:
    return output_shape(spec.pointwise, output_shape(spec.depthwise, input_shape))


@output_shape.register
def _(spec: BatchNorm, input_shape: Shape) -> Shape:
    _check(spec, input_shape, spec.rank + 2, spec.num_features)
    return tuple(input_shape)


@output_shape.register(LayerNorm)
@output_shape.register(GroupNorm)
def _(spec: LayerNorm | GroupNorm, input_shape: Shape) -> Shape:
    _check(spec, input_shape, None, spec.num_features)
    return tuple(input_shape)


@output_shape.register(Activation)
@output_shape.register(Dropout)
def _(spec: Spec, input_shape: Shape) -> Shape:
    _check(spec, input_shape, None, None)
    return tuple(input_shape)


@output_shape.register
def _(spec: GlobalAvgPool, input_shape: Shape) -> Shape:
    _check(spec, input_shape, None, None)
    if len(input_shape) < 3:
        raise SpecError(f"GlobalAvgPool takes (N, *spatial, C), not {tuple(input_shape)}")
    return (input_shape[0], input_shape[-1])


@output_shape.register
def _(spec: Flatten, input_shape: Shape) -> Shape:
    _check(spec, input_shape, None, None)
    size = 1
    for n in input_shape[1:]:
        size *= n
    return (input_shape[0], size)


@output_shape.register
def _(spec: Dense, input_shape: Shape) -> Shape:
    _check(spec, input_shape, 2, spec.in_features)
    return (input_shape[0], spec.out_features)


@output_shape.register
def _(spec: Sequential, input_shape: Shape) -> Shape:
    shape = tuple(input_shape)
    for name, child in spec.children:
        try:
            shape = output_shape(child, shape)
        except SpecError as error:
            raise SpecError(f"in layer {name!r}: {error}") from None
    return shape


@output_shape.register
def _(spec: Residual, input_shape: Shape) -> Shape:
    body = output_shape(spec.body, input_shape)
    across = tuple(input_shape)
    if spec.shortcut is not None:
        across = output_shape(spec.shortcut, input_shape)
    if body != across:
        raise SpecError(f"Residual: the body gives {body}, the shortcut {across}: they must agree")
    return body


# ---------------------------------------------------------------- parameter shapes


@singledispatch
def _own_parameters(spec: Spec) -> dict[str, Shape]:
    return {}


def _with_bias(kernel: Shape, out: int, bias: bool) -> dict[str, Shape]:
    return {"kernel": kernel, "bias": (out,)} if bias else {"kernel": kernel}


@_own_parameters.register
def _(spec: Conv) -> dict[str, Shape]:
    kernel = (*spec.kernel_size, spec.in_channels // spec.groups, spec.out_channels)
    return _with_bias(kernel, spec.out_channels, spec.bias)


@_own_parameters.register
def _(spec: DepthwiseConv) -> dict[str, Shape]:
    kernel = (*spec.kernel_size, spec.in_channels, spec.depth_multiplier)
    return _with_bias(kernel, spec.out_channels, spec.bias)


@_own_parameters.register
def _(spec: ConvTranspose) -> dict[str, Shape]:
    kernel = (*spec.kernel_size, spec.out_channels // spec.groups, spec.in_channels)
    return _with_bias(kernel, spec.out_channels, spec.bias)


@_own_parameters.register(LayerNorm)
@_own_parameters.register(GroupNorm)
def _(spec: LayerNorm | GroupNorm) -> dict[str, Shape]:
    return dict.fromkeys(("scale", "offset"), (spec.num_features,))


@_own_parameters.register
def _(spec: Dense) -> dict[str, Shape]:
    return _with_bias((spec.in_features, spec.out_features), spec.out_features, spec.bias)


@_own_parameters.register
def _(spec: BatchNorm) -> dict[str, Shape]:
    return dict.fromkeys(("scale", "offset", "mean", "variance"), (spec.num_features,))


def parameter_shapes(spec: Spec) -> dict[str, Shape]:
    """Every canonical weight of ``spec``, by dotted name, in declaration order, with its shape."""
    return {
        f"{path}.{name}" if path else name: shape
        for path, layer in walk(spec)
        for name, shape in _own_parameters(layer).items()
    }
