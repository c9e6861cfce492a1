"""Counts are exact: against the published figures, and against brute force on small layers."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convparity.analysis.cost.counting import (
    CONVENTIONS,
    block_costs,
    layer_costs,
    reduction,
    tensors,
    total_cost,
    twins,
)
from convparity.impls import networks
from convparity.impls.errors import InputError, SpecError
from convparity.impls.notation import from_line
from convparity.impls.notation.json_form import TYPES
from convparity.impls.spec import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Layer,
    Residual,
    SeparableConv,
    Sequential,
    output_shape,
)

# ---------------------------------------------------------------- the tutorial

PICTURE = (1, 228, 228, 3)
REGULAR, SEPARABLE = twins(Conv(3, 64, 5, 2))


def test_the_tutorials_learnables():
    assert twins(Conv(3, 64, 5, 2)) == (Conv(3, 64, 5, 2), SeparableConv(3, 64, 5, 2))
    assert {t.name: t.size for t in tensors(REGULAR)} == {"kernel": 4800, "bias": 64}
    assert {t.name: t.size for t in tensors(SEPARABLE)} == {
        "depthwise.kernel": 75,
        "depthwise.bias": 3,
        "pointwise.kernel": 192,
        "pointwise.bias": 64,
    }
    before, after = (total_cost(spec, PICTURE).parameters for spec in (REGULAR, SEPARABLE))
    assert (before, after) == (4864, 334)
    assert reduction(before, after) == 93.13322368421053


@pytest.mark.parametrize("spec", [REGULAR, SEPARABLE])
def test_the_tutorials_output(spec):
    assert total_cost(spec, PICTURE).output_shape == (1, 112, 112, 64)


@pytest.mark.parametrize(
    ("convention", "regular", "separable"),
    [
        ("mac", 60_211_200, 3_349_248),
        ("mac+bias", 61_014_016, 4_189_696),
        ("2mac", 120_422_400, 6_698_496),
        ("2mac+bias", 121_225_216, 7_538_944),
        ("tutorial", 252_850_176, None),
    ],
)
def test_the_tutorials_flops_under_each_convention(convention, regular, separable):
    assert total_cost(REGULAR, PICTURE).flops(convention) == regular
    assert total_cost(SEPARABLE, PICTURE).flops(convention) == separable


def test_those_are_all_the_conventions():
    assert list(CONVENTIONS) == ["mac", "mac+bias", "2mac", "2mac+bias", "tutorial"]


def test_the_separable_layer_moves_more_bytes_with_18_times_fewer_macs():
    regular, separable = total_cost(REGULAR, PICTURE), total_cost(SEPARABLE, PICTURE)
    assert (regular.bytes_moved(), separable.bytes_moved()) == (3_854_528, 4_137_464)
    assert round(regular.macs / separable.macs) == 18
    assert regular.intensity() == 120_422_400 / 3_854_528
    assert separable.intensity(itemsize=2) == 6_698_496 / (4_137_464 // 2)


def test_the_steps_of_the_separable_layer():
    depthwise, pointwise = layer_costs(SEPARABLE, PICTURE)
    assert (depthwise.path, depthwise.output_shape) == ("depthwise", (1, 112, 112, 3))
    assert (pointwise.path, pointwise.input_shape) == ("pointwise", (1, 112, 112, 3))
    assert (depthwise.macs, pointwise.macs) == (112 * 112 * 75, 112 * 112 * 192)
    assert (depthwise.bias_adds, pointwise.bias_adds) == (112 * 112 * 3, 112 * 112 * 64)


# ---------------------------------------------------------------- every type of layer

COSTS = {  # line -> (trainable, statistics, MACs, bias additions, values moved)
    "conv2d c4>6 k3x2 g2 n2 hw5x7": (78, 0, 72 * 36, 216, 280 + 78 + 216),
    "conv1d c3>5 k2 s3 p1:0 nobias n2 w7": (30, 0, 30 * 6, 0, 42 + 30 + 30),
    "depthwise2d c3 k2 m2 n1 hw4x3": (30, 0, 24 * 6, 36, 36 + 30 + 36),
    "transpose2d c4>6 k3x2 s2 p1:0x0:0 op1 g2 n2 hw3x5": (78, 0, 72 * 30, 924, 120 + 78 + 924),
    "transpose1d c3>5 k2 nobias n2 w7": (30, 0, 30 * 14, 0, 42 + 30 + 80),
    "maxpool2d k2 n2 hw4x6 c3": (0, 0, 0, 0, 144 + 36),
    "avgpool1d k3 s2 same n2 w5 c4": (0, 0, 0, 0, 40 + 24),
    "layernorm c5 n2 hw3x4": (10, 0, 0, 0, 120 + 10 + 120),
    "groupnorm g3 c6 n2 w4": (12, 0, 0, 0, 48 + 12 + 48),
    "scale c5 n2 hw3x4": (5, 0, 0, 0, 120 + 5 + 120),
    "parameter shape=5x7x3 n2 hw5x7 c3": (105, 0, 0, 0, 0),
    "constant values=[0.5,1.0,2.0] shape=1x1x3 n2 hw5x7 c3": (0, 0, 0, 0, 0),
    "dense c7>5 n3": (40, 0, 105, 15, 21 + 40 + 15),
    "batchnorm2d c5 n2 hw3x4": (10, 10, 0, 0, 120 + 20 + 120),
    "relu n2 hw3x4 c5": (0, 0, 0, 0, 240),
    "gap n2 hw3x4 c5": (0, 0, 0, 0, 120 + 10),
    "flatten n2 hw3x4 c5": (0, 0, 0, 0, 0),
    "dropout p0.2 n2 hw3x4 c5": (0, 0, 0, 0, 0),
    "gmp n2 hw3x4 c5": (0, 0, 0, 0, 120 + 10),
    "adaptiveavgpool2d o2 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 40),
    "adaptivemaxpool2d o2x1 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 20),
    "resize2d by2x3 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 720),
    "slice axis=1 start=1 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 80),
    "rearrange n,h,w,c->n,c,h,w n2 hw3x4 c5": (0, 0, 0, 0, 120 + 120),
    "pad p1:0x0:0 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 160),
    "rescale scale=2.0 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 120),
    "power exponent=2 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 120),
    "reduce function=sum axes=-1 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 24),
    "dense c5>7 n2 hw3x4": (42, 0, 35 * 24, 168, 120 + 42 + 168),
    "instancenorm c5 n2 hw3x4": (10, 0, 0, 0, 120 + 10 + 120),
    "rmsnorm c5 n2 hw3x4": (5, 0, 0, 0, 120 + 5 + 120),
    "rmsnorm_over of4x5 axes2x-1 n2 hw3x4 c5": (20, 0, 0, 0, 120 + 20 + 120),
    "layernorm_over of4x5 axes2x-1 n2 hw3x4 c5": (40, 0, 0, 0, 120 + 40 + 120),
    "prelu n2 hw3x4 c5": (1, 0, 0, 0, 120 + 1 + 120),
    "prelu slopes5 n2 hw3x4 c5": (5, 0, 0, 0, 120 + 5 + 120),
    "identity n2 hw3x4 c5": (0, 0, 0, 0, 0),
    "maxpoolindices2d k2 n2 hw4x6 c3": (0, 0, 0, 0, 144 + 36),
    "clamp low0.0 high6.0 n2 hw3x4 c5": (0, 0, 0, 0, 120 + 120),
}


def figures(cost):
    return cost.parameters, cost.statistics, cost.macs, cost.bias_adds, cost.values_moved


@pytest.mark.parametrize("line", COSTS)
def test_the_cost_of_one_layer(line):
    spec, shape = from_line(line)
    (step,) = layer_costs(spec, shape)
    assert figures(step) == COSTS[line]
    assert figures(total_cost(spec, shape)) == COSTS[line]
    assert (step.path, step.spec, step.input_shape) == ("", spec, shape)
    assert step.output_shape == output_shape(spec, shape)


def test_every_type_of_layer_has_its_cost_here():
    types = {type(from_line(line)[0]) for line in COSTS}
    assert types == {each for each in TYPES.values() if issubclass(each, Layer)}


@st.composite
def small_convs(draw):
    rank = draw(st.integers(1, 2))
    sizes = st.tuples(*[st.integers(1, 3)] * rank)
    pads = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * rank)
    groups, multiplier = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    window = {
        "kernel_size": draw(sizes),
        "stride": draw(sizes),
        "dilation": draw(sizes),
        "padding": draw(st.just("same") | pads),
        "bias": draw(st.booleans()),
        "rank": rank,
    }
    extent = [
        (k - 1) * d + 1 for k, d in zip(window["kernel_size"], window["dilation"], strict=True)
    ]
    spatial = [draw(st.integers(k, k + 3)) for k in extent]
    channels = groups * draw(st.integers(1, 2))
    spec = draw(
        st.sampled_from(
            [
                Conv(channels, groups * multiplier, groups=groups, **window),
                DepthwiseConv(channels, depth_multiplier=multiplier, **window),
            ]
        )
    )
    return spec, (draw(st.integers(1, 2)), *spatial, channels)


@given(small_convs())
def test_macs_are_what_a_loop_over_windows_does(case):
    spec, shape = case
    spatial = shape[1:-1]
    if spec.padding == "same":
        starts = [range(0, n, s) for n, s in zip(spatial, spec.stride, strict=True)]
    else:
        pairs = [(0, 0)] * spec.rank if spec.padding == "valid" else spec.padding
        starts = [
            range(-low, n + high - (k - 1) * d, s)
            for n, (low, high), k, s, d in zip(
                spatial, pairs, spec.kernel_size, spec.stride, spec.dilation, strict=True
            )
        ]
    inputs_seen = 1 if isinstance(spec, DepthwiseConv) else spec.in_channels // spec.groups
    macs = bias_adds = 0
    for _ in itertools.product(range(shape[0]), range(spec.out_channels), *starts):
        bias_adds += spec.bias
        for _ in itertools.product(range(inputs_seen), *map(range, spec.kernel_size)):
            macs += 1
    cost = total_cost(spec, shape)
    assert (cost.macs, cost.bias_adds) == (macs, bias_adds)


# ---------------------------------------------------------------- composites

BLOCK = Residual(
    Sequential({"conv": Conv(4, 6, 1), "norm": BatchNorm(6), "relu": Activation("relu")}),
    Sequential(Conv(4, 6, 1, bias=False)),
)


def test_a_residual_adds_one_step_that_reads_two_branches_and_writes_one():
    steps = {step.path: step for step in layer_costs(BLOCK, (2, 3, 5, 4))}
    assert list(steps) == ["body.conv", "body.norm", "body.relu", "shortcut.0", "add"]
    assert figures(steps["add"]) == (0, 0, 0, 0, 3 * 2 * 3 * 5 * 6)
    assert steps["add"].output_shape == (2, 3, 5, 6)
    assert steps["shortcut.0"].input_shape == (2, 3, 5, 4)


def test_a_total_is_the_sum_of_its_steps():
    steps = layer_costs(BLOCK, (2, 3, 5, 4))
    total = total_cost(BLOCK, (2, 3, 5, 4))
    assert figures(total) == tuple(map(sum, zip(*map(figures, steps), strict=True)))
    assert total.parameters == 4 * 6 + 6 + 6 + 6 + 4 * 6
    assert total.macs == 2 * (4 * 6 * 30)
    assert total.bias_adds == 6 * 30


def test_paths_are_the_names_of_the_weights():
    spec = Sequential({"stem": Sequential({"conv": Conv(3, 4, 1)}), "rest": BLOCK})
    named = {tensor.name.rpartition(".")[0] for tensor in tensors(spec)}
    costly = {step.path for step in layer_costs(spec, (1, 2, 2, 3)) if step.parameters}
    assert costly == named


def test_statistics_are_told_from_what_is_trained():
    spec = Sequential({"norm": BatchNorm(6)})
    assert {t.name: t.trainable for t in tensors(spec)} == {
        "norm.scale": True,
        "norm.offset": True,
        "norm.mean": False,
        "norm.variance": False,
    }


@pytest.mark.parametrize(("name", "blocks"), [("mobilenet_v1", 13), ("efficientnet_lite0", 16)])
def test_the_blocks_of_a_network(name, blocks):
    _, spec, shape = networks.get(name)
    costs = block_costs(spec, shape)
    assert [c.path for c in costs] == ["stem", *(f"blocks.{i}" for i in range(blocks)), "head"]
    assert figures(total_cost(spec, shape)) == tuple(
        map(sum, zip(*map(figures, costs), strict=True))
    )
    for before, after in itertools.pairwise(costs):
        assert before.output_shape == after.input_shape


def test_the_blocks_of_a_graph_are_its_nodes():
    both = Graph({"conv": (Conv(4, 4, 1), "x")}, outputs={"a": "conv", "b": "x"})
    graph = Graph({"pair": (both, "x"), "list": (Sequential(Conv(4, 4, 1)), "pair.b")})
    joined = Graph({**graph.said, "sum": (Add(), "pair.a", "list")})
    costs = block_costs(joined, (2, 3, 5, 4))
    assert [cost.path for cost in costs] == ["pair", "list.0", "sum"]
    assert [cost.macs for cost in costs] == [16 * 30, 16 * 30, 0]
    assert [cost.path for cost in block_costs(Sequential(joined), (2, 3, 5, 4))] == ["0"]


def test_a_layer_that_runs_twice_has_its_weights_once():
    twice = Graph({"conv": (Conv(4, 4, 1), "x"), "again": ("conv", "conv")})
    cost = total_cost(twice, (2, 3, 5, 4))
    assert (cost.parameters, cost.macs) == (16 + 4, 2 * 16 * 30)
    assert cost.parameters == sum(tensor.size for tensor in tensors(twice))


def test_a_spec_that_is_neither_sequence_nor_graph_is_one_block():
    assert [cost.path for cost in block_costs(BLOCK, (2, 3, 5, 4))] == [""]


# ---------------------------------------------------------------- twins and conventions


def test_twins_share_their_window():
    window = {
        "kernel_size": (3, 2),
        "stride": (2, 1),
        "padding": ((1, 0), (0, 2)),
        "dilation": (1, 2),
        "padding_mode": "reflect",
    }
    conv = Conv(4, 6, bias=False, **window)
    separable = SeparableConv(4, 6, depthwise_bias=False, pointwise_bias=False, **window)
    assert twins(conv) == (conv, separable)
    assert twins(separable) == (conv, separable)


def test_the_regular_twin_has_the_bias_of_the_output():
    assert twins(SeparableConv(4, 6, 3, depthwise_bias=False))[0] == Conv(4, 6, 3)
    assert twins(SeparableConv(4, 6, 3, pointwise_bias=False))[0] == Conv(4, 6, 3, bias=False)


@pytest.mark.parametrize("spec", [Conv(4, 6, 3, groups=2), DepthwiseConv(4, 3), Dense(4, 6)])
def test_other_layers_have_no_twin(spec):
    assert twins(spec) is None


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (Conv(4, 6, 3, groups=2), (1, 5, 5, 4)),
        (DepthwiseConv(4, 3), (1, 5, 5, 4)),
        (Dense(4, 6), (1, 4)),
        (Sequential(Conv(4, 6, 3)), (1, 5, 5, 4)),
    ],
)
def test_the_tutorials_convention_is_for_a_regular_convolution_only(spec, shape):
    assert total_cost(spec, shape).flops("tutorial") is None


def test_the_tutorials_convention_is_right_at_stride_1_and_same():
    cost = total_cost(Conv(4, 6, 3, 1, "same"), (2, 5, 7, 4))
    assert cost.flops("tutorial") == cost.flops("mac+bias")


def test_nothing_computed_has_no_intensity():
    assert total_cost(Dropout(), (1, 4)).intensity() == 0
    assert total_cost(Flatten(), (1, 4)).bytes_moved() == 0


def test_a_reduction_is_negative_where_there_is_more():
    assert reduction(4, 5) == -25


def test_as_dict_holds_every_figure():
    data = total_cost(REGULAR, PICTURE).as_dict()
    assert data["flops"]["tutorial"] == 252_850_176
    assert (data["parameters"], data["macs"], data["bytes_moved"]) == (4864, 60_211_200, 3_854_528)
    assert data["arithmetic_intensity"] == 120_422_400 / 3_854_528
    assert data["type"] == "Conv"


# ---------------------------------------------------------------- what is refused


def test_an_unknown_convention_is_named():
    with pytest.raises(InputError, match=r"convention 'macs'\. Did you mean 'mac'\?"):
        total_cost(REGULAR, PICTURE).flops("macs")


@pytest.mark.parametrize("function", [total_cost, layer_costs, block_costs])
def test_an_input_that_does_not_fit_names_the_whole_path(function):
    spec = Sequential({"a": Sequential({"b": Conv(3, 4, 1)}), "c": GlobalAvgPool()})
    with pytest.raises(SpecError, match="in layer 'a': in layer 'b': Conv takes 3 channels"):
        function(spec, (1, 5, 5, 4))


def test_sizes_multiply_without_overflow():
    cost = total_cost(Conv(2**20, 2**20, 1, bias=False), (2**20, 2**20, 1, 2**20))
    assert cost.macs == math.prod([2**20] * 4)
