"""On real numbers, every framework errs as float32 must: under the proved bound, and no more."""

from hypothesis import given, settings

from convparity import Conv, LayerNorm, Sequential
from convparity.analysis.proof.compare import precision
from convparity.analysis.proof.data import real_case
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from parity_tests.support.asserts import assert_precision, replay
from parity_tests.support.strategies import Case, cases, chain_cases, layer_cases, layers


@settings(max_examples=settings().max_examples // 6)
@given(case=layer_cases | chain_cases)
def test_random_specs(adapters: list[Adapter], case: Case) -> None:
    """At sizes that integers do not need; ``test_outputs`` judges each family on reals, too."""
    assert_precision(case, adapters)


def assert_far_from_zero(adapter: Adapter, case: Case) -> None:
    """Values near each other: the mean of their squares has lost their variance.

    PyTorch's GroupNorm computes it so, and is not asked.
    """
    weights, x = real_case(*case)
    x = 256 + x
    verdict = precision(
        adapter.apply(adapter.build(case.spec, weights), case.spec, x),
        trace(case.spec, weights, exact_input(x)),
    )
    assert verdict.ok, f"{adapter.name}: {verdict}\n{replay(case, 'reals')} (and x + 256)"


@settings(max_examples=20)
@given(case=cases(layers(LayerNorm)))
def test_norms_far_from_zero(adapter: Adapter, case: Case) -> None:
    assert_far_from_zero(adapter, case)


def test_networks_far_from_zero(adapter: Adapter) -> None:
    spec = Sequential(LayerNorm(4), Conv(4, 3, 2))
    assert_far_from_zero(adapter, Case(spec, (2, 6, 5, 4), 3))
