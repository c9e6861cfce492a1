"""Flax NNX layers, channels-last: what ``nnx`` lacks to say every spec. A page to copy from.

``nnx.Conv`` itself knows "SAME" at any stride, (low, high) padding pairs, dilation and groups. Give
it a tuple for the kernel size: an int means *one* spatial axis, and would convolve along W only.
Shapes: x_NHWC the input, y_NHWC the output; kernels are HWIO, where I is in_features / groups.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

Padding = str | tuple[tuple[int, int], ...]


class DepthwiseConv(nnx.Conv):
    """Each channel by itself, ``depth_multiplier`` times: one group a channel."""

    def __init__(
        self,
        in_features: int,
        kernel_size: tuple[int, ...],
        strides: tuple[int, ...] | int = 1,
        *,
        padding: Padding = "VALID",
        kernel_dilation: tuple[int, ...] | int = 1,
        depth_multiplier: int = 1,
        use_bias: bool = True,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            in_features,
            in_features * depth_multiplier,
            kernel_size,
            strides,
            padding=padding,
            kernel_dilation=kernel_dilation,
            feature_group_count=in_features,
            use_bias=use_bias,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.depth_multiplier = depth_multiplier


class SeparableConv(nnx.Module):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        strides: tuple[int, ...] | int = 1,
        *,
        padding: Padding = "VALID",
        kernel_dilation: tuple[int, ...] | int = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.depthwise = DepthwiseConv(
            in_features,
            kernel_size,
            strides,
            padding=padding,
            kernel_dilation=kernel_dilation,
            depth_multiplier=depth_multiplier,
            use_bias=depthwise_bias,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.pointwise = nnx.Conv(
            in_features * depth_multiplier,
            out_features,
            (1,) * len(kernel_size),
            padding="VALID",
            use_bias=pointwise_bias,
            param_dtype=param_dtype,
            rngs=rngs,
        )

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return self.pointwise(self.depthwise(x_NHWC))


class Activation(nnx.Module):
    """A function such as ``nnx.relu`` as a layer with a name of its own."""

    def __init__(self, function: Callable[[jax.Array], jax.Array]) -> None:
        self.function = function

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.function(x)


class GlobalAvgPool(nnx.Module):
    """The mean over the spatial axes: (N, H, W, C) to (N, C)."""

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return jnp.mean(x_NHWC, axis=tuple(range(1, x_NHWC.ndim - 1)))


class Flatten(nnx.Module):
    """To (N, H * W * C)."""

    def __call__(self, x_NHWC: jax.Array) -> jax.Array:
        return x_NHWC.reshape(x_NHWC.shape[0], -1)


class Sequential(nnx.Module):
    """Layers one after another, each an attribute under its own name."""

    def __init__(self, **layers: Callable[[jax.Array], jax.Array]) -> None:
        self.names = tuple(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


class Residual(nnx.Module):
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x``."""

    def __init__(
        self,
        body: Callable[[jax.Array], jax.Array],
        shortcut: Callable[[jax.Array], jax.Array] | None = None,
    ) -> None:
        self.body = body
        self.shortcut = shortcut

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))
