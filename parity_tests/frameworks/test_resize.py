"""Resizing: proved alone and in a graph, and read from native layers."""

from typing import Any

import pytest

from convparity import (
    Add,
    Conv,
    Graph,
    Resize,
    Sequential,
    Spec,
    UnsupportedError,
    build,
    compare,
    convert,
    describe,
    reference,
)

# a step of a feature pyramid: what is coarse is added to what is fine
PYRAMID = Graph(
    {
        "fine": (Conv(3, 4, 3, padding="same"), "x"),
        "coarse": (Conv(4, 4, 3, stride=2, padding="same"), "fine"),
        "larger": (Resize(scale=2), "coarse"),
        "both": (Add(), "fine", "larger"),
        "smooth": (Resize(size=(5, 9), method="linear"), "both"),
        "aligned": (Resize(size=(5, 9), method="linear", align_corners=True), "both"),
        "sum": (Add(), "smooth", "aligned"),
    }
)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (Resize(scale=(2, 3)), (2, 5, 4, 3)),
        (Resize(size=(3, 9)), (2, 7, 5, 3)),
        (Resize(scale=2, method="linear"), (2, 5, 4, 3)),
        (Resize(size=(3, 9), method="linear"), (2, 7, 5, 3)),
        (Resize(size=(3, 9), method="linear", align_corners=True), (2, 7, 5, 3)),
        (Resize(size=5, method="linear", rank=1), (2, 3, 3)),
        (Resize(size=(2, 4, 3), method="linear", rank=3), (1, 2, 3, 4, 2)),
        (Resize(size=(3, 9), method="nearest-exact"), (2, 7, 5, 3)),
        (Resize(size=(3, 9), method="area"), (2, 7, 5, 3)),
        (Resize(size=(3, 9), method="cubic"), (2, 7, 5, 3)),
        (Resize(scale=2, method="cubic", align_corners=True), (2, 4, 5, 3)),
        (Resize(size=(3, 9), method="linear", antialias=True), (2, 7, 5, 3)),
        (Resize(size=3, method="cubic", rank=1, antialias=True), (2, 7, 3)),
        (Resize(scale=(1.3, 0.7)), (2, 7, 5, 3)),
        (Resize(scale=(1.3, 0.7), method="nearest-exact"), (2, 7, 5, 3)),
        (Resize(scale=(1.3, 0.7), method="linear"), (2, 7, 5, 3)),
        (Resize(scale=(1.3, 0.7), method="cubic", antialias=True), (2, 7, 5, 3)),
        (PYRAMID, (2, 8, 6, 3)),
    ],
)
def test_it_is_proved(spec: Spec, shape: tuple[int, ...]) -> None:
    for verdict in compare(spec, input_shape=shape):
        assert verdict.ok, verdict


def native(framework: str) -> list[tuple[Any, Spec]]:
    """Layers as their users write them, and what they are."""
    if framework == "pytorch":
        from torch import nn

        bicubic = Resize((2, 3), None, "cubic", True)
        return [
            (nn.Upsample(scale_factor=2), Resize(scale=2)),
            (nn.Upsample(size=(9, 5)), Resize((9, 5))),
            (nn.Upsample(size=[7]), Resize(7, rank=1)),
            (nn.UpsamplingNearest2d(scale_factor=3), Resize(scale=3)),
            (nn.Upsample(scale_factor=2.0, mode="linear"), Resize(None, 2, "linear", rank=1)),
            (nn.Upsample(scale_factor=3, mode="bilinear"), Resize(None, 3, "linear")),
            (nn.Upsample((9, 5), mode="bilinear"), Resize((9, 5), None, "linear")),
            (nn.UpsamplingBilinear2d((9, 5)), Resize((9, 5), None, "linear", True)),
            (nn.Upsample(scale_factor=(1.5, 2)), Resize(scale=(1.5, 2))),
            (nn.Upsample(scale_factor=2, mode="nearest-exact"), Resize(None, 2, "nearest-exact")),
            (nn.Upsample(scale_factor=1.5, mode="bicubic"), Resize(None, 1.5, "cubic")),
            (nn.Upsample((2, 3), mode="bicubic", align_corners=True), bicubic),
            (nn.Upsample([2, 3, 4], mode="area"), Resize((2, 3, 4), None, "area", rank=3)),
        ]
    from keras import layers

    return [
        (layers.UpSampling1D(3), Resize(scale=3, rank=1)),
        (layers.UpSampling2D((2, 3)), Resize(scale=(2, 3))),
        (layers.UpSampling3D(2), Resize(scale=2, rank=3)),
        (layers.UpSampling2D(3, interpolation="bilinear"), Resize(None, 3, "linear")),
        (layers.Resizing(3, 4), Resize((3, 4), None, "linear")),
        (layers.Resizing(3, 4, antialias=True), Resize((3, 4), None, "linear", antialias=True)),
        (layers.Resizing(3, 4, interpolation="nearest"), Resize((3, 4), None, "nearest-exact")),
        (
            layers.Resizing(3, 4, interpolation="bicubic", antialias=True),
            Resize((3, 4), None, "cubic", antialias=True),
        ),
    ]


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_native_layers_are_read(framework: str) -> None:
    for layer, spec in native(framework):
        if framework == "keras" and spec.rank != 2:
            import keras

            layer = keras.Sequential([keras.Input((*[5] * spec.rank, 2)), layer])
            spec = Sequential({layer.layers[0].name: spec})
        assert describe(layer) == spec
        for other in ("pytorch", "flax", "keras"):
            assert describe(convert(layer, to=other)) == spec


def test_what_no_spec_says() -> None:
    import keras
    from torch import nn

    for layer, message in (
        (nn.Upsample(scale_factor=1.5, recompute_scale_factor=True), "recompute_scale_factor=None"),
        (keras.layers.Resizing(2, 3, interpolation="bicubic"), "Keras's is Keys' with a = -0.5"),
        (keras.layers.Resizing(2, 3, interpolation="lanczos3"), "no spec says interpolation"),
        (keras.layers.Resizing(2, 3, crop_to_aspect_ratio=True), "crop_to_aspect_ratio=False"),
        (keras.layers.UpSampling2D(2, interpolation="lanczos3"), "interpolation='nearest'"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            describe(layer)


def test_native_layers_give_what_their_specs_mean() -> None:
    """PyTorch's and Keras's own layers, run as they are, at sizes without a place between two."""
    import numpy as np
    import torch

    x = np.random.default_rng(0).standard_normal((2, 7, 6, 3)).astype(np.float32)
    for framework in ("pytorch", "keras"):
        for layer, spec in native(framework):
            if spec.rank != 2:
                continue
            if framework == "keras":
                y = np.asarray(layer(x))
            else:
                y = np.moveaxis(layer(torch.from_numpy(np.moveaxis(x, -1, 1))).numpy(), 1, -1)
            np.testing.assert_allclose(y, reference(spec, {}, x), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        Resize(size=(3, 9), method="cubic"),
        Resize(size=(3, 9), method="linear", antialias=True),
        Resize(scale=(2, 3), method="area"),
        Resize(scale=(1.2, 0.7)),
        Resize(scale=(1.2, 0.7), method="nearest-exact"),
        Resize(scale=(1.2, 0.7), method="linear"),
        Resize(scale=(1.2, 0.7), method="cubic", antialias=True),
    ],
)
def test_keras_leaves_sizes_open(spec: Resize) -> None:
    import keras
    import numpy as np

    x = keras.Input((None, None, 3))
    model = keras.Model(x, build(spec, framework="keras")(x))
    for n in (1, 2):  # of which 4 keep their number
        data = np.random.default_rng(n).standard_normal((n, 3 + n, 6, 3)).astype(np.float32)
        got = keras.ops.convert_to_numpy(model(data))
        np.testing.assert_allclose(got, reference(spec, {}, data), rtol=0, atol=1e-5)
