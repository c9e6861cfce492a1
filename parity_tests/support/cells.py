"""The hard cells of the surface: where ports go wrong, and what each family must have drawn."""

from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    OVER_AXIS,
    PADDING_MODES,
    REDUCTIONS,
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    GroupNorm,
    InputNorm,
    MaxPool,
    Pad,
    Reduce,
    Reduction,
    SeparableConv,
    Sequential,
    Shape,
    asked_pairs,
    effective_kernel,
    output_shape,
    padding_pairs,
    parameter_axes,
    walk,
    walk_shapes,
    window_extent,
)
from parity_tests.support import movement_strategies, resize_strategies, strategies
from parity_tests.support.activation_strategies import activation_layers
from parity_tests.support.convolution_strategies import CONVS
from parity_tests.support.drawing import ranks
from parity_tests.support.graph_strategies import graphs
from parity_tests.support.reduction_strategies import reduces
from parity_tests.support.strategies import Case


class Family(NamedTuple):
    """Layers that are judged together, and the hard cells that each run of them must meet."""

    cases: st.SearchStrategy[Case]
    cells: frozenset[str]
    share: float = 1  # of the examples of a profile

    @property
    def examples(self) -> int:
        """How many of them a run of the current profile draws."""
        return round(self.share * settings().max_examples)


def cells(case: Case) -> Iterator[str]:
    """The hard cells that a case lies in."""
    batch, *spatial, channels = case.input_shape
    yield "batch of 1" if batch == 1 else "batch of several"
    yield f"rank {len(spatial)}"
    yield from _large_cells(case)
    if isinstance(case.spec, BatchNorm | InputNorm):
        yield from _norm_cells(case.spec)
    match case.spec:
        case Conv() | DepthwiseConv() | SeparableConv():
            yield from _conv_cells(case.spec, case.input_shape)
        case ConvTranspose():
            yield from _transposed_cells(case.spec)
        case MaxPool() | AvgPool():
            yield from _pool_cells(case.spec, tuple(spatial))
        case GroupNorm(num_groups=groups):
            yield "GroupNorm"
            if 1 < groups < channels:
                yield "several groups of several channels"
        case Activation(function=function):
            yield function
            if case.spec.alpha != DEFAULT_ALPHA.get(function):
                yield f"{function} with an alpha"
            if case.spec.axis is not None and case.spec.axis % len(case.input_shape) < len(spatial):
                yield f"{function} over another axis"
        case Dense() | Flatten() | GlobalAvgPool() | Dropout():
            yield type(case.spec).__name__
            if isinstance(case.spec, Dense):
                yield "in = out" if case.spec.out_features == case.spec.in_features else "in != out"
                if case.spec.axis % len(case.input_shape) < len(case.input_shape) - 1:
                    yield "Dense along another axis"
        case Graph():
            yield from _graph_cells(case.spec, case.input_shape)
        case Pad():
            yield from _pad_cells(case.spec, tuple(spatial))
        case Reduce():
            yield from _reduced_cells(case.spec, case.input_shape)
        case Sequential():
            yield from (type(layer).__name__ for _, layer in walk(case.spec))
            if any(name == "layer0" for name, _ in case.spec.children):
                yield "named layers"
        case _:
            yield type(case.spec).__name__


def _reduced_cells(spec: Reduce, shape: Shape) -> Iterator[str]:
    own = spec.places(shape)
    if spec.count(shape) > 1:
        yield f"Reduce, {spec.function}{' over n - 1' * spec.correction}"
    others = {n for axis, n in enumerate(shape) if axis not in (0, *own)}
    if not spec.keepdims and any(shape[axis] in others - {1} for axis in own):
        yield "Reduce, beside an axis of the same size"


def _pad_cells(spec: Pad, spatial: Shape) -> Iterator[str]:
    yield "Pad"
    axes = zip(spatial, spec.crops[:-1], spec.fills[:-1], strict=True)  # the last are channels
    filled = [n - sum(crop) for n, crop, fill in axes if any(fill)]
    if filled and min(filled) > 1:  # one pixel cannot be reflected, and repeats itself else
        yield f"Pad, {spec.mode}"


def _norm_cells(spec: BatchNorm | InputNorm) -> Iterator[str]:
    """What a norm is over, and what it lacks."""
    if len(parameter_axes(spec)[0]) > 1:
        yield "over several axes"
    if not spec.scale:
        yield "without a scale"
    if not getattr(spec, "offset", True):
        yield "without an offset"


def _large_cells(case: Case) -> Iterator[str]:
    """In what a layer that has a window is larger than most that are drawn."""
    spec, shape = case.spec, case.input_shape
    if not isinstance(spec, Conv | DepthwiseConv | SeparableConv | ConvTranspose):
        return
    if min(spec.kernel_size) > 4 and spec.rank == 2:
        yield "kernel over 4x4"
    if shape[0] > 3:
        yield "batch over 3"
    if max(getattr(spec, "groups", 1), getattr(spec, "depth_multiplier", 1)) > 3:
        yield "groups or a multiplier over 3"
    if max(shape[-1], output_shape(spec, shape)[-1]) > 16:
        yield "more than 16 channels"
    if max(shape[1:-1]) > 16:
        yield "rows beyond 16"


def _conv_cells(spec: Conv | DepthwiseConv | SeparableConv, shape: Shape) -> Iterator[str]:
    """Of the step that has the window, and of the channels."""
    _, *spatial, channels = shape
    kind = type(spec).__name__
    yield f"{kind} of rank {spec.rank}"
    out = output_shape(spec, shape)
    if set(spatial) == {channels}:
        yield "H = W = C"
    if len({*spatial, channels}) == len(spatial) + 1:
        yield "H, W, C all distinct"
    if set(out[1:-1]) == {1}:
        yield "one-pixel output"
    if isinstance(spec, Conv):
        yield "in = out" if channels == out[-1] else "in != out"
        if spec.groups > 1 and channels > spec.groups:
            yield "several channels a group"
    elif spec.depth_multiplier > 1:
        yield "depth multiplier"
    step = spec.depthwise if isinstance(spec, SeparableConv) else spec
    extent = effective_kernel(step.kernel_size, step.dilation)
    if max(extent) > 1:
        yield from _window_cells(step)
        yield from _padding_cells(step, kind, extent, tuple(spatial))
    if any(n % s for n, s in zip(spatial, step.stride, strict=True)):
        yield "stride does not divide the size"


def _window_cells(spec: Conv | DepthwiseConv | ConvTranspose) -> Iterator[str]:
    kernel, stride, dilation = spec.kernel_size, spec.stride, spec.dilation
    if any(k % 2 == 0 for k in kernel):
        yield "even kernel"
    if len(set(kernel)) > 1:
        yield "non-square kernel"
    if len(set(stride)) > 1:
        yield "unequal strides"
    if any(d > 1 and k > 1 for d, k in zip(dilation, kernel, strict=True)):
        yield "dilation"
    if any(s > 1 and d > 1 and k > 1 for s, d, k in zip(stride, dilation, kernel, strict=True)):
        yield "stride with dilation"


def _padding_cells(
    spec: Conv | DepthwiseConv, kind: str, extent: Shape, spatial: Shape
) -> Iterator[str]:
    pairs = padding_pairs(spec, spatial)
    if not any(map(any, pairs)):
        return
    if spec.padding == "same" and any(k > n for k, n in zip(extent, spatial, strict=True)):
        yield "kernel larger than the input"
    if spec.padding == "causal":
        yield f"causal {kind}"
        if max(spec.stride) > 1:
            yield "causal with stride"
        if max(spec.dilation) > 1:
            yield "causal with dilation"
    elif any(low != high for low, high in pairs):
        yield "asymmetric same" if spec.padding == "same" else "asymmetric pairs"
    yield spec.padding_mode
    if any(max(pair) >= n for pair, n in zip(pairs, spatial, strict=True)):
        yield f"{spec.padding_mode} as wide as the input"
    if any(max(pair) > n for pair, n in zip(pairs, spatial, strict=True)):
        yield f"{spec.padding_mode} wider than the input"
    if spec.padding_mode != "zeros" and isinstance(spec.padding, str):
        yield f"{spec.padding} with a mode"


def _transposed_cells(spec: ConvTranspose) -> Iterator[str]:
    yield from _window_cells(spec)
    pairs = () if isinstance(spec.padding, str) else spec.padding
    extent = effective_kernel(spec.kernel_size, spec.dilation)
    if any(spec.output_padding):
        yield "output padding"
        if any(map(any, pairs)):
            yield "output padding with a crop"
    if spec.groups > 1:
        yield "groups"
        if spec.in_channels > spec.groups:
            yield "several channels a group"
    yield "in = out" if spec.in_channels == spec.out_channels else "in != out"
    if any(low != high for low, high in pairs):
        yield "asymmetric crop"
    if any(max(pair) >= k for pair, k in zip(pairs, extent, strict=False)):
        yield "crop as wide as the kernel"
    if spec.padding == "same":
        yield "same"
        if any(k > s and (k - s) % 2 for k, s in zip(extent, spec.stride, strict=True)):
            yield "asymmetric same"
    if any(k < s for k, s in zip(extent, spec.stride, strict=True)):
        yield "stride beyond the kernel"


def _graph_cells(spec: Graph, shape: Shape) -> Iterator[str]:
    """How its values are wired, and the joins."""
    steps = spec.steps
    yield from (type(step.spec).__name__ for step in steps if step.joins)
    if len(spec.children) < len(steps):
        yield "a layer that runs again"
    if any(isinstance(step.spec, Graph) for step in steps):
        yield "a graph inside"
    if any(len(step.inputs) > 2 for step in steps):
        yield "three values at a join"
    if any(len({each[1:-1] for each in shapes}) > 1 for _, _, shapes in walk_shapes(spec, shape)):
        yield "a gate"
    if len(steps) > 10:
        yield "over 10 nodes"


def _pool_cells(spec: MaxPool | AvgPool, spatial: Shape) -> Iterator[str]:
    kind = type(spec).__name__
    yield f"{kind} of rank {spec.rank}"
    pairs = padding_pairs(spec, spatial)
    if any(map(any, pairs)):
        yield f"{kind} with padding"
        if isinstance(spec, AvgPool):
            yield "padding counted" if spec.count_include_pad else "padding not counted"
    if any(low != high for low, high in pairs):
        yield f"{kind}, asymmetric {'same' if spec.padding == 'same' else 'pairs'}"
    asked = asked_pairs(spec, spatial)
    if pairs != asked:
        yield f"{kind}, ceil_mode adds a window"
        if isinstance(spec, AvgPool) and spec.count_include_pad and spec.divisor_override is None:
            yield "AvgPool, ceil_mode adds what does not count"
    rests = zip(spatial, pairs, window_extent(spec), spec.stride, strict=True)
    if spec.ceil_mode and any((n + low + high - k) % s for n, (low, high), k, s in rests):
        yield f"{kind}, ceil_mode leaves a window out"
    if isinstance(spec, MaxPool) and max(spec.dilation) > 1:
        yield "a dilated maximum"
    if isinstance(spec, AvgPool) and spec.divisor_override is not None:
        yield "a divisor of its own"
    windows = tuple(zip(spec.kernel_size, spec.stride, strict=True))
    if any(k > s for k, s in windows):
        yield "overlapping windows"
    if any(k < s for k, s in windows):
        yield "stride beyond the kernel"
    if len(set(windows)) > 1:
        yield "unequal axes"
    if any(k > n for k, n in zip(spec.kernel_size, spatial, strict=True)):
        yield "kernel larger than the input"


# ---------------------------------------------------------------- what each family must meet

_BATCHES = {"batch of 1", "batch of several"}
_RANKS = {"rank 1", "rank 2", "rank 3"}
_WINDOWS = {"even kernel", "dilation", "stride with dilation"}


def _each(pattern: str, *values: object) -> set[str]:
    return {pattern.format(value) for value in values}


_CONVS = {
    *_BATCHES,
    *_WINDOWS,
    *PADDING_MODES,
    *_each("{} as wide as the input", *PADDING_MODES),
    *_each("{} wider than the input", *PADDING_MODES),
    "same with a mode",
    "H = W = C",
    "H, W, C all distinct",
    "in = out",
    "in != out",
    "several channels a group",
    "depth multiplier",
    "one-pixel output",
    "stride does not divide the size",
    "kernel larger than the input",
    "asymmetric same",
    "asymmetric pairs",
}
_OF_RANK_1 = {
    *_each("causal {}", "Conv", "DepthwiseConv", "SeparableConv", "with stride", "with dilation"),
    "causal with a mode",
}
_OF_SEVERAL_AXES = {"non-square kernel", "unequal strides"}


def _convolutions(rank: int) -> Family:
    """By rank, so that each has as many examples, and meets its cells as often."""
    kinds = _each("{} of rank " + str(rank), "Conv", "DepthwiseConv", "SeparableConv")
    own = _OF_RANK_1 if rank == 1 else _OF_SEVERAL_AXES
    specs = strategies.layers(*CONVS, rank=rank)
    share = 2 if rank == 2 else 1  # where a fault is sought first
    cells = frozenset({f"rank {rank}", *_CONVS, *kinds, *own})
    return Family(strategies.cases(specs), cells, share)


def _activation(function: str) -> Family:
    own = {f"{function} with an alpha"} if function in DEFAULT_ALPHA else set()
    if function in OVER_AXIS:
        own = {f"{function} over another axis"}
    specs = ranks.flatmap(lambda rank: activation_layers(rank, function))
    cells = frozenset({function, *_BATCHES, *_RANKS, "rank 0", *own})
    return Family(strategies.cases(specs), cells, 0.2 if own else 0.1)


def _reduction(function: Reduction) -> Family:
    own = [function, f"{function} over n - 1"] if function in ("var", "std") else [function]
    specs = ranks.flatmap(lambda rank: reduces(rank, function))
    hard = _each("Reduce, {}", *own, "beside an axis of the same size")
    return Family(strategies.cases(specs), frozenset({*_BATCHES, *_RANKS, *hard}), 0.25)


FAMILIES = {
    **{f"convolutions of rank {rank}": _convolutions(rank) for rank in (1, 2, 3)},
    "transposed": Family(
        strategies.transposed_cases,
        frozenset(
            {
                *_BATCHES,
                *_RANKS,
                *_WINDOWS,
                *_OF_SEVERAL_AXES,
                "in = out",
                "in != out",
                "groups",
                "several channels a group",
                "output padding",
                "output padding with a crop",
                "asymmetric crop",
                "crop as wide as the kernel",
                "same",
                "asymmetric same",
                "stride beyond the kernel",
            }
        ),
    ),
    "large layers": Family(
        strategies.large_cases,
        frozenset(
            {
                "kernel over 4x4",
                "batch over 3",
                "groups or a multiplier over 3",
                "more than 16 channels",
                "rows beyond 16",
            }
        ),
        0.3,
    ),
    "pools": Family(
        strategies.pool_cases,
        frozenset(
            {
                *_BATCHES,
                *_RANKS,
                *_each("MaxPool of rank {}", 1, 2, 3),
                *_each("AvgPool of rank {}", 1, 2, 3),
                *_each("MaxPool{}", " with padding", ", asymmetric same", ", asymmetric pairs"),
                *_each("AvgPool{}", " with padding", ", asymmetric same", ", asymmetric pairs"),
                *_each("MaxPool, ceil_mode {}", "adds a window", "leaves a window out"),
                *_each("AvgPool, ceil_mode {}", "adds a window", "leaves a window out"),
                "AvgPool, ceil_mode adds what does not count",
                "a dilated maximum",
                "a divisor of its own",
                "padding counted",
                "padding not counted",
                "overlapping windows",
                "stride beyond the kernel",
                "unequal axes",
                "kernel larger than the input",
            }
        ),
        2,  # as two kinds of layer
    ),
    "norms": Family(
        strategies.norm_cases,
        frozenset(
            {
                *_BATCHES,
                *_RANKS,
                "rank 0",
                "BatchNorm",
                "LayerNorm",
                "GroupNorm",
                "InstanceNorm",
                "RMSNorm",
                "over several axes",
                "without a scale",
                "without an offset",
                "several groups of several channels",
            }
        ),
    ),
    "scales": Family(
        strategies.scale_cases, frozenset({*_BATCHES, *_RANKS, "rank 0", "Scale"}), 0.3
    ),
    **{function: _activation(function) for function in ACTIVATIONS},
    **{f"Reduce, {function}": _reduction(function) for function in REDUCTIONS},
    "heads": Family(
        strategies.head_cases,
        frozenset({*_BATCHES, *_RANKS, "rank 0", "in = out", "in != out"})
        | frozenset({"Dense", "Flatten", "GlobalAvgPool", "Dropout"})
        | frozenset({"Dense along another axis"}),
    ),
    "chains": Family(
        strategies.chain_cases,
        frozenset(
            {
                *_BATCHES,
                *_RANKS,
                "named layers",
                *_each(
                    "{}",
                    *("Conv", "DepthwiseConv", "ConvTranspose", "MaxPool", "AvgPool"),
                    *("BatchNorm", "LayerNorm", "GroupNorm", "Activation", "Dropout"),
                    *("GlobalAvgPool", "Flatten", "Dense"),
                ),
            }
        ),
    ),
}

FAMILIES["graphs"] = Family(
    strategies.cases(graphs()),
    frozenset(
        {
            *("batch of several", "rank 2", "Add", "Subtract", "Multiply", "Concat", "a gate"),
            *("a layer that runs again", "a graph inside", "three values at a join"),
            "over 10 nodes",
        }
    ),
    0.08,  # each is compiled by itself
)

_MOVE = movement_strategies.MAKERS | resize_strategies.MAKERS
_OWN = {Pad: _each("Pad, {}", *PADDING_MODES)}  # hard cells besides
_MET = {word for family in FAMILIES.values() for cell in family.cells for word in cell.split()}
FAMILIES |= {  # any other kind of layer is a family by itself
    kind.__name__: Family(
        strategies.cases(strategies.layers(kind)),
        frozenset({*_BATCHES, *_RANKS, kind.__name__, *_OWN.get(kind, ())}),
        0.3 if kind in _MOVE else 0.2,  # where values go, has more ways to err
    )
    for kind in strategies.MAKERS
    if kind.__name__ not in {*_MET, Activation.__name__, Reduce.__name__}
}
