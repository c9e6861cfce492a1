"""On real numbers, every framework errs as float32 must: under the proved bound, and no more."""

import pytest
from hypothesis import given, settings

from impls.adapter import Adapter
from parity_tests.asserts import assert_precision
from parity_tests.strategies import Case, chain_cases, layer_cases

pytestmark = pytest.mark.frameworks


@settings(max_examples=settings().max_examples // 2)
@given(case=layer_cases | chain_cases)
def test_random_specs(adapters: list[Adapter], case: Case) -> None:
    assert_precision(case, adapters)
