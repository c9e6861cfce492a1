"""What moves values, natively: open sizes, and no copy where one permute does."""

from typing import Any

import numpy as np
import pytest

from convparity import (
    Concat,
    Conv,
    Graph,
    Pad,
    Rearrange,
    Slice,
    UnsupportedError,
    build,
    compare,
    convert,
    describe,
    init_weights,
    reference,
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
        Pad([(1, 2), (-1, 0)], value=0.25, channels=(-1, 2)),
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
        (Pad([(1, -2), 0], channels=(-1, 3)), (None, None, None, 8)),
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


def native_pads(framework: str) -> list[tuple[Any, Pad]]:
    """Layers as their users write them, and what they are."""
    if framework == "pytorch":
        from torch import nn

        return [
            (nn.ZeroPad1d(2), Pad([(2, 2)])),
            (nn.ZeroPad2d((1, 2, 3, -1)), Pad([(3, -1), (1, 2)])),
            (nn.ZeroPad3d((1, 0, 2, 0, 3, 0)), Pad([(3, 0), (2, 0), (1, 0)])),
            (nn.ConstantPad1d((1, -2), 0.5), Pad([(1, -2)], value=0.5)),
            (nn.ConstantPad2d((1, 2, 3, 4), -3), Pad([(3, 4), (1, 2)], value=-3)),
            (nn.ReflectionPad2d((1, 2, 3, 0)), Pad([(3, 0), (1, 2)], "reflect")),
            (nn.ReplicationPad3d(2), Pad([2, 2, 2], "replicate")),
            (nn.CircularPad1d((2, 1)), Pad([(2, 1)], "circular")),
        ]
    from keras import layers

    return [
        (layers.ZeroPadding1D((1, 2)), Pad([(1, 2)])),
        (layers.ZeroPadding2D(((1, 2), (0, 3))), Pad([(1, 2), (0, 3)])),
        (layers.ZeroPadding3D(2), Pad([2, 2, 2])),
        (layers.Cropping1D((1, 2)), Pad([(-1, -2)])),
        (layers.Cropping2D(((1, 0), (0, 2))), Pad([(-1, 0), (0, -2)])),
        (layers.Cropping3D(1), Pad([-1, -1, -1])),
    ]


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_native_pads_are_read(framework: str) -> None:
    for layer, spec in native_pads(framework):
        sizes = (5, 6, 7)[: spec.rank]
        x = np.random.default_rng(0).standard_normal((2, *sizes, 3)).astype(np.float32)
        if framework == "pytorch":
            import torch

            y = np.moveaxis(layer(torch.from_numpy(np.moveaxis(x, -1, 1))).numpy(), 1, -1)
        else:
            y = np.asarray(layer(x))
        np.testing.assert_array_equal(y, reference(spec, {}, x).astype(np.float32))
        assert describe(layer) == spec
        for other in ("pytorch", "flax", "keras"):
            assert describe(convert(layer, to=other)) == spec


def test_torch_fills_from_what_it_crops() -> None:
    from torch import nn

    with pytest.raises(UnsupportedError, match="where a spec crops first"):
        describe(nn.ReflectionPad1d((-1, 2)))


def test_a_value_beyond_the_dtype(adapter) -> None:
    spec = Pad([(0, 1)], value=1e5)
    with pytest.raises(UnsupportedError, match="fills with 1e\\+05, where float16 has infinity"):
        adapter.build(spec, dtype="float16")
    adapter.build(spec)
