"""Every mistake gets an error of ours that names it, and nothing foreign is ever executed."""

import importlib.metadata
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    FrameworkUnavailable,
    InputError,
    Sequential,
    SpecError,
    UnsupportedError,
    WeightError,
    init_weights,
)
from convparity.analysis.proof.compare import compare
from convparity.analysis.replay.replay import parse
from convparity.analysis.replay.scripts import write_script
from convparity.impls import networks, registry
from convparity.impls.adapter import Adapter

frameworks = pytest.mark.frameworks

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
X = np.ones((1, 5, 5, 2))

# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "call",
    [
        lambda name: convparity.build(SPEC, WEIGHTS, framework=name),
        lambda name: convparity.apply(SPEC, WEIGHTS, X, framework=name),
        lambda name: compare(SPEC, input_shape=X.shape, frameworks=[name]),
    ],
)
def test_an_unknown_framework_gets_a_suggestion(call):
    with pytest.raises(InputError, match=r"'pytroch'\. Did you mean 'pytorch'.*Known: flax"):
        call("pytroch")


@pytest.mark.parametrize(("name", "meant"), [("torch", "pytorch"), ("jax", "flax")])
def test_a_library_is_understood_as_its_framework(name, meant):
    assert registry.framework(name).name == meant
    assert registry.problem(name) == registry.problem(meant)
    case = parse("relu c1 hw2 ints:1")
    assert write_script(case, name) == write_script(case, meant)


def test_an_unknown_network_gets_a_suggestion():
    with pytest.raises(InputError, match=r"'efficientnet_light0'\. Did you mean 'efficientn"):
        networks.get("efficientnet_light0")


def test_what_is_no_module_is_named():
    for call in (
        convparity.describe,
        convparity.dump,
        lambda module: convparity.convert(module, to="keras"),
    ):
        with pytest.raises(UnsupportedError, match=r"ndarray is no module of torch \(pytorch\)"):
            call(X)


# ---------------------------------------------------------------- missing and old frameworks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that seem to be installed, and their versions; a test may edit it."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return found


@pytest.mark.parametrize("name", registry.FRAMEWORKS)
def test_a_missing_framework_names_its_extra(installed, name):
    with pytest.raises(FrameworkUnavailable, match=rf"{name}: .* is not installed.*\[{name}\]'"):
        convparity.build(SPEC, WEIGHTS, framework=name)
    assert registry.available() == ()


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"jax": "0.8.0", "flax": "0.12.1"}, r"jax 0.8.0 is older than 0.8.1: pip.*\[flax\]'"),
        ({"jax": "0.8.1", "flax": "0.9.12"}, "flax 0.9.12 is older than 0.12.1"),
        ({"jax": "0.8.1"}, "flax is not installed"),
        ({"jax": "0.8.1", "flax": "0.12.1"}, None),
        ({"jax": "0.10.0", "flax": "1.0"}, None),
        ({"jax": "0.8.1.dev20260101+cpu", "flax": "0.12.1rc1"}, None),
    ],
)
def test_versions_are_compared_as_numbers(installed, versions, problem):
    installed |= versions
    if problem is None:
        assert registry.problem("flax") is None
        assert registry.available() == ("flax",)
    else:
        with pytest.raises(FrameworkUnavailable, match=f"flax: {problem}"):
            registry.get("flax")


# ---------------------------------------------------------------- inputs, devices, dtypes


@frameworks
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 5, 2), r"kernel \(3, 3\) is larger than the padded input \(2, 5\)"),
        ((5, 5, 2), "takes an input of 4 axes"),
        ((1, 2, 5, 5), "takes 2 channels on the last axis, not 5"),
        ((0, 5, 5, 2), "at least 1"),
    ],
)
def test_an_input_that_does_not_fit_never_reaches_the_framework(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, shape: Any, message: str
) -> None:
    monkeypatch.setattr(type(adapter), "forward", lambda *_: pytest.fail("the framework ran"))
    with pytest.raises(SpecError, match=message):
        convparity.apply(SPEC, WEIGHTS, np.ones(shape), framework=adapter.name)


@frameworks
def test_nor_one_that_does_not_fit_a_later_layer(adapter: Adapter) -> None:
    spec = Sequential(Conv(2, 3, 3), Conv(3, 2, 3))
    with pytest.raises(SpecError, match=r"in layer '1': .* larger than the padded input \(2, 2\)"):
        convparity.apply(spec, init_weights(spec, 0), np.ones((1, 4, 4, 2)), framework=adapter.name)


@frameworks
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu:9"}, "unknown device 'tpu:9'.*Known: .*cpu"),
        ({"dtype": "float23"}, "unknown dtype 'float23'. Did you mean 'float32'.*bfloat16"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
    ],
)
def test_an_unknown_device_or_dtype_is_named(
    adapter: Adapter, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convparity.build(SPEC, WEIGHTS, framework=adapter.name, **options)


@frameworks
def test_flax_refuses_float64_where_jax_would_round_it() -> None:
    import jax

    with jax.enable_x64(False), pytest.raises(UnsupportedError, match="JAX_ENABLE_X64=1"):
        convparity.build(SPEC, WEIGHTS, framework="flax", dtype="float64")


@frameworks
@pytest.mark.parametrize("name", ["forward", "names", "self", "train", "eval"])
def test_a_layer_named_like_what_its_container_has_is_refused_or_built(adapter, name):
    spec = Sequential({name: Conv(2, 3, 3)})
    taken = {"pytorch": {"forward", "train", "eval"}, "flax": {"names", "train", "eval"}}
    if name in taken.get(adapter.name, ()):
        with pytest.raises(UnsupportedError, match=f"a layer cannot be called {name!r}"):
            adapter.build(spec, init_weights(spec, 0))
    else:
        assert convparity.describe(adapter.build(spec, init_weights(spec, 0))) == spec


# ---------------------------------------------------------------- weights of modules


@frameworks
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({**WEIGHTS, "kernel": np.ones((3, 2, 3, 3))}, r"\(3, 2, 3, 3\), the spec needs \(3, 3, 2"),
        ({**WEIGHTS, "bias": np.ones(1)}, r"bias has shape \(1,\), the spec needs \(3,\)"),
        ({**WEIGHTS, "bias": np.array([1, np.nan, 1])}, "bias holds 1 NaN"),
        ({"kernel": WEIGHTS["kernel"]}, "missing bias"),
        ({**WEIGHTS, "scale": np.ones(3)}, "unknown scale"),
    ],
)
def test_weights_that_do_not_fit_are_not_built_or_loaded(
    adapter: Adapter, weights: Any, message: str
) -> None:
    with pytest.raises(WeightError, match=message):
        convparity.build(SPEC, weights, framework=adapter.name)
    module = adapter.build(SPEC, WEIGHTS)
    with pytest.raises(WeightError, match=message):
        adapter.load(module, weights)
    after = convparity.dump(module)
    assert all(np.array_equal(after[name], WEIGHTS[name]) for name in WEIGHTS)


HELPLESS = ["pytorch", "flax"]  # Keras refuses an array of a wrong shape itself


def give(module: Any, framework: str, weight: str, array: np.ndarray) -> None:
    """Put an array of any shape where a native module holds a weight."""
    if framework == "flax":
        registry.get("flax").slots(module)[weight].variable.set_value(array)
    else:
        import torch

        order = [3, 2, 0, 1] if array.ndim == 4 else range(array.ndim)[::-1]
        native = torch.from_numpy(array.transpose(order).copy())
        setattr(module, "bias" if weight == "bias" else "weight", torch.nn.Parameter(native))


@frameworks
@pytest.mark.parametrize(
    ("spec", "shape"),  # of the first weight, in the canonical layout
    [
        (SPEC, (3, 3, 2, 5)),
        (SPEC, (3, 3, 1, 3)),
        (SPEC, (3, 2, 3)),
        (DepthwiseConv(3, 3, depth_multiplier=2), (3, 3, 1, 5)),  # no multiple of the multiplier
        (DepthwiseConv(3, 3, depth_multiplier=2), (18,)),
        (Dense(2, 3), (3, 2)),
        (Dense(2, 3), (6,)),
        (BatchNorm(3), (1,)),
    ],
)
@pytest.mark.parametrize("name", HELPLESS)
def test_a_module_that_was_given_a_wrong_array_is_not_read_nor_loaded(name, spec, shape):
    weights = init_weights(spec, 0)
    first = next(iter(weights))
    module = convparity.build(spec, weights, framework=name)
    give(module, name, first, np.ones(shape, np.float32))
    with pytest.raises(WeightError, match=first):
        convparity.dump(module)
    with pytest.raises(WeightError, match=first):
        registry.get(name).load(module, weights)


@frameworks
@pytest.mark.parametrize("name", HELPLESS)
def test_a_load_that_fails_has_written_nothing(name):
    adapter = registry.get(name)
    module = adapter.build(SPEC, WEIGHTS)
    give(module, name, "bias", np.ones(5, np.float32))
    with pytest.raises(WeightError, match="bias"):
        adapter.load(module, init_weights(SPEC, 1))
    kernel = adapter.slots(module)["kernel"]
    after = kernel.layout.to_canonical(adapter.read(kernel.variable))
    assert np.array_equal(after, WEIGHTS["kernel"])


# ---------------------------------------------------------------- modules that cannot be read


def assert_unreadable(module: Any, message: str, to: str = "flax") -> None:
    for call in (
        convparity.describe,
        convparity.dump,
        lambda module: convparity.convert(module, to=to),
    ):
        with pytest.raises(UnsupportedError, match=message):
            call(module)


@frameworks
def test_pytorch_modules_that_say_no_spec() -> None:
    from torch import nn

    class Scaled(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return 2 * super().forward(x)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: Any) -> Any:
            return self.conv(x)

    assert_unreadable(
        Network(), "Network cannot be read as a spec: it has code of its own.*write it as"
    )
    assert_unreadable(Scaled(1, 1, 3), "Scaled cannot be read as a spec")
    assert_unreadable(nn.Sequential(nn.ReLU(), nn.Sequential(nn.CELU())), "CELU cannot be read")
    assert_unreadable(nn.Flatten(), r"nn.Flatten orders .* C, H, W; use .*layers.Flatten, and per")
    assert_unreadable(nn.BatchNorm2d(3, affine=False), "BatchNorm2d.*needs affine=True")
    assert_unreadable(nn.BatchNorm2d(3, track_running_stats=False), "track_running_stats=True")


@frameworks
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda torch, conv: conv.weight.to(torch.float8_e4m3fn), "0.kernel is of 'float8_e4m3fn'"),
        (lambda torch, conv: conv.weight.to(torch.uint8), "0.kernel is of 'uint8': cast it"),
        (lambda torch, conv: conv.weight.to(torch.complex64), "0.kernel is of 'complex64'"),
        (lambda torch, conv: None, "in layer '0': pytorch: Conv2d has no kernel"),
    ],
)
def test_pytorch_weights_that_are_no_arrays_of_numbers(change: Any, message: str) -> None:
    import torch

    conv = torch.nn.Conv2d(2, 3, 3)
    found = change(torch, conv)
    conv.weight = found if found is None else torch.nn.Parameter(found.detach(), False)
    assert_unreadable(torch.nn.Sequential(conv), message)


@frameworks
def test_pytorch_modules_without_what_they_need() -> None:
    import torch
    from torch import nn

    norm, odd = nn.BatchNorm2d(3), nn.Conv2d(2, 3, 3)
    norm.running_mean, odd.stride = None, "ab"
    with torch.device("meta"):
        meta = nn.Sequential(nn.Conv2d(2, 3, 3))
    sparse = nn.Sequential(nn.Linear(2, 3))
    sparse[0].weight = nn.Parameter(sparse[0].weight.detach().to_sparse())
    assert_unreadable(nn.Sequential(norm), "in layer '0': pytorch: BatchNorm2d has no mean")
    assert_unreadable(nn.Sequential(odd), "in layer '0': Conv: stride must be an integer, not 'ab'")
    assert_unreadable(sparse, "a tensor is torch.sparse_coo: make a plain one")
    assert_unreadable(nn.DataParallel(nn.Sequential(odd)), "give what it wraps, its .module")
    for call in (convparity.dump, lambda module: convparity.convert(module, to="flax")):
        with pytest.raises(UnsupportedError, match="shapes without values"):
            call(meta)
    assert convparity.describe(meta) == Sequential(SPEC)


@frameworks
def test_tensors_without_values_are_named_wherever_they_come_in() -> None:
    import torch
    from torch import nn

    partly = nn.Sequential(nn.Conv2d(2, 3, 3))
    partly[0].weight = nn.Parameter(partly[0].weight.detach().to("meta"))
    with pytest.raises(UnsupportedError, match="without values"):
        convparity.dump(partly)
    assert convparity.describe(partly) == Sequential(SPEC)
    module = nn.Sequential(nn.Conv2d(2, 3, 3)).eval()
    x = torch.ones(1, 2, 5, 5)
    for inputs, message in ((x.to("meta"), "without values"), (x.to(torch.float8_e5m2), "float8")):
        for call in (
            lambda inputs=inputs: convparity.describe(module, inputs=inputs),
            lambda inputs=inputs: convparity.convert(module, to="flax", inputs=inputs),
            lambda inputs=inputs: convparity.check(module, module, inputs),
        ):
            with pytest.raises(UnsupportedError, match=message):
                call()
    with pytest.raises(UnsupportedError, match="without values"):
        convparity.first_divergence(
            partly, (Sequential(SPEC), {f"0.{k}": w for k, w in WEIGHTS.items()}), X
        )


@frameworks
def test_inputs_that_are_no_numbers_are_named() -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    module = nnx.Sequential(nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=nnx.Rngs(0)))
    shape = (1, 5, 5, 2)
    for inputs in (
        jax.random.split(jax.random.key(0), 5),
        np.full(shape, None),
        np.full(shape, "1"),
        np.ma.masked_all(shape),
        np.ones(shape, np.longdouble),
        jnp.ones(shape, jnp.complex64),
    ):
        with pytest.raises(InputError):
            convparity.check(module, module, inputs)
    with pytest.raises(InputError, match="a tensor with values"):
        convparity.convert(module, "keras", jax.ShapeDtypeStruct(shape, jnp.float32))


@frameworks
def test_a_view_with_the_other_sign_is_read_and_written() -> None:
    import torch
    from torch import nn

    conv = convparity.build(SPEC, WEIGHTS, framework="pytorch")
    conv.weight = nn.Parameter(torch._neg_view(conv.weight.detach()))
    assert np.array_equal(convparity.dump(conv)["kernel"], -WEIGHTS["kernel"])
    registry.get("pytorch").load(conv, WEIGHTS)
    assert np.array_equal(convparity.dump(conv)["kernel"], WEIGHTS["kernel"])


@frameworks
def test_flax_modules_without_what_they_need() -> None:
    import jax.numpy as jnp
    from flax import nnx

    def conv() -> Any:
        return nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=nnx.Rngs(0))

    def held(kernel: Any) -> Any:
        module = conv()
        module.kernel = kernel
        return nnx.Sequential(module)

    norm = nnx.BatchNorm(3, use_running_average=True, use_fast_variance=False, rngs=nnx.Rngs(0))
    odd = conv()
    norm.mean, odd.kernel_size = None, None
    float8, int4 = jnp.zeros((3, 3, 2, 3), "float8_e4m3fn"), jnp.zeros((3, 3, 2, 3), "int4")
    assert_unreadable(held(nnx.Param(float8)), "0.kernel is of 'float8_e4m3fn'", "keras")
    assert_unreadable(held(nnx.Param(int4)), "0.kernel is of 'int4': cast it", "keras")
    assert_unreadable(held(None), "in layer '0': flax: Conv has no kernel", "keras")
    bare = nnx.BatchNorm(3, use_running_average=True, use_fast_variance=False, rngs=nnx.Rngs(0))
    bare.var = jnp.ones(3)
    assert_unreadable(nnx.Sequential(bare), "which is no variable of it", "keras")
    assert_unreadable(held(nnx.Param([1, 2])), "in layer '0': Conv cannot be read", "keras")
    assert_unreadable(nnx.Sequential(norm), "in layer '0': flax: BatchNorm has no mean", "keras")
    assert_unreadable(nnx.Sequential(odd), "its fields are not what its class makes", "keras")
    assert_unreadable(nnx.Sequential(nnx.LoRALinear(2, 3, lora_rank=1, rngs=nnx.Rngs(0))), "LoRAL")


@frameworks
def test_keras_layers_without_what_they_need() -> None:
    import keras

    def model(*layers: Any) -> Any:
        return keras.Sequential([keras.Input((2,)), *layers])

    lora, int4, bare = (model(keras.layers.Dense(3)) for _ in range(3))
    lora.layers[0].enable_lora(1)
    int4.quantize("int4")
    bare.layers[0]._kernel = None
    assert_unreadable(lora, "its kernel is computed from another and two of LoRA")
    assert_unreadable(int4, "it was quantized, to int4")
    assert_unreadable(bare, "in layer 'dense.*': Dense cannot be read as a spec: its fields")


@frameworks
def test_flax_modules_that_say_no_spec() -> None:
    from flax import nnx

    class Scaled(nnx.Conv):
        def __call__(self, x: Any) -> Any:
            return 2 * super().__call__(x)

    rngs, mask = nnx.Rngs(0), np.ones((3, 3, 2, 3))
    assert_unreadable(Scaled(2, 3, (3, 3), rngs=rngs), "Scaled cannot be read as a spec")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), mask=mask, rngs=rngs), "nnx.Conv with a mask")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), padding="FOO", rngs=rngs), "FOO")
    assert_unreadable(nnx.Conv(2, 3, (3, 3), input_dilation=2, rngs=rngs), "an input dilation")
    assert_unreadable(nnx.Sequential(nnx.Linear(2, 3, rngs=rngs), nnx.celu), "cannot be read")
    assert_unreadable(nnx.BatchNorm(3, use_scale=False, rngs=rngs), "use_scale=True")


@frameworks
def test_keras_layers_that_say_no_spec() -> None:
    import keras
    from keras import layers

    class Scaled(layers.Dense):
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    def built(layer: Any, *shape: int) -> Any:
        layer.build((1, *shape))
        return layer

    image = keras.Input((5, 5, 2))
    functional = keras.Model(image, layers.Conv2D(3, 3)(image))
    first = layers.Conv2D(3, 3, data_format="channels_first")
    assert_unreadable(functional, "Functional cannot be read as a spec")
    assert_unreadable(built(Scaled(3), 2), "Scaled cannot be read as a spec")
    assert_unreadable(built(layers.Dense(3, "relu"), 2), "Dense '.*' .*it has an activation inside")
    assert_unreadable(built(layers.Conv2D(3, 3, activation="relu"), 5, 5, 2), "activation inside")
    assert_unreadable(built(first, 2, 5, 5), "data_format='channels_last', not 'channels_first'")
    assert_unreadable(built(layers.BatchNormalization(scale=False), 5, 5, 2), "scale=True")
    assert_unreadable(layers.ReLU(max_value=5), "stops at 5")
    for unbuilt in (layers.Conv2D(3, 3), layers.Dense(3), layers.BatchNormalization()):
        assert_unreadable(unbuilt, "is not built: call it on an input first")


@frameworks
@pytest.mark.parametrize("name", ["pytorch", "flax"])  # Keras refuses to hold a layer twice
def test_a_layer_that_is_used_twice_counts_twice(name):
    if name == "pytorch":
        from torch import nn

        conv, relu = nn.Conv2d(2, 2, 3), nn.ReLU()
        module = nn.Sequential(conv, relu, conv, relu)
    else:
        from flax import nnx

        conv = nnx.Conv(2, 2, (3, 3), padding="VALID", rngs=nnx.Rngs(0))
        module = nnx.Sequential(conv, nnx.relu, conv, nnx.relu)
    once = Sequential(Conv(2, 2, 3), Activation("relu"))
    spec, weights = convparity.describe(module), convparity.dump(module)
    assert [layer for _, layer in spec.children] == 2 * [layer for _, layer in once.children]
    assert np.array_equal(weights["0.kernel"], weights["2.kernel"])
