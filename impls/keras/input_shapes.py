"""What the inputs of a network are known to be from its spec: how many axes, how many channels.

Keras asks for both before it makes a Functional model; sizes and the batch may be open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convparity.impls.spec import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
    Concat,
    Dense,
    Dropout,
    GroupNorm,
    Identity,
    InstanceNorm,
    Join,
    LayerNorm,
    MaxPool,
    Power,
    PReLU,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Spec,
    fold_steps,
)
from convparity.impls.spec.join import Elementwise

# layers whose output has the axes and the channels of their input, but for sizes
KEEP = (
    *(Activation, Clamp, PReLU, Dropout, Identity, Rescale, Power, Resize),
    *(BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale),
    *(MaxPool, AvgPool, AdaptiveAvgPool, AdaptiveMaxPool),
)
CHANNELS_ARE = ("in_channels", "num_features", "in_features")
InputShape = tuple[int | None, ...]


@dataclass(eq=False)
class _Axes:
    """How many spatial axes values have, which all have the same number."""

    rank: int | None = None
    like: "_Axes | None" = None

    def found(self) -> "_Axes":
        return self if self.like is None else self.like.found()

    def join(self, other: "_Axes") -> None:
        mine, theirs = self.found(), other.found()
        if mine is not theirs:
            mine.like = theirs
            theirs.rank = mine.rank if theirs.rank is None else theirs.rank


@dataclass(frozen=True)
class _Value:
    axes: _Axes
    source: int | None = None  # the input whose channels it has, unmixed


def input_shapes(spec: Composite) -> tuple[InputShape, ...] | None:
    """The shape of each input, sizes open; None where the axes or channels of one are not known."""
    channels: dict[int, int] = {}

    def visit(step: Spec, *values: _Value) -> Any:
        if isinstance(step, Composite):
            return fold_steps(step, values, lambda each, taken: visit(each.spec, *taken))
        if isinstance(step, Join):
            return _joined(step, values)
        (value,) = values
        if (said := _channels(step)) is not None and value.source is not None:
            channels.setdefault(value.source, said)
        if (rank := _rank(step)) is not None:
            value.axes.found().rank = rank
        if isinstance(step, KEEP):
            return value
        alike = hasattr(step, "in_channels") or isinstance(step, Dense)
        return _Value(value.axes if alike else _Axes())

    sources = [_Value(_Axes(), i) for i in range(len(spec.sources))]
    visit(spec, *sources)
    shapes: list[InputShape] = []
    for i, value in enumerate(sources):
        rank = value.axes.found().rank
        if rank is None or i not in channels:
            return None
        shapes.append((None,) * (rank + 1) + (channels[i],))
    return tuple(shapes)


def _joined(step: Join, values: Sequence[_Value]) -> _Value:
    """Values that meet have the same number of axes; of one channel it may stand for any."""
    if not isinstance(step, Elementwise | Concat):
        return _Value(_Axes())
    first, *others = values
    for other in others:
        first.axes.join(other.axes)
    return _Value(first.axes)


def _channels(layer: Spec) -> int | None:
    if isinstance(layer, LayerNorm | RMSNorm) and layer.axes != -1:
        return None
    said = (getattr(layer, name, None) for name in CHANNELS_ARE)
    return next((each for each in said if isinstance(each, int)), None)


def _rank(layer: Spec) -> int | None:
    """How many spatial axes a layer asks for; a norm of one takes none, too."""
    rank: int | None = getattr(layer, "rank", None)
    return None if hasattr(layer, "num_features") and rank == 1 else rank
