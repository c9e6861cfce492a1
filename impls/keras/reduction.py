"""Keras layers that make one number of many, channels-last. A page to copy from."""

from typing import Any

import keras
from keras import ops

from convparity.impls.keras.layers import registered


@registered
class Reduce(keras.layers.Layer):
    """One number of all that lie along some axes.

    Args:
        function: "mean", "sum", "max", "min", "var", "std", "norm" or "norm1".
        axes: The axes: -1 is that of the channels, 1 the first spatial one.
        keepdims: Whether each remains as an axis of size 1.
        correction: What a variance divides by is their number less this.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(
        self,
        function: str,
        axes: Any,
        keepdims: bool = False,
        correction: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function, self.axes = function, tuple(axes)
        self.keepdims, self.correction = keepdims, correction

    def call(self, x: Any) -> Any:
        how: dict[str, Any] = {"axis": self.axes, "keepdims": self.keepdims}
        match self.function:
            case "var" | "std":
                off = x - ops.mean(x, self.axes, keepdims=True)
                count = ops.sum(ops.ones_like(x), **how) - self.correction
                variance = ops.sum(off * off, **how) / count
                return variance if self.function == "var" else ops.sqrt(variance)
            case "norm":
                return ops.sqrt(ops.sum(x * x, **how))
            case "norm1":
                return ops.sum(ops.absolute(x), **how)
        plain = {"mean": ops.mean, "sum": ops.sum, "max": ops.amax, "min": ops.amin}
        return plain[self.function](x, **how)

    def compute_output_shape(self, input_shape: Any) -> Any:
        at = [axis % len(input_shape) for axis in self.axes]
        if self.keepdims:
            return tuple(1 if i in at else n for i, n in enumerate(input_shape))
        return tuple(n for i, n in enumerate(input_shape) if i not in at)

    def get_config(self) -> dict[str, Any]:
        own = {"function": self.function, "axes": self.axes}
        more = {"keepdims": self.keepdims, "correction": self.correction}
        return {**super().get_config(), **own, **more}
