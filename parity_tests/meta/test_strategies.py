"""The strategies draw valid, hard and shrinkable cases."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    GlobalAvgPool,
    Scale,
    Sequential,
    output_shape,
)
from convparity.analysis.proof.data import case_trust, exact_shape, integer_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import run
from convparity.impls.spec import walk
from parity_tests.support.cells import FAMILIES, cells
from parity_tests.support.convolution_strategies import CONVS
from parity_tests.support.strategies import (
    MAKERS,
    Case,
    chain_cases,
    conv_cases,
    exact_chain_cases,
    layer_cases,
    linear_cases,
    max_pool_cases,
    scale_cases,
)

NO_DATABASE = settings(
    database=None,
    max_examples=5000,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],  # to explain what was found takes four times as long
)


@given(layer_cases | chain_cases | exact_chain_cases)
def test_every_case_fits(case: Case) -> None:
    assert min(output_shape(case.spec, case.input_shape)) >= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_hard_cells_are_common(name: str) -> None:
    """A run of the gate draws each of them many times, not once by luck.

    Hypothesis varies an example a few times before it draws afresh, so that a short run says
    little about how often a cell is drawn.
    """
    family = FAMILIES[name]
    seen: Counter[str] = Counter()
    drawn = 0

    @settings(max_examples=2 * family.examples)
    @given(family.cases)
    def draw(case: Case) -> None:
        nonlocal drawn
        drawn += 1
        seen.update(set(cells(case)))

    draw()
    rare = {cell: seen[cell] for cell in family.cells if seen[cell] < drawn / 50}
    assert not rare, f"in {drawn} cases: {rare}"


def test_every_cell_is_asked_for() -> None:
    """A cell that no family must meet is a slip of a name; some kinds share a cell."""
    wanted = frozenset().union(*(family.cells for family in FAMILIES.values()))
    seen: set[str] = set()

    @given(layer_cases | chain_cases)
    def draw(case: Case) -> None:
        seen.update(cells(case))

    draw()
    assert seen <= wanted


@pytest.mark.parametrize("kind", MAKERS)
def test_a_case_shrinks_to_the_simplest(kind: type) -> None:
    spec, shape, seed = find(
        layer_cases, lambda case: isinstance(case.spec, kind), settings=NO_DATABASE
    )
    assert shape == (1, 1, 1)
    assert seed == 0
    for name in ("kernel_size", "stride", "dilation"):
        assert getattr(spec, name, (1,)) == (1,)
    assert getattr(spec, "padding", "valid") == "valid"
    assert getattr(spec, "padding_mode", "zeros") == "zeros"
    assert getattr(spec, "mode", "zeros") == "zeros"


@pytest.mark.parametrize("kind", [Conv, ConvTranspose])
def test_a_fault_shrinks_to_its_cause(kind: type) -> None:
    """Of a case with a stride and a dilation, that is all that remains."""

    def both(case: Case) -> bool:
        return "stride with dilation" in cells(case) and isinstance(case.spec, kind)

    spec, shape, _ = find(linear_cases, both, settings=NO_DATABASE)
    assert (spec.in_channels, spec.out_channels, spec.groups) == (1, 1, 1)
    assert max(spec.kernel_size) == max(spec.stride) == max(spec.dilation) == 2
    assert spec.padding == "valid"
    sizes = {Conv: shape, ConvTranspose: output_shape(spec, shape)}
    assert max(sizes[kind]) == 3  # the dilated kernel, once


@pytest.mark.parametrize("rank", [2, 3])
def test_a_fault_of_another_rank_keeps_it(rank: int) -> None:
    spec, shape, _ = find(
        conv_cases, lambda case: f"rank {rank}" in cells(case), settings=NO_DATABASE
    )
    assert isinstance(spec, CONVS)
    assert shape == (1,) * (rank + 2)


@given(linear_cases | max_pool_cases)
def test_integers_are_exact(case: Case) -> None:
    """The data of every structure verdict are such that nothing can round."""
    weights, x = integer_case(case.spec, case.input_shape, case.seed)
    assert trace(case.spec, weights, exact_input(x)).exact


@pytest.mark.parametrize("family", FAMILIES)
def test_integers_tell_right_from_wrong(family: str) -> None:
    """Another input changes the outputs, and every weight that could matter at this size does."""

    @settings(max_examples=FAMILIES[family].examples // 3)
    @given(FAMILIES[family].cases)
    def told(case: Case) -> None:
        shape = exact_shape(case.spec, case.input_shape)
        found = case_trust(case.spec, *integer_case(case.spec, shape, case.seed))
        assert found.ok, found

    told()


@given(exact_chain_cases)
def test_integers_of_chains_are_told_from_each_other(case: Case) -> None:
    """What takes a root or a mean may round; no other integer is ever as near."""
    weights, x = integer_case(case.spec, exact_shape(case.spec, case.input_shape), case.seed)
    target = trace(case.spec, weights, exact_input(x))
    assert target.unit is not None
    assert not target.untested.any()
    rounds = (BatchNorm, GlobalAvgPool)
    assert target.exact or any(isinstance(layer, rounds) for _, layer in walk(case.spec))


@given(scale_cases)
def test_no_channel_is_scaled_by_zero(case: Case) -> None:
    """Nor by the same as all others, which a scale of the wrong axis would be, too."""
    weights, _ = integer_case(*case)
    assert weights["scale"].all()
    many, _ = integer_case(Scale(16), (1, 16), case.seed)
    assert len(set(many["scale"])) > 2


@pytest.mark.parametrize("seed", range(5))
def test_a_deep_network_of_scales_is_alive(seed: int) -> None:
    block = Sequential(Conv(4, 4, 3, padding="same"), Scale(4), Activation("relu"))
    spec = Sequential([block] * 10)
    weights, x = integer_case(spec, (1, 6, 6, 4), seed)
    y, other = (run(spec, weights, each.astype(float)) for each in (x, -x))
    assert np.count_nonzero(y != other) > y.size / 10


@given(layer_cases)
def test_integers_are_telling(case: Case) -> None:
    """The inputs are not all alike, wherever there is more than one of them."""
    _, x = integer_case(case.spec, case.input_shape, case.seed)
    assert len(set(x.flat)) >= min(x.size, 15) / 5
