"""PyTorch's own samples, as specs: a few of them, and that a wrong reading is seen."""

from collections.abc import Callable
from typing import Any

import pytest

import convparity as cp
from convparity.impls import registry
from parity_tests.trials import torch_samples
from parity_tests.trials.sample_specs import SPECS

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("op", ["conv1d", "avg_pool1d", "softsign", "layer_norm"])
def test_none_is_wrong(op: str) -> None:
    judged, refused = 0, 0
    for sample in torch_samples.samples(op):
        try:
            found = torch_samples.judged(sample, [registry.get("pytorch")])
        except cp.ConvparityError:
            refused += 1
            continue
        assert found == {"torch": None, "pytorch": None}, sample.name
        judged += 1
    assert judged > refused


def test_a_wrong_reading_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[..., Any] = SPECS["conv1d"]

    def flipped(*given: Any, **how: Any) -> Any:
        said = right(*given, **how)
        kernel = said.weights["kernel"][::-1]
        return said._replace(weights={**said.weights, "kernel": kernel})

    monkeypatch.setitem(SPECS, "conv1d", flipped)
    found = [torch_samples.judged(sample, []) for sample in torch_samples.samples("conv1d")]
    assert any(each["torch"] is not None for each in found)
