"""What moves values, natively: open sizes, and no copy where one permute does."""

import numpy as np
import pytest

from convparity import (
    Concat,
    Conv,
    Graph,
    Pad,
    Rearrange,
    Slice,
    build,
    compare,
    describe,
    init_weights,
)

SHUFFLE = Rearrange("n h w (g c) -> n h w (c g)", g=2)
NETWORK = Graph(
    {
        "conv": (Conv(3, 8, 3, padding="same"), "x"),
        "first": (Slice(-1, stop=4), "conv"),
        "second": (Slice(-1, 4), "conv"),
        "shuffle": (SHUFFLE, "first"),
        "both": (Concat(), "shuffle", "second"),
        "rows": (Rearrange("n h w c -> (n h) w c"), "both"),
        "longer": (Pad([(-1, 3)], "circular"), "rows"),
        "along": (Conv(8, 4, 3, padding="same", rank=1), "longer"),
        "image": (Rearrange("(n h) w c -> n h w c", h=6), "along"),
        "end": (Conv(4, 2, 1), "image"),
    }
)
WIRED_WRONG = NETWORK.with_children(
    {**dict(NETWORK.children), "shuffle": Rearrange("n h w (g c) -> n h w (g c)", g=2)}
)


def test_a_network_is_proved_where_the_batch_is_merged_and_split_again() -> None:
    """On two batches, as every network is."""
    for verdict in compare(NETWORK, input_shape=(2, 6, 5, 3)):
        assert verdict.ok, verdict
        assert verdict.trust.ok


def test_another_order_of_factors_is_another_function(adapter) -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3)).astype(np.float32)
    weights = init_weights(NETWORK, 0)
    right, wrong = (
        adapter.forward(adapter.build(spec, weights), x) for spec in (NETWORK, WIRED_WRONG)
    )
    assert not np.allclose(right, wrong)


@pytest.mark.parametrize(
    "spec",
    [
        SHUFFLE,
        Rearrange("n h w c -> n c h w"),
        Rearrange("n ... -> n (...)"),
        Rearrange("(n t) h w c -> n t (h w) c", t=2),
        Slice(-1, 1, None, 2),
        Slice(1, -3, -1),
        Pad([(1, 2), (-1, 0)], value=0.25),
        Pad([(9, -1), (0, 1)], "reflect"),
        Pad([-1], "replicate"),
    ],
)
def test_it_is_built_and_read(adapter, spec) -> None:
    assert describe(adapter.build(spec)) == spec


@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        ("n h w c -> n c h w", (2, 4, 5, 3)),  # PyTorch has (N, C, H, W), and then (N, W, C, H)
        ("n h w (g c) -> n g h w c", (2, 4, 5, 3)),
        ("n c h -> n 1 h c", (2, 4, 5)),
        ("n h c -> n (c h)", (2, 4, 5)),  # in PyTorch's own order
    ],
)
def test_pytorch_copies_nothing_where_strides_can_say_it(
    pattern: str, shape: tuple[int, ...]
) -> None:
    import torch

    sizes = {"g": 2} if "g" in pattern else {}
    module = build(Rearrange(pattern, **sizes), framework="pytorch")
    x = torch.zeros(shape)
    assert module(x).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_keras_leaves_sizes_open() -> None:
    import keras

    x = keras.Input((None, None, 6))
    for spec, shape in (
        (SHUFFLE, (None, None, None, 6)),
        (Rearrange("n h w (g c) -> n g (h w) c", g=2), (None, 2, None, 3)),
        (Rearrange("n h w c -> (n h) w c"), (None, None, 6)),
        (Pad([(1, -2), (-1, 7)], "reflect"), (None, None, None, 6)),
        (Slice(1, 1, -1), (None, None, None, 6)),
        (Slice(-1, 1, -1), (None, None, None, 4)),
    ):
        layer = build(spec, framework="keras")
        model = keras.Model(x, layer(x))
        assert model.output_shape == shape
        for n in (1, 3):
            data = np.random.default_rng(n).standard_normal((n, 4, 5, 6)).astype(np.float32)
            expected = keras.ops.convert_to_numpy(layer(data))
            np.testing.assert_array_equal(model.predict(data, verbose=0), expected)
