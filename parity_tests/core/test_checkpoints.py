"""Checkpoints, without PyTorch: refused, and never executed."""

import pickle
import sys
from pathlib import Path

import pytest

import convparity
from convparity import WeightError
from convparity.impls.checkpoints import pytorch
from parity_tests.support.pickles import TRAPS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pth"


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_would_have_sprung(tmp_path, trap):
    sprung = tmp_path / "sprung"
    pickle.loads(pickle.dumps(TRAPS[trap](str(sprung))))
    assert sprung.exists()


def test_a_checkpoint_of_code_is_not_imported(tmp_path, monkeypatch):
    """Not even a module beside the file, whose import would run it."""
    (tmp_path / "besides.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"cbesides\nanything\n.")
    with pytest.raises(WeightError, match=r"model\.safetensors"):
        convparity.load(path)
    assert not (tmp_path / "sprung").exists()
    assert "besides" not in sys.modules


def test_the_released_file_is_known_by_its_digest(path, monkeypatch):
    data = b"PK\x03\x04" + bytes(96)
    monkeypatch.setitem(pytorch.DIGESTS, len(data), "0" * 64)
    path.write_bytes(data)
    with pytest.raises(WeightError, match=r"as long as the released file, and not the same"):
        convparity.load(path)
