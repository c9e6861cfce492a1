"""Keras layers, channels-last: what ``keras.layers`` lacks to say every spec. A page to copy from.

Shapes: x_NHWC the input, y_NHWC the output; kernels are HWIO (I is in_channels / groups), those of
depthwise layers HWCM. Every class is registered, so that ``keras.saving`` writes and reads it.
"""

from typing import Any

import keras
from keras import ops

Pairs = tuple[tuple[int, int], ...]


class _AnyWindow(keras.layers.Layer):
    """Explicit padding, and stride together with dilation, for Keras's convolution layers.

    Keras has no explicit padding, and refuses or miscomputes a stride with a dilation: here the
    input is padded first, and the strided result is every s-th pixel of the unstrided one.
    """

    takes_unequal_strides = True

    def __init__(
        self,
        *args: Any,
        strides: Any = 1,
        padding: str | Pairs = "valid",
        dilation_rate: Any = 1,
        **kwargs: Any,
    ) -> None:
        strides = (strides, strides) if isinstance(strides, int) else tuple(strides)
        dilation = (dilation_rate,) * 2 if isinstance(dilation_rate, int) else tuple(dilation_rate)
        self.asked_padding = padding if isinstance(padding, str) else tuple(map(tuple, padding))
        self.asked_strides = strides
        unequal = len(set(strides)) > 1 and not self.takes_unequal_strides
        self.subsamples = unequal or (max(strides) > 1 and max(dilation) > 1)
        by_keras = isinstance(padding, str) and not self.subsamples
        super().__init__(
            *args,
            strides=1 if self.subsamples else strides,
            padding=padding if by_keras else "valid",
            dilation_rate=dilation,
            **{**kwargs, "data_format": "channels_last"},
        )
        self.pads_first = self.asked_padding != self.padding

    def pairs(self, spatial: Any) -> Any:
        """What to pad before and after each axis; TensorFlow's rule for "same"."""
        if not isinstance(self.asked_padding, str):
            return self.asked_padding
        if not self.pads_first:
            return ((0, 0),) * len(self.kernel_size)
        pairs = []
        for n, k, s, d in zip(
            spatial, self.kernel_size, self.asked_strides, self.dilation_rate, strict=True
        ):
            total = (-(-n // s) - 1) * s + (k - 1) * d + 1 - n
            total = max(total, 0) if isinstance(n, int) else ops.maximum(total, 0)
            pairs.append((total // 2, total - total // 2))
        return tuple(pairs)

    def call(self, x_NHWC: Any) -> Any:
        if self.pads_first:
            pairs = self.pairs(ops.shape(x_NHWC)[1:-1])
            x_NHWC = ops.pad(x_NHWC, ((0, 0), *pairs, (0, 0)))
        y_NHWC = super().call(x_NHWC)
        if self.subsamples:
            y_NHWC = y_NHWC[:, :: self.asked_strides[0], :: self.asked_strides[1]]
        return y_NHWC

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *spatial, channels = input_shape
        known = [0 if n is None else n for n in spatial]
        padded = [
            None if n is None else n + low + high
            for n, (low, high) in zip(spatial, self.pairs(known), strict=True)
        ]
        batch, *spatial, channels = super().compute_output_shape((batch, *padded, channels))
        if self.subsamples:
            spatial = [
                None if n is None else -(-n // s)
                for n, s in zip(spatial, self.asked_strides, strict=True)
            ]
        return (batch, *spatial, channels)

    def get_config(self) -> dict[str, Any]:
        asked = {"strides": self.asked_strides, "padding": self.asked_padding}
        return {**super().get_config(), **asked}


@keras.saving.register_keras_serializable(package="convparity")
class Conv2D(_AnyWindow, keras.layers.Conv2D):
    """``keras.layers.Conv2D`` with (low, high) padding pairs, and stride with dilation."""


@keras.saving.register_keras_serializable(package="convparity")
class DepthwiseConv2D(_AnyWindow, keras.layers.DepthwiseConv2D):
    """``keras.layers.DepthwiseConv2D`` with (low, high) padding pairs, and any stride.

    TensorFlow's depthwise kernel takes unequal strides in float32 with oneDNN only.
    """

    takes_unequal_strides = False


@keras.saving.register_keras_serializable(package="convparity")
class SeparableConv2D(keras.layers.Layer):
    """A depthwise convolution, then a pointwise (1x1) one; each with a bias of its own.

    ``keras.layers.SeparableConv2D`` has a bias after the second step only.
    """

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
        }
        self.depthwise = DepthwiseConv2D(
            kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            use_bias=depthwise_bias,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.pointwise = Conv2D(
            filters, 1, use_bias=pointwise_bias, dtype=self.dtype_policy, name="pointwise"
        )

    def build(self, input_shape: Any) -> None:
        between = self.depthwise.compute_output_shape(input_shape)
        for step, shape in ((self.depthwise, input_shape), (self.pointwise, between)):
            if not step.built:
                step.build(shape)

    def call(self, x_NHWC: Any) -> Any:
        return self.pointwise(self.depthwise(x_NHWC))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.pointwise.compute_output_shape(self.depthwise.compute_output_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}


@keras.saving.register_keras_serializable(package="convparity")
class Residual(keras.layers.Layer):
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x``."""

    def __init__(self, body: Any, shortcut: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = body
        self.shortcut = shortcut

    def build(self, input_shape: Any) -> None:
        for branch in (self.body, self.shortcut):
            if branch is not None and not branch.built:
                branch.build(input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        y = x if self.shortcut is None else self.shortcut(x, training=training)
        return self.body(x, training=training) + y

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.body.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        branches = {"body": self.body, "shortcut": self.shortcut}
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(each) for name, each in branches.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Residual":
        config = dict(config)
        for name in ("body", "shortcut"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
