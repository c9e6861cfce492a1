"""Specs of every type with any values of their fields, whether or not an input would fit them."""

from operator import itemgetter

from hypothesis import strategies as st

from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    OVER_AXIS,
    PADDING_MODES,
    Activation,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Composite,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    Graph,
    GroupNorm,
    InstanceNorm,
    Join,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Residual,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Source,
    Subtract,
)
from parity_tests.support import strategies

INTS = st.integers(1, 12)
SPEC_NAMES = st.text("abYZ019_", min_size=1, max_size=3)


@st.composite
def windows(draw):
    rank = draw(st.integers(1, 3))
    axes = st.one_of(INTS, st.tuples(*[INTS] * rank))
    amount = st.integers(0, 3)
    paddings = [st.sampled_from(["valid", "same"]), amount, st.tuples(*[amount] * rank)]
    paddings.append(st.tuples(*[st.tuples(amount, amount)] * rank))
    if rank == 1:
        paddings.append(st.just("causal"))
    return {
        "rank": rank,
        "in_channels": draw(INTS),
        "kernel_size": draw(axes),
        "stride": draw(axes),
        "dilation": draw(axes),
        "padding": draw(st.one_of(paddings)),
        "padding_mode": draw(st.sampled_from(PADDING_MODES)),
    }


@st.composite
def convs(draw):
    window, groups = draw(windows()), draw(st.integers(1, 3))
    window["in_channels"] *= groups
    return Conv(**window, out_channels=groups * draw(INTS), groups=groups, bias=draw(st.booleans()))


@st.composite
def depthwise_convs(draw):
    return DepthwiseConv(**draw(windows()), depth_multiplier=draw(INTS), bias=draw(st.booleans()))


@st.composite
def separable_convs(draw):
    return SeparableConv(
        **draw(windows()),
        out_channels=draw(INTS),
        depth_multiplier=draw(INTS),
        depthwise_bias=draw(st.booleans()),
        pointwise_bias=draw(st.booleans()),
    )


@st.composite
def transposed_convs(draw):
    window, groups = draw(windows()), draw(st.integers(1, 3))
    del window["padding_mode"]
    if window["padding"] == "causal":
        window["padding"] = "valid"
    window["in_channels"] *= groups
    strides = window["stride"]
    strides = (strides,) * window["rank"] if isinstance(strides, int) else strides
    if window["padding"] != "same":
        window["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in strides)
    return ConvTranspose(
        **window, out_channels=groups * draw(INTS), groups=groups, bias=draw(st.booleans())
    )


@st.composite
def pools(draw, kind):
    rank = draw(st.integers(1, 3))
    kernel = draw(st.tuples(*[INTS] * rank))
    pairs = st.tuples(*[st.tuples(*[st.integers(0, k - 1)] * 2) for k in kernel])
    if kind is AvgPool:
        divisors = st.none() | st.integers(-9, -1) | INTS
        fields = {"count_include_pad": draw(st.booleans()), "divisor_override": draw(divisors)}
    else:
        fields = {"dilation": draw(INTS)}
    return kind(
        kernel,
        draw(st.none() | INTS | st.tuples(*[INTS] * rank)),
        draw(st.sampled_from(["valid", "same"]) | pairs),
        rank=rank,
        ceil_mode=draw(st.booleans()),
        **fields,
    )


@st.composite
def group_norms(draw):
    groups = draw(INTS)
    parts = draw(st.tuples(st.booleans(), st.booleans()))
    return GroupNorm(groups, groups * draw(INTS), draw(EPS), *parts)


@st.composite
def norms_over_axes(draw, kind):
    axes = sorted(draw(st.sets(st.integers(1, 6), min_size=1, max_size=4)))
    sizes = draw(st.tuples(*[INTS] * len(axes)))
    given = {"axes": axes, "scale": draw(st.booleans())}
    return kind(sizes, draw(EPS), **given, **({"offset": False} if kind is LayerNorm else {}))


ALPHAS = st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False)
EPS = st.floats(0, 1, exclude_min=True, exclude_max=True) | st.just(1e-5)
LAYERS = {
    Conv: convs(),
    DepthwiseConv: depthwise_convs(),
    SeparableConv: separable_convs(),
    BatchNorm: st.builds(
        BatchNorm,
        INTS,
        EPS,
        st.floats(0, 1) | st.just(0.1),
        st.integers(1, 3),
        st.booleans(),
        st.booleans(),
    ),
    ConvTranspose: transposed_convs(),
    MaxPool: pools(MaxPool),
    MaxPoolIndices: pools(MaxPoolIndices),
    AvgPool: pools(AvgPool),
    LayerNorm: st.builds(LayerNorm, INTS, EPS, st.booleans(), st.booleans())
    | norms_over_axes(LayerNorm),
    InstanceNorm: st.builds(InstanceNorm, INTS, EPS, st.booleans(), st.booleans()),
    RMSNorm: st.builds(RMSNorm, INTS, EPS, st.booleans()) | norms_over_axes(RMSNorm),
    GroupNorm: group_norms(),
    Activation: st.builds(Activation, st.sampled_from(ACTIVATIONS))
    | st.builds(Activation, st.sampled_from(sorted(DEFAULT_ALPHA)), ALPHAS)
    | st.builds(Activation, st.sampled_from(OVER_AXIS), axis=st.sampled_from([1, 4, -1, -3])),
    GlobalAvgPool: st.just(GlobalAvgPool()),
    Flatten: st.just(Flatten()),
    Dropout: st.builds(
        Dropout, st.floats(0, 1, exclude_max=True), st.sampled_from(["element", "channel", "path"])
    ),
    Dense: st.builds(Dense, INTS, INTS, st.booleans(), st.sampled_from([-1, 1, -2])),
    Scale: st.builds(Scale, INTS),
}
LAYERS |= {  # of any other, those that fit some input
    kind: strategies.layers(kind).map(itemgetter(0))
    for kind in strategies.MAKERS
    if kind not in LAYERS
}


def numbered(children):
    return st.lists(children, min_size=1, max_size=4).map(Sequential)


def named(children):
    return st.dictionaries(SPEC_NAMES, children, min_size=1, max_size=4).map(Sequential)


def residuals(children):
    return st.builds(Residual, children, st.none() | children)


JOINS = {Add: st.just(Add()), Multiply: st.just(Multiply()), Subtract: st.just(Subtract())}
JOINS |= {kind: st.just(kind()) for kind in (Average, Divide, Maximum, Minimum)}
JOINS[Einsum] = st.sampled_from(["n q c, n k c -> n q k", "b h i, b i w->b w h"]).map(Einsum)
JOINS[MaxUnpool] = st.builds(
    MaxUnpool, INTS, st.none() | INTS, st.integers(0, 3), st.integers(1, 3), st.none() | INTS
)
JOINS[Concat] = st.sampled_from([1, 2, -1, -2]).map(Concat)


@st.composite
def graphs(draw, children):
    """A few nodes on any earlier values, and every value that no node takes is given."""
    values, taken, nodes = ["x"], set(), {}
    for i in range(draw(st.integers(1, 4))):
        spec = draw(children | st.one_of(*JOINS.values()))
        earlier = [name for name, each in nodes.items() if each[0] == spec]
        number = len(spec.sources) if isinstance(spec, Composite) else 1
        if isinstance(spec, Join):
            number = spec.arity or draw(st.integers(1, 3))
        if isinstance(spec, Source):
            number = 0
        inputs = draw(st.lists(st.sampled_from(values), min_size=number, max_size=number))
        again = earlier[0] if number and earlier and draw(st.booleans()) else spec
        nodes[f"n{i}"] = (again, *inputs)
        taken |= set(inputs)
        results = spec.results if isinstance(spec, Composite) else [""]
        values += [f"n{i}.{each}" if each else f"n{i}" for each in results]
    given = [value for value in values if value not in taken]
    if draw(st.booleans()):
        return Graph(nodes, outputs=given[0] if len(given) == 1 else given)
    return Graph(nodes, outputs={f"out_{i}": value for i, value in enumerate(given)})


COMPOSITES = {Sequential: (numbered, named), Residual: (residuals,), Graph: (graphs,)}
leaves = st.one_of(*LAYERS.values())
unnamed_specs = st.recursive(leaves, lambda children: numbered(children) | residuals(children))
one_to_one = st.recursive(
    leaves, lambda children: numbered(children) | named(children) | residuals(children)
)
specs = one_to_one | st.recursive(graphs(one_to_one), graphs, max_leaves=3)
