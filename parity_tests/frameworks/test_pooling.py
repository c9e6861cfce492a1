"""Adaptive pools: proved alone and in a graph, read from native layers, with any size of input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Concat,
    Conv,
    GlobalMaxPool,
    Graph,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Multiply,
    Sequential,
    Spec,
    UnsupportedError,
    apply,
    build,
    compare,
    convert,
    describe,
    init_weights,
    reference,
)
from convparity.impls.adapter import Adapter
from convparity.impls.registry import get
from parity_tests.support.asserts import assert_parity
from parity_tests.support.gradients import cotangent_for, gradient_gap
from parity_tests.support.pooling_strategies import unpools
from parity_tests.support.strategies import Case, cases

# squeeze and excitation, and what several pools see of one image
GATED = Graph(
    {
        "stem": (Conv(3, 4, 3, padding="same"), "x"),
        "squeezed": (AdaptiveAvgPool(1), "stem"),
        "gate": (Conv(4, 4, 1), "squeezed"),
        "open": (Activation("sigmoid"), "gate"),
        "gated": (Multiply(), "stem", "open"),
        "coarse": (AdaptiveAvgPool((3, 2)), "gated"),
        "peaks": (AdaptiveMaxPool((3, 2)), "gated"),
        "both": (Concat(), "coarse", "peaks"),
        "top": (GlobalMaxPool(), "both"),
    }
)

# the largest values and their places, as PyTorch gives both
PLACED = Graph(
    {
        "stem": (Conv(3, 4, 3, padding="same"), "x"),
        "largest": (MaxPool(3, 2, 1), "stem"),
        "places": (MaxPoolIndices(3, 2, 1), "stem"),
    },
    outputs=("largest", "places"),
)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (AdaptiveAvgPool(1), (2, 8, 4, 3)),
        (AdaptiveAvgPool((2, 3)), (2, 7, 5, 3)),
        (AdaptiveAvgPool(7), (1, 4, 5, 2)),
        (AdaptiveAvgPool((2, 1, 3), rank=3), (2, 5, 4, 7, 2)),
        (AdaptiveMaxPool((2, 3)), (2, 7, 5, 3)),
        (AdaptiveMaxPool(4, rank=1), (2, 3, 2)),
        (AdaptiveMaxPool((2, 1, 3), rank=3), (2, 5, 4, 7, 2)),
        (GlobalMaxPool(), (2, 7, 5, 3)),
        (MaxPool(3, 2, 1, 2, True, 2), (2, 7, 8, 3)),
        (MaxPool((3, 2), (3, 2), ((0, 2), (1, 0)), 2, True), (2, 7, 6, 3)),
        (MaxPool(2, 3, "valid", 3, True), (1, 3, 4, 5, 2)),
        (AvgPool(3, 3, 1, True, 1, True), (2, 6, 3)),
        (AvgPool((3, 2), (3, 2), ((0, 2), (1, 0)), True, 2, True), (2, 7, 6, 3)),
        (AvgPool(3, 2, 1, False, 2, True), (2, 6, 8, 3)),
        (AvgPool(2, 3, 1, True, 3, True), (1, 3, 4, 2, 2)),
        (AvgPool(3, 2, ((0, 1),), True, 1, True, 4), (2, 6, 3)),
        (AvgPool(2, divisor_override=-2), (2, 6, 5, 3)),
        (GATED, (2, 7, 5, 3)),
        (MaxPoolIndices(3, 2, 1, 2, True, 2), (2, 7, 8, 3)),
        (MaxPoolIndices((3, 2), (3, 2), ((0, 2), (1, 0)), 2, True), (2, 7, 6, 3)),
        (MaxPoolIndices(3, 1, "same", 1), (2, 6, 3)),
        (MaxPoolIndices(2, 3, "valid", 3, True), (1, 3, 4, 5, 2)),
        (PLACED, (2, 6, 7, 3)),
    ],
)
def test_it_is_proved(spec: Spec, shape: tuple[int, ...]) -> None:
    for verdict in compare(spec, input_shape=shape):
        assert verdict.ok, verdict


def native(framework: str) -> list[tuple[Any, Spec]]:
    """Layers as their users write them, and what they are."""
    if framework == "pytorch":
        from torch import nn

        return [
            (nn.AdaptiveAvgPool1d(3), AdaptiveAvgPool(3, rank=1)),
            (nn.AdaptiveAvgPool2d(1), AdaptiveAvgPool(1)),
            (nn.AdaptiveAvgPool2d((2, 3)), AdaptiveAvgPool((2, 3))),
            (nn.AdaptiveAvgPool3d(2), AdaptiveAvgPool(2, rank=3)),
            (nn.AdaptiveMaxPool1d(3), AdaptiveMaxPool(3, rank=1)),
            (nn.AdaptiveMaxPool2d((2, 3)), AdaptiveMaxPool((2, 3))),
            (nn.MaxPool1d(3, 2, 1, 2, ceil_mode=True), MaxPool(3, 2, 1, 1, True, 2)),
            (nn.MaxPool2d(2, dilation=(1, 2)), MaxPool(2, dilation=(1, 2))),
            (nn.AvgPool1d(3, 2, 1, True), AvgPool(3, 2, 1, True, 1, True)),
            (nn.AvgPool2d(2, divisor_override=3), AvgPool(2, divisor_override=3)),
            (nn.AvgPool3d(2, ceil_mode=True), AvgPool(2, rank=3, ceil_mode=True)),
        ]
    import keras

    return [
        (keras.layers.GlobalAveragePooling1D(keepdims=True), AdaptiveAvgPool(1, rank=1)),
        (keras.layers.GlobalAveragePooling2D(keepdims=True), AdaptiveAvgPool(1)),
        (keras.layers.GlobalMaxPooling2D(keepdims=True), AdaptiveMaxPool(1)),
        (keras.layers.GlobalMaxPooling2D(), GlobalMaxPool()),
        *(
            (kind((2, 3)), AdaptiveAvgPool((2, 3)))
            for kind in [getattr(keras.layers, "AdaptiveAveragePooling2D", None)]
            if kind is not None  # before Keras 3.13
        ),
    ]


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_native_layers_are_read(framework: str) -> None:
    for layer, spec in native(framework):
        assert describe(layer) == spec
        for other in ("pytorch", "flax", "keras"):
            assert describe(convert(layer, to=other)) == spec


def test_pytorch_a_size_that_is_left_open() -> None:
    from torch import nn

    with pytest.raises(UnsupportedError, match="where None is that of the input"):
        describe(nn.AdaptiveAvgPool2d((None, 1)))
    with pytest.raises(UnsupportedError, match="it needs return_indices=False"):
        describe(nn.AdaptiveMaxPool2d(2, return_indices=True))
    with pytest.raises(UnsupportedError, match="a Graph of MaxPool and MaxPoolIndices"):
        describe(nn.MaxPool2d(2, return_indices=True))


CHAIN = Sequential(Conv(3, 4, 3), AdaptiveAvgPool((2, 3)), Activation("relu"))


def compiled(framework: str, module: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The module as a program whose batch, and where it may be image, is not known yet."""
    if framework == "flax":
        import jax
        from flax import nnx
        from jax import export

        graph, state = nnx.split(module)
        (batch,) = export.symbolic_shape("n")
        shape = jax.ShapeDtypeStruct((batch, 9, 8, 3), np.float32)
        run = export.export(jax.jit(lambda x: nnx.merge(graph, state)(x)))(shape)
        return lambda x: np.asarray(run.call(x))
    if framework == "keras":
        import keras
        import tensorflow as tf

        x = keras.Input((None, None, 3))
        model = keras.Model(x, module(x))
        run = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])
        return lambda x: np.asarray(run(x))
    import torch

    sizes = {0: torch.export.Dim("n")}
    example = torch.zeros(2, 3, 9, 8)
    program = torch.export.export(module, (example,), dynamic_shapes=(sizes,)).module()

    def called(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            y: np.ndarray = program(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
        return np.moveaxis(y, 1, -1)

    return called


@pytest.mark.parametrize("framework", ["pytorch", "flax", "keras"])
def test_a_batch_of_a_size_not_known_before(framework: str) -> None:
    weights = init_weights(CHAIN, 0)
    run = compiled(framework, build(CHAIN, weights, framework=framework))
    sizes = [(9, 8), (7, 11)] if framework == "keras" else [(9, 8)]
    for batch, spatial in [(3, sizes[0]), (5, sizes[-1])]:
        x = np.random.default_rng(1).standard_normal((batch, *spatial, 3)).astype(np.float32)
        expected = reference(CHAIN, weights, x)
        np.testing.assert_allclose(run(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        MaxPool(3, 2, 1, 2, True, 2),
        MaxPool((3, 2), (3, 2), ((0, 2), (1, 0)), 2, True),
        AvgPool((3, 2), (3, 2), ((0, 2), (1, 0)), True, 2, True),
        AvgPool(2, 3, 1, False, 2, True),
        MaxPoolIndices(3, 2, 1, 2, True, 2),
    ],
)
def test_keras_leaves_the_sizes_of_a_last_window_open(spec: Spec) -> None:
    import keras

    x = keras.Input((None, None, 3))
    model = keras.Model(x, build(spec, framework="keras")(x))
    for n in (1, 2, 3):
        data = np.random.default_rng(n).standard_normal((n, 5 + n, 4 + n, 3)).astype(np.float32)
        got = keras.ops.convert_to_numpy(model(data))
        np.testing.assert_allclose(got, reference(spec, {}, data), rtol=0, atol=1e-5)


# ---------------------------------------------------------------- where the largest values lie

FRAMEWORKS = ("pytorch", "flax", "keras")


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "spec",
    [
        MaxPoolIndices(3, 2, 1),
        MaxPoolIndices(3, 2, ((1, 2), (2, 0))),
        MaxPoolIndices(2, 1, "same"),
        MaxPoolIndices(2, 2, ((2, 0), (1, 2)), 2, True, 2),
    ],
)
def test_a_pixel_is_chosen_among_numbers_that_are_not_finite(framework: str, spec: Spec) -> None:
    x = np.random.default_rng(0).integers(-3, 4, (2, 5, 6, 2)).astype(np.float32)
    for hidden, value in ((x < 1, -np.inf), (x > 1, np.nan), (x > 1, np.inf), (x < 9, -np.inf)):
        data = np.where(hidden, value, x).astype(np.float32)
        places = apply(spec, {}, data, framework=framework)
        np.testing.assert_array_equal(places, reference(spec, {}, data))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_dtype_is_asked_for_more_places_than_it_counts(framework: str) -> None:
    spec, x = MaxPoolIndices(2), np.zeros((1, 16, 16, 1), np.float32)
    x[0, -1, -1] = 1
    last = apply(spec, {}, x, framework=framework, dtype="bfloat16")
    assert np.asarray(last, np.float32).ravel()[-1] == 255
    with pytest.raises(ValueError, match="288 pixels has more places than the 256"):
        apply(spec, {}, np.zeros((1, 16, 18, 1)), framework=framework, dtype="bfloat16")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_gradient_passes_a_place(framework: str) -> None:
    x = np.random.default_rng(0).integers(-3, 4, (2, 5, 6, 3)).astype(np.float32)
    adapter = get(framework)
    by_x, _ = adapter.backward(
        build(MaxPoolIndices(2), framework=framework), x, np.ones((2, 2, 3, 3), np.float32)
    )
    np.testing.assert_array_equal(by_x, np.zeros(x.shape))
    module = build(PLACED, init_weights(PLACED, 0), framework=framework)
    ones = np.ones((2, 3, 3, 4), np.float32)
    _, both = adapter.backward(module, x, (ones, ones))
    _, alone = adapter.backward(module, x, (ones, 0 * ones))
    assert both["stem.kernel"].any()
    np.testing.assert_array_equal(both["stem.kernel"], alone["stem.kernel"])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_places_are_read_as_they_were_made(framework: str) -> None:
    for spec in (
        MaxPoolIndices(2, rank=1),
        MaxPoolIndices(3, 2, ((0, 1), (1, 0)), 2, True, 2),
        MaxPoolIndices(2, 1, "same", 3),
    ):
        assert describe(build(spec, framework=framework)) == spec


# ---------------------------------------------------------------- values back in their places


def encoder_decoder(unpool: MaxUnpool, made: Spec) -> Graph:
    """What a convolution makes of the largest pixels, back in their places."""
    pads = tuple((p, p) for p in unpool.padding)
    window = (unpool.kernel_size, unpool.stride, pads, unpool.rank)
    rank = unpool.rank
    nodes = {
        "stem": (Conv(3, 4, 3, padding="same", rank=rank), "x"),
        "largest": (MaxPool(*window), "stem"),
        "places": (MaxPoolIndices(*window), "stem"),
        "made": (made, "largest"),
        "back": (unpool, "made", "places"),
        "end": (Conv(4, 2, 3, padding="same", rank=rank), "back"),
    }
    return Graph(nodes)


DECODERS = [
    (encoder_decoder(MaxUnpool(2), Conv(4, 4, 1)), (2, 6, 4, 3)),
    (encoder_decoder(MaxUnpool(3, 2, 1, 2, (6, 7)), Activation("relu")), (2, 6, 7, 3)),
    (encoder_decoder(MaxUnpool(2, rank=1, output_size=7), Conv(4, 4, 1, rank=1)), (2, 7, 3)),
    (encoder_decoder(MaxUnpool(2, rank=3), Conv(4, 4, 1, rank=3)), (1, 4, 2, 4, 3)),
]


@pytest.mark.parametrize(("spec", "shape"), DECODERS)
def test_values_in_place_are_proved_and_read(spec: Graph, shape: tuple[int, ...]) -> None:
    for verdict in compare(spec, input_shape=shape):
        assert verdict.ok, verdict
    weights = init_weights(spec, 0)
    x = np.random.default_rng(0).standard_normal(shape)
    for framework in FRAMEWORKS:
        adapter = get(framework)
        assert adapter.describe(adapter.build(spec)) == spec
        assert gradient_gap(adapter, spec, weights, x, cotangent_for(spec, weights, x, 1)) is None


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_values_lie_where_torch_puts_them(rank: int) -> None:
    """``nn.MaxUnpool`` on what ``return_indices`` gives; windows that share pixels, too."""
    import torch
    from torch import nn

    for kernel, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)):
        size = tuple(7 + axis for axis in range(rank))
        x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(kernel))
        pool = getattr(nn, f"MaxPool{rank}d")(kernel, stride, padding, return_indices=True)
        largest, places = pool(x)
        unpool = getattr(nn, f"MaxUnpool{rank}d")(kernel, stride, padding)
        right = unpool(largest, places, output_size=size).movedim(1, -1).numpy()
        spec = MaxUnpool(kernel, stride, padding, rank, size)
        assert get("pytorch").describe(unpool) == MaxUnpool(kernel, stride, padding, rank)
        graph = Graph({"y": (spec, "a", "b")}, inputs=("a", "b"))
        given = tuple(each.movedim(1, -1).numpy().astype(np.float32) for each in (largest, places))
        np.testing.assert_array_equal(reference(graph, {}, given), right)
        for framework in FRAMEWORKS:
            np.testing.assert_array_equal(apply(graph, {}, given, framework=framework), right)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_places_that_are_none(framework: str) -> None:
    """The value is left out, and has no gradient."""
    spec = Graph({"y": (MaxUnpool(1, rank=1), "a", "b")}, inputs=("a", "b"))
    x = np.arange(1, 8, dtype=np.float32).reshape(1, 7, 1)
    places = np.array([0, 6.9, 7, -0.5, -2, np.nan, np.inf], np.float32).reshape(1, 7, 1)
    y = apply(spec, {}, (x, places), framework=framework)
    assert y.ravel().tolist() == [1, 0, 0, 0, 0, 0, 2]
    g = np.arange(10, 17, dtype=np.float32).reshape(1, 7, 1)
    (by_x, by_places), _ = get(framework).backward(build(spec, framework=framework), (x, places), g)
    assert by_x.ravel().tolist() == [10, 16, 0, 0, 0, 0, 0]
    assert not np.any(by_places)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_values_that_share_a_place_have_its_gradient(framework: str) -> None:
    spec = Graph({"y": (MaxUnpool(2, 1, rank=1), "a", "b")}, inputs=("a", "b"))
    x, places = (np.array(each, np.float32).reshape(1, 3, 1) for each in ([4, 4, 5], [1, 1, 3]))
    g = np.array([1, 2, 3, 5], np.float32).reshape(1, 4, 1)
    (by_x, _), _ = get(framework).backward(build(spec, framework=framework), (x, places), g)
    assert by_x.ravel().tolist() == [2, 2, 5]


@settings(max_examples=6)
@given(case=cases(unpools()))
def test_any_values_back_in_place(adapters: list[Adapter], case: Case) -> None:
    assert_parity(case, adapters)


def test_keras_leaves_the_sizes_of_values_in_place_open() -> None:
    import keras

    spec = DECODERS[0][0]
    model = build(spec, init_weights(spec, 0), framework="keras")
    inputs = keras.Input((None, None, 3))
    open_model = keras.Model(inputs, model(inputs))
    for n in (1, 2):
        data = np.random.default_rng(n).standard_normal((n, 4 * n, 6, 3)).astype(np.float32)
        expected = reference(spec, init_weights(spec, 0), data)
        got = keras.ops.convert_to_numpy(open_model(data))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
