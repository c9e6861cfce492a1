"""Flax norms over several axes, which ``nnx`` keeps no sizes of. A page to copy from.

Shapes: x_NHWC the input, y_NHWC the output, where H and W stand for no to three spatial axes.
"""

import math

import jax.numpy as jnp
from flax import nnx

Axes = tuple[int, ...]


def each(sizes: Axes | int) -> Axes:
    """One size an axis."""
    return (sizes,) if isinstance(sizes, int) else sizes


def unflatten(module: nnx.Module, sizes: Axes) -> None:
    """Give the parameters of a norm, which nnx keeps flat, a size for each of their axes."""
    for parameter in (module.scale, getattr(module, "bias", None)):
        if parameter is not None:
            parameter.set_value(parameter.get_value().reshape(sizes))


class LayerNorm(nnx.LayerNorm):
    """``nnx.LayerNorm`` over several axes, with parameters of as many.

    Args:
        sizes: The size of each axis; an int of one.
        axes: The axes, or the one, in ascending order: -1 is that of the channels, 1 the first
            spatial one.
        epsilon: What is added to the variance.
        use_scale: Whether each value is multiplied by a number of its place on the axes.
        use_bias: Whether such a number is added.
        param_dtype: Of the weights.
        rngs: What ``nnx.LayerNorm`` asks for; nothing is drawn.

    Shapes:
        x_NHWC: of these sizes
        y_NHWC: of the same
        scale, bias: sizes
    """

    def __init__(
        self,
        sizes: Axes | int,
        *,
        axes: Axes | int,
        epsilon: float = 1e-6,
        use_scale: bool = True,
        use_bias: bool = True,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            math.prod(each(sizes)),
            epsilon=epsilon,
            use_scale=use_scale,
            use_bias=use_bias,
            reduction_axes=axes,
            feature_axes=axes,
            use_fast_variance=False,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.sizes = each(sizes)
        unflatten(self, self.sizes)


class RMSNorm(nnx.RMSNorm):
    """``nnx.RMSNorm`` over several axes, with a scale of as many.

    Args:
        sizes, axes, use_scale, param_dtype, rngs: As in ``LayerNorm``.
        epsilon: What is added to the mean square.

    Shapes:
        x_NHWC: of these sizes
        y_NHWC: of the same
        scale: sizes
    """

    def __init__(
        self,
        sizes: Axes | int,
        *,
        axes: Axes | int,
        epsilon: float = 1e-6,
        use_scale: bool = True,
        param_dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            math.prod(each(sizes)),
            epsilon=epsilon,
            use_scale=use_scale,
            reduction_axes=axes,
            feature_axes=axes,
            use_fast_variance=False,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.sizes = each(sizes)
        unflatten(self, self.sizes)
