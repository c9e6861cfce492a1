"""Keras norms, channels-last: what ``keras.layers`` lacks to say every spec. A page to copy from.

Shapes: x_NSC the input, y_NSC the output, where S is no axis to three. Every class is registered,
so that ``keras.saving`` writes and reads it.
"""

from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered
from convparity.impls.keras.windows import Ints


@registered
class GroupNormalization(keras.layers.GroupNormalization):
    """``keras.layers.GroupNormalization`` for any number of spatial axes."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})


@registered
class InstanceNormalization(GroupNormalization):
    """A ``GroupNormalization`` with a group for each channel.

    Args:
        epsilon: What is added to the variance.
        center: Whether each channel has a number added.
        scale: Whether each channel is multiplied by a number of its own.
        **kwargs: What ``keras.layers.GroupNormalization`` takes besides.

    Shapes:
        x_NSC: any C
        y_NSC: that C
        gamma, beta: (C,)
    """

    def __init__(
        self, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **kwargs: Any
    ) -> None:
        kwargs = {**kwargs, "groups": -1, "axis": -1}
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)


@registered
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization`` for inputs with a spatial axis, and for those without."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = keras.InputSpec(min_ndim=2, max_ndim=3, axes={-1: input_shape[-1]})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        self._reduction_axes = list(range(len(inputs.shape) - 1))
        return super().call(inputs, training=training, mask=mask)


class _OverAxes(keras.layers.Layer):
    """What a layer norm and a norm by the root mean square share: any axes, of known sizes.

    Args:
        sizes: The size of each axis.
        axis: The axes, in ascending order: -1 is that of the channels, 1 the first spatial one.
        epsilon: What is added to the variance, or to the mean square.
        scale: Whether each value is multiplied by a number of its place on the axes.
        center: Whether such a number is added.
        gamma_initializer: What makes the scale.
        beta_initializer: What makes the offset.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    subtracts: bool

    def __init__(
        self,
        sizes: Any,
        axis: Any = -1,
        epsilon: float = 1e-3,
        scale: bool = True,
        center: bool = True,
        gamma_initializer: Any = "ones",
        beta_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes, self.axis = _ints(sizes), _ints(axis)
        self.epsilon, self.scale, self.center = epsilon, scale, center
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_initializer = keras.initializers.get(beta_initializer)

    def build(self, input_shape: Any) -> None:
        def parameter(name: str, initializer: Any) -> Any:
            return self.add_weight(name=name, shape=self.sizes, initializer=initializer)

        self.gamma = parameter("gamma", self.gamma_initializer) if self.scale else None
        self.beta = parameter("beta", self.beta_initializer) if self.center else None

    def call(self, x_NSC: Any) -> Any:
        axes = [axis % len(x_NSC.shape) for axis in self.axis]
        meets = [1] * len(x_NSC.shape)
        for axis, size in zip(axes, self.sizes, strict=True):
            meets[axis] = size
        wide = keras.backend.result_type(x_NSC.dtype, "float32")  # squares may overflow in 16 bits
        y_NSC = ops.cast(x_NSC, wide)
        if self.subtracts:
            y_NSC = y_NSC - ops.mean(y_NSC, axis=axes, keepdims=True)
        squares = ops.mean(ops.square(y_NSC), axis=axes, keepdims=True)
        y_NSC = y_NSC * ops.rsqrt(squares + self.epsilon)
        if self.scale:
            y_NSC = y_NSC * ops.cast(ops.reshape(self.gamma, meets), wide)
        if self.center:
            y_NSC = y_NSC + ops.cast(ops.reshape(self.beta, meets), wide)
        return ops.cast(y_NSC, x_NSC.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sizes": self.sizes,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "scale": self.scale,
            "center": self.center,
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
        }


def _ints(given: Any) -> Ints:
    return (given,) if isinstance(given, int) else tuple(given)


@registered
class LayerNormalization(_OverAxes):
    """``keras.layers.LayerNormalization`` over axes of known sizes, whatever the input's rank.

    Shapes:
        x_NSC: of these sizes
        y_NSC: of the same
        gamma, beta: sizes
    """

    subtracts = True


@registered
class RMSNormalization(_OverAxes):
    """``keras.layers.RMSNormalization`` over axes of known sizes, with a scale or without.

    Shapes:
        x_NSC: of these sizes
        y_NSC: of the same
        gamma: sizes
    """

    subtracts = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "center": False})
