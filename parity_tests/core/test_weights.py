"""Canonical weights: drawn alike everywhere, checked by name and shape, kept whole in a file."""

import hashlib
import json
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import convparity
from convparity import (
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    InputError,
    SeparableConv,
    Sequential,
    WeightError,
    init_weights,
    parameter_shapes,
)
from convparity.impls.checkpoints import own
from convparity.impls.notation import to_json
from convparity.impls.weights import Weights, check_weights
from parity_tests.support.strategies import Case, chain_cases

SPEC = Sequential(
    {
        "conv": Conv(4, 6, (3, 2), groups=2),
        "norm": BatchNorm(6),
        "sep": SeparableConv(6, 5, 3, depth_multiplier=2),
        "flat": Flatten(),
        "dense": Dense(20, 3),
    }
)
DENSE = Dense(2, 3)

# of init_weights(SPEC, 17): if it changes, so do the data of everybody's replays
GOLDEN = "238a01ccc397ac35638dfda20a836fd303c30160dbb0d386d4fb711347566445"


def digest(weights: Weights) -> str:
    whole = hashlib.sha256()
    for name, array in weights.items():
        whole.update(f"{name} {array.shape} {array.dtype}".encode())
        whole.update(array.astype("<f4").tobytes())
    return whole.hexdigest()


# ---------------------------------------------------------------- drawing


def test_the_same_seed_gives_the_same_bits_on_every_machine():
    assert digest(init_weights(SPEC, 17)) == GOLDEN


def test_weights_have_the_declared_names_and_shapes():
    weights = init_weights(SPEC, 0)
    assert [(name, w.shape) for name, w in weights.items()] == [*parameter_shapes(SPEC).items()]
    assert {w.dtype for w in weights.values()} == {np.dtype("float32")}


def test_no_value_could_hide_a_mistake():
    weights = init_weights(SPEC, 0)
    values = np.concatenate([w.ravel() for w in weights.values()])
    assert np.isfinite(values).all()
    assert not np.isin(values, (-1, 0, 1)).any()
    assert len(np.unique(values)) == len(values)
    assert (weights["norm.variance"] > 0).all()


def test_each_array_has_a_stream_of_its_own():
    weights = init_weights(SPEC, 0)
    changed = Sequential({**dict(SPEC.children), "conv": Conv(4, 6, 5), "more": Dense(3, 3)})
    others = init_weights(changed, 0)
    assert all(np.array_equal(others[name], weights[name]) for name in list(weights)[2:])
    assert not np.isin(init_weights(SPEC, 1)["dense.kernel"], weights["dense.kernel"]).any()
    twins = init_weights(Sequential({"a": Dense(9, 9), "b": Dense(9, 9)}), 0)
    assert not np.isin(twins["a.kernel"], twins["b.kernel"]).any()


@pytest.mark.parametrize(
    ("spec", "fan_in"),
    [
        (Conv(32, 64, (3, 5), groups=4), 3 * 5 * 8),
        (DepthwiseConv(512, 3, depth_multiplier=4), 3 * 3),
        (Dense(200, 100), 200),
    ],
)
def test_kernels_fill_the_range_of_he_initialisation(spec, fan_in):
    kernel = init_weights(spec, 0)["kernel"]
    limit = math.sqrt(6 / fan_in)  # the uniform distribution of variance 2 / fan_in
    assert 0.99 * limit < kernel.max() <= limit
    assert -0.99 * limit > kernel.min() >= -limit


# ---------------------------------------------------------------- checking


def dense(**arrays: Any) -> dict[str, Any]:
    return {**init_weights(DENSE, 0), **arrays}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, r"do not fit Dense: missing kernel, bias \(2\).*parameter_shapes\(spec\)"),
        ({"kernel": np.ones((2, 3))}, r"missing bias \(1\)"),
        (dense(gamma=np.ones(3)), r"unknown gamma \(1\)"),
        ({"weight": 1, "bias": np.ones(3)}, r"missing kernel \(1\); unknown weight \(1\)"),
        (dense(kernel=np.ones((3, 2))), r"kernel has shape \(3, 2\), the spec needs \(2, 3\)"),
        (dense(bias=np.ones((1, 3))), r"bias has shape \(1, 3\), the spec needs \(3,\)"),
        (dense(bias=1.0), r"bias has shape \(\), the spec needs \(3,\)"),
        (dense(bias=np.array([1, np.nan, np.inf])), "bias holds 2 NaN or infinite values of 3"),
        (dense(bias=np.array([1, 2, 3], object)), "bias has dtype object"),
        (dense(bias=np.array(["1", "2", "3"])), "bias has dtype <U1"),
        (dense(bias=np.array([True, False, True])), "bias has dtype bool"),
        (dense(bias=np.ones(3, complex)), "bias has dtype complex128"),
    ],
)
def test_weights_that_do_not_fit_are_named(weights, message):
    with pytest.raises(WeightError, match=message):
        check_weights(DENSE, weights)


def test_long_lists_of_names_are_cut_short_and_counted():
    with pytest.raises(WeightError, match=r"missing conv.kernel, .*, norm.mean, \.\.\. \(12\)\."):
        check_weights(SPEC, {})


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "float64"])
def test_any_real_dtype_will_do(dtype):
    check_weights(DENSE, {name: w.astype(dtype) for name, w in dense().items()})


# ---------------------------------------------------------------- files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ">f4", "int8", "int64", "uint16"]
)
def test_a_file_keeps_every_bit(path, dtype):
    weights = {name: (9 * w).astype(dtype) for name, w in init_weights(SPEC, 3).items()}
    convparity.save(path, SPEC, weights)
    spec, loaded = convparity.load(str(path))
    assert spec == SPEC
    assert list(loaded) == list(weights)
    for name, array in loaded.items():
        assert array.dtype == np.dtype(dtype).newbyteorder("="), name
        assert np.array_equal(array, weights[name]), name


def test_a_file_keeps_views_of_any_strides(path):
    kernel = np.arange(12.0).reshape(3, 4)[:, ::2].T
    convparity.save(path, DENSE, dense(kernel=kernel))
    assert np.array_equal(convparity.load(path)[1]["kernel"], kernel)


@settings(max_examples=50)
@given(chain_cases)
def test_a_file_keeps_any_spec(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    path = tmp_path_factory.mktemp("files") / "case.safetensors"
    convparity.save(path, case.spec, init_weights(case.spec, case.seed))
    spec, weights = convparity.load(path)
    assert spec == case.spec
    assert digest(weights) == digest(init_weights(spec, case.seed))


def test_a_file_of_a_spec_without_weights(path):
    convparity.save(path, Flatten(), {})
    assert convparity.load(path) == (Flatten(), {})


def test_weights_that_do_not_fit_are_not_saved(path):
    with pytest.raises(WeightError, match="missing bias"):
        convparity.save(path, DENSE, {"kernel": np.ones((2, 3))})
    assert not path.exists()


def safetensors(spec: str | None, dtype: str = "F32", **arrays: np.ndarray) -> bytes:
    """A file as the format describes it, written by hand: nothing checks what goes in."""
    header: dict[str, Any] = {}
    if spec is not None:
        header["__metadata__"] = {"spec": spec, "sha256": own.digest(spec, arrays, "")}
    data = b""
    for name, array in arrays.items():
        after = data + array.tobytes()
        offsets = [len(data), len(after)]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        data = after
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


WHOLE = safetensors(to_json(DENSE), **dense())
NAN = dense(bias=np.array([1, np.nan, 2], np.float32))
HALF = {name: w.astype(np.float16) for name, w in dense().items()}  # as many bytes as bfloat16


def test_a_file_of_another_format_is_refused_by_name(path):
    convparity.save(path, DENSE, dense())
    data = path.read_bytes()
    assert data.count(b'"version":"1"') == 1
    path.write_bytes(data.replace(b'"version":"1"', b'"version":"2"'))
    with pytest.raises(WeightError, match="format is '2', and this program reads '1': a later con"):
        convparity.load(path)


def test_the_file_written_by_hand_is_read(path):
    path.write_bytes(WHOLE)
    spec, weights = convparity.load(path)
    assert spec == DENSE
    assert digest(weights) == digest(dense())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole safetensors file"),
        (pickle.dumps(dense()), "not a whole safetensors file"),
        (WHOLE + b"\0", "not a whole safetensors file"),
        (safetensors(None, **dense()), "2 arrays.*'kernel'.*no spec in its metadata.*convparity.s"),
        (WHOLE.replace(b"sha256", b"sha265"), "no digest of its arrays.*convparity.save"),
        (WHOLE.replace(b'"sha256": "', b'"sha256": "0')[:-1], "not a whole safetensors file"),
        (WHOLE.replace(b"F32", b"I32"), "the digest differs"),
        (safetensors('{"type": "Dense"', **dense()), "not JSON"),
        (safetensors('{"type": "Dents"}', **dense()), "unknown spec type 'Dents'.*'Dense'"),
        (safetensors(to_json(DENSE), **NAN), "bias holds 1 NaN or infinite values of 3"),
        (safetensors(to_json(DENSE), kernel=np.ones((2, 3), "f4")), "missing bias"),
        (safetensors(to_json(Dense(3, 2)), **dense()), r"kernel has shape \(2, 3\)"),
        (safetensors(to_json(DENSE), "BF16", **HALF), "(?i)bf(loat)?16"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault(path, content, message):
    path.write_bytes(content)
    with pytest.raises(WeightError, match=message) as caught:
        convparity.load(path)
    assert path.name in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(path):
    for end in range(len(WHOLE)):
        path.write_bytes(WHOLE[:end])
        with pytest.raises(WeightError, match="not a whole safetensors file"):
            convparity.load(path)


@pytest.mark.parametrize("name", ["missing.safetensors", "missing.pth", "."])
def test_what_is_no_file_is_named(tmp_path, name):
    with pytest.raises(WeightError, match="is not a file") as caught:
        convparity.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing.weights\.safetensors"):
        convparity.save(tmp_path / "missing" / "weights.safetensors", DENSE, dense())
