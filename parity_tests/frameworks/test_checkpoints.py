"""Checkpoints of PyTorch: read where they are a released network, and never executed."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import InputError, WeightError, init_weights
from convparity.analysis.commands.diagnose import read_output
from convparity.impls import networks, registry
from convparity.impls.networks.efficientnet_lite import released_name
from parity_tests.support.pickles import TRAPS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pth"


# ---------------------------------------------------------------- code in disguise


def _as_tensors(path: Path, content: Any, **options: Any) -> None:
    import torch

    torch.save({"_fc.bias": torch.ones(3), "_fc.weight": content}, path, **options)


def _in_a_wheel_of_safetensors(path: Path, content: Any) -> None:
    """A header that safetensors could have, and a pickle behind it."""
    path.write_bytes((8).to_bytes(8, "little") + b"{      }" + pickle.dumps(content))


def _as_objects(path: Path, content: Any) -> None:
    array = np.empty(1, object)
    array[0] = content
    np.save(path, array, allow_pickle=True)


# How such a pickle is dressed: what is written, under which name.
DISGUISES: dict[str, tuple[str, Callable[[Path, Any], None]]] = {
    "a checkpoint": ("model.pth", _as_tensors),
    "a former checkpoint": (
        "model.pth",
        lambda path, content: _as_tensors(path, content, _use_new_zipfile_serialization=False),
    ),
    "a bare pickle": ("model.pt", lambda path, content: path.write_bytes(pickle.dumps(content))),
    "a checkpoint called safetensors": ("model.safetensors", _as_tensors),
    "data of safetensors": ("model.safetensors", _in_a_wheel_of_safetensors),
    "an array": ("y.npy", _as_objects),
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_hostile_pickle_is_not_executed(tmp_path, trap, disguise):
    sprung = tmp_path / "sprung"
    name, write = DISGUISES[disguise]
    path = tmp_path / name
    write(path, TRAPS[trap](str(sprung)))
    read = read_output if path.suffix == ".npy" else convparity.load
    with pytest.raises((InputError, WeightError), match=name) as caught:
        read(path)
    assert "trust" not in str(caught.value)  # how to run it all the same is no remedy
    assert not sprung.exists()
    if name == "model.pth":
        assert "never runs code from a weight file" in str(caught.value)


# ---------------------------------------------------------------- damage, and archives that expand


def _zipped(path: Path, content: dict[str, bytes], compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def test_an_archive_that_expands_is_refused_unread(path, monkeypatch):
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("it was read"))
    _zipped(path, {"archive/data/0": bytes(2**24)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**15
    with pytest.raises(WeightError, match=r"expand to 16,777,216: torch\.save compresses nothing"):
        convparity.load(path)


def test_a_checkpoint_with_a_flipped_bit_is_refused(path, released):
    """Whichever bit: of the tensors, of the pickle that names them, of the directory."""
    import torch

    torch.save(released[1], path)
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    expected, refused = convparity.load(path)[1], 0
    regions = [(0, len(whole)), (0, 2**14), (len(whole) - 2**15, len(whole))]
    for at in np.concatenate([rng.integers(*region, size=20) for region in regions]).tolist():
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            weights = convparity.load(path)[1]
        except WeightError:
            refused += 1
            continue
        # of what nobody reads: the time of an entry, or what fills a page up
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)
    assert refused > 30


@pytest.mark.filterwarnings("ignore")  # that some of these are in beta, or deprecated
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda torch, t: t.to_sparse(), r"_fc\.bias is sparse \(sparse_coo\)"),
        (lambda torch, t: t.reshape(1, -1).to_sparse_csr(), r"_fc\.bias is sparse \(sparse_csr\)"),
        (lambda torch, t: t.to(torch.float8_e4m3fn), r"_fc\.bias is of float8_e4m3fn"),
        (
            lambda torch, t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
            r"_fc\.bias is quantised",
        ),
        (lambda torch, t: t.to("meta"), r"_fc\.bias is a shape without values \(meta\)"),
        (lambda torch, t: t.to(torch.complex64), r"_fc\.bias is of complex64"),
        (lambda torch, t: torch.nested.nested_tensor([t, t]), r"_fc\.bias is a nested tensor"),
    ],
)
def test_a_tensor_that_is_no_plain_array_is_named(path, released, change, message):
    import torch

    torch.save({**released[1], "_fc.bias": change(torch, released[1]["_fc.bias"])}, path)
    with pytest.raises(WeightError, match=rf"checkpoint\.pth: {message}.*: save it as a plain"):
        convparity.load(path)


def test_a_view_with_the_other_sign_is_read(path, released):
    import torch

    weights, state = released
    torch.save({**state, "_fc.bias": torch._neg_view(state["_fc.bias"])}, path)
    loaded = convparity.load(path)[1]["head.dense.bias"]
    assert np.array_equal(loaded, -weights["head.dense.bias"])


# ---------------------------------------------------------------- what a checkpoint holds


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


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_checkpoint_cut_short_is_refused(path, form):
    import torch

    torch.save({"_fc.bias": torch.ones(3)}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    for end in range(0, len(whole) - 8, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(WeightError, match=r"checkpoint\.pth"):
            convparity.load(path)


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


def test_a_whole_checkpoint_is_read_bit_for_bit(path, released):
    import torch

    weights, state = released
    assert len(state) == 296
    torch.save(state, path)
    spec, loaded = convparity.load(path)
    assert spec == networks.get("efficientnet_lite0").spec
    assert list(loaded) == list(weights)
    assert all(np.array_equal(loaded[name], weights[name]) for name in weights)


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


def test_a_checkpoint_with_nan_is_named(path, released):
    import torch

    torch.save({**released[1], "_bn0.running_var": torch.full((32,), np.nan)}, path)
    with pytest.raises(WeightError, match=r"stem\.norm\.variance holds 32 NaN") as caught:
        convparity.load(path)
    assert path.name in str(caught.value)
