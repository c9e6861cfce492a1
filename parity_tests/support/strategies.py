"""Strategies that construct valid specs with an input shape and a data seed; nothing is filtered.

The rank is drawn first, then the kind of layer, then its window, then sizes that fit. Every draw
is ordered so that its simplest value comes first: a failure shrinks to rank 1, one group, one
channel, a kernel of 1, stride 1, no padding. Rank 1 is the simplest because Hypothesis prefers
fewer choices to smaller ones, and a row of pixels can be worked out by hand; a failure that is
still of rank 2 or 3 needs its axes. Sizes follow from the output size that was drawn, so that
strides which do not divide them, one-pixel outputs and kernels larger than the input occur.

Each family has a file of its own, ``<family>_strategies.py``; here they are put together.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Residual,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Spec,
    output_shape,
)
from convparity.impls.spec import Clamp, Identity, PReLU, Shape
from parity_tests.support import (
    arithmetic_strategies,
    movement_strategies,
    reduction_strategies,
    resize_strategies,
    source_strategies,
)
from parity_tests.support.activation_strategies import (
    activation_layers,
    any_activation,
    clamps,
    prelus,
)
from parity_tests.support.convolution_strategies import (
    CONVS,
    convs,
    depthwise_convs,
    large_layers,
    separable_convs,
    transposed_convs,
)
from parity_tests.support.drawing import Pair, batches, ranks, seeds, values
from parity_tests.support.normalisation_strategies import norms, norms_of, scales
from parity_tests.support.pooling_strategies import (
    adaptive_pools,
    avg_pools,
    global_max_pools,
    max_pools,
    places,
)


class Case(NamedTuple):
    """A spec, an input shape that fits it, and the seed of its data."""

    spec: Spec
    input_shape: Shape
    seed: int


def identities(rank: int) -> st.SearchStrategy[Pair]:
    """Of any value."""
    return values(rank).map(lambda shape: (Identity(), shape))


HEADS = (Dense, Flatten, GlobalAvgPool, Dropout)


@st.composite
def heads(draw: Any) -> Pair:
    """What stands between a network's last pixels and its scores, each layer by itself."""
    shape = draw(values(draw(ranks), flat=False))
    match draw(st.sampled_from(HEADS)):
        case kind if kind is Dense:
            flat = draw(st.booleans())
            if flat:
                shape = (shape[0], shape[-1])
            axis = -draw(st.integers(1, len(shape) - 1))
            if draw(st.booleans()):  # of a size that another axis has, too
                shape = (shape[0], *[shape[axis]] * (len(shape) - 1))
            features = shape[axis]
            made = draw(st.integers(1, 4)) if draw(st.booleans()) else features
            if axis != -1 and draw(st.booleans()):
                axis += len(shape)
            return Dense(features, made, draw(st.booleans()), axis), shape
        case kind if kind is Dropout:
            return Dropout(0.25, draw(st.sampled_from(["element", "channel", "path"]))), shape
        case kind:
            return kind(), shape


# ---------------------------------------------------------------- the whole surface

MAKERS: dict[type, Callable[[int], st.SearchStrategy[Pair]]] = {
    Conv: convs,
    DepthwiseConv: depthwise_convs,
    SeparableConv: separable_convs,
    ConvTranspose: transposed_convs,
    MaxPool: max_pools,
    AvgPool: avg_pools,
    BatchNorm: norms(BatchNorm),
    LayerNorm: norms(LayerNorm),
    GroupNorm: norms(GroupNorm),
    Activation: activation_layers,
    Scale: scales,
    AdaptiveAvgPool: adaptive_pools(AdaptiveAvgPool),
    AdaptiveMaxPool: adaptive_pools(AdaptiveMaxPool),
    GlobalMaxPool: global_max_pools,
    MaxPoolIndices: places,
    Clamp: clamps,
    PReLU: prelus,
    Identity: identities,
    InstanceNorm: norms(InstanceNorm),
    RMSNorm: norms(RMSNorm),
    **movement_strategies.MAKERS,
    **arithmetic_strategies.MAKERS,
    **reduction_strategies.MAKERS,
    **resize_strategies.MAKERS,
    **source_strategies.MAKERS,
}


@st.composite
def layers(draw: Any, *kinds: type, rank: int | None = None) -> Pair:
    """One layer of one of ``kinds``, at any rank or at one."""
    rank = rank or draw(ranks)
    return draw(MAKERS[draw(st.sampled_from(kinds))](rank))


@st.composite
def chains(draw: Any, exact: bool = False) -> Pair:
    """What networks are made of: convolutions, norms, activations, residuals, then a head.

    ``exact`` leaves out what rounds even on small integers.
    """
    rank = draw(ranks)
    first, shape = draw(MAKERS[draw(st.sampled_from([Conv, SeparableConv, ConvTranspose]))](rank))
    parts: list[Spec] = [first]
    now = output_shape(first, shape)
    for _ in range(draw(st.integers(0, 3))):
        parts.append(draw(_links(now[-1], rank, exact)))
        now = output_shape(parts[-1], now)
    heads = ["none", "flatten", "pool"]
    if exact and isinstance(first, ConvTranspose):
        heads.remove("pool")  # n * 3 pixels, say, never are a power of two, as exact means need
    match draw(st.sampled_from(heads)):
        case "flatten":
            features = output_shape(Flatten(), now)[-1]
            parts += [Flatten(), Dense(features, draw(st.integers(1, 4)))]
        case "pool":
            parts += [GlobalAvgPool(), Dense(now[-1], draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        return Sequential({f"layer{i}": part for i, part in enumerate(parts)}), shape
    return Sequential(parts), shape


@st.composite
def _links(draw: Any, channels: int, rank: int, exact: bool) -> Spec:
    """A layer that any values can pass through."""
    size = draw(st.integers(1, 3))
    same = Conv(channels, channels, size, padding="same", rank=rank)
    body = draw(st.sampled_from([same, Sequential(Activation("relu6"), same)]))
    norms_here = norms_of(channels, rank)
    links = [
        st.sampled_from([Activation("relu"), Activation("relu6")]),
        st.just(Dropout(0.5)),
        norms_here[BatchNorm],
        st.sampled_from([Residual(body), Residual(body, Conv(channels, channels, 1, rank=rank))]),
        st.builds(lambda s: MaxPool(2, s, "same", rank=rank), st.integers(1, 2)),
        st.builds(
            lambda s: SeparableConv(channels, channels, size + 1, s, "same", rank=rank),
            st.integers(1, 2),
        ),
    ]
    if not exact:
        links += [
            st.builds(lambda s: AvgPool(2, s, "same", rank=rank), st.integers(1, 2)),
            norms_here[LayerNorm],
            norms_here[GroupNorm],
            any_activation,
        ]
    return draw(st.one_of(links))


@st.composite
def long_chains(draw: Any) -> Pair:
    """More than ten named layers on rows beyond 16, the first with a kernel of 5x5."""
    channels = draw(st.integers(2, 6))
    size = draw(st.integers(17, 40))
    parts: list[Spec] = [Conv(3, channels, 5, 2, "same")]
    for _ in range(draw(st.integers(9, 12))):
        parts.append(draw(_links(channels, 2, exact=False)))
    parts += [GlobalAvgPool(), Dense(channels, 4)]
    spec = Sequential({f"layer{i}": part for i, part in enumerate(parts)})
    return spec, (draw(batches), size, draw(st.integers(17, 40)), 3)


def cases(specs: st.SearchStrategy[Pair]) -> st.SearchStrategy[Case]:
    """Specs with their input shapes, as cases: a data seed is added."""
    return st.builds(lambda pair, seed: Case(*pair, seed), specs, seeds)


conv_cases = cases(layers(*CONVS))
transposed_cases = cases(layers(ConvTranspose))
linear_cases = cases(layers(*CONVS, ConvTranspose))
large_cases = cases(large_layers())
max_pool_cases = cases(layers(MaxPool))
avg_pool_cases = cases(layers(AvgPool))
pool_cases = cases(layers(MaxPool, AvgPool))
norm_cases = cases(layers(BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm))
scale_cases = cases(layers(Scale))
activation_cases = cases(layers(Activation))
head_cases = cases(heads())
layer_cases = cases(layers(*MAKERS))
exact_chain_cases = cases(chains(exact=True))
chain_cases = cases(chains())
long_chain_cases = cases(long_chains())
