"""What a spec costs: learnables, MACs and FLOPs, bytes moved. Pure functions of a spec and a shape.

Convolutions, dense layers and sums of products count multiply-accumulates (MACs), at every tap;
norms, scales, activations, pools and additions count none, as in the tools that we compare with.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from convparity.impls.errors import InputError, unknown_name
from convparity.impls.spec import (
    Conv,
    Graph,
    Join,
    Layer,
    SeparableConv,
    Sequential,
    Shape,
    Spec,
    dotted,
    fold_steps,
    output_shape,
    walk,
    walk_shapes,
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
        Tensor(dotted(path, name), shape, math.prod(shape), trainable=name not in layer.statistics)
        for path, layer in walk(spec)
        for name, shape in layer.parameters().items()
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
    """What a layer, a block or a network costs on one input.

    Multiply-accumulates (MACs) are those of convolutions and dense layers, at every tap, those on
    padding too. Shapes are channels-last, with the batch; all counts are of the whole batch.

    Attributes:
        path: The dotted path of the layer; "" is the whole spec.
        spec: The layer.
        input_shape: Its input's; of several, the first one's.
        output_shape: Its output's; of a graph with several, a tuple or a dict of them.
        parameters: Numbers that training changes; of a layer that runs again, none are new.
        statistics: Numbers that it does not: a BatchNorm's running mean and variance.
        macs: Multiply-accumulates.
        bias_adds: Additions of a bias.
        values_moved: Numbers read and written: input, weights and output of each step, once each.

    Example:
        >>> import convparity as cp
        >>> cost = cp.total_cost(cp.Dense(4, 2), (1, 4))
        >>> cost.macs, cost.flops("2mac"), cost.bytes_moved(itemsize=4)
        (8, 16, 64)
    """

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
        """Floating-point operations, as tools count them; they agree on no one way.

        Args:
            convention: "mac" (fvcore, torchvision), "mac+bias" (torchinfo), "2mac" (torch's
                FlopCounterMode), "2mac+bias" (DeepSpeed, XLA), or "tutorial" (every parameter once
                at each pixel of the *input*: right at stride 1 and "same" only).

        Returns:
            The count; None where "tutorial" has none for this spec.

        Raises:
            InputError: The convention is not known.
        """
        if convention not in CONVENTIONS:
            raise InputError(unknown_name("convention", convention, CONVENTIONS))
        return CONVENTIONS[convention].count(self)

    def bytes_moved(self, itemsize: int = 4) -> int:
        """Memory traffic where no two steps are fused.

        Args:
            itemsize: Bytes of one number: 4 in float32.

        Returns:
            The number of bytes.
        """
        return itemsize * self.values_moved

    def intensity(self, itemsize: int = 4) -> float:
        """Arithmetic intensity (Williams et al. 2009): two FLOPs a MAC, for each byte moved.

        Args:
            itemsize: Bytes of one number: 4 in float32.

        Returns:
            FLOPs a byte; 0 where nothing moves.
        """
        moved = self.bytes_moved(itemsize)
        return 2 * self.macs / moved if moved else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Every figure, as JSON takes it.

        Returns:
            The fields, FLOPs under each convention, and bytes and intensity in float32.
        """
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


def total_cost(spec: Spec, input_shape: Shape, *others: Shape) -> Cost:
    """Count what a whole spec costs on one input, without running anything.

    Args:
        spec: Any layer or network.
        input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.
        *others: The shapes of the other inputs, of a graph that takes several.

    Returns:
        The sums over all layers, as one ``Cost``.

    Raises:
        SpecError: The input does not fit the spec.

    Example:
        >>> import convparity as cp
        >>> cost = cp.total_cost(cp.Conv(3, 8, 3, padding="same"), (1, 4, 5, 3))
        >>> cost.parameters, cost.macs  # 3 * 3 * 3 * 8 + 8, and 3 * 3 * 3 * 8 * 4 * 5
        (224, 4320)
    """
    return _total("", spec, input_shape, *others)


def layer_costs(spec: Spec, input_shape: Shape, *others: Shape) -> tuple[Cost, ...]:
    """Count what each layer of a spec costs on one input, without running anything.

    Args:
        spec: Any layer or network.
        input_shape: ``(N, *spatial, C)`` or ``(N, features)``, channels last.
        *others: The shapes of the other inputs, of a graph that takes several.

    Returns:
        A ``Cost`` for each layer and each join of branches, in the order in which they run; of one
        that runs again, with the same weights, another, whose ``parameters`` are none.

    Raises:
        SpecError: The input does not fit the spec.

    Example:
        >>> import convparity as cp
        >>> spec = cp.SeparableConv(3, 8, 3, padding="same")
        >>> [(cost.path, cost.macs) for cost in cp.layer_costs(spec, (1, 4, 5, 3))]
        [('depthwise', 540), ('pointwise', 480)]
    """
    output_shape(spec, input_shape, *others)  # an error that names the whole path of the layer
    found: list[Cost] = []
    ran: set[str] = set()
    for path, step, shapes in walk_shapes(spec, input_shape, *others):
        if isinstance(step, Layer | Join):
            cost = _cost(step, path, *shapes)
            found.append(replace(cost, parameters=0, statistics=0) if path in ran else cost)
            ran.add(path)
    return tuple(found)


def block_costs(spec: Spec, input_shape: Shape, *others: Shape) -> tuple[Cost, ...]:
    """The children of a Sequential or of a Graph; those of a list of blocks one by one.

    A list of blocks is a numbered Sequential. Any other spec is one block.
    """
    output_shape(spec, input_shape, *others)
    found: list[Cost] = []

    def visit(spec: Spec, path: str, *shapes: Shape) -> Any:
        blocks = isinstance(spec, Sequential) and (not path or spec.layers[0][0].isdigit())
        if blocks or (isinstance(spec, Graph) and not path):
            assert isinstance(spec, Sequential | Graph)
            return fold_steps(
                spec, shapes, lambda step, inputs: visit(step.spec, step.path(path), *inputs)
            )
        found.append(_total(path, spec, *shapes))
        made: Any = found[-1].output_shape
        return tuple(made.values()) if isinstance(made, dict) else made

    visit(spec, "", tuple(input_shape), *others)
    return tuple(found)


def _total(path: str, spec: Spec, input_shape: Shape, *others: Shape) -> Cost:
    steps = layer_costs(spec, input_shape, *others)
    return Cost(
        path,
        spec,
        input_shape=tuple(input_shape),
        output_shape=output_shape(spec, input_shape, *others),
        parameters=sum(step.parameters for step in steps),
        statistics=sum(step.statistics for step in steps),
        macs=sum(step.macs for step in steps),
        bias_adds=sum(step.bias_adds for step in steps),
        values_moved=sum(step.values_moved for step in steps),
    )


def _cost(spec: Layer | Join, path: str, *shapes: Shape) -> Cost:
    """The cost of one step, from its shapes and what a layer says of itself."""
    own = tensors(spec)
    trained = sum(tensor.size for tensor in own if tensor.trainable)
    statistics = sum(tensor.size for tensor in own if not tensor.trainable)
    after = output_shape(spec, *shapes)
    biases = sum(tensor.size for tensor in own if tensor.name == "bias")
    moved = sum(map(math.prod, shapes)) + trained + statistics + math.prod(after)
    if isinstance(spec, Layer) and not spec.moves_values:
        moved = 0
    return Cost(
        path,
        spec,
        input_shape=shapes[0],
        output_shape=after,
        parameters=trained,
        statistics=statistics,
        macs=spec.multiply_accumulates(*shapes),
        bias_adds=math.prod(after[:-1]) * biases,
        values_moved=moved,
    )


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
    return math.prod(cost.input_shape[:-1]) * sum(map(math.prod, cost.spec.parameters().values()))


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
