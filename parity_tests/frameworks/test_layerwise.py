"""Where two networks part, in each framework's own modules."""

import pytest

from parity_tests.trials.divergence_trials import run


@pytest.mark.long
def test_a_fault_in_one_layer_of_a_native_mobilenet_v1() -> None:
    result = run(5, 1, width=0.125, size=32, frameworks=("pytorch", "flax", "keras"))
    assert result.misses == ()
    assert (result.named, result.alarms) == (5, 0)
