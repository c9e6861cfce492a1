"""The strategies draw valid, hard and shrinkable cases."""

from collections import Counter

import pytest
from hypothesis import find, given, settings

from analysis.cases import exact_shape, integer_case
from analysis.rounding import exact_input, trace
from impls import Conv, DepthwiseConv, SeparableConv, output_shape
from parity_tests.strategies import HARD_CELLS, Case, cells, chain_cases, layer_cases

NO_DATABASE = settings(database=None, max_examples=5000, derandomize=True)


@given(layer_cases | chain_cases)
def test_every_case_fits(case: Case) -> None:
    assert min(output_shape(case.spec, case.input_shape)) >= 1


def test_hard_cells_are_common() -> None:
    """A run of the gate draws each of them many times, not once by luck."""
    seen: Counter[str] = Counter()
    drawn = 0

    @settings(max_examples=300)
    @given(layer_cases)
    def draw(case: Case) -> None:
        nonlocal drawn
        drawn += 1
        seen.update(set(cells(case)))

    draw()
    assert set(seen) <= HARD_CELLS
    rare = {cell: seen[cell] for cell in HARD_CELLS if seen[cell] < drawn / 50}
    assert not rare, f"in {drawn} cases: {rare}"


@pytest.mark.parametrize("kind", [Conv, DepthwiseConv, SeparableConv])
def test_a_case_shrinks_to_the_simplest(kind: type) -> None:
    spec, shape, seed = find(
        layer_cases, lambda case: isinstance(case.spec, kind), settings=NO_DATABASE
    )
    assert shape == (1, 1, 1, 1)
    assert (spec.kernel_size, spec.stride, spec.dilation) == ((1, 1),) * 3
    assert spec.padding == "valid"
    assert seed == 0


def test_a_fault_shrinks_to_its_cause() -> None:
    """Of a case with a stride and a dilation, that is all that remains."""

    def both(case: Case) -> bool:
        return "stride with dilation" in cells(case) and isinstance(case.spec, Conv)

    spec, shape, _ = find(layer_cases, both, settings=NO_DATABASE)
    assert (spec.in_channels, spec.out_channels, spec.groups) == (1, 1, 1)
    assert max(spec.kernel_size) == max(spec.stride) == max(spec.dilation) == 2
    assert spec.padding == "valid"
    assert max(shape) == 3  # the dilated kernel, once


@given(layer_cases)
def test_integers_are_exact(case: Case) -> None:
    """The data of every structure verdict are such that nothing can round."""
    weights, x = integer_case(case.spec, case.input_shape, case.seed)
    assert trace(case.spec, weights, exact_input(x)).exact


@given(chain_cases)
def test_integers_are_exact_in_chains(case: Case) -> None:
    weights, x = integer_case(case.spec, exact_shape(case.spec, case.input_shape), case.seed)
    target = trace(case.spec, weights, exact_input(x))
    assert target.exact


@given(layer_cases)
def test_integers_are_telling(case: Case) -> None:
    """The inputs are not all alike, wherever there is more than one of them."""
    _, x = integer_case(case.spec, case.input_shape, case.seed)
    assert len(set(x.flat)) >= min(x.size, 15) / 5
