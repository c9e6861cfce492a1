"""Keras layers that move values and compute nothing, channels-last. A page to copy from."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import ops

from convparity.impls.axis_patterns import axes, moves
from convparity.impls.keras.layers import registered
from convparity.impls.keras.windows import Pairs, pad


@registered
class Slice(keras.layers.Layer):
    """Every ``step``-th entry of a range of an axis.

    Args:
        axis: The axis: -1 is that of the channels, 1 the first spatial one.
        start: The first entry; a negative one counts from the end.
        stop: The entry behind the last; a negative one counts from the end, None is the end.
        step: From one entry to the next.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(
        self, axis: int, start: int = 0, stop: int | None = None, step: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.start, self.stop, self.step = axis, start, stop, step

    def call(self, x: Any) -> Any:
        before = (slice(None),) * (self.axis % len(x.shape))
        return x[(*before, slice(self.start, self.stop, self.step))]

    def compute_output_shape(self, input_shape: Any) -> Any:
        at = self.axis % len(input_shape)
        size = input_shape[at]
        if size is not None:
            size = len(range(*slice(self.start, self.stop, self.step).indices(size)))
        return (*input_shape[:at], size, *input_shape[at + 1 :])

    def get_config(self) -> dict[str, Any]:
        own = {"axis": self.axis, "start": self.start, "stop": self.stop, "step": self.step}
        return {**super().get_config(), **own}


@registered
class Rearrange(keras.layers.Layer):
    """A reshape and permute in the language of einops; the batch, and any size, may be open.

    Args:
        pattern: The axes before and after: "n h w (g c) -> n h w (c g)".
        sizes: The sizes of factors that cannot be inferred: {"g": 4}.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(
        self,
        pattern: str,
        sizes: Mapping[str, int] | Iterable[tuple[str, int]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pattern, self.sizes = pattern, tuple(sorted(dict(sizes).items()))

    def call(self, x: Any) -> Any:
        split, order, merged = moves(*axes(self.pattern, len(x.shape)), ops.shape(x), self.sizes)
        return ops.reshape(ops.transpose(ops.reshape(x, split), order), merged)

    def compute_output_shape(self, input_shape: Any) -> Any:
        # whatever is multiplied with an open size, or divided by one, is open
        sizes = [math.nan if size is None else size for size in input_shape]
        _, _, merged = moves(*axes(self.pattern, len(sizes)), sizes, self.sizes)
        return tuple(None if math.isnan(size) else size for size in merged)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pattern": self.pattern, "sizes": self.sizes}


@registered
class Pad(keras.layers.Layer):
    """Pixels around the spatial axes, by any amount; a negative number crops first.

    Args:
        pads: One (low, high) pair a spatial axis.
        mode: "zeros" (or another value), "reflect", "replicate" or "circular".
        value: What "zeros" fills with.
        channels: The (low, high) pair of the channels, for "zeros" alone.
        **kwargs: What every layer of Keras takes: name, dtype, ...
    """

    def __init__(
        self,
        pads: Pairs,
        mode: str = "zeros",
        value: float = 0.0,
        channels: tuple[int, int] = (0, 0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pads = tuple((low, high) for low, high in pads)
        self.mode, self.value, self.channels = mode, value, tuple(channels)

    def call(self, x_NSC: Any) -> Any:
        ends = (*self.pads, self.channels)
        kept = (slice(max(-low, 0), min(high, 0) or None) for low, high in ends)
        x_NSC = x_NSC[(slice(None), *kept)]
        pairs = tuple((max(low, 0), max(high, 0)) for low, high in ends)
        if self.mode == "zeros":
            return ops.pad(x_NSC, ((0, 0), *pairs), constant_values=self.value)
        return pad(x_NSC, pairs[:-1], self.mode)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *axes = input_shape
        sizes = (
            None if n is None else low + n + high
            for n, (low, high) in zip(axes, (*self.pads, self.channels), strict=True)
        )
        return (batch, *sizes)

    def get_config(self) -> dict[str, Any]:
        own = {"pads": self.pads, "mode": self.mode, "value": self.value}
        return {**super().get_config(), **own, "channels": self.channels}
