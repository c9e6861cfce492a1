"""PyTorch's own samples, as specs: a few of them, and that a wrong reading is seen.

In a process of their own: with its samples, torch brings settings of its own for Hypothesis.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.frameworks

FLIPPED = """
from parity_tests.trials import sample_specs, torch_samples

right = sample_specs.SPECS["conv1d"]

def flipped(*given, **how):
    said = right(*given, **how)
    return said._replace(weights={**said.weights, "kernel": said.weights["kernel"][::-1]})

sample_specs.SPECS["conv1d"] = flipped
torch_samples.main(["--op", "conv1d", "--framework", "pytorch"])
"""


def test_none_is_wrong() -> None:
    ops = ["conv1d", "avg_pool1d", "softsign", "layer_norm"]
    asked = [word for op in ops for word in ("--op", op)]
    command = [sys.executable, "-m", "parity_tests.trials.torch_samples", "--framework", "pytorch"]
    done = subprocess.run([*command, *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for op in ops:
        assert f"{op}: " in done.stdout
    assert "conv1d: 10 samples, 0 wrong, 0 refused" in done.stdout


def test_a_wrong_reading_is_seen() -> None:
    done = subprocess.run([sys.executable, "-c", FLIPPED], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "WRONG" in done.stdout
    assert "in torch" in done.stdout
