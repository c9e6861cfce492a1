"""Keras layers, channels-last: what ``keras.layers`` lacks to say every spec. A page to copy from.

Shapes: x_NSC the input, y_NSC the output, where S is one axis, two or three; kernels are SIO (I is
in_channels / groups), those of depthwise layers SCM, of transposed ones SOI (O is out_channels /
groups). Every class is registered, so that ``keras.saving`` writes and reads it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from convparity.impls.keras.windows import (
    Ints,
    Pairs,
    convolve,
    extent_of,
    fit,
    named_or_pairs,
    pad,
    per_axis,
    windows_shape,
    without_examples,
)

registered = keras.saving.register_keras_serializable(package="convparity")


# ---------------------------------------------------------------- convolutions


class AnyWindow(keras.layers.Layer):
    """Any padding, and stride together with dilation, for Keras's convolution layers.

    Keras has no explicit padding and no padding modes, and refuses or miscomputes a stride with a
    dilation: here the input is padded first, and the strided result is every s-th pixel of the
    unstrided one.

    Args:
        *args: What the class of ``keras.layers`` takes: filters (channels of the output),
            kernel_size (taps along each spatial axis).
        strides: Pixels from one window to the next; an int stands for every axis, here and below.
        padding: "valid", "same" (at any stride), "causal" (rank 1) or a (low, high) pair an axis.
        dilation_rate: Pixels from one tap to the next.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        algorithm: "auto", or "native" for Keras's own on every backend.
        **kwargs: What the class of ``keras.layers`` takes besides: groups, use_bias, ...

    Shapes:
        x_NSC: any C
        y_NSO: O is filters, or of a depthwise layer C * depth_multiplier
        kernel: SIO, or of a depthwise layer SCM, where M is depth_multiplier
        bias: (O,)
    """

    takes_unequal_strides = True

    def __init__(
        self,
        *args: Any,
        strides: Any = 1,
        padding: str | Pairs = "valid",
        dilation_rate: Any = 1,
        padding_mode: str = "zeros",
        algorithm: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args,
            strides=1,
            padding="valid",
            dilation_rate=dilation_rate,
            **{**kwargs, "data_format": "channels_last"},
        )
        rank = len(self.kernel_size)
        self.requested_strides = per_axis(strides, rank)
        self.requested_padding = named_or_pairs(padding, rank)
        self.padding_mode = padding_mode
        self.algorithm = algorithm  # or "native": Keras's own on every backend
        self.extent = extent_of(self.kernel_size, self.dilation_rate)
        self.unequal = len(set(self.requested_strides)) > 1
        dilated = max(self.requested_strides) > 1 and max(self.dilation_rate) > 1
        self.subsamples = dilated or (self.unequal and not self.takes_unequal_strides)
        if not self.subsamples:
            self.strides = self.requested_strides
            if self.requested_padding == "same" and padding_mode == "zeros":
                self.padding = "same"

    @property
    def pads_first(self) -> bool:
        return bool(self.requested_padding != self.padding)

    def build(self, input_shape: Any) -> None:
        if self.unequal and input_shape[-1] == 1:
            # TensorFlow 2.21 with oneDNN: a batch of one channel, one column wide at the end, with
            # unequal strides, has uninitialised memory in its other rows
            self.subsamples, self.strides, self.padding = True, (1,) * len(self.strides), "valid"
        super().build(input_shape)

    def call(self, x_NSC: Any) -> Any:
        if (empty := without_examples(self, x_NSC)) is not None:
            return empty
        x_NSC, pairs = fit(x_NSC, self.requested_padding, self.extent, self.requested_strides)
        if self.pads_first:
            x_NSC = pad(x_NSC, pairs, self.padding_mode)
        by_jax = self.algorithm == "auto" and keras.backend.backend() == "jax"
        y_NSC = self.by_jax(x_NSC) if by_jax else self.by_keras(x_NSC)
        if self.subsamples:
            y_NSC = y_NSC[(slice(None), *(slice(None, None, s) for s in self.requested_strides))]
        return y_NSC

    def by_keras(self, x_NSC: Any) -> Any:
        """What the layer computes, by Keras's own operations."""
        if getattr(self, "groups", 1) == 1:
            return super().call(x_NSC)
        strides, dilation = (
            per_axis(each, len(self.kernel_size)) for each in (self.strides, self.dilation_rate)
        )
        return self.finished(convolve(x_NSC, self.kernel, strides, self.padding, dilation))

    def by_jax(self, x_NSC: Any) -> Any:
        """What the layer computes, by the algorithms that are faster than XLA's on a CPU."""
        from convparity.impls import xla_algorithms  # another backend may have no JAX

        rank, channels = len(self.kernel_size), x_NSC.shape[-1]
        kernel_SIO, groups = ops.convert_to_tensor(self.kernel), getattr(self, "groups", 1)
        if hasattr(self, "depth_multiplier"):  # (*kernel_size, channels, multiplier)
            kernel_SIO, groups = ops.reshape(kernel_SIO, (*self.kernel_size, 1, -1)), channels
        axes = "DHW"[-rank:]
        y_NSO = xla_algorithms.conv_general_dilated(
            x_NSC,
            kernel_SIO,
            per_axis(self.strides, rank),
            self.padding.upper(),
            rhs_dilation=per_axis(self.dilation_rate, rank),
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=groups,
        )
        return self.finished(y_NSO)

    def finished(self, y_NSO: Any) -> Any:
        """With the bias, and the activation if there is one."""
        if self.use_bias:
            y_NSO = y_NSO + ops.convert_to_tensor(self.bias)
        activation = getattr(self, "activation", None)
        return y_NSO if activation is None else activation(y_NSO)

    def compute_output_shape(self, input_shape: Any) -> Any:
        open_sizes = (None,) * (len(input_shape) - 1)
        *_, channels = super().compute_output_shape((*open_sizes, input_shape[-1]))
        return windows_shape(
            self.requested_padding, input_shape, self.extent, self.requested_strides, channels
        )

    def get_config(self) -> dict[str, Any]:
        asked = {
            "strides": self.requested_strides,
            "padding": self.requested_padding,
            "padding_mode": self.padding_mode,
            "algorithm": self.algorithm,
        }
        return {**super().get_config(), **asked}


@registered
class Conv1D(AnyWindow, keras.layers.Conv1D):
    """``keras.layers.Conv1D`` with any padding, and stride with dilation."""


@registered
class Conv2D(AnyWindow, keras.layers.Conv2D):
    """``keras.layers.Conv2D`` with any padding, and stride with dilation."""


@registered
class Conv3D(AnyWindow, keras.layers.Conv3D):
    """``keras.layers.Conv3D`` with any padding, and stride with dilation."""


@registered
class DepthwiseConv1D(AnyWindow, keras.layers.DepthwiseConv1D):
    """``keras.layers.DepthwiseConv1D`` with any padding."""


@registered
class DepthwiseConv2D(AnyWindow, keras.layers.DepthwiseConv2D):
    """``keras.layers.DepthwiseConv2D`` with any padding, and any stride.

    TensorFlow's depthwise kernel takes unequal strides in float32 with oneDNN only.
    """

    takes_unequal_strides = False


class _OwnKernel(keras.layers.Layer):
    """A layer with a kernel and a bias of its own making.

    Args:
        kernel_size: Taps along each spatial axis; an int stands for every axis.
        use_bias: Whether a number is added to each output channel.
        kernel_initializer: What makes the kernel.
        bias_initializer: What makes the bias.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    rank: int

    def __init__(
        self,
        kernel_size: Any,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = per_axis(kernel_size, self.rank)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def add_kernel(self, in_channels: int, shape: Ints, out_channels: int) -> None:
        self.input_spec = keras.InputSpec(ndim=self.rank + 2, axes={-1: in_channels})
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(out_channels,), initializer=self.bias_initializer
            )

    def add_bias(self, y_NSC: Any) -> Any:
        return y_NSC if self.bias is None else y_NSC + ops.convert_to_tensor(self.bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


class _Depthwise3D(_OwnKernel):
    """What ``keras.layers.DepthwiseConv3D`` would be.

    Args:
        kernel_size, strides, padding, depth_multiplier: As in ``keras.layers.DepthwiseConv2D``.
        data_format: Always "channels_last".
        dilation_rate: Pixels from one tap to the next.
        **kwargs: As in ``_OwnKernel``.
    """

    rank = 3

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, **kwargs)
        self.strides, self.padding, self.data_format = per_axis(strides, 3), padding, data_format
        self.dilation_rate = per_axis(dilation_rate, 3)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        channels, multiplier = input_shape[-1], self.depth_multiplier
        shape = (*self.kernel_size, channels, multiplier)
        self.add_kernel(channels, shape, channels * multiplier)

    def call(self, x_NSC: Any) -> Any:
        kernel_S1O = ops.reshape(self.kernel, (*self.kernel_size, 1, -1))
        y_NSC = convolve(x_NSC, kernel_S1O, self.strides, self.padding, self.dilation_rate)
        return self.add_bias(y_NSC)

    def compute_output_shape(self, input_shape: Any) -> Any:
        extent = extent_of(self.kernel_size, self.dilation_rate)
        channels = input_shape[-1] * self.depth_multiplier
        return windows_shape(self.padding, input_shape, extent, self.strides, channels)

    def get_config(self) -> dict[str, Any]:
        own = {"depth_multiplier": self.depth_multiplier, "dilation_rate": self.dilation_rate}
        return {**super().get_config(), **own}


@registered
class DepthwiseConv3D(AnyWindow, _Depthwise3D):
    """The depthwise convolution that Keras lacks: a grouped one, with a group for each channel.

    The kernel is laid out as in ``DepthwiseConv2D``: ``(*kernel_size, channels, multiplier)``.
    """


class _SeparableConv(keras.layers.Layer):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels.

    ``keras.layers.SeparableConv2D`` has a bias after the second step only.

    Args:
        filters: Channels of the output.
        kernel_size, strides, padding, dilation_rate, padding_mode: Of the first step, as in
            ``AnyWindow``.
        depth_multiplier: Channels that the first step makes of each input channel.
        depthwise_bias: Whether the first step adds a number to each of its channels.
        pointwise_bias: Whether the second step adds a number to each output channel.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSO: O is filters
    """

    steps: tuple[type, type]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str | Pairs = "valid",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
        padding_mode: str = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = {
            "filters": filters,
            "kernel_size": kernel_size,
            "strides": strides,
            "padding": padding,
            "dilation_rate": dilation_rate,
            "depth_multiplier": depth_multiplier,
            "depthwise_bias": depthwise_bias,
            "pointwise_bias": pointwise_bias,
            "padding_mode": padding_mode,
        }
        depthwise, pointwise = self.steps
        self.depthwise = depthwise(
            kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            use_bias=depthwise_bias,
            padding_mode=padding_mode,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.pointwise = pointwise(
            filters, 1, use_bias=pointwise_bias, dtype=self.dtype_policy, name="pointwise"
        )

    def build(self, input_shape: Any) -> None:
        between = self.depthwise.compute_output_shape(input_shape)
        for step, shape in ((self.depthwise, input_shape), (self.pointwise, between)):
            if not step.built:
                step.build(shape)

    def call(self, x_NSC: Any) -> Any:
        return self.pointwise(self.depthwise(x_NSC))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.pointwise.compute_output_shape(self.depthwise.compute_output_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}


@registered
class SeparableConv1D(_SeparableConv):
    """A depthwise, then a pointwise convolution over one axis."""

    steps = (DepthwiseConv1D, Conv1D)


@registered
class SeparableConv2D(_SeparableConv):
    """A depthwise, then a pointwise convolution over two axes."""

    steps = (DepthwiseConv2D, Conv2D)


@registered
class SeparableConv3D(_SeparableConv):
    """A depthwise, then a pointwise convolution over three axes."""

    steps = (DepthwiseConv3D, Conv3D)


def spread(x_NSC: Any, steps: Ints) -> Any:
    """Each pixel followed by zeros, ``steps`` pixels in all along each axis."""
    for axis, step in enumerate(steps, start=1):
        if step > 1:
            shape = list(ops.shape(x_NSC))
            split = ops.expand_dims(x_NSC, axis + 1)
            beside = [(0, step - 1) if each == axis + 1 else (0, 0) for each in range(split.ndim)]
            shape[axis] = shape[axis] * step
            x_NSC = ops.reshape(ops.pad(split, beside), shape)
    return x_NSC


class _ConvTranspose(_OwnKernel):
    """The transpose of a convolution, cropped by ``padding`` as PyTorch does it.

    ``keras.layers.Conv2DTranspose`` has no groups, no explicit crop and no stride with dilation,
    and another idea of output padding; its "same" with an even kernel aborts on TensorFlow.

    Args:
        filters: Channels of the output.
        kernel_size: Taps along each spatial axis; an int stands for every axis, here and below.
        strides: Pixels of the output from one pixel of the input to the next.
        padding: What is cut off the ends: "valid" (nothing), "same" (n * stride pixels remain) or a
            (low, high) pair an axis.
        output_padding: Pixels added at the end of each axis.
        dilation_rate: Pixels from one tap to the next.
        groups: Blocks of channels that do not see each other.
        **kwargs: As in ``_OwnKernel``.

    Shapes:
        x_NSC: any C
        y_NSO: O is filters
        kernel: (*kernel_size, filters / groups, C)
        bias: (filters,)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str | Pairs = "valid",
        output_padding: Any = 0,
        dilation_rate: Any = 1,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, **kwargs)
        self.filters, self.groups = filters, groups
        self.strides = per_axis(strides, self.rank)
        self.padding = named_or_pairs(padding, self.rank)
        self.output_padding = per_axis(output_padding, self.rank)
        self.dilation_rate = per_axis(dilation_rate, self.rank)
        self.extent = extent_of(self.kernel_size, self.dilation_rate)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        shape = (*self.kernel_size, self.filters // self.groups, channels)
        self.add_kernel(channels, shape, self.filters)

    def crops(self) -> Pairs:
        """What to cut off the whole result, low and high; below 0, what to add."""
        if self.padding == "same":  # n * strides remain
            over = [k - s for k, s in zip(self.extent, self.strides, strict=True)]
            return tuple((max(o, 0) // 2, o - max(o, 0) // 2) for o in over)
        pairs: Any = ((0, 0),) * self.rank if self.padding == "valid" else self.padding
        extra = self.output_padding
        return tuple((low, high - e) for (low, high), e in zip(pairs, extra, strict=True))

    def call(self, x_NSC: Any) -> Any:
        if (empty := without_examples(self, x_NSC)) is not None:
            return empty
        self.compute_output_shape(x_NSC.shape)  # raises where nothing is left
        native = self.groups == 1 and max(self.dilation_rate) == 1
        return self.add_bias(self.by_keras(x_NSC) if native else self.by_convolution(x_NSC))

    def by_keras(self, x_NSC: Any) -> Any:
        """Keras's own, whole; then the crop."""
        y_NSC = ops.conv_transpose(
            x_NSC, self.kernel, self.strides, "valid", data_format="channels_last"
        )
        # a kernel smaller than its stride leaves strides - extent zeros at Keras's end
        zeros = [max(s - k, 0) for k, s in zip(self.extent, self.strides, strict=True)]
        ends = [(low, high + z) for (low, high), z in zip(self.crops(), zeros, strict=True)]
        return self.cropped(y_NSC, ends)

    def by_convolution(self, x_NSC: Any) -> Any:
        """Zeros between the pixels and around them, then a convolution with the flipped kernel."""
        ends = [
            (low - (k - 1), high - (k - s))
            for (low, high), k, s in zip(self.crops(), self.extent, self.strides, strict=True)
        ]
        x_NSC = self.cropped(spread(x_NSC, self.strides), ends)
        *kernel_size, each_out, channels = self.kernel.shape
        by_group = (*kernel_size, each_out, self.groups, channels // self.groups)
        kernel_SOGI = ops.reshape(self.kernel, by_group)
        for axis in range(self.rank):  # before Keras 3.14, one axis at a time
            kernel_SOGI = ops.flip(kernel_SOGI, axis)
        kernel_SIGO = ops.swapaxes(kernel_SOGI, -1, -3)
        kernel_SIO = ops.reshape(kernel_SIGO, (*kernel_size, -1, self.filters))
        return convolve(x_NSC, kernel_SIO, (1,) * self.rank, "valid", self.dilation_rate)

    @staticmethod
    def cropped(x_NSC: Any, ends: Any) -> Any:
        """Cut (low, high) pixels off each axis; where it is below 0, add zeros."""
        kept = (slice(max(low, 0), -high if high > 0 else None) for low, high in ends)
        added = ((max(-low, 0), max(-high, 0)) for low, high in ends)
        return ops.pad(x_NSC[(slice(None), *kept)], ((0, 0), *added, (0, 0)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes: list[int | None] = []
        for n, k, s, (low, high) in zip(
            input_shape[1:-1], self.extent, self.strides, self.crops(), strict=True
        ):
            size = None if n is None else (n - 1) * s + k - low - high
            if size is not None and size < 1:
                raise ValueError(f"nothing is left of {n} pixels, cropped by {low} and {high}")
            sizes.append(size)
        return (input_shape[0], *sizes, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
        }


@registered
class Conv1DTranspose(_ConvTranspose):
    """The transpose of a convolution over one axis."""

    rank = 1


@registered
class Conv2DTranspose(_ConvTranspose):
    """The transpose of a convolution over two axes."""

    rank = 2


@registered
class Conv3DTranspose(_ConvTranspose):
    """The transpose of a convolution over three axes."""

    rank = 3


# ---------------------------------------------------------------- other layers


@registered
class Dense(keras.layers.Dense):
    """``keras.layers.Dense`` along another axis than the last, at every place of the others.

    ``keras.layers.EinsumDense`` says it, too, of a known number of axes.

    Args:
        units: Entries of the output's axis.
        axis: The axis: 1 is the first behind the batch, -1 the last.
        **kwargs: What ``keras.layers.Dense`` takes besides.
    """

    def __init__(self, units: int, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        super().build((None, input_shape[self.axis]))
        self.input_spec = None  # it says the last axis

    def call(self, x: Any, training: bool | None = None) -> Any:
        made = super().call(ops.moveaxis(x, self.axis, -1), training=training)
        return ops.moveaxis(made, -1, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        at = self.axis % len(input_shape)
        return (*input_shape[:at], self.units, *input_shape[at + 1 :])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@registered
class Scale(keras.layers.Layer):
    """A factor of each channel, which starts as one.

    Args:
        gamma_initializer: What makes the factors.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    Shapes:
        x_NSC: any C
        y_NSC: that C
        gamma: (C,)
    """

    def __init__(self, gamma_initializer: Any = "ones", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: channels})
        self.gamma = self.add_weight(
            name="gamma", shape=(channels,), initializer=self.gamma_initializer
        )

    def call(self, x_NSC: Any) -> Any:
        return x_NSC * ops.convert_to_tensor(self.gamma)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"gamma_initializer": keras.initializers.serialize(self.gamma_initializer)}
        return {**super().get_config(), **own}


@registered
class Dropout(keras.layers.Dropout):
    """``keras.layers.Dropout`` of whole channels, or of whole examples.

    Args:
        rate: The share of them that is set to zero while training.
        kind: "channel" or "path", which is an example.
        **kwargs: What ``keras.layers.Dropout`` takes besides.
    """

    def __init__(self, rate: float, kind: str = "channel", **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.kind = kind

    def call(self, x_NSC: Any, training: bool = False) -> Any:
        if not training:
            return x_NSC
        ones = ops.ones_like(x_NSC)[(slice(None), *[slice(1)] * (len(x_NSC.shape) - 2))]
        return x_NSC * super().call(
            ones if self.kind == "channel" else ones[..., :1], training=True
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


@registered
def gelu_tanh(x: Any) -> Any:
    """GELU's approximation by tanh; the activation called "gelu" in Keras is the exact one."""
    return keras.activations.gelu(x, approximate=True)


@registered
class LeakyReLU(keras.layers.LeakyReLU):
    """``keras.layers.LeakyReLU`` that keeps its slope when TensorFlow fuses it.

    In a graph, TensorFlow 2.21 fuses convolution, bias, addition and leaky ReLU into one kernel,
    which then computes with its default slope of 0.2. A selection is not fused.
    """

    def call(self, x: Any) -> Any:
        return ops.where(x >= 0, x, self.negative_slope * x)


# ---------------------------------------------------------------- composites


def add(first: Any, *others: Any) -> Any:
    """The sum, from the left."""
    for each in others:
        first = first + each
    return first


JOINS = {"add": add}
MERGES = tuple(  # Keras's own layers that take a list, even of one value
    getattr(keras.layers, name)
    for name in ("Add", "Multiply", "Subtract", "Concatenate", "Maximum", "Minimum", "Average")
)
JOINED_SHAPES = {"add": lambda first, *others: first}  # of the shapes of what they take


@registered
class Graph(keras.layers.Layer):
    """Named layers, and the steps that run them.

    Args:
        children: The layers by their names.
        steps: Each is the name of a value, the layer or the one of ``JOINS`` that makes it, and the
            names of the values that this takes. Of a layer that gives several, each is
            ``name.0``, or ``name.key``.
        inputs: The names of the values that the graph is called with: of several, a list.
        outputs: The name of what it gives, or a tuple of names, or of pairs of a key and a name;
            None is the last value.
        **kwargs: What every layer of Keras takes: name, dtype, ...

    A residual block, for one::

        Graph(
            {"body": keras.layers.Conv2D(8, 3, padding="same")},
            [("body", "body", ["<input>"]), ("add", "add", ["body", "<input>"])],
        )
    """

    def __init__(
        self,
        children: Mapping[str, Any],
        steps: Any,
        inputs: Iterable[str] = ("<input>",),
        outputs: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.children = dict(children)
        self.steps = tuple((name, call, tuple(taken)) for name, call, taken in steps)
        self.sources = tuple(inputs)
        if outputs is not None and not isinstance(outputs, str):
            outputs = tuple(each if isinstance(each, str) else tuple(each) for each in outputs)
        self.results = outputs

    def run(self, x: Any, layer: Callable[..., Any], joins: Mapping[str, Any]) -> Any:
        """What the steps make of ``x``: inputs, or the shapes of them."""
        one = len(self.sources) == 1
        values: dict[str, Any] = dict(zip(self.sources, [x] if one else x, strict=True))
        for name, call, inputs in self.steps:
            taken = [values[each] for each in inputs]
            if call in self.children:
                child = self.children[call]
                alone = len(taken) == 1 and not isinstance(child, MERGES)
                made = layer(child, taken[0] if alone else taken)
            else:
                made = joins[call](*taken)
            values |= named(name, made)
        return gathered(values, self.steps[-1][0] if self.results is None else self.results)

    def build(self, input_shape: Any) -> None:
        def built(layer: Any, shape: Any) -> Any:
            if not layer.built:
                layer.build(shape)
            return layer.compute_output_shape(shape)

        self.run(input_shape, built, JOINED_SHAPES)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.run(x, lambda layer, value: layer(value, training=training), JOINS)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.run(
            input_shape, lambda layer, shape: layer.compute_output_shape(shape), JOINED_SHAPES
        )

    def get_config(self) -> dict[str, Any]:
        children = {
            name: keras.saving.serialize_keras_object(child)
            for name, child in self.children.items()
        }
        steps = [[name, call, list(inputs)] for name, call, inputs in self.steps]
        wiring = {"steps": steps, "inputs": list(self.sources), "outputs": self.results}
        return {**super().get_config(), "children": children, **wiring}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Graph":
        children = {
            name: keras.saving.deserialize_keras_object(child)
            for name, child in config["children"].items()
        }
        return cls(**{**config, "children": children})


def named(step: str, made: Any) -> dict[str, Any]:
    """What a step made, by the names of its values; a shape is one value."""
    if isinstance(made, Mapping):
        return {f"{step}.{key}": value for key, value in made.items()}
    if isinstance(made, tuple | list) and not all(n is None or isinstance(n, int) for n in made):
        return {f"{step}.{i}": value for i, value in enumerate(made)}
    return {step: made}


def gathered(values: Mapping[str, Any], outputs: Any) -> Any:
    """The values that a graph gives: one, a tuple, or a dict of them."""
    if isinstance(outputs, str):
        return values[outputs]
    if all(isinstance(each, str) for each in outputs):
        return tuple(values[each] for each in outputs)
    return {key: values[each] for key, each in outputs}
