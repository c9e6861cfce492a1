"""On integers, every framework gives the reference's output bit for bit."""

import pytest
from hypothesis import given

from impls.adapter import Adapter
from parity_tests.asserts import assert_structure, coverage, note_cells
from parity_tests.strategies import HARD_CELLS, Case, chain_cases, layer_cases

pytestmark = pytest.mark.frameworks


def test_layers(adapters: list[Adapter]) -> None:
    with coverage(HARD_CELLS) as seen:

        @given(layer_cases)
        def outputs_equal(case: Case) -> None:
            note_cells(case, seen)
            assert_structure(case, adapters)

        outputs_equal()


@given(case=chain_cases)
def test_chains(adapters: list[Adapter], case: Case) -> None:
    assert_structure(case, adapters)
