"""Convolutions: regular, depthwise, separable, transposed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from convparity.impls.spec.base import Composite, Layer, Spec, Step, chain_steps
from convparity.impls.spec.checks import (
    Padding,
    PaddingLike,
    PaddingMode,
    Pairs,
    PerAxis,
    Shape,
    boolean,
    divisible,
    fail,
    integer,
    padding_mode_of,
    padding_of,
    per_axis,
    rank_of,
    set_fields,
    takes,
)
from convparity.impls.spec.graph import Sequential
from convparity.impls.spec.windows import effective_kernel, positions


def _window(
    owner: object, rank: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """The fields that every convolution has, in normal form."""
    rank = rank_of(owner, rank)
    return {
        "rank": rank,
        "kernel_size": per_axis(owner, "kernel_size", kernel_size, rank),
        "stride": per_axis(owner, "stride", stride, rank),
        "padding": padding_of(owner, padding, rank),
        "dilation": per_axis(owner, "dilation", dilation, rank),
    }


def _with_bias(kernel: Shape, out_channels: int, bias: bool) -> dict[str, Shape]:
    return {"kernel": kernel, "bias": (out_channels,)} if bias else {"kernel": kernel}


@dataclass(frozen=True, init=False)
class Conv(Layer):
    """A convolution (cross-correlation) over ``rank`` spatial axes.

    A scalar stands for every spatial axis. The groups are contiguous blocks of channels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Taps of the kernel along each axis.
        stride: Pixels from one window to the next.
        padding: Pixels added around the input: "valid" (none), "same" (TensorFlow's rule:
            ``ceil(n / stride)`` outputs, the odd pixel at the end), "causal" (rank 1: all at the
            start), an int, one int an axis, or one ``(low, high)`` pair an axis.
        dilation: Pixels from one tap to the next.
        groups: Number of groups; output channels see the input channels of their own group only.
        bias: Whether a number is added to each output channel.
        padding_mode: What the padding holds: "zeros", "reflect" (the edge is not repeated),
            "replicate" (copies of the edge) or "circular".
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, in_channels)``
        output: ``(N, *places, out_channels)``; n pixels, padding included, have
            ``(n - (kernel_size - 1) * dilation - 1) // stride + 1`` places
        kernel: ``(*kernel_size, in_channels / groups, out_channels)``
        bias: ``(out_channels,)``

    Raises:
        SpecError: A field has a wrong type or value, or ``groups`` does not divide the channels.

    Example:
        >>> import convparity as cp
        >>> layer = cp.Conv(4, 8, kernel_size=(5, 3), stride=2, padding="same", groups=2)
        >>> cp.output_shape(layer, (1, 7, 9, 4))
        (1, 4, 5, 8)
        >>> cp.parameter_shapes(layer)
        {'kernel': (5, 3, 2, 8), 'bias': (8,)}
    """

    in_channels: int
    out_channels: int
    kernel_size: Shape
    stride: Shape
    padding: Padding
    dilation: Shape
    groups: int
    bias: bool
    padding_mode: PaddingMode
    rank: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingLike = "valid",
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        rank: int = 2,
    ) -> None:
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding, dilation),
            in_channels=integer(self, "in_channels", in_channels),
            out_channels=integer(self, "out_channels", out_channels),
            groups=integer(self, "groups", groups),
            bias=boolean(self, "bias", bias),
            padding_mode=padding_mode_of(self, padding_mode),
        )
        divisible(self, "in_channels", self.in_channels, "groups", self.groups)
        divisible(self, "out_channels", self.out_channels, "groups", self.groups)

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2, self.in_channels)
        return (input_shape[0], *positions(self, input_shape[1:-1]), self.out_channels)

    def parameters(self) -> dict[str, Shape]:
        kernel = (*self.kernel_size, self.in_channels // self.groups, self.out_channels)
        return _with_bias(kernel, self.out_channels, self.bias)

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        pixels = math.prod(self.output_shape(input_shape)[:-1])
        return pixels * math.prod(self.parameters()["kernel"])


@dataclass(frozen=True, init=False)
class DepthwiseConv(Layer):
    """A convolution of each channel on its own (Sifre 2014, sec. 6.2).

    Output channel ``c * depth_multiplier + m`` sees input channel ``c`` only.

    Args:
        in_channels: Channels of the input.
        kernel_size: Taps of the kernel along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next.
        padding: "valid", "same", "causal", an int, one int an axis, or one ``(low, high)`` pair an
            axis, as in ``Conv``.
        dilation: Pixels from one tap to the next.
        depth_multiplier: Output channels of each input channel.
        bias: Whether a number is added to each output channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular", as in ``Conv``.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, in_channels)``
        output: ``(N, *places, in_channels * depth_multiplier)``, with the places of ``Conv``
        kernel: ``(*kernel_size, in_channels, depth_multiplier)``
        bias: ``(in_channels * depth_multiplier,)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.DepthwiseConv(3, kernel_size=5, padding=2, depth_multiplier=2)
        >>> cp.output_shape(layer, (1, 7, 9, 3))
        (1, 7, 9, 6)
        >>> cp.parameter_shapes(layer)
        {'kernel': (5, 5, 3, 2), 'bias': (6,)}
    """

    in_channels: int
    kernel_size: Shape
    stride: Shape
    padding: Padding
    dilation: Shape
    depth_multiplier: int
    bias: bool
    padding_mode: PaddingMode
    rank: int

    def __init__(
        self,
        in_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingLike = "valid",
        dilation: PerAxis = 1,
        depth_multiplier: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        rank: int = 2,
    ) -> None:
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding, dilation),
            in_channels=integer(self, "in_channels", in_channels),
            depth_multiplier=integer(self, "depth_multiplier", depth_multiplier),
            bias=boolean(self, "bias", bias),
            padding_mode=padding_mode_of(self, padding_mode),
        )

    @property
    def out_channels(self) -> int:
        """Channels of the output: ``in_channels * depth_multiplier``."""
        return self.in_channels * self.depth_multiplier

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2, self.in_channels)
        return (input_shape[0], *positions(self, input_shape[1:-1]), self.out_channels)

    def parameters(self) -> dict[str, Shape]:
        kernel = (*self.kernel_size, self.in_channels, self.depth_multiplier)
        return _with_bias(kernel, self.out_channels, self.bias)

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        pixels = math.prod(self.output_shape(input_shape)[:-1])
        return pixels * math.prod(self.parameters()["kernel"])


@dataclass(frozen=True, init=False)
class SeparableConv(Composite):
    """A depthwise convolution, then a pointwise (1x1) one (Chollet, arXiv 1610.02357, sec. 1.1).

    Nothing stands between the two steps: no activation, no normalisation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Taps of the depthwise kernel along each axis; a scalar stands for every axis.
        stride: Pixels from one window to the next, of the depthwise step.
        padding: That of the depthwise step: "valid", "same", "causal", an int, one int an axis, or
            one ``(low, high)`` pair an axis, as in ``Conv``.
        dilation: Pixels from one tap to the next, of the depthwise step.
        depth_multiplier: Channels that the depthwise step makes of each input channel.
        depthwise_bias: Whether the depthwise step adds a number to each of its channels.
        pointwise_bias: Whether the pointwise step adds a number to each output channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular", as in ``Conv``.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, in_channels)``
        output: ``(N, *places, out_channels)``, with the places of ``Conv``
        depthwise.kernel: ``(*kernel_size, in_channels, depth_multiplier)``
        depthwise.bias: ``(in_channels * depth_multiplier,)``
        pointwise.kernel: ``(*(1,) * rank, in_channels * depth_multiplier, out_channels)``
        pointwise.bias: ``(out_channels,)``

    Raises:
        SpecError: A field has a wrong type or value.

    Example:
        >>> import convparity as cp
        >>> layer = cp.SeparableConv(32, 64, kernel_size=3, padding="same")
        >>> cp.parameter_shapes(layer)["depthwise.kernel"]
        (3, 3, 32, 1)
        >>> regular = cp.Conv(32, 64, kernel_size=3, padding="same")
        >>> [cp.total_cost(each, (1, 56, 56, 32)).parameters for each in (regular, layer)]
        [18496, 2432]
    """

    in_channels: int
    out_channels: int
    kernel_size: Shape
    stride: Shape
    padding: Padding
    dilation: Shape
    depth_multiplier: int
    depthwise_bias: bool
    pointwise_bias: bool
    padding_mode: PaddingMode
    rank: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingLike = "valid",
        dilation: PerAxis = 1,
        depth_multiplier: int = 1,
        depthwise_bias: bool = True,
        pointwise_bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        rank: int = 2,
    ) -> None:
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding, dilation),
            in_channels=integer(self, "in_channels", in_channels),
            out_channels=integer(self, "out_channels", out_channels),
            depth_multiplier=integer(self, "depth_multiplier", depth_multiplier),
            depthwise_bias=boolean(self, "depthwise_bias", depthwise_bias),
            pointwise_bias=boolean(self, "pointwise_bias", pointwise_bias),
            padding_mode=padding_mode_of(self, padding_mode),
        )

    @property
    def depthwise(self) -> DepthwiseConv:
        """The first step, a ``DepthwiseConv``: it has the stride, the padding and the dilation."""
        return DepthwiseConv(
            self.in_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            depth_multiplier=self.depth_multiplier,
            bias=self.depthwise_bias,
            padding_mode=self.padding_mode,
            rank=self.rank,
        )

    @property
    def pointwise(self) -> Conv:
        """The second step, a 1x1 ``Conv`` that mixes the channels."""
        return Conv(
            self.in_channels * self.depth_multiplier,
            self.out_channels,
            1,
            bias=self.pointwise_bias,
            rank=self.rank,
        )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """``depthwise``, then ``pointwise``."""
        return chain_steps({"depthwise": self.depthwise, "pointwise": self.pointwise})

    def with_children(self, children: Mapping[str, Spec]) -> Sequential:
        return Sequential({name: children[name] for name, _ in self.children})


@dataclass(frozen=True, init=False)
class ConvTranspose(Layer):
    """The transpose of ``Conv(out_channels, in_channels, ...)``: its gradient by its input.

    It maps that convolution's output shape back to its input shape (Dumoulin and Visin, arXiv
    1603.07285, ch. 4). With a stride above 1 several input sizes have the same output size:
    ``output_padding`` chooses among them, as in PyTorch.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Taps of the kernel along each axis; a scalar stands for every axis.
        stride: Pixels of the output from one pixel of the input to the next.
        padding: Pixels cut off the ends of the full result: "valid" (none), "same" (``n * stride``
            remain), an int, one int an axis, or one ``(low, high)`` pair an axis.
        output_padding: Pixels added at the end of each axis, fewer than the stride.
        groups: Number of groups; output channels see the input channels of their own group only.
        bias: Whether a number is added to each output channel.
        dilation: Pixels from one tap to the next.
        rank: Number of spatial axes: 1, 2 or 3.

    Shapes:
        input: ``(N, *spatial, in_channels)``
        output: ``(N, *sizes, out_channels)``; n pixels become ``(n - 1) * stride + extent
            + output_padding - low - high``, of extent ``(kernel_size - 1) * dilation + 1``
        kernel: ``(*kernel_size, out_channels / groups, in_channels)``, the convolution's own
        bias: ``(out_channels,)``

    Raises:
        SpecError: A field has a wrong type or value, ``groups`` does not divide the channels, or
            ``output_padding`` is not below the stride.

    Example:
        >>> import convparity as cp
        >>> layer = cp.ConvTranspose(8, 3, kernel_size=3, stride=2, padding=1, output_padding=1)
        >>> cp.output_shape(layer, (1, 4, 5, 8))
        (1, 8, 10, 3)
        >>> cp.parameter_shapes(layer)
        {'kernel': (3, 3, 3, 8), 'bias': (3,)}
    """

    in_channels: int
    out_channels: int
    kernel_size: Shape
    stride: Shape
    padding: Padding
    output_padding: Shape
    groups: int
    bias: bool
    dilation: Shape
    rank: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PaddingLike = "valid",
        output_padding: PerAxis = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: PerAxis = 1,
        rank: int = 2,
    ) -> None:
        set_fields(
            self,
            **_window(self, rank, kernel_size, stride, padding, dilation),
            in_channels=integer(self, "in_channels", in_channels),
            out_channels=integer(self, "out_channels", out_channels),
            groups=integer(self, "groups", groups),
            bias=boolean(self, "bias", bias),
        )
        divisible(self, "in_channels", self.in_channels, "groups", self.groups)
        divisible(self, "out_channels", self.out_channels, "groups", self.groups)
        extra = per_axis(self, "output_padding", output_padding, self.rank, 0)
        set_fields(self, output_padding=extra)
        if self.padding == "causal":
            raise fail(self, "causal padding belongs to Conv: crop the output with pairs instead")
        if self.padding == "same" and any(extra):
            raise fail(self, 'under "same" the output is n * stride: drop output_padding')
        if any(e >= s for e, s in zip(extra, self.stride, strict=True)):
            raise fail(
                self,
                f"output_padding {extra} must be below the stride {self.stride}: a larger output "
                "would be the transpose of another input size",
            )

    @property
    def conv(self) -> Conv:
        """The convolution of which this is the transpose, without a bias."""
        return Conv(
            self.out_channels,
            self.in_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias=False,
            rank=self.rank,
        )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        takes(self, input_shape, self.rank + 2, self.in_channels)
        n, *spatial, _ = input_shape
        pairs, extra = transposed_crop(self)
        extent = effective_kernel(self.kernel_size, self.dilation)
        out = tuple(
            (size - 1) * s + k + more - low - high
            for size, s, k, more, (low, high) in zip(
                spatial, self.stride, extent, extra, pairs, strict=True
            )
        )
        if min(out) < 1:
            raise fail(
                self,
                f"nothing of {tuple(spatial)} is left, {out}: pad less, or give a larger input",
            )
        return (n, *out, self.out_channels)

    def parameters(self) -> dict[str, Shape]:
        kernel = (*self.kernel_size, self.out_channels // self.groups, self.in_channels)
        return _with_bias(kernel, self.out_channels, self.bias)

    def multiply_accumulates(self, input_shape: Shape, /) -> int:
        return math.prod(input_shape[:-1]) * math.prod(self.parameters()["kernel"])


def transposed_crop(spec: ConvTranspose) -> tuple[Pairs, Shape]:
    """What a transposed convolution crops off its full result, after adding zeros at its ends.

    The full result has ``(n - 1) * stride + extent`` entries an axis; "same" keeps ``n * stride``.
    """
    if not isinstance(spec.padding, str):
        return spec.padding, spec.output_padding
    if spec.padding == "valid":
        return ((0, 0),) * spec.rank, spec.output_padding
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    totals = [k - s for k, s in zip(extent, spec.stride, strict=True)]
    pairs = tuple((max(t, 0) // 2, max(t, 0) - max(t, 0) // 2) for t in totals)
    return pairs, tuple(max(-t, 0) for t in totals)
