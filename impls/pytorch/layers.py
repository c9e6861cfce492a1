"""PyTorch layers, channels-first: what ``torch.nn`` lacks to say every spec. A page to copy from.

Shapes: x_NCS the input, y_NCS the output, S one to three spatial axes (L, HW or DHW). What torch
can pad by itself, zeros on both sides alike, is left to it; all other padding comes first, and a
layer shows it as ``pad_first``.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}  # by the number of spatial axes

# ---------------------------------------------------------------- padding


def per_axis(value: int | Ints, rank: int) -> Ints:
    """One int a spatial axis; a scalar stands for all of them."""
    return (value,) * rank if isinstance(value, int) else value


def pairs_for(
    x_NCS: Tensor, padding: str | Pairs, kernel_size: Ints, stride: Ints, dilation: Ints
) -> Pairs:
    """The (low, high) pads of each spatial axis.

    "same" is TensorFlow's: ceil(n / stride) outputs, and the odd pixel of padding at the end.
    ``nn.Conv2d(padding="same")`` refuses strides; ``padding=k // 2`` gives the same shape and, at
    stride 2 on an even size, other values. "causal" lets no output see a later input.
    """
    if not isinstance(padding, str):
        return padding
    pairs = []
    for n, k, s, d in zip(x_NCS.shape[2:], kernel_size, stride, dilation, strict=True):
        extent = (k - 1) * d + 1
        total = max((-(-n // s) - 1) * s + extent - n, 0)
        ways = {
            "valid": (0, 0),
            "same": (total // 2, total - total // 2),
            "causal": (extent - 1, 0),
        }
        pairs.append(ways[padding])
    return tuple(pairs)


def both_sides(padding: str | Pairs) -> int | Ints | None:
    """The padding as ``torch.nn`` takes it, if it can be said without knowing the input's size."""
    if padding == "valid":
        return 0
    if isinstance(padding, str) or any(low != high for low, high in padding):
        return None
    return tuple(low for low, _ in padding)


def pad(x_NCS: Tensor, pairs: Pairs, mode: str = "zeros", value: float = 0.0) -> Tensor:
    """``F.pad`` in (low, high) pairs, by any amount.

    torch reflects n - 1 pixels at most and wraps around once at most. An end that was padded by
    all of these continues the pattern, so that it can be padded again.
    """
    if not torch.compiler.is_compiling() and not any(map(any, pairs)):
        return x_NCS  # F.pad would copy it; a compiler knows better, with sizes still unknown
    while mode in ("reflect", "circular"):
        sizes = [n - (mode == "reflect") for n in x_NCS.shape[2:]]
        whole = [
            tuple(most if amount > most else 0 for amount in pair)
            for most, pair in zip(sizes, pairs, strict=True)
        ]
        if not any(map(any, whole)):
            break
        x_NCS = F.pad(x_NCS, _from_last(whole), mode)
        pairs = tuple((low - a, high - b) for (low, high), (a, b) in zip(pairs, whole, strict=True))
    return F.pad(x_NCS, _from_last(pairs), "constant" if mode == "zeros" else mode, value)


def _from_last(pairs: Any) -> list[int]:
    return [n for pair in reversed(pairs) for n in pair]  # F.pad counts the axes from the last one


class PadsFirst(nn.Module):
    """A layer of ``torch.nn`` with paddings that torch cannot do, in ``pad_first``."""

    pad_first: str | Pairs | None = None  # None: torch pads

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        return shown if self.pad_first is None else f"{shown}, pad_first={self.pad_first}"


# ---------------------------------------------------------------- convolutions


PICTURE = 4  # channels of an image, at most: to lay it out anew costs next to nothing
SMALL = 28 * 28  # pixels up to which a depthwise convolution is as fast channels first


def fastest_format(x_NCS: Tensor, groups: int) -> Tensor:
    """The same images, channels last in memory where that was measured to pay.

    On a CPU in float32 a depthwise convolution is then up to 15 times as fast and a regular one up
    to 1.5 times, which pays for laying out pictures anew, but seldom for more channels. What
    follows keeps the format, so that a network pays for it once, at its input; but its output
    can be reshaped, not viewed: ``y.flatten(1)`` works, ``y.view(len(y), -1)`` fails.
    """
    if x_NCS.ndim != 4 or x_NCS.device.type != "cpu" or x_NCS.dtype != torch.float32:
        return x_NCS
    large = torch.compiler.is_compiling() or x_NCS.shape[-2] * x_NCS.shape[-1] > SMALL
    if x_NCS.shape[1] <= PICTURE or (groups == x_NCS.shape[1] and large):
        return x_NCS.contiguous(memory_format=torch.channels_last)
    return x_NCS


class ConvNd(PadsFirst):
    """What the three ranks share; the class of ``torch.nn`` comes after it in their bases.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Taps along each spatial axis; an int stands for every axis, here and below.
        stride: Pixels from one window to the next.
        padding: "valid", "same" (at any stride), "causal" (rank 1) or a (low, high) pair an axis.
        dilation: Pixels from one tap to the next.
        groups: Blocks of channels that do not see each other.
        bias: Whether a number is added to each output channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular".

    Shapes:
        x_NCS: C is in_channels
        y_NCS: C is out_channels
        weight: (out_channels, in_channels / groups, *kernel_size)
        bias: (out_channels,)
    """

    algorithm = "auto"  # or "native": the memory format of the input is left as it is

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Ints,
        stride: int | Ints = 1,
        padding: str | Pairs = "valid",
        dilation: int | Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        native = both_sides(padding) if padding_mode == "zeros" else None
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=0 if native is None else native,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
        )
        self.pad_first = padding if native is None else None
        windows = zip(self.kernel_size, self.stride, self.dilation, strict=True)
        if (padding, padding_mode) == ("same", "zeros") and all(
            s == 1 and (k - 1) * d % 2 == 0 for k, s, d in windows
        ):
            self.padding, self.pad_first = "same", None  # torch's own, both sides alike

    def forward(self, x_NCS: Tensor) -> Tensor:
        if self.algorithm == "auto":
            x_NCS = fastest_format(x_NCS, self.groups)
        if self.pad_first is None:
            return super().forward(x_NCS)
        pairs = pairs_for(x_NCS, self.pad_first, self.kernel_size, self.stride, self.dilation)
        x_NCS = pad(x_NCS, pairs, self.padding_mode)
        convolve = CONVOLVE[len(self.kernel_size)]
        return convolve(x_NCS, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(ConvNd, nn.Conv1d):
    """``nn.Conv1d`` with every padding."""


class Conv2d(ConvNd, nn.Conv2d):
    """``nn.Conv2d`` with every padding."""


class Conv3d(ConvNd, nn.Conv3d):
    """``nn.Conv3d`` with every padding."""


class DepthwiseConvNd(ConvNd):
    """A convolution of each channel on its own: one group a channel.

    Args:
        in_channels: Channels of the input.
        depth_multiplier: Output channels of each input channel.
        kernel_size, stride, padding, dilation, bias, padding_mode: As in ``ConvNd``.

    Shapes:
        x_NCS: C is in_channels
        y_NCS: C is in_channels * depth_multiplier
        weight: (in_channels * depth_multiplier, 1, *kernel_size)
        bias: (in_channels * depth_multiplier,)
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | Ints,
        stride: int | Ints = 1,
        padding: str | Pairs = "valid",
        dilation: int | Ints = 1,
        depth_multiplier: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels,
            in_channels * depth_multiplier,
            kernel_size,
            stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            bias=bias,
            padding_mode=padding_mode,
        )
        self.depth_multiplier = depth_multiplier


class DepthwiseConv1d(DepthwiseConvNd, Conv1d):
    """A depthwise convolution of sequences."""


class DepthwiseConv2d(DepthwiseConvNd, Conv2d):
    """A depthwise convolution of images."""


class DepthwiseConv3d(DepthwiseConvNd, Conv3d):
    """A depthwise convolution of volumes."""


class SeparableConvNd(nn.Sequential):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size, stride, padding, dilation, padding_mode: Of the first step, as in ``ConvNd``.
        depth_multiplier: Channels that the first step makes of each input channel.
        depthwise_bias: Whether the first step adds a number to each of its channels.
        pointwise_bias: Whether the second step adds a number to each output channel.

    Shapes:
        x_NCS: C is in_channels
        y_NCS: C is out_channels
    """

    steps: tuple[Any, Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Ints,
        stride: int | Ints = 1,
        padding: str | Pairs = "valid",
        dilation: int | Ints = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        depthwise, pointwise = self.steps
        first = depthwise(
            in_channels,
            kernel_size,
            stride,
            padding,
            dilation=dilation,
            depth_multiplier=depth_multiplier,
            bias=depthwise_bias,
            padding_mode=padding_mode,
        )
        last = pointwise(first.out_channels, out_channels, 1, bias=pointwise_bias)
        super().__init__(OrderedDict(depthwise=first, pointwise=last))


class SeparableConv1d(SeparableConvNd):
    """A separable convolution of sequences."""

    steps = DepthwiseConv1d, Conv1d


class SeparableConv2d(SeparableConvNd):
    """A separable convolution of images."""

    steps = DepthwiseConv2d, Conv2d


class SeparableConv3d(SeparableConvNd):
    """A separable convolution of volumes."""

    steps = DepthwiseConv3d, Conv3d


class ConvTransposeNd(nn.Module):
    """What the three ranks share; the class of ``torch.nn`` comes after it in their bases.

    torch crops both ends alike: it is given what they share, and the rest is cut off its result.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size, groups, bias, dilation: As in ``ConvNd``.
        stride: Pixels of the output from one pixel of the input to the next.
        padding: What is cut off the ends: "valid" (nothing), "same" (n * stride pixels remain) or a
            (low, high) pair an axis.
        output_padding: Pixels added at the end of each axis.

    Shapes:
        x_NCS: C is in_channels
        y_NCS: C is out_channels
        weight: (in_channels, out_channels / groups, *kernel_size)
        bias: (out_channels,)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Ints,
        stride: int | Ints = 1,
        padding: str | Pairs = "valid",
        output_padding: int | Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Ints = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            output_padding=output_padding,
            groups=groups,
            bias=bias,
            dilation=dilation,
        )
        self.same = padding == "same"
        pairs = ((0, 0),) * len(self.kernel_size) if isinstance(padding, str) else padding
        if self.same:
            windows = zip(self.kernel_size, self.stride, self.dilation, strict=True)
            surplus = [(k - 1) * d + 1 - s for k, s, d in windows]  # over n * stride outputs
            self.output_padding = tuple(max(-n, 0) for n in surplus)
            pairs = tuple((max(n, 0) // 2, (max(n, 0) + 1) // 2) for n in surplus)
        self.padding = tuple(map(min, pairs))
        self.crop_after = tuple(
            (low - both, high - both) for (low, high), both in zip(pairs, self.padding, strict=True)
        )

    def forward(self, x_NCS: Tensor) -> Tensor:
        y_NCS = super().forward(x_NCS)
        for axis, (low, high) in enumerate(self.crop_after, 2):
            y_NCS = y_NCS.narrow(axis, low, y_NCS.shape[axis] - low - high)
        return y_NCS

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        return f"{shown}, crop_after={self.crop_after}" if any(map(any, self.crop_after)) else shown


class ConvTranspose1d(ConvTransposeNd, nn.ConvTranspose1d):
    """``nn.ConvTranspose1d`` with every padding."""


class ConvTranspose2d(ConvTransposeNd, nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` with every padding."""


class ConvTranspose3d(ConvTransposeNd, nn.ConvTranspose3d):
    """``nn.ConvTranspose3d`` with every padding."""


# ---------------------------------------------------------------- other layers


class Linear(nn.Linear):
    """``nn.Linear`` along one axis, at every place of the others, where torch's takes the last dim.

    Args:
        in_features: Entries of the input's axis.
        out_features: Entries of the output's.
        bias: Whether a number is added to each of these.
        axis: The axis as of channels-last arrays: -1 is that of the channels, 1 the first spatial
            one, wherever PyTorch has them.

    Shapes:
        x_NCS: the axis is of in_features; x_NC, without spatial axes, is taken, too
        y_NCS: the axis is of out_features
        weight: (out_features, in_features)
        bias: (out_features,)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, axis: int = -1
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.axis = axis

    def forward(self, x_NCS: Tensor) -> Tensor:
        dim = dim_of(self.axis, x_NCS.ndim)
        if dim == x_NCS.ndim - 1:
            return super().forward(x_NCS)
        return super().forward(x_NCS.movedim(dim, -1)).movedim(-1, dim)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, axis={self.axis}"


class Scale(nn.Module):
    """A factor of each channel, which starts as one.

    Args:
        num_features: Channels of the input.

    Shapes:
        x_NCS: C is num_features
        y_NCS: C is num_features
        weight: (num_features,)
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS * self.weight.reshape(-1, *[1] * (x_NCS.ndim - 2))

    def extra_repr(self) -> str:
        return f"{self.num_features}"


class Dropout(nn.Dropout):
    """``nn.Dropout`` of whole channels, or of whole examples.

    Args:
        p: The share of them that is set to zero while training.
        kind: "channel" or "path", which is an example.
    """

    def __init__(self, p: float = 0.5, kind: str = "channel") -> None:
        super().__init__(p)
        self.kind = kind

    def forward(self, x_NCS: Tensor) -> Tensor:
        if not self.training:
            return x_NCS
        kept = 2 if self.kind == "channel" else 1  # axes
        ones = x_NCS.new_ones(x_NCS.shape[:kept] + (1,) * (x_NCS.ndim - kept))
        return x_NCS * super().forward(ones)

    def extra_repr(self) -> str:
        return f"p={self.p}, kind={self.kind!r}"


class Flatten(nn.Module):
    """All values of an example on one axis, channels last: one Dense kernel fits every framework.

    ``nn.Flatten`` orders the features C, S: weights trained behind it need permuting.

    Shapes:
        x_NCS: any C
        y_NF: F is S * C
    """

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS.movedim(1, -1).flatten(1)


# ---------------------------------------------------------------- composites


def add(first: Tensor, *others: Tensor) -> Tensor:
    """The sum, from the left."""
    for each in others:
        first = first + each
    return first


JOINS = {"add": add}


class Add(nn.Module):
    """The sum of values, from the left, as a layer."""

    def forward(self, *values_NCS: Tensor) -> Tensor:
        return add(*values_NCS)


class Multiply(nn.Module):
    """The product of values, from the left, as a layer."""

    def forward(self, first_NCS: Tensor, *others_NCS: Tensor) -> Tensor:
        for each in others_NCS:
            first_NCS = first_NCS * each
        return first_NCS


class Subtract(nn.Module):
    """The first value less the second, as a layer."""

    def forward(self, first_NCS: Tensor, second_NCS: Tensor) -> Tensor:
        return first_NCS - second_NCS


def dim_of(axis: int, ndim: int) -> int:
    """Where an axis of a channels-last array is, channels first: -1 is the channels'."""
    at = axis % ndim
    return at if ndim < 3 else 1 if at == ndim - 1 else at + 1


class Concat(nn.Module):
    """``torch.cat`` as a layer.

    Args:
        axis: The axis as of channels-last arrays: -1 is that of the channels, 1 the first spatial
            one, wherever PyTorch has them.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *values_NCS: Tensor) -> Tensor:
        return torch.cat(values_NCS, dim_of(self.axis, values_NCS[0].ndim))

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class Graph(nn.Module):
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
            {"body": nn.Conv2d(8, 8, 3, padding=1)},
            [("body", "body", ["<input>"]), ("add", "add", ["body", "<input>"])],
        )
    """

    steps: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    inputs: tuple[str, ...] = ("<input>",)
    outputs: str | tuple[str, ...] | tuple[tuple[str, str], ...] | None = None

    def __init__(
        self,
        children: Mapping[str, nn.Module],
        steps: Iterable[tuple[str, str, Iterable[str]]],
        inputs: Iterable[str] = ("<input>",),
        outputs: str | tuple[str, ...] | tuple[tuple[str, str], ...] | None = None,
    ) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)
        self.steps = tuple((name, call, tuple(taken)) for name, call, taken in steps)
        self.inputs, self.outputs = tuple(inputs), outputs

    def forward(self, *inputs: Tensor) -> Any:
        values: dict[str, Any] = dict(zip(self.inputs, inputs, strict=True))
        for name, call, taken in self.steps:
            run = self._modules[call] if call in self._modules else JOINS[call]
            values |= named(name, run(*[values[each] for each in taken]))
        return gathered(values, self.steps[-1][0] if self.outputs is None else self.outputs)

    def extra_repr(self) -> str:
        return "\n".join(f"{name} = {call}({', '.join(ins)})" for name, call, ins in self.steps)


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
