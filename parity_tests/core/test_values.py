"""The border for values: what is no array of real numbers is one clear error."""

import itertools
import json
import sys
from typing import Any

import numpy as np
import pytest

import convparity
from convparity import (
    BatchNorm,
    Conv,
    Dense,
    InputError,
    SpecError,
    WeightError,
    init_weights,
    reference,
)
from convparity.impls import networks, registry
from convparity.impls.reference import run
from parity_tests.trials import fuzz

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
SHAPE = (2, 6, 5, 2)
X = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)

# ---------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, "x is None"),
        (X * 1j, "x has dtype complex"),
        (X.astype(str), "x has dtype <U"),
        (X.astype("M8[s]"), "x has dtype datetime64"),
        (X.astype(object), "x has dtype object"),
        (np.zeros(SHAPE, [("a", "f4")]), "x has dtype"),
        ([[1, 2], [3]], "x is no array that NumPy can read"),
        (np.ma.masked_greater(X, 0), r"x has \d+ masked values of 120.*x\.filled\(0\)"),
    ],
)
def test_what_is_no_input_is_named(x: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reference(SPEC, WEIGHTS, x)
    if x is not None:
        with pytest.raises(InputError, match=message):
            convparity.compare(SPEC, x=x, frameworks=["pytorch"])


@pytest.mark.parametrize("dtype", [">f4", "<f8", "f2", "i8", "u1", "?"])
def test_any_real_input_is_computed(dtype: str) -> None:
    x = X.astype(dtype)
    expected = run(SPEC, WEIGHTS, x.astype(np.float64))
    assert np.array_equal(reference(SPEC, WEIGHTS, x), expected)
    assert np.array_equal(reference(SPEC, WEIGHTS, np.ma.array(x)), expected)
    assert np.array_equal(reference(SPEC, WEIGHTS, x.tolist()), expected)


@pytest.mark.parametrize("x", [1.0, np.ones(2), np.ones((2, 6, 5, 3)), np.zeros((0, 6, 5, 2))])
def test_what_does_not_fit_is_a_spec_error(x: Any) -> None:
    with pytest.raises(SpecError):
        reference(SPEC, WEIGHTS, x)


def test_a_candidate_that_gives_no_numbers_is_refused() -> None:
    def masked(*case: Any) -> Any:
        return np.ma.masked_all(reference(*case).shape, np.float32)

    for candidate, message in (
        (masked, "what the candidate gives has .* masked values"),
        (lambda *case: None, "what the candidate gives is None"),
        (lambda *case: reference(*case) * 1j, "dtype complex"),
        (lambda *case: 1 / 0, r"the candidate fails on an input of .*: ZeroDivisionError"),
        (3, "cannot be called"),
        (None, "cannot be called"),
        ([1, 2], "cannot be called"),
    ):
        with pytest.raises(InputError, match=message):
            convparity.judge(candidate, SPEC, input_shape=SHAPE)  # type: ignore[arg-type]


# ---------------------------------------------------------------- weights


def test_a_negative_variance_is_refused() -> None:
    spec = BatchNorm(3)
    weights = init_weights(spec, 0)
    weights["variance"][1] = -0.5
    with pytest.raises(WeightError, match="variance holds 1 negative values of 3"):
        reference(spec, weights, np.ones((1, 2, 2, 3)))
    weights["variance"][1] = 0
    assert np.isfinite(reference(spec, weights, np.ones((1, 2, 2, 3)))).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (None, "not None: init_weights"),
        ([1, 2], r"not \[1, 2\]: init_weights"),
        ({**WEIGHTS, 3: np.ones(2)}, r"unknown 3 \(1\)"),
        ({**WEIGHTS, "a\x1b[2J": np.ones(2)}, r"unknown 'a\\x1b\[2J' \(1\)"),
        ({**WEIGHTS, "bias": [1, [2], 3]}, "bias is no array that NumPy can read"),
        ({**WEIGHTS, "bias": None}, "bias is None"),
        ({**WEIGHTS, "bias": np.ma.masked_all(3)}, "bias has 3 masked values"),
    ],
)
def test_what_are_no_weights_is_named(weights: Any, message: str) -> None:
    with pytest.raises(WeightError, match=message):
        reference(SPEC, weights, X)
    with pytest.raises(WeightError, match=message):
        convparity.save("nowhere/w.safetensors", SPEC, weights)


# ---------------------------------------------------------------- specs, shapes, seeds


def test_a_class_is_no_spec() -> None:
    for call in (
        lambda: convparity.parameter_shapes(Conv),  # type: ignore[arg-type]
        lambda: convparity.output_shape(Conv, SHAPE),  # type: ignore[arg-type]
        lambda: convparity.to_json(Conv),  # type: ignore[arg-type]
        lambda: convparity.init_weights(Conv, 0),  # type: ignore[arg-type]
    ):
        with pytest.raises(SpecError, match=r"Conv is a class and not a spec: make one.*Conv\("):
            call()


def test_a_kind_of_spec_of_ones_own_is_refused() -> None:
    class Own(convparity.impls.spec.Spec):
        pass

    with pytest.raises(SpecError, match="Own is no Layer, Join or Composite"):
        convparity.output_shape(Own(), SHAPE)


@pytest.mark.parametrize("shape", [None, 3, "2x3", (1, 2.0, 3, 2), (2, None), (1, 10**40, 3, 2)])
def test_what_is_no_shape_is_named(shape: Any) -> None:
    with pytest.raises(SpecError, match=r"(shape|size) of an input"):
        convparity.output_shape(SPEC, shape)


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True, [1], 2**128])
def test_what_is_no_seed_is_named(seed: Any) -> None:
    with pytest.raises(InputError, match=r"seed must be an integer from 0 to 2\^128 - 1"):
        init_weights(SPEC, seed)


def test_a_size_has_a_limit() -> None:
    for size in (2**31, 10**40):
        with pytest.raises(SpecError, match="in_channels must be at most 2147483647"):
            Conv(size, 1, 1)


def test_frameworks_are_one_name_or_several() -> None:
    for given, meant in (
        ("pytorch", ("pytorch",)),
        ("torch", ("pytorch",)),
        (["jax", "keras"], ("flax", "keras")),
        ([], ()),
    ):
        assert registry.asked(given) == meant
    for wrong, message in (
        ("pytroch", r"unknown framework 'pytroch'\. Did you mean 'pytorch'\?"),
        (["p"], "unknown framework 'p'"),
        ([None], "unknown framework None"),
        (3, "frameworks are names, such as .*not 3"),
        (np.array(3), r"frameworks are names, such as .*not array\(3\)"),
    ):
        with pytest.raises(InputError, match=message):
            convparity.compare(SPEC, frameworks=wrong, input_shape=SHAPE)  # type: ignore[arg-type]


def test_building_a_class_says_so() -> None:
    with pytest.raises(SpecError, match=r"Conv is a class and not a spec: make one"):
        convparity.to_json(Conv)  # type: ignore[arg-type]


def test_what_a_message_repeats_is_short_and_printable() -> None:
    escape = "\x1b[2J" * 10**5
    weights = {**WEIGHTS, "x" * 10**6: np.ones(3), escape: np.ones(3)}
    for call in (
        lambda: reference(SPEC, weights, X),
        lambda: convparity.from_line("conv2d " + "9" * 10**6),
        lambda: convparity.from_line(f"conv2d {escape}"),
        lambda: convparity.from_json(json.dumps({"type": escape})),
        lambda: networks.get(escape),
        lambda: convparity.compare(SPEC, frameworks=[escape], input_shape=SHAPE),
        lambda: Conv(2, 3, 3, padding_mode=escape),  # type: ignore[arg-type]
    ):
        with pytest.raises(convparity.ConvparityError) as caught:
            call()
        assert len(str(caught.value)) < fuzz.LONGEST
        assert str(caught.value).isprintable()


def test_every_error_is_printable_and_bounded() -> None:
    """Whatever a message repeats, its beginning and its remedy can be read."""
    error = InputError("what\x1b[2J is \ud800 wrong\n" + "x" * 10**6 + ": the remedy")
    assert len(str(error)) < fuzz.LONGEST
    assert str(error).startswith(r"what\x1b[2J is \ud800 wrong" + "\n")
    assert str(error).endswith(": the remedy")
    assert str(InputError("größer\nals")) == "größer\nals"


def test_code_that_leaves_the_program_fails_as_any_other() -> None:
    def leaves(*case: Any) -> Any:
        sys.exit(0)

    with pytest.raises(InputError, match=r"the candidate fails on .*SystemExit: 0"):
        convparity.judge(leaves, SPEC, input_shape=SHAPE)
    with pytest.raises(InputError, match=r"the port fails on .*SystemExit: 0"):
        convparity.diagnose(leaves, SPEC, WEIGHTS, X)


def test_names_without_end_and_a_choice_that_is_none() -> None:
    with pytest.raises(InputError, match="direct is True, False or None, not array"):
        convparity.compare(SPEC, frameworks="pytorch", input_shape=SHAPE, direct=X)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="frameworks are at most 64 names"):
        registry.asked(itertools.repeat("torch"))
    with pytest.raises(SpecError, match="the shape of an input"):
        convparity.output_shape(convparity.Activation("relu"), (1,) * 40)


class Hostile:
    """It has code of its own wherever a number, an array or a text is asked for."""

    def _fails(self, *_: Any) -> Any:
        raise RuntimeError(self)

    __index__ = __float__ = __iter__ = __array__ = __str__ = __fspath__ = _fails

    def __repr__(self) -> str:
        return "Hostile()"


class HostileWeights(dict[str, Any]):
    """They cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("no")


def test_values_with_code_of_their_own_are_named() -> None:
    for call in (
        lambda: Conv(Hostile(), 3, 3),  # type: ignore[arg-type]
        lambda: Conv(2, 3, Hostile()),  # type: ignore[arg-type]
        lambda: BatchNorm(2, eps=Hostile()),  # type: ignore[arg-type]
        lambda: convparity.output_shape(SPEC, Hostile()),  # type: ignore[arg-type]
        lambda: reference(SPEC, WEIGHTS, Hostile()),  # type: ignore[arg-type]
        lambda: reference(SPEC, HostileWeights(WEIGHTS), X),
        lambda: convparity.load(Hostile()),  # type: ignore[arg-type]
        lambda: convparity.judge(lambda *case: Hostile(), SPEC, input_shape=SHAPE),
    ):
        with pytest.raises(convparity.ConvparityError):
            call()


@pytest.mark.parametrize("eps", [b"1e-3", bytearray(b"0.5"), np.array("0.5"), np.bool_(True)])
def test_what_reads_like_a_number_is_none(eps: Any) -> None:
    with pytest.raises(SpecError, match="eps must be a number"):
        BatchNorm(3, eps=eps)


def test_a_port_may_write_into_its_weights_and_its_output() -> None:
    """What it is judged by is not what it holds."""

    def right(spec: Any, weights: Any, x: Any) -> np.ndarray:
        return reference(spec, weights, x).astype(np.float32)

    def spoils(spec: Any, weights: Any, x: Any) -> np.ndarray:
        for array in weights.values():
            array[...] = 0
        return right(spec, weights, x)

    buffers: dict[Any, np.ndarray] = {}

    def reuses(f: Any) -> Any:
        def call(*given: Any) -> np.ndarray:
            y = f(*given)
            buffer = buffers.setdefault((f, y.shape), y.copy())
            buffer[...] = y
            return buffer

        return call

    spec = Dense(2, 3)
    assert not convparity.diagnose(spoils, spec, input_shape=(2, 2)).right
    assert convparity.diagnose(reuses(right), spec, input_shape=(2, 2)).right
    assert convparity.compare_callables(reuses(np.tanh), np.tanh, (2, 3)).status != "wrong"
    found = convparity.compare_callables(reuses(np.sin), reuses(np.tanh), (2, 3))
    assert found.structure.status == found.precision.status == "wrong"


def test_numbers_wider_than_float64_are_refused() -> None:
    if np.dtype(np.longdouble).itemsize == 8:
        return  # there are none here
    for call in (
        lambda: reference(SPEC, WEIGHTS, X.astype(np.longdouble)),
        lambda: reference(SPEC, {**WEIGHTS, "bias": np.ones(3, np.longdouble)}, X),
    ):
        with pytest.raises(convparity.ConvparityError, match="has dtype float"):
            call()


def test_a_spec_has_a_depth_and_a_number_of_layers() -> None:
    """They are counted when it is made, in time that grows with its own children alone."""
    relu = convparity.Activation("relu")

    def nested(depth: int, times: int) -> Any:
        spec: Any = relu
        for _ in range(depth):
            spec = convparity.Sequential(*[spec] * times)
        return spec

    assert nested(64, 1).extent == (64, 1)
    assert nested(16, 2).extent == (16, 2**16)
    with pytest.raises(SpecError, match="nests at most 64 composites"):
        nested(65, 1)
    with pytest.raises(SpecError, match="at most 65,536 layers"):
        nested(17, 2)
    with pytest.raises(SpecError, match="at most 65,536 layers"):
        convparity.Sequential(itertools.repeat(relu))  # type: ignore[call-overload]
    with pytest.raises(SpecError, match="more than 65,536 layers"):
        convparity.from_line(" | ".join(["relu"] * 10**6))
    with pytest.raises(SpecError):
        convparity.output_shape(SPEC, itertools.count(1))  # type: ignore[arg-type]
