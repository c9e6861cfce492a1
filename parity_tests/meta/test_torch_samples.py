"""PyTorch's own samples, as specs: a few of them, and that a wrong reading is seen."""

from typing import Any

import pytest

import convparity as cp
from convparity.impls import registry

pytestmark = pytest.mark.frameworks


@pytest.fixture
def trial() -> Any:
    """The module, which imports torch."""
    from parity_tests.trials import torch_samples

    return torch_samples


@pytest.mark.parametrize("op", ["conv1d", "avg_pool1d", "softsign", "layer_norm"])
def test_none_is_wrong(trial: Any, op: str) -> None:
    judged, refused = 0, 0
    for sample in trial.samples(op):
        try:
            found = trial.judged(sample, [registry.get("pytorch")])
        except cp.ConvparityError:
            refused += 1
            continue
        assert found == {"torch": None, "pytorch": None}, sample.name
        judged += 1
    assert judged > refused


def test_a_wrong_reading_is_seen(trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = trial.SPECS["conv1d"]

    def flipped(*given: Any, **how: Any) -> Any:
        said = right(*given, **how)
        kernel = said.weights["kernel"][::-1]
        return said._replace(weights={**said.weights, "kernel": kernel})

    monkeypatch.setitem(trial.SPECS, "conv1d", flipped)
    found = [trial.judged(sample, []) for sample in trial.samples("conv1d")]
    assert any(each["torch"] is not None for each in found)
