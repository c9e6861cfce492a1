"""Doubles err as they say, and no verdict calls them wrong: they are right on some machine."""

import dataclasses
from collections import Counter
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from convparity import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    reference,
)
from convparity.analysis.proof.compare import precision, structure
from convparity.analysis.proof.data import integer_case, real_case
from convparity.analysis.proof.rounded import Rounded, exact_input
from convparity.analysis.proof.rounding import trace, transform_margin
from convparity.analysis.proof.verdict import SCALE_LIMIT
from convparity.impls import networks
from convparity.impls.reference import run
from convparity.impls.spec import Composite
from parity_tests.support.executor import MARGIN, Arithmetic, Executor
from parity_tests.support.operations import LEANS, ORDERS, ROOT_UNITS, unit_in_last_place
from parity_tests.trials.doubles import (
    DOUBLES,
    SPECS,
    Count,
    Part,
    concerns,
    count,
    data_of,
    draw_double,
    drawn_cases,
    narrowed,
    outcomes,
    report,
)

NETWORKS = ("efficientnet_lite0", "mobilenet_v1")  # deep, of two activations

U = 2.0**-24
DIRECT = {name: double for name, double in DOUBLES.items() if double.algorithm == "direct"}


def positive(size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (2.0 ** rng.uniform(-30, 30, size)).astype(np.float32)


# ---------------------------------------------------------------- they err as they say


@pytest.mark.parametrize("name", [name for name in DOUBLES if "sqrt" in name])
def test_a_root_errs_by_up_to_four_units(name: str) -> None:
    a = np.append(positive(20_000), np.float32([1, 4, 0.25]))
    exact = 1 / np.sqrt(a.astype(np.float64))
    units = (Executor(DOUBLES[name]).reciprocal_root(a) - exact) / unit_in_last_place(exact)
    assert abs(units).max() <= ROOT_UNITS
    if name == "rsqrt by Newton":
        assert (units < 0.5).all()
        assert units.min() < -0.9
        return
    lean, least = DOUBLES[name].root_lean, 3 if name.startswith("rsqrt") else 2
    assert (units.max() > least) == (lean in ("up", "random"))
    assert (units.min() < -least) == (lean in ("down", "random"))
    assert lean != "up" or units.min() > 0
    assert lean != "down" or units.max() < 0


def test_newton_gives_what_was_seen() -> None:
    """On an Intel Xeon (family 6, model 207), of vectors of eight numbers or more."""
    y = Executor(DOUBLES["rsqrt by Newton"]).reciprocal_root(np.float32([1, 4, 0.25]))
    np.testing.assert_array_equal(y, np.float32([0.99999988, 0.49999994, 1.99999976]))


@pytest.mark.parametrize("lean", LEANS[1:])
def test_a_division_by_a_root_errs_by_up_to_four_units(lean: str) -> None:
    a, b = positive(20_000), positive(20_000)[::-1]
    exact = a / np.sqrt(b.astype(np.float64))
    quotient = Executor(Arithmetic(root_lean=lean)).by_root(a, b)
    units = (quotient - exact) / unit_in_last_place(exact)
    assert 2 < abs(units).max() <= ROOT_UNITS


@pytest.mark.parametrize("lean", LEANS)
def test_a_count_is_off_by_up_to_a_unit(lean: str) -> None:
    counts = np.arange(1, 5000)
    ones = np.ones(counts.shape, dtype=np.float32)
    y = Executor(Arithmetic(count="reciprocal", count_lean=lean)).mean_of(ones, counts)
    units = (y - 1 / counts) / unit_in_last_place(1 / counts)
    assert abs(units).max() <= (0.5 if lean == "exact" else 1)
    assert (units.max() > 0.9) == (lean in ("up", "random"))
    assert (units.min() < -0.9) == (lean in ("down", "random"))


@pytest.mark.parametrize("lean", LEANS)
@pytest.mark.parametrize("function", MARGIN)
def test_a_library_errs_by_up_to_twice_its_margin(function: str, lean: str) -> None:
    spec = Activation(function)
    x = np.random.default_rng(0).uniform(-20, 20, (2000, 8)).astype(np.float32)
    x[:9] = np.float32(2) ** np.arange(-140, -68).reshape(9, 8)
    exact = reference(spec, {}, x)
    y = Arithmetic(library_lean=lean)(spec, {}, x)
    share = (y - exact) / (MARGIN[function] * U * (abs(x.astype(np.float64)) + abs(exact) + 1))
    assert abs(share).max() <= 2
    rounded = U * abs(exact) + 2.0**-150  # to the nearest, a subnormal one too
    assert (abs(y - exact) <= rounded).all() == (lean == "exact")
    assert (share.max() > 1.5) == (lean in ("up", "random"))
    assert (share.min() < -1.5) == (lean in ("down", "random"))


def test_what_is_no_library_function_does_not_err() -> None:
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    for function, exact in (
        ("relu", np.maximum(x, 0)),
        ("relu6", np.clip(x, 0, 6)),
        ("leaky_relu", np.where(x >= 0, x, x * np.float32(0.01))),
    ):
        y = Arithmetic(library_lean="up")(Activation(function), {}, x)
        np.testing.assert_array_equal(y, exact)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_each_order_rounds_in_a_way_of_its_own(order: str, fused: bool) -> None:
    """A sum of n products is off by up to n roundings of the sum of their sizes."""
    spec = Dense(60, 50, bias=False)
    weights, x = real_case(spec, (2, 60), 3)
    exact = reference(spec, weights, x)
    y = Arithmetic(order, fused, seed=1)(spec, weights, x)
    sizes = reference(spec, {"kernel": abs(weights["kernel"])}, abs(x))
    assert (abs(y - exact) <= 61 * U * sizes).all()
    assert (y != exact.astype(np.float32)).any()
    others = [Arithmetic(each, fused, seed=1)(spec, weights, x) for each in ORDERS if each != order]
    assert all((y != other).any() for other in others)
    assert (y != Arithmetic(order, not fused, seed=1)(spec, weights, x)).any()


def test_a_fused_product_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 500)).astype(np.float32)
    c = -(a * b)  # what is left is the product's own rounding
    left = [
        Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r))
        for p, q, r in zip(a, b, c, strict=True)
    ]
    fused = Executor(Arithmetic(fused=True)).multiply_add(a, b, c)
    np.testing.assert_array_equal(fused, np.float32([float(each) for each in left]))
    assert not Executor(Arithmetic()).multiply_add(a, b, c).any()


def test_subnormals_are_flushed() -> None:
    spec, x = Dense(3, 1, bias=False), np.float32([[1e-41, 1e-20, 1]])
    flushed, kept = Arithmetic(flushed=True), Arithmetic()
    for kernel in ([1, 0, 0], [0, 1e-20, 0], [0, 0, 1e-41]):  # an input, a result, a weight
        weights = {"kernel": np.float32(kernel).reshape(3, 1)}
        assert kept(spec, weights, x).item() != 0
        assert flushed(spec, weights, x).item() == 0
    assert flushed(spec, {"kernel": np.float32([[0], [0], [-1]])}, x).item() == -1


@pytest.mark.parametrize("name", ["Winograd", "FFT"])
def test_transforms_are_the_layer(name: str) -> None:
    """On integers after rounding; groups, modes, odd sizes, strides and dilations."""
    seen = set()
    for family in ("3x3 convolutions", "convolutions of rank 1", "convolutions of rank 3"):
        for spec, shape, seed in drawn_cases(family, 0):
            if concerns(DOUBLES[name], spec):
                weights, x = integer_case(spec, shape, seed)
                y = DOUBLES[name](spec, weights, x)
                np.testing.assert_array_equal(np.rint(y), reference(spec, weights, x))
                seen.add((type(spec), spec.padding_mode, spec.rank))
    assert {kind for kind, *_ in seen} >= {Conv, DepthwiseConv}
    assert {mode for _, mode, _ in seen} == {"zeros", "reflect", "replicate", "circular"}
    assert {rank for *_, rank in seen} == ({2} if name == "Winograd" else {1, 2, 3})


@pytest.mark.parametrize("name", ["Winograd", "FFT"])
def test_transforms_err(name: str) -> None:
    spec = Conv(16, 8, 3, padding="same")
    weights, x = real_case(spec, (1, 7, 8, 16), 0)
    exact = reference(spec, weights, x)
    error = abs(DOUBLES[name](spec, weights, x) - exact)
    assert (error <= transform_margin(spec, weights, abs(x.astype(np.float64)), U)).all()
    assert error.max() > 2 * abs(exact.astype(np.float32) - exact).max()


NORMS = [BatchNorm(24), LayerNorm(24), GroupNorm(3, 24)]


@pytest.mark.parametrize("spec", NORMS, ids=lambda spec: type(spec).__name__)
def test_the_forms_of_a_norm_differ_by_rounding(spec: Spec) -> None:
    weights, x = real_case(spec, (2, 4, 5, 24), 1)
    forms = [DOUBLES[name](spec, weights, x) for name in ("plain", "folded", "by the root, exact")]
    target = target_of(spec, weights, x)
    for i, form in enumerate(forms):
        assert (abs(form - target.value) <= target.bound).all()
        assert all((form != other).any() for other in forms[:i])


@pytest.mark.parametrize("spec", NORMS[1:], ids=lambda spec: type(spec).__name__)
def test_a_variance_is_not_lost_beside_a_large_mean(spec: Spec) -> None:
    weights, x = real_case(spec, (2, 4, 5, 24), 1)
    large = x + np.float32(10_000)  # whose square has no place left for a variance of one
    target = target_of(spec, weights, large)
    assert precision(Arithmetic()(spec, weights, large), target).share <= 1

    class Cancelling(Executor):
        def moments(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            mean = self.mean(terms)
            return mean, np.maximum(self.mean(terms, squared=True) - mean * mean, np.float32(0))

    lost = Cancelling(Arithmetic()).run(spec, weights, large)
    assert precision(lost, target).share > 1  # the bound tells the two apart


def test_a_seed_says_what_is_random() -> None:
    spec = Sequential(Conv(3, 4, 3), BatchNorm(4), Activation("tanh"))
    weights, x = real_case(spec, (1, 6, 6, 3), 0)
    how = Arithmetic(order="random", root_lean="random", library_lean="random", seed=1)
    y = how(spec, weights, x)
    np.testing.assert_array_equal(y, how(spec, weights, x))
    assert (y != dataclasses.replace(how, seed=2)(spec, weights, x)).any()


@pytest.mark.parametrize("shortcut", [None, Conv(3, 3, 1)])
def test_a_residual_adds_its_branches(shortcut: Spec | None) -> None:
    spec = Residual(Conv(3, 3, 3, padding="same"), shortcut)
    weights, x = integer_case(spec, (1, 5, 6, 3), 0)
    np.testing.assert_array_equal(Arithmetic()(spec, weights, x), reference(spec, weights, x))


def test_bad_choices() -> None:
    with pytest.raises(ValueError, match="order is one of"):
        Arithmetic(order="sideways")
    with pytest.raises(NotImplementedError, match="no arithmetic is known for"):
        Arithmetic()(type("Odd", (Spec,), {})(), {}, np.float32([0]))


# ---------------------------------------------------------------- what makes a difference


def test_what_does_not_concern_a_layer_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    seen = {True: set(), False: set()}
    for family in SPECS:
        for case in drawn_cases(family, 1)[:5]:
            weights, x = real_case(case.spec, case.input_shape, case.seed)
            plain = Arithmetic()(case.spec, weights, x)
            for name, double in DIRECT.items():
                if not concerns(double, case.spec):  # one of its choices may, which is left
                    left = narrowed(double, case.spec)
                    expected = plain if left == Arithmetic() else left(case.spec, weights, x)
                    np.testing.assert_array_equal(double(case.spec, weights, x), expected)
                elif (double(case.spec, weights, x) != plain).any():
                    seen[True].add(name)
            double = draw_double(rng)
            np.testing.assert_array_equal(
                double(case.spec, weights, x), narrowed(double, case.spec)(case.spec, weights, x)
            )
    # real numbers are normal: what is flushed has a test of its own
    assert seen[True] == set(DIRECT) - {"plain", "flushed", "rsqrt exact"}


# ---------------------------------------------------------------- no alarm


def target_of(spec: Spec, weights, x: np.ndarray) -> Rounded:
    return trace(spec, weights, exact_input(x))


@pytest.mark.parametrize("family", SPECS)
def test_no_double_is_called_wrong(family: str) -> None:
    rng = np.random.default_rng(0)
    for case in drawn_cases(family, 2)[:6]:
        doubles = {name: double for name, double in DOUBLES.items() if concerns(double, case.spec)}
        doubles["combination"] = draw_double(rng)
        for data in data_of(case):
            for outcome in outcomes(case, data, doubles):
                assert outcome.right(family), f"{case} {outcome}"


@cache
def network_case(name: str, exact: bool):
    spec, shape = networks.get(name).spec, (1, 64, 64, 3)
    weights, x = integer_case(spec, shape, 0) if exact else real_case(spec, shape, 0)
    return spec, weights, x, target_of(spec, weights, x)


@pytest.mark.parametrize(
    "double",
    [
        *("rsqrt up", "rsqrt down", "rsqrt random", "rsqrt by Newton"),
        *("blocked sums", "fused", "flushed", "count's reciprocal random"),
    ],
)
@pytest.mark.parametrize("exact", [True, False], ids=["ints", "reals"])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_is_called_wrong(name: str, exact: bool, double: str) -> None:
    spec, weights, x, target = network_case(name, exact)
    verdict = (structure if exact else precision)(DOUBLES[double](spec, weights, x), target)
    assert verdict.status != "wrong", verdict


def smooth() -> tuple[Spec, tuple[int, ...]]:
    """A network without ReLU: each layer's bound is passed on, and more."""
    blocks = [(Conv(8, 8, 3, padding="same"), BatchNorm(8), Activation("silu")) for _ in range(24)]
    return Sequential(*[layer for block in blocks for layer in block]), (1, 6, 7, 8)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("name", [*NETWORKS, "smooth"])
def test_the_meter_of_a_network_is_not_blind(name: str, direct: bool) -> None:
    """It allows so many times the size of independent roundings, which are not fewer than that."""
    spec, shape = smooth() if name == "smooth" else (networks.get(name).spec, (1, 64, 64, 3))
    weights, x = real_case(spec, shape, 0)
    target = trace(spec, weights, exact_input(x, direct=direct))
    assert target.bound.min() > abs(target.value).max()  # beyond all use: it must not get into rho
    rho = precision(Arithmetic()(spec, weights, x), target).rho
    assert 1 / SCALE_LIMIT < rho < SCALE_LIMIT


# ---------------------------------------------------------------- what comes before a layer


@pytest.mark.parametrize("family", SPECS)
def test_a_bound_holds_the_error_of_the_input(family: str) -> None:
    """An input that is off by its bound moves the output by no more than the output's."""
    for case in drawn_cases(family, 3)[:10]:
        weights, x = real_case(*case)
        off = np.random.default_rng(case.seed).choice([-1, 1], x.shape) / 256
        before = exact_input(x)
        before = dataclasses.replace(before, bound=abs(off), noise=off, basis="proved")
        target = trace(case.spec, weights, before)
        change = run(case.spec, weights, before.value + off) - target.value
        assert (abs(change) <= target.bound).all(), case
        if not isinstance(case.spec, Composite):  # inside one, noise of its own is added
            known = np.isfinite(target.bound)  # where none is, a sample of the error says nothing
            np.testing.assert_allclose(target.noise[known], change[known], rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- a fault stays a fault

SHIFTED = {  # a layer, and the same with its padding shifted by a pixel
    "convolution": [Conv(4, 6, 3, padding=pads) for pads in (((1, 1), (1, 1)), ((0, 2), (1, 1)))],
    "depthwise": [
        DepthwiseConv(4, 3, padding=pads) for pads in (((1, 1), (1, 1)), ((1, 1), (2, 0)))
    ],
    "separable": [SeparableConv(4, 6, 3, 2, pads) for pads in (((0, 1), (0, 1)), ((1, 0), (1, 0)))],
    "transposed": [
        ConvTranspose(4, 6, 3, 2, pads) for pads in (((1, 0), (1, 0)), ((0, 1), (0, 1)))
    ],
    "average": [AvgPool(2, 2, pads) for pads in (((0, 1), (0, 1)), ((1, 0), (0, 1)))],
    "largest": [MaxPool(2, 2, pads) for pads in (((0, 1), (0, 1)), ((1, 0), (0, 1)))],
}
SHAPE = (2, 7, 7, 4)


@pytest.mark.parametrize("double", DOUBLES)
@pytest.mark.parametrize("layer", SHIFTED)
def test_a_shifted_pad_is_wrong_in_any_arithmetic(layer: str, double: str) -> None:
    right, shifted = SHIFTED[layer]
    how = DOUBLES[double]
    if how.algorithm != "direct" and not concerns(how, right):
        how = Arithmetic()
    for judge, (weights, x) in (
        (structure, integer_case(right, SHAPE, 1)),
        (precision, real_case(right, SHAPE, 1)),
    ):
        target = trace(right, weights, exact_input(x, direct=how.algorithm == "direct"))
        assert judge(how(shifted, weights, x), target).status == "wrong"
        assert judge(how(right, weights, x), target).status == "ok"


@pytest.mark.parametrize("double", DIRECT)
def test_and_before_norms_and_activations(double: str) -> None:
    right, shifted = (
        Sequential(conv, BatchNorm(6), Activation("silu"), AvgPool(2), LayerNorm(6))
        for conv in SHIFTED["convolution"]
    )
    weights, x = real_case(right, SHAPE, 1)
    target = target_of(right, weights, x)
    assert precision(DIRECT[double](shifted, weights, x), target).status == "wrong"
    assert precision(DIRECT[double](right, weights, x), target).status == "ok"


# ---------------------------------------------------------------- the count


def test_the_count_is_of_different_data_and_doubles() -> None:
    counted = count(Part("softplus", 90, 0))
    assert counted.by_family["cases"] >= 90
    assert counted.by_family["cases"] == counted.by_family["ok"] + len(counted.told)
    assert counted.by_family["entries"] > 90
    assert (
        sum(n for (_, what), n in counted.by_double.items() if what == "cases")
        == (counted.by_family["cases"])
    )


@pytest.mark.parametrize(
    ("family", "status", "right"),
    [
        ("tanh", "ok", True),
        ("tanh", "wrong", False),
        ("tanh", "not tested", False),
        ("chains", "not tested", True),
        ("chains", "wrong", False),
    ],
)
def test_an_alarm_fails_the_count(family: str, status: str, right: bool, capsys) -> None:
    one = Counter({"cases": 1, status: 1, "entries": 7})
    assert report([Count(family, one, Counter({("plain", status): 1}), ["the case"])]) == right
    printed = capsys.readouterr().out
    assert "the case" in printed
    assert [line.split()[-1] for line in printed.splitlines() if line.startswith("all")] == ["7"]
