"""What a spec costs: learnables, MACs and FLOPs, bytes moved. Pure functions of a spec and a shape.

Convolutions and dense layers count multiply-accumulates (MACs), at every tap, those on padding too;
normalisation, activation, pooling and addition count none, as in the tools that we compare with.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

from convparity.impls.errors import InputError, SpecError, one_of
from convparity.impls.shapes import Shape, output_shape, parameter_shapes
from convparity.impls.spec import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Layer,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    walk,
)

# ---------------------------------------------------------------- learnables


class Tensor(NamedTuple):
    """One canonical weight; BatchNorm's running statistics are not ``trainable``."""

    name: str
    shape: Shape
    size: int
    trainable: bool


def tensors(spec: Spec) -> tuple[Tensor, ...]:
    """Every weight of ``spec``, in declaration order."""
    return tuple(
        Tensor(
            f"{path}.{name}" if path else name,
            shape,
            math.prod(shape),
            not (isinstance(layer, BatchNorm) and name in ("mean", "variance")),
        )
        for path, layer in walk(spec)
        for name, shape in parameter_shapes(layer).items()
    )


def reduction(before: int, after: int) -> float:
    """How much less ``after`` is than ``before``, in percent; negative if it is more."""
    return (before - after) / before * 100


def twins(spec: Spec) -> tuple[Conv, SeparableConv] | None:
    """A regular convolution and the separable one that stands for it; None for any other spec."""
    if isinstance(spec, Conv) and spec.groups == 1:
        return spec, SeparableConv(
            spec.in_channels,
            spec.out_channels,
            depthwise_bias=spec.bias,
            pointwise_bias=spec.bias,
            **_window(spec),
        )
    if isinstance(spec, SeparableConv):
        bias = spec.pointwise_bias  # the one on the output
        return Conv(spec.in_channels, spec.out_channels, bias=bias, **_window(spec)), spec
    return None


def _window(spec: Conv | SeparableConv) -> dict[str, Any]:
    names = ("kernel_size", "stride", "padding", "dilation", "padding_mode", "rank")
    return {name: getattr(spec, name) for name in names}


# ---------------------------------------------------------------- costs


@dataclass(frozen=True)
class Cost:
    """What a layer, a block or a network costs. Shapes are channels-last and bear the batch."""

    path: str  # dotted; "" for the whole spec
    spec: Spec
    input_shape: Shape
    output_shape: Shape
    parameters: int  # what training changes
    statistics: int  # BatchNorm's running mean and variance
    macs: int
    bias_adds: int
    values_moved: int  # the input, the weights and the output of each step, once each

    def flops(self, convention: str = "2mac") -> int | None:
        """The count under a convention of ``CONVENTIONS``; None where it has none for this spec."""
        if convention not in CONVENTIONS:
            raise InputError(one_of("convention", convention, CONVENTIONS))
        return CONVENTIONS[convention].count(self)

    def bytes_moved(self, itemsize: int = 4) -> int:
        """Memory traffic when no two steps are fused, with ``itemsize`` bytes a value."""
        return itemsize * self.values_moved

    def intensity(self, itemsize: int = 4) -> float:
        """Arithmetic intensity, FLOPs (two a MAC) for each byte moved (Williams et al. 2009)."""
        moved = self.bytes_moved(itemsize)
        return 2 * self.macs / moved if moved else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Every figure, for JSON; bytes and intensity in float32."""
        return {
            "path": self.path,
            "type": type(self.spec).__name__,
            "input_shape": self.input_shape,
            "output_shape": self.output_shape,
            "parameters": self.parameters,
            "statistics": self.statistics,
            "macs": self.macs,
            "bias_adds": self.bias_adds,
            "flops": {name: self.flops(name) for name in CONVENTIONS},
            "bytes_moved": self.bytes_moved(),
            "arithmetic_intensity": self.intensity(),
        }


def total_cost(spec: Spec, input_shape: Shape) -> Cost:
    """The whole of ``spec`` on an input of ``input_shape``; ``SpecError`` if that does not fit."""
    return _total("", spec, input_shape)


def layer_costs(spec: Spec, input_shape: Shape) -> tuple[Cost, ...]:
    """Every step in the order in which it runs: the layers, and each Residual's addition."""
    output_shape(spec, input_shape)  # an error that names the whole path of the layer
    return tuple(_steps(spec, "", tuple(input_shape)))


def block_costs(spec: Spec, input_shape: Shape) -> tuple[Cost, ...]:
    """The children of ``spec``, those of a numbered Sequential (a list of blocks) one by one."""
    output_shape(spec, input_shape)
    return tuple(_blocks(spec, "", tuple(input_shape)))


def _total(path: str, spec: Spec, input_shape: Shape) -> Cost:
    steps = layer_costs(spec, input_shape)
    return Cost(
        path,
        spec,
        tuple(input_shape),
        output_shape(spec, input_shape),
        sum(step.parameters for step in steps),
        sum(step.statistics for step in steps),
        sum(step.macs for step in steps),
        sum(step.bias_adds for step in steps),
        sum(step.values_moved for step in steps),
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _blocks(spec: Spec, path: str, shape: Shape) -> Iterator[Cost]:
    if isinstance(spec, Sequential) and (not path or spec.layers[0][0].isdigit()):
        for name, child in spec.children:
            yield from _blocks(child, _join(path, name), shape)
            shape = output_shape(child, shape)
    else:
        yield _total(path, spec, shape)


@singledispatch
def _steps(spec: Spec, path: str, shape: Shape) -> Iterator[Cost]:
    raise SpecError(f"the cost of {type(spec).__name__} is not known")


@_steps.register
def _(spec: Layer, path: str, shape: Shape) -> Iterator[Cost]:
    after = output_shape(spec, shape)
    sizes = {tensor.name: tensor.size for tensor in tensors(spec)}
    statistics = sum(tensor.size for tensor in tensors(spec) if not tensor.trainable)
    weights = sum(sizes.values())
    positions = math.prod(after[:-1])  # at each of them, every entry of the kernel is used once
    at_rest = isinstance(spec, Dropout | Flatten)  # at inference no value changes or moves
    yield Cost(
        path,
        spec,
        shape,
        after,
        weights - statistics,
        statistics,
        macs=positions * sizes.get("kernel", 0),
        bias_adds=positions * sizes.get("bias", 0),
        values_moved=0 if at_rest else math.prod(shape) + weights + math.prod(after),
    )


@_steps.register
def _(spec: ConvTranspose, path: str, shape: Shape) -> Iterator[Cost]:
    (as_layer,) = _steps.dispatch(Layer)(spec, path, shape)
    taps = math.prod(parameter_shapes(spec)["kernel"])
    # every entry of the kernel is used once at each position of the input
    yield dataclasses.replace(as_layer, macs=math.prod(shape[:-1]) * taps)


@_steps.register(Sequential)
@_steps.register(SeparableConv)
def _(spec: Sequential | SeparableConv, path: str, shape: Shape) -> Iterator[Cost]:
    for name, child in spec.children:
        yield from _steps(child, _join(path, name), shape)
        shape = output_shape(child, shape)


@_steps.register
def _(spec: Residual, path: str, shape: Shape) -> Iterator[Cost]:
    for name, child in spec.children:
        yield from _steps(child, _join(path, name), shape)
    after = output_shape(spec, shape)
    # The addition reads the two branches and writes one sum.
    yield Cost(_join(path, "add"), spec, after, after, 0, 0, 0, 0, 3 * math.prod(after))


# ---------------------------------------------------------------- conventions


@dataclass(frozen=True)
class Convention:
    """One way to count "FLOPs"; the tools agree on none."""

    title: str
    used_by: str
    count: Callable[[Cost], int | None]


def _tutorial(cost: Cost) -> int | None:
    """Every learnable once at each position of the *input*: right only at stride 1 and "same"."""
    if not isinstance(cost.spec, Conv) or cost.spec.groups != 1:
        return None
    return math.prod(cost.input_shape[:-1]) * cost.parameters


CONVENTIONS = {
    "mac": Convention(
        "MAC",
        "fvcore, thop, torchvision, timm",
        lambda cost: cost.macs,
    ),
    "mac+bias": Convention(
        "MAC + bias",
        "torchinfo, ptflops",
        lambda cost: cost.macs + cost.bias_adds,
    ),
    "2mac": Convention(
        "2 MAC",
        "torch FlopCounterMode",
        lambda cost: 2 * cost.macs,
    ),
    "2mac+bias": Convention(
        "2 MAC + bias",
        "DeepSpeed, calflops, XLA",
        lambda cost: 2 * cost.macs + cost.bias_adds,
    ),
    "tutorial": Convention(
        "tutorial",
        "tutorials, at the size of the input",
        _tutorial,
    ),
}
