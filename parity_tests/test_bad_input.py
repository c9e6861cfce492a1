"""Every mistake gets an error of ours that names it, and nothing foreign is ever executed."""

import importlib.metadata
import pickle
from pathlib import Path
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
from convparity.impls.networks.efficientnet_lite import released_name

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


def assert_unreadable(module: Any, message: str) -> None:
    for call in (
        convparity.describe,
        convparity.dump,
        lambda module: convparity.convert(module, to="flax"),
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

    assert_unreadable(Network(), "Network cannot be read as a spec: write it as layers of these")
    assert_unreadable(Scaled(1, 1, 3), "Scaled cannot be read as a spec")
    assert_unreadable(nn.Sequential(nn.ReLU(), nn.Sequential(nn.CELU())), "CELU cannot be read")
    assert_unreadable(nn.Flatten(), r"nn.Flatten orders .* C, H, W; use .*layers.Flatten, and per")
    assert_unreadable(nn.BatchNorm2d(3, affine=False), "BatchNorm2d.*needs affine=True")
    assert_unreadable(nn.BatchNorm2d(3, track_running_stats=False), "track_running_stats=True")


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


# ---------------------------------------------------------------- checkpoints of PyTorch


class Trap:
    """Pickled, it is a call: whoever unpickles it creates the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pth"


@frameworks
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("where", ["alone", "among tensors"])
def test_a_hostile_pickle_is_not_executed(path, form, where):
    import torch

    trap = Trap(path.with_name("sprung"))
    content = trap if where == "alone" else {"_fc.bias": torch.ones(3), "_fc.weight": trap}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(WeightError, match="never runs code from a weight file") as caught:
        convparity.load(path)
    assert path.name in str(caught.value)
    assert "trust" not in str(caught.value)  # how to run it all the same is no remedy
    assert not trap.path.exists()


def test_the_trap_would_have_sprung(tmp_path):
    trap = Trap(tmp_path / "sprung")
    pickle.loads(pickle.dumps(trap)).close()
    assert trap.path.exists()


@frameworks
@pytest.mark.parametrize(
    "make",
    [
        lambda torch: {"lr": 0.1, "steps": [1, 2]},
        lambda torch: {"epoch": 3, "state_dict": {"_fc.bias": torch.ones(3)}},
        lambda torch: {0: torch.ones(3)},
        lambda torch: [torch.ones(3)],
        lambda torch: torch.ones(3),
        lambda torch: 7,
    ],
)
def test_what_is_no_state_dict_is_refused(path, make):
    import torch

    torch.save(make(torch), path)
    with pytest.raises(WeightError, match=r"not a state dict of tensors: save it with torch\.save"):
        convparity.load(path)


@frameworks
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_checkpoint_cut_short_is_refused(path, form):
    import torch

    torch.save({"_fc.bias": torch.ones(3)}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    for end in range(0, len(whole) - 8, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(WeightError, match=r"checkpoint\.pth"):
            convparity.load(path)


@frameworks
def test_the_checkpoint_of_another_network_is_refused(path):
    import torch

    torch.save(torch.nn.Linear(2, 3).state_dict(), path)
    with pytest.raises(WeightError, match=r"2 tensors of no network known here \(efficientnet_li"):
        convparity.load(path)


@pytest.fixture(scope="module")
def released() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weights of EfficientNet-Lite0, and the state dict that its release would hold for them."""
    import torch

    pytorch, spec = registry.get("pytorch"), networks.get("efficientnet_lite0").spec
    weights = init_weights(spec, 0)
    slots = pytorch.slots(pytorch.build(spec, weights))
    state = {released_name(name): slot.variable.detach() for name, slot in slots.items()}
    counters = [name.replace("running_mean", "num_batches_tracked") for name in state]
    return weights, state | dict.fromkeys(set(counters) - set(state), torch.tensor(9))


@frameworks
def test_a_whole_checkpoint_is_read_bit_for_bit(path, released):
    import torch

    weights, state = released
    assert len(state) == 296
    torch.save(state, path)
    spec, loaded = convparity.load(path)
    assert spec == networks.get("efficientnet_lite0").spec
    assert list(loaded) == list(weights)
    assert all(np.array_equal(loaded[name], weights[name]) for name in weights)


@frameworks
@pytest.mark.parametrize("form", ["bfloat16", "parameters"])
def test_a_checkpoint_may_hold_bfloat16_and_parameters(path, released, form):
    import torch

    weights, state = released
    state = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    change = torch.nn.Parameter if form == "parameters" else torch.Tensor.bfloat16
    torch.save({name: change(tensor) for name, tensor in state.items()}, path)
    bias = torch.from_numpy(weights["head.dense.bias"])
    expected = bias if form == "parameters" else bias.bfloat16().float()
    assert np.array_equal(convparity.load(path)[1]["head.dense.bias"], expected.numpy())


@frameworks
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_fc.bias": None}, r"missing \['_fc.bias'\] \(1\), left over \[\] \(0\)"),
        ({"_fc.scale": (3,)}, r"missing \[\] \(0\), left over \['_fc.scale'\] \(1\)"),
        ({"_fc.bias": None, "_fc.b": (3,)}, r"missing \['_fc.bias'\].*left over \['_fc.b'\]"),
        ({"_fc.bias": (999,)}, r"bias has shape \(999,\), .* \(1000,\)"),
        ({"_fc.weight": (1280,)}, r"head\.dense\.kernel|_fc\.weight"),
        ({"_blocks.3._depthwise_conv.weight": (144,)}, r"blocks\.3.*depthwise"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_named(path, released, change, message):
    import torch

    state = {name: tensor for name, tensor in released[1].items() if name not in change}
    state |= {name: torch.ones(shape) for name, shape in change.items() if shape is not None}
    torch.save(state, path)
    with pytest.raises(WeightError, match=message) as caught:
        convparity.load(path)
    assert path.name in str(caught.value)


@frameworks
def test_a_checkpoint_with_nan_is_named(path, released):
    import torch

    torch.save({**released[1], "_bn0.running_var": torch.full((32,), np.nan)}, path)
    with pytest.raises(WeightError, match=r"stem\.norm\.variance holds 32 NaN") as caught:
        convparity.load(path)
    assert path.name in str(caught.value)
