"""Flax NNX layers, channels-last: what ``nnx`` lacks to say every spec. A page to copy from.

``nnx.Conv`` itself knows "SAME" at any stride, "CAUSAL", (low, high) padding pairs, dilation and
groups. Give it a tuple for the kernel size: an int means *one* spatial axis, and would convolve
along W only. Shapes: x_NHWC the input, y_NHWC the output, where H and W stand for one to three
spatial axes; kernels are HWIO, where I is in_features / groups.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Padding = str | tuple[tuple[int, int], ...]
Axes = tuple[int, ...]

KERNEL_INIT = nnx.initializers.lecun_normal()  # of nnx's own layers, too

# ---------------------------------------------------------------- convolutions


class Conv(nnx.Conv):
    """``nnx.Conv`` whose padding is filled with a mode of ``jnp.pad``, by any amount.

    nnx pads "REFLECT" and "CIRCULAR" by half the kernel whatever the stride, and has no "edge".

    Args:
        in_features: Channels of the input.
        out_features: Channels of the output.
        kernel_size: Taps along each spatial axis; a tuple.
        strides: Pixels from one window to the next; an int stands for every axis, here and below.
        padding: "VALID", "SAME" (at any stride), "CAUSAL" (rank 1) or a (low, high) pair an axis.
        padding_mode: "constant" (zeros), "reflect", "edge" or "wrap".
        kernel_dilation: Pixels from one tap to the next.
        feature_group_count: Blocks of channels that do not see each other.
        use_bias: Whether a number is added to each output channel.
        kernel_init: What makes the kernel.
        param_dtype: Of the weights.
        rngs: What the kernel is drawn from.

    Shapes:
        x_NHWC: C is in_features
        y_NHWC: C is out_features
        kernel: (*kernel_size, in_features / feature_group_count, out_features)
        bias: (out_features,)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Axes,
        strides: Axes | int = 1,
        *,
        padding: Padding = "VALID",
        padding_mode: str = "constant",
        kernel_dilation: Axes | int = 1,
        feature_group_count: int = 1,
        use_bias: bool = True,
        kernel_init: nnx.Initializer = KERNEL_INIT,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            in_features,
            out_features,
            kernel_size,
            strides,
            # another mode is padded before the convolution, which then has nothing to pad
            padding=padding if padding_mode == "constant" else "VALID",
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
            use_bias=use_bias,
            kernel_init=kernel_init,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.padding_before = padding
        self.padding_mode = padding_mode

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        if self.padding_mode != "constant":
            x_NHWC = jnp.pad(x_NHWC, self._pad_width(x_NHWC.shape), mode=self.padding_mode)
        return super().__call__(x_NHWC)

    def _pad_width(self, shape: Axes) -> list[tuple[int, int]]:
        rank = len(self.kernel_size)
        extent = _extent(self.kernel_size, self.kernel_dilation)
        pairs = self.padding_before
        if pairs == "CAUSAL":
            pairs = ((extent[0] - 1, 0),)
        elif isinstance(pairs, str):
            spatial, strides = shape[-rank - 1 : -1], _each(self.strides, rank)
            pairs = lax.padtype_to_pads(spatial, extent, strides, pairs)
        return [(0, 0)] * (len(shape) - rank - 1) + [*pairs, (0, 0)]


class DepthwiseConv(Conv):
    """A convolution of each channel on its own: one group a channel.

    Args:
        in_features: Channels of the input.
        depth_multiplier: Output channels of each input channel.
        kernel_size, strides, padding, padding_mode, kernel_dilation: As in ``Conv``.
        use_bias, kernel_init, param_dtype, rngs: As in ``Conv``.

    Shapes:
        x_NHWC: C is in_features
        y_NHWC: C is in_features * depth_multiplier
        kernel: (*kernel_size, 1, in_features * depth_multiplier)
        bias: (in_features * depth_multiplier,)
    """

    def __init__(
        self,
        in_features: int,
        kernel_size: Axes,
        strides: Axes | int = 1,
        *,
        padding: Padding = "VALID",
        padding_mode: str = "constant",
        kernel_dilation: Axes | int = 1,
        depth_multiplier: int = 1,
        use_bias: bool = True,
        kernel_init: nnx.Initializer = KERNEL_INIT,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            in_features,
            in_features * depth_multiplier,
            kernel_size,
            strides,
            padding=padding,
            padding_mode=padding_mode,
            kernel_dilation=kernel_dilation,
            feature_group_count=in_features,
            use_bias=use_bias,
            kernel_init=kernel_init,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.depth_multiplier = depth_multiplier


class SeparableConv(nnx.Module):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels.

    Args:
        in_features: Channels of the input.
        out_features: Channels of the output.
        kernel_size, strides, padding, padding_mode, kernel_dilation: Of the first step, as in
            ``Conv``.
        depth_multiplier: Channels that the first step makes of each input channel.
        depthwise_bias: Whether the first step adds a number to each of its channels.
        pointwise_bias: Whether the second step adds a number to each output channel.
        kernel_init, param_dtype, rngs: Of both steps, as in ``Conv``.

    Shapes:
        x_NHWC: C is in_features
        y_NHWC: C is out_features
    """

    run_steps: Callable[[Any, jax.Array], jax.Array] | None = None  # None: one after the other

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Axes,
        strides: Axes | int = 1,
        *,
        padding: Padding = "VALID",
        padding_mode: str = "constant",
        kernel_dilation: Axes | int = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
        kernel_init: nnx.Initializer = KERNEL_INIT,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.depthwise = DepthwiseConv(
            in_features,
            kernel_size,
            strides,
            padding=padding,
            padding_mode=padding_mode,
            kernel_dilation=kernel_dilation,
            depth_multiplier=depth_multiplier,
            use_bias=depthwise_bias,
            kernel_init=kernel_init,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.pointwise = nnx.Conv(
            in_features * depth_multiplier,
            out_features,
            (1,) * len(kernel_size),
            padding="VALID",
            use_bias=pointwise_bias,
            kernel_init=kernel_init,
            param_dtype=param_dtype,
            rngs=rngs,
        )

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        steps = self.depthwise, self.pointwise
        if self.run_steps is not None:
            return self.run_steps(steps, x_NHWC)
        return in_order(steps, x_NHWC)


def in_order(steps: Sequence[Callable[[jax.Array], jax.Array]], x: jax.Array) -> jax.Array:
    """The output of the last step."""
    for step in steps:
        x = step(x)
    return x


class ConvTranspose(nnx.Module):
    """The gradient of ``nnx.Conv`` by its input: what its padding added, this one crops.

    ``nnx.ConvTranspose`` has no groups and no output padding, and its pairs pad where these crop.
    The kernel is the convolution's own, as ``nnx.ConvTranspose`` has it under
    ``transpose_kernel=True``.

    Args:
        in_features: Channels of the input.
        out_features: Channels of the output.
        kernel_size, kernel_dilation, feature_group_count, use_bias: As in ``Conv``.
        strides: Pixels of the output from one pixel of the input to the next.
        padding: What is cut off the ends: "VALID" (nothing), "SAME" (n * stride pixels remain) or a
            (low, high) pair an axis.
        output_padding: Pixels added at the end of each axis.
        kernel_init, param_dtype, rngs: As in ``Conv``.

    Shapes:
        x_NHWC: C is in_features
        y_NHWC: C is out_features
        kernel: (*kernel_size, out_features / feature_group_count, in_features)
        bias: (out_features,)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Axes,
        strides: Axes | int = 1,
        *,
        padding: Padding = "VALID",
        output_padding: Axes | int = 0,
        kernel_dilation: Axes | int = 1,
        feature_group_count: int = 1,
        use_bias: bool = True,
        kernel_init: nnx.Initializer = KERNEL_INIT,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        rank = len(kernel_size)
        self.in_features = in_features
        self.out_features = out_features
        self.kernel_size = kernel_size
        self.strides = _each(strides, rank)
        self.padding = padding
        self.output_padding = _each(output_padding, rank)
        self.kernel_dilation = _each(kernel_dilation, rank)
        self.feature_group_count = feature_group_count
        self.use_bias = use_bias
        shape = (*kernel_size, out_features // feature_group_count, in_features)
        initial = kernel_init(rngs.params(), shape, param_dtype)
        self.kernel = nnx.Param(initial)
        self.bias = nnx.data(
            nnx.Param(jnp.zeros((out_features,), param_dtype)) if use_bias else None
        )

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        axes = "DHW"[-len(self.kernel_size) :]
        kernel_HWIO = self._as_convolution(self.kernel[...])
        dtype = jnp.result_type(x_NHWC, kernel_HWIO)
        y_NHWC = lax.conv_general_dilated(
            x_NHWC.astype(dtype),
            kernel_HWIO.astype(dtype),
            window_strides=(1,) * len(axes),
            padding=self._padding_of_full(),
            lhs_dilation=self.strides,  # zeros between the pixels spread them
            rhs_dilation=self.kernel_dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=self.feature_group_count,
        )
        return y_NHWC if self.bias is None else y_NHWC + self.bias[...]

    def _as_convolution(self, kernel: jax.Array) -> jax.Array:
        """The flipped kernel with in and out changed over, group by group."""
        groups = self.feature_group_count
        flipped = jnp.flip(kernel, range(len(self.kernel_size)))
        split = flipped.reshape(*kernel.shape[:-1], groups, self.in_features // groups)
        return split.swapaxes(-1, -3).reshape(*self.kernel_size, -1, self.out_features)

    def _padding_of_full(self) -> list[tuple[int, int]]:
        """Zeros at both ends (fewer than none crops): extent - 1 give the whole result."""
        extent = _extent(self.kernel_size, self.kernel_dilation)
        crop: Any = self.padding
        extra = self.output_padding
        if crop == "VALID":
            crop = ((0, 0),) * len(extent)
        elif crop == "SAME":  # to n * stride places
            totals = [k - s for k, s in zip(extent, self.strides, strict=True)]
            crop = [(max(total, 0) // 2, (max(total, 0) + 1) // 2) for total in totals]
            extra = tuple(max(-total, 0) for total in totals)
        return [
            (k - 1 - low, k - 1 - high + more)
            for k, (low, high), more in zip(extent, crop, extra, strict=True)
        ]


def _each(value: Axes | int, rank: int) -> Axes:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _extent(kernel_size: Axes, dilation: Axes | int) -> Axes:
    each = _each(dilation, len(kernel_size))
    return tuple((k - 1) * d + 1 for k, d in zip(kernel_size, each, strict=True))


# ---------------------------------------------------------------- other layers


class BatchNorm(nnx.BatchNorm):
    """``nnx.BatchNorm`` for ``rank`` spatial axes, with statistics in ``param_dtype``.

    nnx keeps the statistics in float32, which would make every output float32.

    Args:
        num_features: Channels of the input.
        rank: Number of spatial axes.
        momentum: Weight of the old batches in the running statistics.
        epsilon: What is added to the variance.
        use_scale: Whether each channel is multiplied by a number of its own.
        use_bias: Whether each channel has a number added.
        param_dtype: Of the weights and the statistics.
        rngs: What ``nnx.BatchNorm`` asks for; nothing is drawn.

    Shapes:
        x_NHWC: C is num_features
        y_NHWC: C is num_features
        scale, bias, mean, var: (num_features,)
    """

    def __init__(
        self,
        num_features: int,
        *,
        rank: int = 2,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        use_scale: bool = True,
        use_bias: bool = True,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            num_features,
            momentum=momentum,
            epsilon=epsilon,
            use_scale=use_scale,
            use_bias=use_bias,
            use_fast_variance=False,  # E[x^2] - E[x]^2 cancels catastrophically for a large mean
            param_dtype=param_dtype,
            rngs=rngs,
        )
        for statistic in (self.mean, self.var):
            statistic.set_value(statistic.get_value().astype(param_dtype))
        self.rank = rank


class Linear(nnx.Linear):
    """``nnx.Linear`` along another axis than the last, at every place of the others.

    ``nnx.LinearGeneral`` takes any axis, and has the new one last.

    Args:
        in_features: Entries of the input's axis.
        out_features: Entries of the output's.
        axis: The axis: 1 is the first behind the batch, -1 the last.
        **kwargs: What ``nnx.Linear`` takes besides: use_bias, param_dtype, rngs, ...
    """

    def __init__(self, in_features: int, out_features: int, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(in_features, out_features, **kwargs)
        self.axis = axis

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.moveaxis(super().__call__(jnp.moveaxis(x, self.axis, -1)), -1, self.axis)


class Scale(nnx.Module):
    """A factor of each channel, which starts as one.

    Args:
        num_features: Channels of the input.
        param_dtype: Of the factors.

    Shapes:
        x_NHWC: C is num_features
        y_NHWC: C is num_features
        scale: (num_features,)
    """

    def __init__(self, num_features: int, *, param_dtype: jnp.dtype = jnp.float32) -> None:
        self.num_features = num_features
        self.scale = nnx.Param(jnp.ones((num_features,), param_dtype))

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return x_NHWC * self.scale[...]


class Activation(nnx.Module):
    """A function such as ``nnx.relu`` as a layer with a name of its own.

    Args:
        function: What is called with ``x``, and with the parameters after it.
        *parameters: As in ``Activation(nnx.leaky_relu, 0.2)``, or ``Activation(nnx.gelu, False)``
            for the exact one: ``nnx.gelu`` approximates unless told.
    """

    def __init__(self, function: Callable[..., jax.Array], *parameters: float) -> None:
        self.function = function
        self.parameters = parameters

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.function(x, *self.parameters)


class Dropout(nnx.Dropout):
    """``nnx.Dropout`` of whole channels, or of whole examples.

    Args:
        rate: The share of them that is set to zero while training.
        kind: "channel" or "path", which is an example.
        rngs: What is drawn from.
    """

    def __init__(self, rate: float, *, kind: str = "channel", rngs: nnx.Rngs) -> None:
        super().__init__(rate, rngs=rngs)
        self.kind = kind

    def __call__(self, x_NHWC: jax.Array, **how: Any) -> jax.Array:
        n, *spatial, channels = x_NHWC.shape
        shape = (n, *[1] * len(spatial), channels if self.kind == "channel" else 1)
        return x_NHWC * super().__call__(jnp.ones(shape, x_NHWC.dtype), **how)


class PReLU(nnx.Module):
    """``nnx.PReLU`` with a slope for each channel, or one.

    Args:
        num_parameters: Slopes: as many as there are channels, or 1.
        param_dtype: Of the slopes.

    Shapes:
        x_NHWC: any C, or that of num_parameters
        y_NHWC: that C
        negative_slope: (num_parameters,)
    """

    def __init__(self, num_parameters: int = 1, *, param_dtype: jnp.dtype = jnp.float32) -> None:
        self.num_parameters = num_parameters
        self.negative_slope = nnx.Param(jnp.full((num_parameters,), 0.25, param_dtype))

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return jnp.where(x_NHWC >= 0, x_NHWC, self.negative_slope[...] * x_NHWC)


class Flatten(nnx.Module):
    """All values of an example on one axis, channels last: one Dense kernel fits every framework.

    Shapes:
        x_NHWC: any C
        y_NF: F is H * W * C
    """

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return x_NHWC.reshape(x_NHWC.shape[0], -1)


# ---------------------------------------------------------------- composites


class Sequential(nnx.Module):
    """Layers one after another, each an attribute under its own name.

    Args:
        layers: The layers by their names, in the order in which they run.
    """

    names: tuple[str, ...] = ()

    def __init__(self, layers: Mapping[str, Callable[[jax.Array], jax.Array]]) -> None:
        self.names = tuple(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


def add(first: jax.Array, *others: jax.Array) -> jax.Array:
    """The sum, from the left."""
    for each in others:
        first = first + each
    return first


JOINS = {"add": add}


class Add(nnx.Module):
    """The sum of values, from the left, as a layer."""

    def __call__(self, *values: jax.Array) -> jax.Array:
        return add(*values)


class Multiply(nnx.Module):
    """The product of values, from the left, as a layer."""

    def __call__(self, first: jax.Array, *others: jax.Array) -> jax.Array:
        for each in others:
            first = first * each
        return first


class Subtract(nnx.Module):
    """The first value less the second, as a layer."""

    def __call__(self, first: jax.Array, second: jax.Array) -> jax.Array:
        return first - second


class Concat(nnx.Module):
    """``jnp.concatenate`` as a layer.

    Args:
        axis: The axis: -1 is that of the channels, 1 the first spatial one.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, *values: jax.Array) -> jax.Array:
        return jnp.concatenate(values, self.axis)


class Graph(nnx.Module):
    """Named layers, and the steps that run them.

    Args:
        children: The layers by their names.
        steps: Each is the name of a value, the layer or the one of ``JOINS`` that makes it, and the
            names of the values that this takes. Of a layer that gives several, each is
            ``name.0``, or ``name.key``.
        inputs: The names of the values that the graph is called with.
        outputs: The name of what it gives, or a tuple of names, or of pairs of a key and a name;
            None is the last value.

    A residual block, for one::

        Graph(
            {"body": nnx.Conv(8, 8, (3, 3), rngs=rngs)},
            [("body", "body", ["<input>"]), ("add", "add", ["body", "<input>"])],
        )
    """

    names: tuple[str, ...] = ()
    steps: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    inputs: tuple[str, ...] = ("<input>",)
    outputs: str | tuple[str, ...] | tuple[tuple[str, str], ...] | None = None

    def __init__(
        self,
        children: Mapping[str, Callable[..., Any]],
        steps: Iterable[tuple[str, str, Iterable[str]]],
        inputs: Iterable[str] = ("<input>",),
        outputs: str | tuple[str, ...] | tuple[tuple[str, str], ...] | None = None,
    ) -> None:
        self.names = tuple(children)
        for name, child in children.items():
            setattr(self, name, child)
        self.steps = tuple((name, call, tuple(taken)) for name, call, taken in steps)
        self.inputs, self.outputs = tuple(inputs), outputs

    def __call__(self, *inputs: jax.Array) -> Any:
        values: dict[str, Any] = dict(zip(self.inputs, inputs, strict=True))
        for name, call, taken in self.steps:
            run = getattr(self, call) if call in self.names else JOINS[call]
            values |= named(name, run(*[values[each] for each in taken]))
        return gathered(values, self.steps[-1][0] if self.outputs is None else self.outputs)


def named(step: str, made: Any) -> dict[str, Any]:
    """What a step made, by the names of its values."""
    if isinstance(made, Mapping):
        return {f"{step}.{key}": value for key, value in made.items()}
    if isinstance(made, tuple | list):
        return {f"{step}.{i}": value for i, value in enumerate(made)}
    return {step: made}


def gathered(values: Mapping[str, Any], outputs: Any) -> Any:
    """The values that a graph gives: one, a tuple, or a dict of them."""
    if isinstance(outputs, str):
        return values[outputs]
    if all(isinstance(each, str) for each in outputs):
        return tuple(values[each] for each in outputs)
    return {key: values[each] for key, each in outputs}
