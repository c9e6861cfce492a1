"""What ``build`` returns is native: its framework's own tools train, save, compile and print it."""

import numpy as np
import pytest

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
    build,
    convert,
    describe,
    dump,
    from_line,
    init_weights,
    reference,
)
from convparity.analysis.proof.compare import compare
from convparity.impls import registry
from parity_tests.support.bits import assert_same_bits

SPEC = Sequential(
    {
        "stem": Conv(3, 8, 3, stride=2, padding=((0, 1), (1, 1)), bias=False),
        "norm": BatchNorm(8, eps=1e-3, momentum=0.25),
        "act": Activation("relu6"),
        "block": Residual(
            Sequential(SeparableConv(8, 8, 3, padding="same", dilation=2), Activation("relu")),
            SeparableConv(8, 8, 1, depthwise_bias=False),
        ),
        "dilated": Conv(8, 4, 3, stride=2, padding="same", dilation=2),
        "pool": GlobalAvgPool(),
        "dropout": Dropout(0.25),
        "head": Sequential(Flatten(), Dense(4, 5)),
    }
)
WEIGHTS = init_weights(SPEC, seed=4)
RNG = np.random.default_rng(4)
X = RNG.standard_normal((8, 13, 12, 3)).astype(np.float32)
LABELS = RNG.integers(0, 5, 8)
STEPS = 20


def assert_trained(losses: list[float], module) -> None:
    """The loss went down, and the weights that were trained can be read and converted."""
    assert losses[-1] < losses[0] / 2
    trained = dump(module)
    assert all(np.isfinite(array).all() for array in trained.values())
    changed = {n for n, array in trained.items() if not np.array_equal(array, WEIGHTS[n])}
    assert changed == set(WEIGHTS)  # BatchNorm's statistics too
    for other in {"pytorch", "flax", "keras"}:
        assert_same_bits(dump(convert(module, to=other)), trained)


# ---------------------------------------------------------------- PyTorch


def test_pytorch_trains() -> None:
    import torch

    model = build(SPEC, WEIGHTS, framework="pytorch").train()
    x, labels = torch.from_numpy(np.moveaxis(X, -1, 1).copy()), torch.from_numpy(LABELS)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert_trained(losses, model)


def test_pytorch_saves_exports_and_prints(tmp_path) -> None:
    import torch

    model = build(SPEC, WEIGHTS, framework="pytorch")
    torch.save(model.state_dict(), tmp_path / "model.pt")
    twin = build(SPEC, framework="pytorch")
    twin.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert_same_bits(dump(twin), WEIGHTS)
    x = torch.from_numpy(np.moveaxis(X, -1, 1).copy())
    compiled = torch.compile(model, backend="eager", fullgraph=True)  # one graph, no break
    assert torch.equal(compiled(x), model(x))
    exported = torch.export.export(model, (x,)).module()
    assert torch.equal(exported(x), model(x))
    assert "SeparableConv2d" in repr(model)
    assert "pad_first" in repr(model.stem)


# ---------------------------------------------------------------- Flax


def test_flax_trains() -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    model = build(SPEC, WEIGHTS, framework="flax")
    model.train()

    @nnx.jit
    def step(model: nnx.Module) -> jax.Array:
        def loss(model: nnx.Module) -> jax.Array:
            scores = jax.nn.log_softmax(model(jnp.asarray(X)))
            return -scores[jnp.arange(len(LABELS)), LABELS].mean()

        value, gradients = nnx.value_and_grad(loss)(model)
        state = nnx.state(model, nnx.Param)
        nnx.update(model, jax.tree.map(lambda w, g: w - 0.1 * g, state, gradients))
        return value

    losses = [float(step(model)) for _ in range(3 * STEPS)]
    model.eval()
    assert_trained(losses, model)


def test_flax_saves_and_prints() -> None:
    from flax import nnx

    model = build(SPEC, WEIGHTS, framework="flax")
    pure = nnx.to_pure_dict(nnx.state(model))  # what checkpoint libraries write
    twin = build(SPEC, framework="flax")
    state = nnx.state(twin)
    nnx.replace_by_pure_dict(state, pure)
    nnx.update(twin, state)
    assert_same_bits(dump(twin), WEIGHTS)
    assert "SeparableConv" in str(model)
    assert "pointwise" in nnx.tabulate(model, X, console_kwargs={"width": 300})


# ---------------------------------------------------------------- Keras


def test_keras_trains() -> None:
    import keras

    model = build(SPEC, WEIGHTS, framework="keras")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    history = model.fit(X, LABELS, batch_size=len(X), epochs=STEPS, verbose=0).history
    assert_trained(history["loss"], model)


def test_keras_saves_and_prints(tmp_path) -> None:
    import keras

    model = build(SPEC, WEIGHTS, framework="keras")
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    assert describe(twin) == SPEC
    assert_same_bits(dump(twin), WEIGHTS)
    np.testing.assert_array_equal(twin.predict_on_batch(X), model.predict_on_batch(X))
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert "Total params" in "".join(lines)
    initializers = model.get_layer("stem").kernel_initializer
    assert isinstance(initializers, keras.initializers.GlorotUniform)  # not a hidden array


# ---------------------------------------------------------------- one training step, compared


@pytest.mark.parametrize("framework", ["pytorch", "flax", "keras"])
def test_running_mean_moves_by_the_momentum(framework: str) -> None:
    """``momentum`` is the weight of the new batch, whatever each framework calls by that name."""
    spec = Sequential(BatchNorm(3, momentum=0.25))
    weights = init_weights(spec, seed=5)
    model = build(spec, weights, framework=framework)
    match framework:
        case "pytorch":
            import torch

            model.train()(torch.from_numpy(np.moveaxis(X, -1, 1).copy()))
        case "flax":
            model.train()
            model(X)
        case "keras":
            model(X, training=True)
    old, batch = weights["0.mean"].astype(np.float64), X.astype(np.float64).mean(axis=(0, 1, 2))
    new = dump(model)["0.mean"]
    expected = 0.75 * old + 0.25 * batch
    # 1,248 values are summed: a wrong momentum is off by millions of such roundings
    assert np.max(abs(new - expected)) < 1_248 * 2**-24 * np.max(abs(X))


@pytest.mark.parametrize("framework", ["pytorch", "flax", "keras"])
def test_layers_of_the_framework_itself_are_understood(framework: str) -> None:
    """A porter's own module, written with the framework's layers, converts as it stands."""
    match framework:
        case "pytorch":
            from torch import nn

            model = nn.Sequential(
                nn.Conv2d(3, 4, (3, 2), (2, 1), (1, 0), (1, 2), bias=False),
                nn.BatchNorm2d(4, 1e-3, 0.01),
                nn.ReLU6(),
                nn.Conv2d(4, 8, 3, padding="same", groups=2),
                nn.Dropout(0.1),
                nn.ReLU(),
            ).eval()
        case "flax":
            from flax import nnx

            rngs = nnx.Rngs(0)
            model = nnx.Sequential(
                nnx.Conv(3, 4, (3, 2), (2, 1), padding=[(1, 1), (0, 0)], rngs=rngs),
                nnx.BatchNorm(4, momentum=0.99, epsilon=1e-3, rngs=rngs),
                nnx.relu6,
                nnx.Conv(4, 8, (3, 3), feature_group_count=2, use_bias=False, rngs=rngs),
                nnx.Dropout(0.1, rngs=rngs),
                nnx.relu,
            )
            model.eval()
        case "keras":
            import keras

            model = keras.Sequential(
                [
                    keras.layers.Conv2D(4, (3, 2), (2, 2), padding="same", use_bias=False),
                    keras.layers.BatchNormalization(),
                    keras.layers.ReLU(6.0),
                    keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
                    keras.layers.SeparableConv2D(8, 3, dilation_rate=2, padding="same"),
                    keras.layers.Dropout(0.1),
                ]
            )
            model.build((None, None, None, 3))
    spec, weights = describe(model), dump(model)
    moved = {n: w + np.float32(0.5) for n, w in weights.items()}  # no variance of 1, no mean of 0
    registry.get(framework).load(model, moved)
    y = registry.get(framework).forward(model, X)
    assert y.shape == reference(spec, moved, X).shape
    for verdict in compare(spec, moved, x=X):
        assert verdict.ok, verdict
    for other in ("pytorch", "flax", "keras"):
        converted = convert(model, to=other)
        assert describe(converted) == spec
        assert_same_bits(dump(converted), moved)


def test_keras_knows_every_layer_of_ours_by_name() -> None:
    """So that ``keras.saving`` finds it."""
    import keras

    from convparity.impls.keras import layers, pooling, resize

    for page in (layers, pooling, resize):
        for name, kind in vars(page).items():
            if not isinstance(kind, type) or kind.__module__ != page.__name__:
                continue
            base = name.startswith("_") or kind is layers.AnyWindow  # that others inherit
            if issubclass(kind, keras.layers.Layer) and not base:
                assert keras.saving.get_registered_name(kind).startswith("convparity>"), name


def test_keras_keeps_the_initialiser_of_a_scale() -> None:
    import keras

    from convparity.impls.keras import layers

    scale = layers.Scale(gamma_initializer="zeros")
    scale.build((None, 3))
    config = keras.saving.serialize_keras_object(scale)
    twin = keras.saving.deserialize_keras_object(config)
    assert describe(twin) == Scale(3)
    np.testing.assert_array_equal(dump(twin)["scale"], np.zeros(3))


@pytest.mark.parametrize(
    "line",
    ["conv2d c4>6 k3 g2 hw7x6", "conv1d c4>6 k3 g2 w7", "transpose2d c4>6 k3 s2 d2 g2 hw7x6"],
)
def test_keras_compiles_a_grouped_convolution_once(line: str) -> None:
    from convparity.impls.keras import windows

    spec, shape = from_line(line)
    module = build(spec, init_weights(spec, 0), framework="keras")
    x_NSC = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    before = windows.compiled.cache_info()
    first, second = np.asarray(module(x_NSC)), np.asarray(module(2 * x_NSC))
    after = windows.compiled.cache_info()
    assert (first != second).any()
    assert (after.misses - before.misses, after.hits - before.hits) in [(1, 1), (0, 2)]
