"""The layout pass: drawn programs and blocks of real networks, held to their own axes."""

import doctest
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from convparity import (
    Activation,
    Add,
    BatchNorm,
    Clamp,
    Concat,
    Constant,
    Conv,
    Dense,
    Dropout,
    Einsum,
    GroupNorm,
    Identity,
    LayerNorm,
    MaxPool,
    Multiply,
    Pad,
    Parameter,
    PReLU,
    Rearrange,
    Reduce,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Slice,
    Subtract,
)
from convparity.impls.layout import (
    BATCH,
    Along,
    Contract,
    Expand,
    Input,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    Stack,
    lay_out,
    transposes,
)
from parity_tests.support.program_strategies import programs
from parity_tests.support.source_blocks import BLOCKS, Source
from parity_tests.support.source_programs import assert_laid_out, nodes_of

N = BATCH


@given(programs())
def test_a_drawn_program_means_the_same(program: Program) -> None:
    """Bit for bit, whatever is merged, split, repeated, or of one size with something else."""
    assert_laid_out(program)


# ---------------------------------------------------------------- real transposes, counted

REAL = {
    "channel_shuffle": 1,
    "squeeze_and_excite": 0,
    "convnext": 0,
    "alexnet": 0,
    "levit": 0,
    "efficientvit": 0,
    "vision_transformer": 0,
    "mixer": 0,
    "swin": 0,
    "maxvit": 0,
    "mobilevit": 0,
    "non_local": 0,
    "channel_attention": 0,
    "pyramid_attention": 0,
    "pooled_branch": 0,
    "box_head": 0,
    "anchors_first": 2,  # of each scale: the anchors are channels, and come before the pixels
    "pixel_shuffle": 1,
    "flat_patches": 1,
    "attention_of_pixels_and_channels": 0,
    "channels_in_a_row": 0,
    "split_attention": 0,
    "rows_as_columns": 0,
    "torn_rows_as_columns": 1,
    "einsum_heads": 0,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_moves_what_it_means_to_move(name: str) -> None:
    found = assert_laid_out(BLOCKS[name](), exact=False)
    assert transposes(found.graph) == REAL[name]


def test_what_only_merges_or_splits_is_no_transpose() -> None:
    assert transposes(Rearrange("n h w c -> n (h w) 1 c")) == 0
    assert transposes(Rearrange("n (h a) c -> (n h) a c", a=2)) == 0
    assert transposes(Rearrange("n h w c -> n w h c")) == 1
    assert transposes(Rearrange("n h w (g c) -> n h w (c g)", g=2)) == 1


def test_a_channel_shuffle_reads_as_one() -> None:
    found = lay_out(BLOCKS["channel_shuffle"]())
    assert nodes_of(found, Rearrange) == [Rearrange("n h w (c g) -> n h w (g c)", g=4)]


# ---------------------------------------------------------------- single rules


def exact(s: Source, *outputs: str) -> Any:
    """What the pass makes of a program, which must mean the same, bit for bit."""
    return assert_laid_out(s.program(*outputs))


def test_one_value_is_moved_into_two_orders() -> None:
    """Each is a movement of its own, and is written once."""
    s = Source(N, 4, 2, 2)
    a = s.view(s.permute(s.view("x", N, 2, 2, 2, 2), 0, 2, 1, 3, 4), N, 4, 2, 2)
    b = s.permute("x", 0, 1, 3, 2)
    pool = MaxPool(2, 1)
    found = exact(s, s(pool, a), s(pool, b), s(Conv(4, 3, 1), a), s(Conv(4, 3, 1), b))
    assert len(nodes_of(found, Rearrange)) == transposes(found.graph) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_what_is_no_neighbour_is_not_fused_where_it_lies(order: tuple[int, ...]) -> None:
    """(3, 4) read as (4, 3): free where they are stored so, a transpose where they are not."""
    s = Source(N, 3, 4, channels=-1) if order == (0, 1, 2) else Source(N, 4, 3, channels=-1)
    y = s(Reduce("max", 1), s.view(s.permute("x", *order), N, 4, 3))
    assert transposes(exact(s, y).graph) == (order != (0, 1, 2))


def test_neighbours_are_fused_in_their_order_alone() -> None:
    """(2, 3, 5) read as (5, 6), stored next to each other as (2, 5, 3)."""
    s = Source(N, 2, 5, 3, channels=-1)
    y = s(Reduce("max", 1), s.view(s.permute("x", 0, 1, 3, 2), N, 5, 6))
    assert transposes(exact(s, y).graph) == 1


def test_fusing_sees_what_lies_between() -> None:
    """Rows and columns with channels between them, as einsum heads leave them."""
    s = Source(N, 5, 2, 3, channels=2)  # stored (N, 5, 3, 2)
    y = s.view("x", N, 2, 5, 3)  # 10 = (5 2) as (2 5): behind 2 lies 3 in the store
    assert transposes(exact(s, s(Reduce("sum", 3), y)).graph) == 1


def test_several_torn_axes_are_made_whole_in_one_move() -> None:
    s = Source(N, 4, 6, 4)
    y = s.permute(s.view("x", N, 4, 3, 2, 2, 2), 0, 1, 3, 5, 2, 4)  # a b h w
    y = s.view(y, N, 4, 4, 6)
    y = s.view(y, N, 4, 3, 8)  # (4 6) as (3 8)
    assert transposes(exact(s, s(MaxPool(2, 1), y)).graph) == 1


def test_a_view_whose_borders_divide_moves_nothing() -> None:
    s = Source(N, 4, 6, 5)
    y = s.view(s.permute("x", 0, 2, 3, 1), N * 3, 10, 2, 2)
    found = exact(s, s(Activation("relu"), s(Reduce("max", 2), y)))
    assert transposes(found.graph) == 0


def test_a_value_meets_itself_in_another_order() -> None:
    s = Source(N, 3, 3, channels=-1)
    found = exact(s, s(Subtract(), "x", s.permute("x", 0, 2, 1)))
    assert transposes(found.graph) == 1


def test_an_operand_has_a_part_of_an_axis() -> None:
    """Tokens of two rows, and what is the same for all rows: in a sum, and in a product."""
    s = Source(N, 6, 5, channels=-1)
    y = s.view("x", N, 2, 3, 5)
    rows = s(Reduce("max", 2, keepdims=True), y)
    columns = s(Reduce("max", 1), y)
    found = exact(
        s, s(Add(), y, rows), s(Contract("n a b c, n b c -> n c"), y, columns), s(Add(), rows, y)
    )
    assert transposes(found.graph) == 0


def test_dropout_finds_what_it_drops_whole() -> None:
    """Channels in an axis of their own, and examples, or windows where these are the examples."""
    s = Source(N, 4, 6, 5)
    y = s(Dropout(0.5, "channel"), s.permute(s(Clamp(-1, 1), "x"), 0, 2, 3, 1))
    windows = s.view(s.permute("x", 0, 2, 1, 3), N * 6, 4, 5)
    z = s(Dropout(0.5, "path"), windows)
    found = exact(s, y, s(Dropout(0.5), z))
    axes = {name: found.outputs[name] for name in (y, z) if name in found.outputs}
    assert axes == {y: (0, 2, 3, 1)}  # stored as (N, W, C, H): of a source's image (N, H, W, C)
    assert Rearrange("n h w c -> (n h) w c") in nodes_of(found, Rearrange)


def test_outer_sums_need_no_transpose() -> None:
    s = Source(N, 3, 4, 5)
    rows, columns = s(Reduce("max", 3), "x"), s(Reduce("max", 2), "x")
    y = s(Add(), s.view(rows, N, 3, 4, 1), s.view(columns, N, 3, 1, 5))
    found = exact(s, s(Conv(3, 2, 2), y))
    assert transposes(found.graph) == 0


def test_the_order_for_which_the_fewest_move_wins() -> None:
    """Two torn operands against one that is whole; then one of each: the whole one."""
    s = Source(N, 4, 4, 6)

    def torn(x: str) -> str:
        y = s.permute(s.view(s(Clamp(-9, 9), x), N, 2, 2, 4, 6), 0, 2, 1, 3, 4)
        return s.view(y, N, 4, 4, 6)

    two = s(Add(), torn("x"), s(Add(), "x", torn("x")))
    found = exact(s, two)
    assert transposes(found.graph) == 2  # each torn one, to the order of the whole one
    s = Source(N, 4, 4, 6)
    found = exact(s, s(Add(), torn("x"), s(Clamp(-1, 1), torn("x"))))
    assert transposes(found.graph) == 1  # none moves to meet the other: the output does


def test_windows_are_gathered_where_they_meet_others() -> None:
    """Beside rows of pixels, along their own axis; and as they are, which is the same move."""
    s = Source(N, 3, 4, 6)
    x = s.permute("x", 0, 2, 3, 1)
    windows = s.permute(s.view(x, N, 2, 2, 3, 2, 3), 0, 1, 3, 2, 4, 5)
    windows = s.view(windows, N, 6, 4, 3)
    rows = s(Slice(1, 1, 3), s(Clamp(-1, 1), s.view(x, N, 6, 4, 3)))
    found = exact(s, s(Concat(1), windows, rows), windows)
    assert transposes(found.graph) == 1  # for both outputs
    assert found.outputs[windows] == (0, 1, 2, 3)


def test_numbers_of_channels_meet_them_in_their_order() -> None:
    s = Source(N, 6, 2, 2)
    y = s.view(s.permute(s.view("x", N, 2, 3, 2, 2), 0, 2, 1, 3, 4), N, 6, 2, 2)
    found = exact(s, s(Along(Scale(6), 1), y))
    assert transposes(found.graph) == 1


def test_a_parameter_is_converted_as_it_is_wanted() -> None:
    """A position, a scale of channels, a token before all others, a bias of scores."""
    s = Source(N, 4, 3, 2)
    y = s(Multiply(), s(Add(), "x", s(Parameter((1, 4, 3, 2)))), s(Parameter((4, 1, 1))))
    tokens = s.permute(s.view(y, N, 4, 6), 0, 2, 1)
    first = s(Expand((N, -1, -1)), s(Parameter((1, 1, 4))))
    tokens = s(Add(), s(Concat(1), first, tokens), s(Parameter((1, 7, 4))))
    heads = s.permute(s.view(tokens, N, 7, 2, 2), 0, 2, 1, 3)
    scores = s(Matmul(), heads, s.permute(heads, 0, 1, 3, 2))
    scores = s(Add(), scores, s(Parameter((2, 7, 7))))
    found = exact(s, s(Subtract(), s(Matmul(), scores, heads), s(Constant([[1, 2], [3, 4]][:1]))))
    assert transposes(found.graph) == 0
    assert not [name for name in (step.name for step in found.graph.steps) if "moved" in name]
    shapes = [spec.shape for spec in nodes_of(found, Parameter)]
    assert shapes[:2] == [(3, 2, 4), (1, 1, 4)]
    assert found.weights[f"{s.operations[0].name}.value"].order == (1, 2, 0)


def test_a_constant_is_written_as_it_is_wanted() -> None:
    s = Source(N, 2, 3, 1)
    mask = s.view(s(Constant([[1, 2, 3], [4, 5, 6]])), 1, 2, 3, 1)
    found = exact(s, s(Multiply(), "x", mask))
    assert nodes_of(found, Constant) == [Constant([1, 4, 2, 5, 3, 6], (3, 1, 2))]


def test_a_parameter_that_two_orders_want_is_moved_for_one() -> None:
    s = Source(N, 3, 3, channels=-1)
    p = s(Parameter((3, 3)))
    turned = s.permute(p, 1, 0)
    found = exact(s, s(Add(), s(Add(), "x", turned), p), s(Matmul(), "x", turned))
    assert transposes(found.graph) == 1
    assert not found.weights


def test_parameters_have_no_say_in_the_order() -> None:
    s = Source(N, 2, 3, channels=-1)
    two = [s.permute(s(Parameter((3, 2))), 1, 0) for _ in range(2)]
    assert transposes(exact(s, s(Add(), "x", *two)).graph) == 0


def test_rows_of_a_kernel_follow_a_flatten() -> None:
    found = lay_out(BLOCKS["alexnet"]())
    assert list(found.weights) == ["v5.kernel"]
    kernel = np.arange(48 * 7).reshape(48, 7)
    moved = found.laid_weights({"v5.kernel": kernel, "v7.kernel": kernel})
    rows = np.arange(48).reshape(8, 3, 2).transpose(1, 2, 0).ravel()
    assert np.array_equal(moved["v5.kernel"], kernel[rows])
    assert moved["v7.kernel"] is kernel


def test_a_norm_over_an_image_has_its_weights_follow() -> None:
    s = Source(N, 2, 3, 4)
    y = s(LayerNorm((2, 3, 4), axes=(1, 2, 3)), "x")
    y = s(RMSNorm((2, 4), axes=(1, 3)), y)
    found = assert_laid_out(s.program(y), exact=False)
    assert sorted(found.weights) == ["v0.offset", "v0.scale", "v1.scale"]
    assert nodes_of(found, LayerNorm)[0].num_features == (3, 4, 2)
    assert transposes(found.graph) == 0


def test_a_norm_over_torn_axes_takes_four_at_most() -> None:
    s = Source(N, 2, 12, 12)
    y = s.view("x", N, 2, 2, 3, 2, 2, 3, 2)
    y = s.view(s.permute(y, 0, 3, 6, 1, 2, 4, 5, 7), N, 9, 32)
    found = assert_laid_out(s.program(s(LayerNorm(32), y)), exact=False)
    assert [spec.axes for spec in nodes_of(found, LayerNorm)] == [-1]


def test_layers_that_run_again_share_their_weights() -> None:
    """Where their inputs are stored in unlike orders, too."""
    s = Source(N, 4, 4, channels=-1)
    first = s(Dense(4, 4), "x")
    again = s(first, s.permute("x", 0, 2, 1))
    norm = s(LayerNorm((4, 4), axes=(1, 2)), first)
    both = s(norm, s.permute(again, 0, 2, 1))
    found = assert_laid_out(s.program(s(Add(), norm, both)), exact=False)
    assert sum(step.child == first for step in found.graph.steps) == 2
    assert found.weights.keys() <= {f"{norm}.scale", f"{norm}.offset"}


def test_a_dense_layer_that_runs_again_keeps_its_rows() -> None:
    """After a flatten, and after itself."""
    s = Source(N, 2, 3, 4)
    fc = s(Dense(24, 24), s.view("x", N, 24))
    found = exact(s, s(fc, s(Clamp(-1, 1), fc)))
    assert found.weights == {}
    assert transposes(found.graph) == 1


def test_layers_on_images_and_their_relatives() -> None:
    s = Source(N, 4, 6, 5)
    y = s(SeparableConv(4, 6, 3, padding=1), s(Pad([1, (0, 2)]), "x"))
    y = s(Along(Scale(8), 2), s(PReLU(6), s(Resize(scale=2), s(MaxPool(2), y))))
    found = exact(s, y)
    assert found.outputs == {y: (0, 3, 1, 2)}  # the rows are last, for their scale
    s = Source(N, 4, 6, 5)
    y = s(BatchNorm(4), s(GroupNorm(2, 4), "x"))
    y = s(Activation("softmax", axis=1), s(Reduce("mean", (2, 3), keepdims=True), y))
    assert_laid_out(s.program(y), exact=False)


def test_axes_of_size_one_come_and_go() -> None:
    s = Source(N, 1, 4, 1)
    y = s(Conv(1, 3, 1), "x")
    small = s(Reduce("sum", (1, 3), keepdims=True), y)
    small = s(Reduce("max", 1), s.view(small, N, 1, 4))
    rest = s(Dense(1, 2), s.view(small, N, 4, 1))
    found = exact(s, rest, s(Concat(1), "x", y), s(Dense(4, 1), small), s(Slice(2, 1, 2), y))
    assert found.outputs[rest] == (0, 1, 2)


def test_parts_of_axes_that_have_factors() -> None:
    s = Source(N, 12, 2, 3)
    y = s.view(s.permute("x", 0, 2, 3, 1), N, 6, 12)
    parts = [s(Slice(1, 3, 6), y), s(Slice(1, 1, 4), y), s(Slice(2, 1, None, 3), y)]
    heads = s.view(y, N, 6, 3, 4)
    parts += [s(Select(2, -1), heads), s(Slice(-1, 0, 4, 2), heads)]
    found = exact(s, *parts)
    assert transposes(found.graph) == 0
    assert nodes_of(found, Slice)[0] == Slice(1, 1, 2)  # rows, where (h w) is read


def test_what_is_repeated_is_repeated_late() -> None:
    s = Source(N, 4, 1, 1)
    wide = s(Expand((-1, 4, 3, 5)), "x")
    found = exact(s, s(Reduce("max", (2, 3)), s(Add(), wide, "x")), s(MaxPool(2, 1), wide))
    assert [spec.size for spec in nodes_of(found, Resize)] == [(15,), (15,)]
    s = Source(N, 4, 1, 3)
    wide = s.view(s(Expand((N, 4, 2, 3)), "x"), N, 8, 3)
    assert nodes_of(exact(s, s(Slice(1, 2, 5), wide)), Resize)


def test_products_of_broadcast_axes() -> None:
    s = Source(N, 2, 3, 4)
    wide = s(Expand((N, 2, 3, 4)), s(Reduce("sum", 2, keepdims=True), "x"))
    found = exact(
        s,
        s(Contract("n c h w, n c h w -> n c w"), wide, wide),  # a sum of three equal products
        s.view(s(Contract("n c h w, n c k -> n"), wide, s(Reduce("sum", 3), "x")), N, 1),
        s(Contract("n c h w, n d h w -> d n c"), wide, "x"),
        s(Matmul(), wide, s.view(s(Reduce("max", (1, 2)), "x"), N, 1, 4, 1)),
    )
    assert all(isinstance(spec, Einsum) for spec in nodes_of(found, Einsum))


def test_inputs_and_outputs_know_their_orders() -> None:
    program = Program(
        (Input("image", (N, 3, 4, 5)), Input("tokens", (6, N, 3), -1)),
        (
            Operation("same", Permute((1, 2, 0)), ("tokens",)),
            Operation("unused", Conv(3, 4, 1), ("image",)),
            Operation("sum", Reduce("sum", (2, 3)), ("image",)),
        ),
        {"one": "same", "two": "sum"},
    )
    found = assert_laid_out(program)
    assert found.inputs == {"image": (0, 2, 3, 1), "tokens": (1, 0, 2)}
    assert found.outputs == {"same": (0, 2, 1), "sum": (0, 1)}
    assert [step.name for step in found.graph.steps] == ["sum"]
    assert list(found.graph.results) == ["one", "two"]


def test_a_program_that_only_reads_is_the_identity() -> None:
    found = exact(s := Source(N, 3, 4), s.permute("x", 0, 2, 1))
    assert [step.spec for step in found.graph.steps] == [Identity()]


def test_stacked_values_have_a_place() -> None:
    s = Source(N, 3, 4, 5)
    y = s(Clamp(-1, 1), "x")
    ends = [s(Stack(at), "x", y) for at in (0, 1, 2, -1)]
    found = exact(s, *ends, s(Concat(1), y))
    assert transposes(found.graph) == 0


def test_the_example_runs() -> None:
    results = doctest.testmod(inspect.getmodule(lay_out))
    assert results.attempted > 3
    assert not results.failed
